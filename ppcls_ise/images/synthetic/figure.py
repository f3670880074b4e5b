"""One person: a persistent set of attributes, a pose and a viewing direction give a small clothed figure."""
from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..reading import Pixels
from .painter import Painter, Placement, Point, Pose, darker
from .person import Person

__all__ = ["draw_person"]


def draw_person(shape: tuple[int, int], person: Person, pose: Pose, place: Placement) -> tuple[Pixels, Pixels]:
    """Draw a figure on an empty layer.

    Args:
        shape: (height, width) of the layer in pixels.
        person: the identity's attributes.
        pose: gait and viewing direction.
        place: position and projection on the layer.

    Returns:
        RGB layer uint8 [height, width, 3] and coverage uint8 [height, width] (255 is person, 0 is not).
    """
    painter = Painter(shape, pose, place)
    stride = abs(math.sin(pose.swing * math.sin(pose.phase)))  # widens a skirt along the way of the walk
    far_to_near = sorted((-1, 1), key=lambda side: painter.depth(side, 0.0))
    if person.bag == "backpack" and painter.cos >= 0:
        _draw_backpack(painter, person)
    behind = painter.depth(far_to_near[0], 0.0) < -0.35
    if behind:
        _draw_side(painter, person, pose, far_to_near[0])
    for side in far_to_near:
        _draw_leg(painter, person, pose, side)
    if person.bottom == "skirt":
        _draw_skirt(painter, person, stride)
    _draw_torso(painter, person, stride)
    _draw_straps(painter, person)
    _draw_head(painter, person)
    if person.bag == "backpack" and painter.cos < 0:
        _draw_backpack(painter, person)
    for side in far_to_near[1 if behind else 0:]:
        _draw_side(painter, person, pose, side)
    return painter.layer, painter.mask


def _draw_side(painter: Painter, person: Person, pose: Pose, side: int) -> None:
    if person.bag == "shoulder" and side == person.bag_side:
        _draw_hip_bag(painter, person)
    hand = _draw_arm(painter, person, pose, side)
    if person.bag == "handbag" and side == person.bag_side:
        _draw_handbag(painter, person, hand)


def _upper_cloth(person: Person, beta: NDArray[np.float64], down: NDArray[np.float64]) -> NDArray[np.float64]:
    """Texture of the upper garment: pattern all round, jacket opening and logo on the front only."""
    second = np.zeros(beta.shape, bool)
    if person.pattern in ("hoops", "checks"):
        second |= (down * person.stripes) % 1 < 0.42
    if person.pattern in ("stripes", "checks"):
        second ^= (beta * person.stripes / math.pi + 0.2) % 1 < 0.42
    if person.pattern == "block":
        second |= down < 0.12 + 0.08 * person.stripes
    if person.pattern == "sash":
        second |= np.abs(down - 0.5 - 0.3 * person.bag_side * np.sin(beta)) < 0.1
    shape = {"disc": (beta / 0.5) ** 2 + ((down - 0.32) / 0.14) ** 2 < 1,
             "square": (np.abs(beta) < 0.45) & (np.abs(down - 0.32) < 0.13),
             "bar": (np.abs(beta) < 0.9) & (np.abs(down - 0.35) < 0.07)}
    if person.logo != "none" and person.top != "open":
        second |= shape[person.logo]
    colours = np.where(second[..., None], np.asarray(person.accent), np.asarray(person.upper))
    if person.top == "open":
        colours = np.where((np.abs(beta) < 0.25 + 0.35 * down)[..., None], np.asarray(person.inner), colours)
    if person.top == "closed":
        colours = np.where((np.abs(beta) < 0.07)[..., None], 0.45 * np.asarray(person.upper) + 40, colours)
    return colours


