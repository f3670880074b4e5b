"""One image: background, person, what is before and behind it, and the camera."""
from __future__ import annotations

import math

import cv2
import numpy as np

from ..reading import Pixels
from .camera import SUPERSAMPLING, Camera, expose
from .figure import draw_person
from .painter import Placement, Pose
from .person import sample_person
from .settings import SyntheticConfig
from .shots import Shot, Stream, stream

__all__ = ["render"]


def render(shot: Shot, camera: Camera, seed: int, shape: tuple[int, int], config: SyntheticConfig) -> Pixels:
    """Draw one image: RGB uint8 [height, width, 3]. Depends on its arguments only, not on the order of the calls."""
    track = stream(seed, Stream.TRACK, shot.who, shot.camera, shot.pid < 1)
    rng = stream(seed, Stream.IMAGE, shot.pid, shot.camera, shot.frame)
    canvas = (SUPERSAMPLING * shape[0], SUPERSAMPLING * shape[1])
    bad = shot.pid < 1
    yaw = camera.yaw + math.pi * track.integers(0, 2) + config.view_variation * track.normal(0, 0.18)
    swing, start = config.pose_variation * track.uniform(0.1, 0.38), track.random()
    image = _background(camera.scene, canvas, start, rng)
    if not (shot.pid == 0 and rng.random() < 0.35):  # a part of the distractors is mere background
        if rng.random() < config.occlusion:
            _stranger(image, camera, rng, config)
        pose = Pose(yaw + config.view_variation * rng.normal(0, 0.06), rng.uniform(0, 2 * math.pi), swing,
                    track.uniform(0, 1.2))
        person = sample_person(stream(seed, Stream.PERSON, shot.who), config)
        jitter = config.box_jitter * (10.0 if bad else 1.0)
        _compose(image, draw_person(canvas, person, pose, _place(canvas, camera, rng, jitter)), camera, rng)
        if rng.random() < config.occlusion:
            _obstacle(image, rng)
    return expose(image, camera, shape, rng, config)


def _background(scene: Pixels, canvas: tuple[int, int], start: float, rng: np.random.Generator) -> Pixels:
    # A track stays in one region of the scene: neighbouring frames share most of what is behind the person.
    room = scene.shape[1] - canvas[1]
    x = int(np.clip(start * room + rng.normal(0, 0.6) * canvas[1], 0, room))
    y = int(rng.integers(-8, 9) * canvas[0] // 256)
    return np.roll(scene[:, x:x + canvas[1]], y, axis=0) if y else scene[:, x:x + canvas[1]].copy()


def _place(canvas: tuple[int, int], camera: Camera, rng: np.random.Generator, jitter: float,
           aside: float = 0.0) -> Placement:
    h, w = canvas
    scale = h * camera.height * math.exp(jitter * rng.normal(0, 0.01))
    x = w / 2 + h * (camera.offset[0] - 0.5 * camera.roll + jitter * rng.normal(0, 0.005) + aside)
    y = h * (0.5 + camera.offset[1] + jitter * rng.normal(0, 0.005)) + scale / 2
    return Placement(x, y, scale, camera.tilt, camera.roll, camera.stretch)


def _compose(image: Pixels, figure: tuple[Pixels, Pixels], camera: Camera,
             rng: np.random.Generator) -> None:
    """Put a figure on the image, lit from the camera's side and with folds in the clothes."""
    layer, mask = figure
    h, w = mask.shape
    folds = np.asarray(cv2.resize(rng.normal(1, 0.09, (12, 6)).astype(np.float32), (w, h),
                                  interpolation=cv2.INTER_CUBIC), np.float32)
    folds *= 1 + camera.light * np.linspace(-1, 1, w, dtype=np.float32)
    lit = np.clip(layer * folds[..., None], 0, 255).astype(np.uint8)
    np.copyto(image, lit, where=(mask > 0)[..., None])


def _stranger(image: Pixels, camera: Camera, rng: np.random.Generator, config: SyntheticConfig) -> None:
    """Another person half in the box, behind the one that the box is about."""
    person = sample_person(rng, config)
    place = _place(image.shape[:2], camera, rng, 1.0, aside=float(rng.choice([-1, 1]) * rng.uniform(0.18, 0.28)))
    pose = Pose(rng.uniform(0, 2 * math.pi), rng.uniform(0, 2 * math.pi), 0.4, 0.2)
    _compose(image, draw_person(image.shape[:2], person, pose, place), camera, rng)


def _obstacle(image: Pixels, rng: np.random.Generator) -> None:
    """A pole, or a car or bench before the legs."""
    h, w = image.shape[:2]
    colour = rng.uniform(60, 170) + rng.uniform(-20, 20, 3)
    if rng.random() < 0.5:
        x = int(rng.uniform(0.1, 0.8) * w)
        cv2.rectangle(image, (x, 0), (x + int(rng.uniform(0.08, 0.2) * w), h), colour.tolist(), -1)
    else:
        y = int(rng.uniform(0.65, 0.85) * h)
        cv2.rectangle(image, (0, y), (w, h), colour.tolist(), -1)
        cv2.rectangle(image, (0, y), (w, y + h // 32), (0.7 * colour).tolist(), -1)
