"""A fixed camera: its scene, and what it makes of what is before it."""
from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..reading import Pixels
from .settings import SyntheticConfig

__all__ = ["SUPERSAMPLING", "Camera", "expose", "make_camera"]

SUPERSAMPLING = 2


@dataclass(frozen=True)
class Camera:
    """A fixed camera. Lengths are relative to the height of the image."""
    gains: NDArray[np.float64]  # [3] RGB
    gamma: float
    saturation: float
    haze: float              # grey veil, 0 .. 1
    blur: float              # standard deviation, pixels of a 128 pixel high image
    noise: float             # standard deviation, grey levels of 255
    quality: int             # JPEG
    yaw: float               # of people who walk towards the camera
    height: float            # of a person
    stretch: float           # of the boxes' width
    tilt: float
    roll: float
    offset: tuple[float, float]
    light: float             # horizontal gradient of the light, signed
    scene: Pixels            # RGB [H, many W, 3] at the drawing resolution


def make_camera(rng: np.random.Generator, shape: tuple[int, int], config: SyntheticConfig) -> Camera:
    """Draw one camera with its scene; ``shape`` is (height, width) of its images in pixels."""
    cast, optics, view = config.camera_cast, config.camera_optics, config.camera_viewpoint
    temperature, tint = rng.uniform(-1, 1), rng.uniform(-1, 1)
    gains = np.exp(cast * (np.asarray([0.08, -0.006, -0.1]) * temperature + np.asarray([0.016, -0.032, 0.016]) * tint
                           + rng.uniform(-0.08, 0.08)))
    return Camera(
        gains=gains, gamma=math.exp(cast * rng.uniform(-0.145, 0.145)), saturation=1 - cast * rng.uniform(-0.07, 0.19),
        haze=cast * rng.uniform(0, 0.08), blur=optics * rng.uniform(0.2, 0.75), noise=optics * rng.uniform(1.5, 6.5),
        quality=int(np.clip(92 - optics * rng.uniform(0, 28), 20, 95)), yaw=rng.uniform(0, 2 * math.pi),
        height=0.92 + view * rng.uniform(-0.03, 0.02),
        stretch=1.16 + view * rng.uniform(-0.06, 0.06), tilt=view * rng.uniform(0, 0.17),
        roll=view * rng.uniform(-0.03, 0.03),
        offset=(view * rng.uniform(-0.02, 0.02), view * rng.uniform(-0.012, 0.012)),
        light=rng.uniform(-0.25, 0.25), scene=make_scene(rng, shape, config))


def make_scene(rng: np.random.Generator, shape: tuple[int, int], config: SyntheticConfig) -> Pixels:
    """A wall, a floor and clutter: RGB uint8 [2 height, 16 width, 3], from which the boxes cut their background."""
    h, w = SUPERSAMPLING * shape[0], 8 * SUPERSAMPLING * shape[1]
    wall = rng.uniform(70, 190, 3) * 0.4 + rng.uniform(70, 190) * 0.6
    floor = rng.uniform(60, 170) + rng.uniform(-14, 14, 3)
    horizon = int(h * rng.uniform(0.3, 0.75))
    scene = np.empty((h, w, 3), np.float32)
    scene[:horizon], scene[horizon:] = wall, floor
    for _ in range(14):  # windows, doors, posters, hedges on the wall
        x, y = int(rng.integers(0, w)), int(rng.integers(-h // 4, horizon))
        size = (int(h * rng.uniform(0.08, 0.35)), int(h * rng.uniform(0.15, 0.5)))
        colour = wall * rng.uniform(0.5, 1.4) if rng.random() < 0.6 else rng.uniform(30, 220, 3)
        corner = (x + size[0], min(horizon, y + size[1]))
        cv2.rectangle(scene, (x, y), corner, colour.tolist(), -1)
        cv2.rectangle(scene, (x, y), corner, (0.6 * colour).tolist(), 3)
    step, slant = int(h * rng.uniform(0.12, 0.3)), rng.uniform(-1.2, 1.2)
    line = (floor * rng.uniform(0.7, 1.25)).tolist()
    for x in range(-h, w + h, step):  # joints of the pavement
        cv2.line(scene, (x, horizon), (int(x + slant * (h - horizon)), h), line, 2)
    for y in np.geomspace(8, max(9, h - horizon), int(rng.integers(3, 6))).astype(int).tolist():
        cv2.line(scene, (0, horizon + y), (w, horizon + y), line, 2)
    for _ in range(int(rng.integers(2, 6))):  # poles and trunks
        x, colour = int(rng.integers(0, w)), rng.uniform(40, 130, 3).tolist()
        cv2.rectangle(scene, (x, 0), (x + int(h * rng.uniform(0.02, 0.06)), int(h * rng.uniform(0.6, 1))), colour, -1)
    for cells, strength in ((8, 16.0), (48, 9.0)):  # stains and grain
        grain = rng.normal(0, strength, (cells, cells * w // h, 1)).astype(np.float32)
        scene += cv2.resize(grain, (w, h), interpolation=cv2.INTER_LINEAR)[..., None]
    return np.clip(125 + 0.25 * config.background * (scene - 125), 0, 255).astype(np.uint8)


def expose(image: Pixels, camera: Camera, shape: tuple[int, int], rng: np.random.Generator,
            config: SyntheticConfig) -> Pixels:
    """What the camera makes of the scene: optics, sampling, colour and noise; RGB uint8 [height, width, 3]."""
    small = cv2.resize(image, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    sigma = camera.blur * shape[0] / 128
    if sigma > 0.05:
        small = cv2.GaussianBlur(small, (0, 0), sigma)
    values = small.astype(np.float32) / 255
    values = values ** camera.gamma * (camera.gains * math.exp(config.light_variation * rng.normal(0, 0.07)))
    grey = values.mean(axis=2, keepdims=True)
    values = grey + camera.saturation * (values - grey)
    values = values + camera.haze * (0.6 - values)
    values = 255 * values + rng.normal(0, 1, values.shape).astype(np.float32) * camera.noise
    return np.clip(values, 0, 255).astype(np.uint8)