def _draw_leg(painter: Painter, person: Person, pose: Pose, side: int) -> None:
    swing = pose.swing * math.sin(pose.phase) * side
    # The knee bends while the leg comes forward, that is a quarter period before its front end point.
    bend = pose.swing * 1.1 * max(0.0, math.cos(pose.phase) * side) + 0.06
    x, thigh, shin = 0.062 * person.girth * side, 0.47 * person.leg, 0.45 * person.leg
    knee = (x, person.leg - thigh * math.cos(swing), thigh * math.sin(swing))
    foot = (x, knee[1] - shin * math.cos(swing - bend), knee[2] + shin * math.sin(swing - bend))
    hip, knee_px, foot_px = painter.at(x, person.leg, 0), painter.at(*knee), painter.at(*foot)
    r, scale = person.girth, painter.place.scale
    wide = 1.15 if person.bottom == "long" else 1.0
    lower = person.lower if person.bottom == "long" else person.skin
    toe = painter.at(foot[0], foot[1] - 0.02, foot[2] + 0.055)
    heel = painter.at(foot[0], foot[1] - 0.02, foot[2] - 0.015)
    painter.limb(heel, toe, 0.024, 0.02, person.shoes)
    painter.limb(knee_px, foot_px, 0.042 * r * wide, 0.029 * r * wide, lower)
    painter.limb(hip, knee_px, 0.066 * r, 0.047 * r * wide, lower)
    if person.bottom == "shorts":
        cut = np.asarray(hip) + 0.8 * np.subtract(knee_px, hip)
        painter.limb(hip, tuple(cut), 0.072 * r, 0.062 * r, person.lower)
    if person.bottom == "long":
        painter.ball(foot_px, 0.03 * r * scale, 0.018 * scale, darker(lower, 0.8))


def _draw_arm(painter: Painter, person: Person, pose: Pose, side: int) -> Point:
    """Returns the hand's pixel."""
    swing = -0.8 * pose.swing * math.sin(pose.phase) * side
    x = 0.128 * person.girth * side
    elbow = (x + 0.028 * side * (1 + pose.arms_out), 0.815 - 0.165 * math.cos(swing), 0.165 * math.sin(swing))
    reach = swing + 0.25 + 0.25 * max(0.0, swing)
    hand = (elbow[0] + 0.01 * side, elbow[1] - 0.15 * math.cos(reach), elbow[2] + 0.15 * math.sin(reach))
    shoulder, elbow_px, hand_px = painter.at(x, 0.805, 0), painter.at(*elbow), painter.at(*hand)
    r = 0.5 + 0.5 * person.girth
    painter.limb(elbow_px, hand_px, 0.031 * r, 0.022 * r, person.skin if person.top == "tee" else person.sleeve)
    painter.ball(hand_px, 0.022 * painter.place.scale, 0.024 * painter.place.scale, person.skin)
    end = elbow_px if person.top != "tee" else tuple(np.add(shoulder, 0.75 * np.subtract(elbow_px, shoulder)))
    if person.top == "tee":
        painter.limb(shoulder, elbow_px, 0.036 * r, 0.03 * r, person.skin)
    painter.limb(shoulder, end, 0.043 * r, 0.036 * r, person.sleeve)
    return hand_px


def _tube(painter: Painter, person: Person,
          rows: Sequence[tuple[float, float, float]]) -> list[Point]:
    """(half width across, half depth, height) of the body -> (half width on the screen, height)."""
    return [(person.girth * math.hypot(w * painter.cos, d * painter.sin), y) for w, d, y in rows]


def _draw_torso(painter: Painter, person: Person, stride: float) -> None:
    hem, hip = person.hem, 0.115
    painter.limb(painter.at(0, 0.82, 0), painter.at(0, 0.88, 0), 0.036, 0.034, person.skin)
    rows = [(0.05, 0.04, 0.855), (0.11, 0.065, 0.84), (0.14, 0.08, 0.805), (0.128, 0.092, 0.72),
            (0.108, 0.08, 0.6), (hip, 0.085, 0.5)]
    if person.bottom == "dress":
        rows += [(0.15, 0.12 + 0.16 * stride, 0.32)]
    elif hem < 0.5:
        rows += [(hip + 0.06 * (0.5 - hem), 0.088, hem)]
    painter.wrapped(_tube(painter, person, rows), lambda beta, down: _upper_cloth(person, beta, down))


def _draw_skirt(painter: Painter, person: Person, stride: float) -> None:
    rows = [(0.1, 0.075, 0.57), (0.115, 0.09, 0.5), (0.155, 0.13 + 0.16 * stride, 0.3)]
    painter.wrapped(_tube(painter, person, rows),
                    lambda beta, down: np.asarray(person.lower) * (0.93 + 0.07 * np.cos(9 * beta))[..., None])


