"""Draws one person: a persistent set of attributes, a walking pose and a viewing direction give a small clothed figure.

The figure lives in body coordinates: x to the person's side, y up, z forward, with the height of the body as the unit
and the feet at y = 0. The yaw turns it about y (0 faces the camera, pi shows the back); the projection is orthographic.
"""
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike

Colour = tuple[float, ...]  # three

# RGB. Ordered from common to rare, because `SyntheticConfig.palette_size` takes the first ones.
UPPER_COLOURS = ((34, 34, 38), (222, 220, 214), (126, 126, 130), (36, 48, 100), (172, 38, 42), (192, 168, 128),
                 (58, 104, 180), (50, 112, 66), (214, 180, 54), (208, 128, 150), (100, 58, 124), (104, 70, 46),
                 (212, 112, 40), (40, 130, 134))
LOWER_COLOURS = ((32, 32, 36), (48, 62, 102), (108, 108, 112), (116, 142, 176), (162, 142, 106), (92, 64, 44),
                 (210, 206, 198), (60, 76, 54), (128, 48, 56))
SKIN_COLOURS = ((232, 190, 160), (214, 166, 130), (182, 130, 94), (138, 92, 64), (94, 62, 44))
HAIR_COLOURS = ((28, 24, 22), (62, 42, 30), (112, 74, 44), (186, 150, 96), (150, 148, 146))


@dataclass(frozen=True)
class SyntheticConfig:
    """How hard the synthetic set is. 1.0 is the default strength of a knob unless said otherwise.

    Attributes:
        camera_cast: white balance, gain, gamma and saturation that set the cameras apart; 0 makes them alike.
        camera_optics: blur, sensor noise and JPEG compression.
        camera_viewpoint: scale, tilt, roll and framing that differ from camera to camera.
        background: contrast and colour of the cameras' scenes; 0 is plain grey.
        palette_size: garment colours in use (2 .. 14); fewer make more persons look alike.
        colour_jitter: standard deviation of a person's own shift from the palette colour, in grey levels of 255.
        patterns: probability of a garment pattern (stripes, checks, print); the rest is plain.
        accessories: scales the probability of bags and hats.
        view_variation: spread of the viewing direction within a camera and a track.
        pose_variation: amplitude of the gait.
        box_jitter: error of the pedestrian detector.
        occlusion: probability that something or somebody covers a part of the person.
        light_variation: change of the light between the images of one camera.
    """
    camera_cast: float = 1.0
    camera_optics: float = 1.0
    camera_viewpoint: float = 1.0
    background: float = 1.0
    palette_size: int = 7
    colour_jitter: float = 9.0
    patterns: float = 0.6
    accessories: float = 1.0
    view_variation: float = 1.0
    pose_variation: float = 1.0
    box_jitter: float = 1.0
    occlusion: float = 0.06
    light_variation: float = 1.0


