"""Body coordinates to pixels: the parts that a figure is painted of.

A figure lives in body coordinates: x to the person's side, y up, z forward, with the height of the body as the unit
and the feet at y = 0. The yaw turns it about y (0 faces the camera, pi shows the back); the projection is orthographic.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from .person import Colour

__all__ = ["Painter", "Placement", "Point", "Pose", "darker"]

#: Pixels across and down.
Point = tuple[float, float]
#: Azimuth on a body and relative way down it, [h, w] each -> RGB [h, w, 3].
Cloth = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Pose:
    """One moment: yaw, phase of the gait and swing of the limbs (radians), and how far the arms hang out."""
    yaw: float
    phase: float
    swing: float
    arms_out: float


@dataclass(frozen=True)
class Placement:
    """Where the figure stands: foot point (pixels), pixels per body height, tilt (growth of the head's scale), roll.

    ``stretch`` widens the figure, as resizing a detector's narrow box to the common image shape does.
    """
    foot_x: float
    foot_y: float
    scale: float
    tilt: float
    roll: float
    stretch: float


def darker(colour: Colour, share: float) -> Colour:
    """A colour at a share of its brightness."""
    red, green, blue = colour
    return share * red, share * green, share * blue


class Painter:
    """Paints parts on an RGB layer and remembers which pixels are covered."""

    def __init__(self, shape: tuple[int, int], pose: Pose, place: Placement):
        self.layer = np.zeros(shape + (3,), np.uint8)
        self.mask = np.zeros(shape, np.uint8)
        self.place, self.cos, self.sin, self.yaw = place, math.cos(pose.yaw), math.sin(pose.yaw), pose.yaw

    def depth(self, x: float, z: float) -> float:
        return z * self.cos - x * self.sin

    def screen(self, across: float, y: float) -> Point:
        """Already rotated coordinate and height -> pixel."""
        p = self.place
        across = across * p.stretch * (1 + p.tilt * (y - 0.5)) + p.roll * y
        return p.foot_x + across * p.scale, p.foot_y - (y + 0.4 * p.tilt * y * (1 - y)) * p.scale

    def at(self, x: float, y: float, z: float) -> Point:
        return self.screen(x * self.cos + z * self.sin, y)

    def fill(self, points: ArrayLike, colour: Colour) -> None:
        # 4 fractional bits: limbs of a few pixels would jump from frame to frame otherwise.
        polygon = np.round(np.asarray(points) * 16).astype(np.int32)
        cv2.fillPoly(self.layer, [polygon], colour, cv2.LINE_8, 4)
        cv2.fillPoly(self.mask, [polygon], 255, cv2.LINE_8, 4)

    def ball(self, centre: Point, rx: float, ry: float, colour: Colour,
             span: tuple[int, int] = (0, 360)) -> None:
        """Ellipse, or its part between two angles in degrees, clockwise from the right."""
        if span == (0, 360):
            box = (centre, (2 * rx, 2 * ry), 0.0)
            cv2.ellipse(self.layer, box, colour, -1)
            cv2.ellipse(self.mask, box, 255, -1)
        else:
            points = np.asarray(cv2.ellipse2Poly((0, 0), (1000, 1000), 0, span[0], span[1], 15)) / 1000.0
            self.fill(points * (rx, ry) + centre, colour)

    def limb(self, a: Point, b: Point, ra: float, rb: float, colour: Colour) -> None:
        """Tapered capsule with a darker rim, so that a sleeve stays visible before a torso of the same colour."""
        ra, rb = ra * self.place.scale, rb * self.place.scale
        along = np.subtract(b, a) / max(1e-6, float(np.hypot(*np.subtract(b, a))))
        normal = np.asarray((-along[1], along[0]))
        rim = darker(colour, 0.72)
        for extra, paint in ((0.0, rim), (-1.3, colour)):
            p, q = max(0.5, ra + extra), max(0.5, rb + extra)
            self.ball(a, p, p, paint)
            self.ball(b, q, q, paint)
            self.fill([a + normal * p, b + normal * q, b - normal * q, a - normal * p], paint)

    def wrapped(self, outline: Sequence[Point], cloth: Cloth) -> None:
        """Fill a body-like tube, given as (half width, height) from the top down, with a texture wrapped round it.

        ``cloth(beta, down)`` gets the azimuth on the body (0 is the chest, radians) and the relative way down (0 .. 1)
        of each pixel [h, w] and returns RGB [h, w, 3].
        """
        left = [self.screen(-w, y) for w, y in outline]
        right = [self.screen(w, y) for w, y in outline]
        polygon = np.round(np.asarray(left + right[::-1])).astype(np.int32)
        x, y, w, h = cv2.boundingRect(polygon)
        x0, y0, x1, y1 = max(0, x), max(0, y), min(self.mask.shape[1], x + w), min(self.mask.shape[0], y + h)
        if x0 >= x1 or y0 >= y1:
            return
        area = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillPoly(area, [polygon - (x0, y0)], 255)
        rows = np.arange(y0, y1)
        lefts, rights = np.asarray(left), np.asarray(right)
        lo = np.interp(rows, lefts[:, 1], lefts[:, 0])[:, None]
        hi = np.interp(rows, rights[:, 1], rights[:, 0])[:, None]
        u = np.clip((2 * np.arange(x0, x1)[None] - lo - hi) / np.maximum(hi - lo, 1), -0.999, 0.999)
        beta = np.arcsin(u) - self.yaw
        beta = np.arctan2(np.sin(beta), np.cos(beta))
        down = np.broadcast_to(((rows - y) / max(1, h))[:, None], beta.shape)
        # The rim is darker than the middle, as on any lit tube.
        colours = cloth(beta, down) * (1 - 0.3 * np.abs(u) ** 4)[..., None]
        inside = area > 0
        self.layer[y0:y1, x0:x1][inside] = colours[inside].astype(np.uint8)
        self.mask[y0:y1, x0:x1][inside] = 255