def _draw_head(painter: Painter, person: Person) -> None:
    s, front, side = painter.place.scale * person.head, painter.cos, painter.sin
    rx, ry = 0.05 * s * (1 + 0.1 * abs(side)), 0.066 * s
    x, y = painter.at(0, 0.928, 0.012)
    if person.hair_style == "long" and front >= 0:
        painter.ball((x - 0.012 * s * side, y + 0.03 * s), 0.068 * s, 0.095 * s, person.hair)
        painter.limb((x, y), (x, y + 0.09 * s), 0.036, 0.04, person.skin)  # the throat is before the hair
    painter.ball((x, y), rx, ry, person.skin)
    if person.hair_style != "bald":
        # A cap of hair that slides to the far side of the face as the head turns, and covers all of it from behind.
        painter.ball((x, y - 0.018 * s), 1.1 * rx, 0.86 * ry, person.hair, span=(180, 360))
        cover = 0.5 - 0.5 * front
        painter.ball((x - side * 0.55 * rx, y - 0.008 * s), rx * (0.58 + 0.5 * cover), ry * (0.82 + 0.2 * cover),
                     person.hair)
        if front > 0.2:
            painter.ball((x + 0.45 * side * rx, y + 0.25 * ry), 0.8 * rx * front, 0.66 * ry, person.skin)
    if person.hair_style == "long" and front < 0:
        painter.ball((x - 0.02 * s * side, y + 0.045 * s), 0.062 * s, 0.1 * s, person.hair)
    if person.hair_style == "tail":
        length = 0.055 * s * (1 if front < 0.3 else 0.1)
        painter.ball((x - 0.07 * s * side, y + 0.03 * s), 0.02 * s, length, person.hair)
    if front > 0.15:
        for eye in (-1, 1):
            painter.ball((x + (eye * 0.4 * front + 0.6 * side) * rx, y + 0.1 * ry), 0.13 * rx, 0.09 * ry, (30, 24, 22))
    if person.hat != "none":
        painter.ball((x, y - 0.02 * s), 1.14 * rx, 0.9 * ry, person.hat_colour, span=(180, 360))
    if person.hat == "beanie":
        painter.ball((x, y - 0.024 * s), 1.16 * rx, 0.2 * ry, darker(person.hat_colour, 0.8))
    elif person.hat == "cap" and front > -0.3:
        brim = darker(person.hat_colour, 0.7)
        painter.ball((x + side * 1.1 * rx, y - 0.022 * s), 0.95 * rx, 0.17 * ry, brim)


def _draw_backpack(painter: Painter, person: Person) -> None:
    x, s = -0.115 * person.girth * painter.sin, painter.place.scale
    half = math.hypot(0.085 * painter.cos, 0.055 * painter.sin)
    dark = darker(person.bag_colour, 0.7)
    painter.limb(painter.screen(x, 0.78), painter.screen(x, 0.64), half, half * 1.1, person.bag_colour)
    if painter.cos < 0:
        px, py = painter.screen(x, 0.635)
        painter.ball((px, py), 0.7 * half * s, 0.045 * s, dark)


def _draw_straps(painter: Painter, person: Person) -> None:
    if person.bag == "backpack" and painter.cos > 0.1:
        for side in (-1, 1):
            x = 0.07 * person.girth * side * painter.cos + 0.05 * painter.sin
            painter.limb(painter.screen(x, 0.845), painter.screen(x * 1.1, 0.68), 0.014, 0.014, person.bag_colour)
    if person.bag == "shoulder":
        side = person.bag_side
        top = painter.at(-0.08 * person.girth * side, 0.845, 0)
        painter.limb(top, painter.at(0.11 * person.girth * side, 0.55, 0), 0.011, 0.011, person.bag_colour)


def _draw_hip_bag(painter: Painter, person: Person) -> None:
    x, y = painter.at(0.145 * person.girth * person.bag_side, 0.5, 0)
    s = painter.place.scale
    w, h = s * math.hypot(0.035 * painter.cos, 0.075 * painter.sin), 0.055 * s
    painter.fill([(x - w, y - h), (x + w, y - h), (x + w, y + h), (x - w, y + h)], person.bag_colour)
    painter.fill([(x - w, y - h), (x + w, y - h), (x + w, y - 0.3 * h), (x - w, y - 0.3 * h)],
                 darker(person.bag_colour, 0.75))


def _draw_handbag(painter: Painter, person: Person, hand: Point) -> None:
    s = painter.place.scale
    (x, y), w = hand, s * math.hypot(0.035 * painter.cos, 0.07 * painter.sin)
    painter.limb((x, y), (x, y + 0.06 * s), 0.012, 0.012, person.bag_colour)
    top, bottom = y + 0.05 * s, y + 0.16 * s
    painter.fill([(x - 0.8 * w, top), (x + 0.8 * w, top), (x + w, bottom), (x - w, bottom)], person.bag_colour)
