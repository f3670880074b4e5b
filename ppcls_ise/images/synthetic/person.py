"""A person of the synthetic set: what stays the same in every image."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .settings import SyntheticConfig

__all__ = ["Colour", "Person", "sample_person"]

#: RGB of 255.
Colour = tuple[float, float, float]

# RGB. Ordered from common to rare, because ``SyntheticConfig.palette_size`` takes the first ones.
UPPER_COLOURS = ((34, 34, 38), (222, 220, 214), (126, 126, 130), (36, 48, 100), (172, 38, 42), (192, 168, 128),
                 (58, 104, 180), (50, 112, 66), (214, 180, 54), (208, 128, 150), (100, 58, 124), (104, 70, 46),
                 (212, 112, 40), (40, 130, 134))
LOWER_COLOURS = ((32, 32, 36), (48, 62, 102), (108, 108, 112), (116, 142, 176), (162, 142, 106), (92, 64, 44),
                 (210, 206, 198), (60, 76, 54), (128, 48, 56))
SKIN_COLOURS = ((232, 190, 160), (214, 166, 130), (182, 130, 94), (138, 92, 64), (94, 62, 44))
HAIR_COLOURS = ((28, 24, 22), (62, 42, 30), (112, 74, 44), (186, 150, 96), (150, 148, 146))


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


def _pick(rng: np.random.Generator, colours: Sequence[Colour], jitter: float) -> Colour:
    # Common colours come first in every palette and are drawn more often, as in a street.
    weights = 1.0 / (3.0 + np.arange(len(colours)))
    colour = np.asarray(colours[rng.choice(len(colours), p=weights / weights.sum())], np.float64)
    return tuple(np.clip(colour + rng.normal(0, jitter, 3), 12, 240).tolist())


def _choose(rng: np.random.Generator, **weights: float) -> str:
    p = np.asarray(list(weights.values()), np.float64)
    return str(rng.choice(list(weights), p=p / p.sum()))


def sample_person(rng: np.random.Generator, config: SyntheticConfig) -> Person:
    """Draw the attributes of one identity.

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
