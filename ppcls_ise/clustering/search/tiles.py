"""Which rows are multiplied with which: each pair of blocks once, shared out in equal work."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

__all__ = ["Among", "Tile", "blocks_of", "pair_tiles", "row_tiles"]

#: Pairs of rows of all groups, of one group, or of two different groups.
Among = Literal["all", "same", "other"]


class Tile(NamedTuple):
    """A block of products."""

    rows: slice
    columns: slice
    both: bool  #: whether its columns need it too, since no other tile has their products with these rows


def pair_tiles(sizes: Sequence[int], block: int, part: int = 0, parts: int = 1, among: Among = "all") -> Iterator[Tile]:
    """Every pair of blocks of rows once, or one share of these.

    Row block i meets the blocks i, i + 1, ... half way round the circle of all blocks; tiles that follow each other
    have no rows in common, so that threads do not wait for each other.

    Args:
        sizes: rows of each group; the rows of a group follow each other. ``[count]`` where there are no groups.
        block: rows and columns of a tile, at most.
        part: the share, 0 to ``parts - 1``.
        parts: number of shares, of as many products but for one row of a tile, which is cut where a share ends.
        among: which pairs are wanted.
    """
    products = sum(_length(tile.rows) * _length(tile.columns) for tile in _pairs(sizes, block, among))
    ends = products * part // parts, products * (part + 1) // parts
    done = 0
    for tile in _pairs(sizes, block, among):
        length, width = _length(tile.rows), _length(tile.columns)
        first, last = (min(max(0, -((done - end) // width)), length) for end in ends)
        if first < last:
            yield tile._replace(rows=slice(tile.rows.start + first, tile.rows.start + last))
        done += length * width


def row_tiles(rows: int, count: int, block: int) -> Iterator[Tile]:
    """All of ``rows`` rows with all of ``count``, by blocks."""
    for columns in blocks_of([count], block):
        for part in blocks_of([rows], block):
            yield Tile(part, columns, False)


def blocks_of(sizes: Sequence[int], block: int) -> list[slice]:
    """The rows of each group in blocks of at most ``block``."""
    ends = [sum(sizes[:group + 1]) for group in range(len(sizes))]
    return [slice(start, min(start + block, end)) for size, end in zip(sizes, ends)
            for start in range(end - size, end, block)]


def _pairs(sizes: Sequence[int], block: int, among: Among) -> Iterator[Tile]:
    blocks = blocks_of(sizes, block)
    groups = [group for group, size in enumerate(sizes) for _ in range(0, size, block)]
    for step in range(len(blocks) // 2 + 1):
        # Half a circle away from each other, two blocks would meet twice.
        for i in range(step if 2 * step == len(blocks) else len(blocks)):
            other = (i + step) % len(blocks)
            if among == "all" or (groups[i] == groups[other]) == (among == "same"):
                yield Tile(blocks[i], blocks[other], step > 0)


def _length(part: slice) -> int:
    return part.stop - part.start
