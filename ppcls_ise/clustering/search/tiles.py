"""Which rows are multiplied with which: each pair of blocks once, shared out in equal work."""
from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Tile", "pair_tiles", "row_tiles"]


class Tile(NamedTuple):
    """A block of products."""

    rows: slice
    columns: slice
    both: bool  #: whether its columns need it too, since no other tile has their products with these rows


def pair_tiles(count: int, block: int, part: int = 0, parts: int = 1) -> Iterator[Tile]:
    """Every pair of blocks of ``count`` rows once, or one share of these.

    Row block i meets the blocks i, i + 1, ... half way round the circle of all blocks; tiles that follow each other
    have no rows in common, so that threads do not wait for each other.

    Args:
        count: rows in all.
        block: rows and columns of a tile, at most.
        part: the share, 0 to ``parts - 1``.
        parts: number of shares, of as many products but for one row of a tile, which is cut where a share ends.
    """
    products = sum(_length(tile.rows) * _length(tile.columns) for tile in _pairs(count, block))
    ends = products * part // parts, products * (part + 1) // parts
    done = 0
    for tile in _pairs(count, block):
        length, width = _length(tile.rows), _length(tile.columns)
        first, last = (min(max(0, -((done - end) // width)), length) for end in ends)
        if first < last:
            yield tile._replace(rows=slice(tile.rows.start + first, tile.rows.start + last))
        done += length * width


def row_tiles(rows: int, count: int, block: int) -> Iterator[Tile]:
    """All of ``rows`` rows with all of ``count``, by blocks."""
    for columns in _blocks(count, block):
        for part in _blocks(rows, block):
            yield Tile(part, columns, False)


def _pairs(count: int, block: int) -> Iterator[Tile]:
    blocks = _blocks(count, block)
    for step in range(len(blocks) // 2 + 1):
        # Half a circle away from each other, two blocks would meet twice.
        for i in range(step if 2 * step == len(blocks) else len(blocks)):
            yield Tile(blocks[i], blocks[(i + step) % len(blocks)], step > 0)


def _blocks(count: int, block: int) -> list[slice]:
    return [slice(start, min(start + block, count)) for start in range(0, count, block)]


def _length(part: slice) -> int:
    return part.stop - part.start
