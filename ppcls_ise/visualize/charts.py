"""Line charts and maps as SVG that takes its colours from the page, so that they are readable on light and dark."""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

__all__ = ["group_colour", "line_chart", "scatter", "standalone"]

WIDTH, HEIGHT = 360, 210
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 10, 24
#: Colours for an SVG that stands alone; in the page the page's own win.
STYLE = """<style>
svg{--ink:#1c2333;--soft:#5b6472;--line:#dfe3e8;--c0:#2563eb;--c1:#d97706;--c2:#0d9467;--c3:#9333ea;--c4:#dc2626;
font-family:system-ui,sans-serif}
@media (prefers-color-scheme:dark){svg{--ink:#e7eaf0;--soft:#9aa4b2;--line:#323a47;--c0:#6ea8fe;--c1:#f5b041;
--c2:#45c99a;--c3:#c58bfd;--c4:#f47b72;background:#12161d}}
</style>"""


def line_chart(series: Mapping[str, Sequence[tuple[float, float]]], unit: bool = False) -> str:
    """Curves over the epochs.

    Args:
        series: name -> points (epoch, value); at most five have colours of their own.
        unit: the values are fractions: the axis is 0 to 1, or to where the curves end below that.

    Returns:
        An ``<svg>`` element; its lines show their values when pointed at.
    """
    points = [point for line in series.values() for point in line]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    y_ticks = _ticks(0 if unit or min(ys) >= 0 and min(ys) < 0.6 * max(ys) else min(ys), max(ys))
    x_ticks = [x for x in _ticks(min(xs), max(xs)) if x == int(x) and min(xs) <= x <= max(xs)] or [xs[0]]
    right = WIDTH - RIGHT

    def at(x: float, y: float) -> tuple[float, float]:
        wide = max(xs) - min(xs)
        return (LEFT + (right - LEFT) * ((x - min(xs)) / wide if wide else 0.5),
                HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]))

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(", ".join(series))} over the epochs" '
             'xmlns="http://www.w3.org/2000/svg" font-size="11">']
    for y in y_ticks:
        level = at(xs[0], y)[1]
        parts.append(f'<path d="M{LEFT} {level:.1f}H{right}" stroke="var(--line)"/>'
                     f'<text x="{LEFT - 6}" y="{level + 4:.1f}" text-anchor="end" fill="var(--soft)">{y:.4g}</text>')
    for x in x_ticks:
        parts.append(f'<text x="{at(x, y_ticks[0])[0]:.1f}" y="{HEIGHT - 7}" text-anchor="middle" '
                     f'fill="var(--soft)">{x:g}</text>')
    for number, (name, line) in enumerate(series.items()):
        colour = f"var(--c{number % 5})"
        places = [at(x, y) for x, y in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" '
                     'stroke-linejoin="round"/>')
        for (x, y), (left, level) in zip(line, places):
            parts.append(f'<circle cx="{left:.1f}" cy="{level:.1f}" r="{2.5 if len(line) < 30 else 1.5}" '
                         f'fill="{colour}"><title>{escape(name)}, epoch {x:g}: {y:.4g}</title></circle>')
    return "".join(parts) + "</svg>"


def scatter(places: NDArray[np.floating], groups: NDArray[np.integer], titles: list[str]) -> str:
    """A map of points in the colour of their group.

    Args:
        places: float [N, 2].
        groups: int [N]; negative is grey: no group. There are more groups than colours: hues repeat, and only groups
            that lie together can be told apart.
        titles: what each point shows when pointed at.

    Returns:
        An ``<svg>`` element.
    """
    low, high = places.min(axis=0), places.max(axis=0)
    scaled = 8 + (places - low) / np.maximum(high - low, 1e-9) * 384
    parts = ['<svg viewBox="0 0 400 400" role="img" aria-label="map of features" xmlns="http://www.w3.org/2000/svg">']
    # The grey ones first: they lie under the others.
    for i in np.argsort(groups >= 0, kind="stable"):
        x, y = scaled[i]
        paint = 'fill="none" stroke="var(--soft)"' if groups[i] < 0 else f'fill="{group_colour(groups[i])}"'
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{2.2 if groups[i] < 0 else 3}" {paint}>'
                     f"<title>{escape(titles[i])}</title></circle>")
    return "".join(parts) + "</svg>"


def group_colour(group: int) -> str:
    """Neighbouring numbers get distant hues (the golden angle)."""
    return f"hsl({group * 137.508 % 360:.0f},{(85, 60)[group // 3 % 2]}%,{(48, 60, 40)[group % 3]}%)"


def standalone(svg: str) -> str:
    """An SVG element as a file of its own."""
    start, end = svg.split(">", 1)
    return f"{start}>{STYLE}{end}"


def _ticks(low: float, high: float, count: int = 4) -> list[float]:
    """About ``count`` round numbers from at most ``low`` to at least ``high``."""
    if high <= low:
        return [low, low + (abs(low) or 1.0)]
    rough = (high - low) / count
    size = 10 ** math.floor(math.log10(rough))
    step = size * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * size >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(n * step, 12) for n in range(first, last + 1)]