@dataclass(frozen=True)
class Person:
    """What makes an identity: it stays the same in every image of the person. Colours are RGB of 255."""
    girth: float          # widths relative to the average person
    leg: float            # hip height
    head: float           # head size relative to the average person
    skin: Colour
    hair: Colour
    hair_style: str       # short | long | tail | bald
    hat: str              # none | cap | beanie
    hat_colour: Colour
    top: str              # shirt | tee | open | closed (the last two are jackets)
    hem: float            # lower end of the upper garment as a height
    upper: Colour
    sleeve: Colour
    inner: Colour         # what an open jacket shows
    accent: Colour        # second colour of the pattern
    pattern: str          # plain | hoops | stripes | checks | block | sash
    stripes: int
    logo: str             # none | disc | square | bar ; on the chest only
    bottom: str           # long | shorts | skirt | dress
    lower: Colour
    shoes: Colour
    bag: str              # none | backpack | handbag | shoulder
    bag_colour: Colour
    bag_side: int         # -1 | 1


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

    `stretch` widens the figure, as resizing a detector's narrow box to the common image shape does.
    """
    foot_x: float
    foot_y: float
    scale: float
    tilt: float
    roll: float
    stretch: float


def _pick(rng: np.random.Generator, colours: Sequence[Colour], jitter: float) -> Colour:
    # Common colours come first in every palette and are drawn more often, as in a street.
    weights = 1.0 / (3.0 + np.arange(len(colours)))
    colour = np.asarray(colours[rng.choice(len(colours), p=weights / weights.sum())], np.float64)
    return tuple(np.clip(colour + rng.normal(0, jitter, 3), 12, 240).tolist())


def _choose(rng: np.random.Generator, **weights: float) -> str:
    p = np.asarray(list(weights.values()), np.float64)
    return str(rng.choice(list(weights), p=p / p.sum()))


def sample_person(rng: np.random.Generator, config: SyntheticConfig) -> Person:
    """Draws the attributes of one identity.

    Args:
        rng: consumed in a fixed order, so that one seed gives one person.
        config: palette size, colour jitter, pattern and accessory probabilities are read.
    """
    uppers, lowers = UPPER_COLOURS[:config.palette_size], LOWER_COLOURS[:max(2, config.palette_size)]
    jitter, carries = config.colour_jitter, min(1.0, 0.55 * config.accessories)
    upper = _pick(rng, uppers, jitter)
    top = _choose(rng, shirt=0.3, tee=0.35, open=0.18, closed=0.17)
    patterned = rng.random() < config.patterns
    pattern = _choose(rng, hoops=3, stripes=2, checks=1.5, block=2, sash=1.5, logo=4) if patterned else "plain"
    wears_hat = rng.random() < 0.25 * config.accessories
    return Person(
        girth=rng.uniform(0.82, 1.22), leg=rng.uniform(0.47, 0.53), head=rng.uniform(0.94, 1.1),
        skin=_pick(rng, SKIN_COLOURS, 5), hair=_pick(rng, HAIR_COLOURS, 5),
        hair_style=_choose(rng, short=5, long=3, tail=1.5, bald=0.6),
        hat=_choose(rng, cap=1, beanie=1) if wears_hat else "none", hat_colour=_pick(rng, UPPER_COLOURS, jitter),
        top=top, hem=rng.choice([0.47, 0.44, 0.33]) if top in ("open", "closed") else rng.choice([0.47, 0.45]),
        upper=upper, sleeve=_pick(rng, uppers, jitter) if rng.random() < 0.15 else upper,
        inner=_pick(rng, UPPER_COLOURS, jitter), accent=_contrasting(rng, upper, jitter),
        pattern="plain" if pattern == "logo" else pattern, stripes=int(rng.integers(3, 7)),
        logo=_choose(rng, disc=1, square=1, bar=1) if pattern == "logo" else "none",
        bottom=_choose(rng, long=6, shorts=2, skirt=1.5, dress=0.8), lower=_pick(rng, lowers, jitter),
        shoes=_pick(rng, ((30, 30, 32), (225, 222, 216), (120, 84, 56), (170, 44, 44)), 6),
        bag=_choose(rng, backpack=2, handbag=1.2, shoulder=1.2) if rng.random() < carries else "none",
        bag_colour=_pick(rng, UPPER_COLOURS, jitter), bag_side=int(rng.choice([-1, 1])))


def _contrasting(rng: np.random.Generator, colour: Colour, jitter: float) -> Colour:
    # A pattern in nearly the garment's own colour would not be seen: take the farthest of three draws.
    draws = [_pick(rng, UPPER_COLOURS, jitter) for _ in range(3)]
    return max(draws, key=lambda c: float(np.abs(np.subtract(c, colour)).sum()))


class _Painter:
    """Paints parts on an RGB layer and remembers which pixels are covered."""

    def __init__(self, shape: tuple[int, int], pose: Pose, place: Placement):
        self.layer = np.zeros(shape + (3,), np.uint8)
        self.mask = np.zeros(shape, np.uint8)
        self.place, self.cos, self.sin, self.yaw = place, math.cos(pose.yaw), math.sin(pose.yaw), pose.yaw

    def depth(self, x: float, z: float) -> float:
        return z * self.cos - x * self.sin

    def screen(self, across: float, y: float) -> tuple[float, float]:
        """Already rotated coordinate and height -> pixel."""
        p = self.place
        across = across * p.stretch * (1 + p.tilt * (y - 0.5)) + p.roll * y
        return p.foot_x + across * p.scale, p.foot_y - (y + 0.4 * p.tilt * y * (1 - y)) * p.scale

    def at(self, x: float, y: float, z: float) -> tuple[float, float]:
        return self.screen(x * self.cos + z * self.sin, y)

    def fill(self, points: ArrayLike, colour: Colour) -> None:
        # 4 fractional bits: limbs of a few pixels would jump from frame to frame otherwise.
        polygon = np.round(np.asarray(points) * 16).astype(np.int32)
        cv2.fillPoly(self.layer, [polygon], colour, cv2.LINE_8, 4)
        cv2.fillPoly(self.mask, [polygon], 255, cv2.LINE_8, 4)

    def ball(self, centre: tuple[float, ...], rx: float, ry: float, colour: Colour,
             span: tuple[int, int] = (0, 360)) -> None:
        """Ellipse, or its part between two angles in degrees, clockwise from the right."""
        if span == (0, 360):
            box = (centre, (2 * rx, 2 * ry), 0.0)
            cv2.ellipse(self.layer, box, colour, -1)
            cv2.ellipse(self.mask, box, 255, -1)
        else:
            points = np.asarray(cv2.ellipse2Poly((0, 0), (1000, 1000), 0, span[0], span[1], 15)) / 1000.0
            self.fill(points * (rx, ry) + centre, colour)

    def limb(self, a: tuple[float, float], b: tuple[float, float], ra: float, rb: float, colour: Colour) -> None:
        """Tapered capsule with a darker rim, so that a sleeve stays visible before a torso of the same colour."""
        ra, rb = ra * self.place.scale, rb * self.place.scale
        start, end = np.asarray(a), np.asarray(b)
        along = (end - start) / max(1e-6, float(np.hypot(*(end - start))))
        normal = np.asarray((-along[1], along[0]))
        rim = tuple(0.72 * c for c in colour)
        for extra, paint in ((0.0, rim), (-1.3, colour)):
            p, q = max(0.5, ra + extra), max(0.5, rb + extra)
            self.ball(tuple(start), p, p, paint)
            self.ball(tuple(end), q, q, paint)
            self.fill([start + normal * p, end + normal * q, end - normal * q, start - normal * p], paint)

    def wrapped(self, outline: Sequence[tuple[float, float]], cloth: Callable[..., np.ndarray]) -> None:
        """Fills a body-like tube, given as (half width, height) from the top down, with a texture wrapped round it.

        `cloth(beta, down)` gets the azimuth on the body (0 is the chest, radians) and the relative way down (0 .. 1) of
        each pixel [h, w] and returns RGB [h, w, 3].
        """
        left = [self.screen(-w, y) for w, y in outline]
        right = [self.screen(w, y) for w, y in outline]
        polygon = np.round(np.asarray(left + right[::-1])).astype(np.int32)
        x, y, w, h = cv2.boundingRect(polygon)
        x0, y0, x1, y1 = max(0, x), max(0, y), min(self.mask.shape[1], x + w), min(self.mask.shape[0], y + h)
        if x0 >= x1 or y0 >= y1:
            return
        inside = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillPoly(inside, [polygon - (x0, y0)], 255)
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
        covered = inside > 0
        self.layer[y0:y1, x0:x1][covered] = colours[covered].astype(np.uint8)
        self.mask[y0:y1, x0:x1][covered] = 255


def _upper_cloth(person: Person, beta: np.ndarray, down: np.ndarray) -> np.ndarray:
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


def _draw_leg(painter: _Painter, person: Person, pose: Pose, side: int) -> None:
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
        painter.ball(foot_px, 0.03 * r * scale, 0.018 * scale, tuple(0.8 * c for c in lower))


def _draw_arm(painter: _Painter, person: Person, pose: Pose, side: int) -> tuple[float, float]:
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


def _tube(painter: _Painter, person: Person,
          rows: Sequence[tuple[float, float, float]]) -> list[tuple[float, float]]:
    """(half width across, half depth, height) of the body -> (half width on the screen, height)."""
    return [(person.girth * math.hypot(w * painter.cos, d * painter.sin), y) for w, d, y in rows]


def _draw_torso(painter: _Painter, person: Person, stride: float) -> None:
    hem, hip = person.hem, 0.115
    painter.limb(painter.at(0, 0.82, 0), painter.at(0, 0.88, 0), 0.036, 0.034, person.skin)
    rows = [(0.05, 0.04, 0.855), (0.11, 0.065, 0.84), (0.14, 0.08, 0.805), (0.128, 0.092, 0.72),
            (0.108, 0.08, 0.6), (hip, 0.085, 0.5)]
    if person.bottom == "dress":
        rows += [(0.15, 0.12 + 0.16 * stride, 0.32)]
    elif hem < 0.5:
        rows += [(hip + 0.06 * (0.5 - hem), 0.088, hem)]
    painter.wrapped(_tube(painter, person, rows), lambda beta, down: _upper_cloth(person, beta, down))


def _draw_skirt(painter: _Painter, person: Person, stride: float) -> None:
    rows = [(0.1, 0.075, 0.57), (0.115, 0.09, 0.5), (0.155, 0.13 + 0.16 * stride, 0.3)]
    painter.wrapped(_tube(painter, person, rows),
                    lambda beta, down: np.asarray(person.lower) * (0.93 + 0.07 * np.cos(9 * beta))[..., None])


def _draw_head(painter: _Painter, person: Person) -> None:
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
        painter.ball((x, y - 0.024 * s), 1.16 * rx, 0.2 * ry, tuple(0.8 * c for c in person.hat_colour))
    elif person.hat == "cap" and front > -0.3:
        brim = tuple(0.7 * c for c in person.hat_colour)
        painter.ball((x + side * 1.1 * rx, y - 0.022 * s), 0.95 * rx, 0.17 * ry, brim)


def _draw_backpack(painter: _Painter, person: Person) -> None:
    x, s = -0.115 * person.girth * painter.sin, painter.place.scale
    half = math.hypot(0.085 * painter.cos, 0.055 * painter.sin)
    dark = tuple(0.7 * c for c in person.bag_colour)
    painter.limb(painter.screen(x, 0.78), painter.screen(x, 0.64), half, half * 1.1, person.bag_colour)
    if painter.cos < 0:
        px, py = painter.screen(x, 0.635)
        painter.ball((px, py), 0.7 * half * s, 0.045 * s, dark)


def _draw_straps(painter: _Painter, person: Person) -> None:
    if person.bag == "backpack" and painter.cos > 0.1:
        for side in (-1, 1):
            x = 0.07 * person.girth * side * painter.cos + 0.05 * painter.sin
            painter.limb(painter.screen(x, 0.845), painter.screen(x * 1.1, 0.68), 0.014, 0.014, person.bag_colour)
    if person.bag == "shoulder":
        side = person.bag_side
        top = painter.at(-0.08 * person.girth * side, 0.845, 0)
        painter.limb(top, painter.at(0.11 * person.girth * side, 0.55, 0), 0.011, 0.011, person.bag_colour)


def _draw_hip_bag(painter: _Painter, person: Person) -> None:
    x, y = painter.at(0.145 * person.girth * person.bag_side, 0.5, 0)
    s = painter.place.scale
    w, h = s * math.hypot(0.035 * painter.cos, 0.075 * painter.sin), 0.055 * s
    painter.fill([(x - w, y - h), (x + w, y - h), (x + w, y + h), (x - w, y + h)], person.bag_colour)
    painter.fill([(x - w, y - h), (x + w, y - h), (x + w, y - 0.3 * h), (x - w, y - 0.3 * h)],
                 tuple(0.75 * c for c in person.bag_colour))


def _draw_handbag(painter: _Painter, person: Person, hand: tuple[float, float]) -> None:
    s = painter.place.scale
    (x, y), w = hand, s * math.hypot(0.035 * painter.cos, 0.07 * painter.sin)
    painter.limb((x, y), (x, y + 0.06 * s), 0.012, 0.012, person.bag_colour)
    top, bottom = y + 0.05 * s, y + 0.16 * s
    painter.fill([(x - 0.8 * w, top), (x + 0.8 * w, top), (x + w, bottom), (x - w, bottom)], person.bag_colour)


def draw_person(shape: tuple[int, int], person: Person, pose: Pose, place: Placement) -> tuple[np.ndarray, np.ndarray]:
    """Draws a figure on an empty layer.

    Args:
        shape: (height, width) of the layer in pixels.
        person: the identity's attributes.
        pose: gait and viewing direction.
        place: position and projection on the layer.

    Returns:
        RGB layer uint8 [height, width, 3] and coverage uint8 [height, width] (255 is person, 0 is not).
    """
    painter = _Painter(shape, pose, place)
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


def _draw_side(painter: _Painter, person: Person, pose: Pose, side: int) -> None:
    if person.bag == "shoulder" and side == person.bag_side:
        _draw_hip_bag(painter, person)
    hand = _draw_arm(painter, person, pose, side)
    if person.bag == "handbag" and side == person.bag_side:
        _draw_handbag(painter, person, hand)
