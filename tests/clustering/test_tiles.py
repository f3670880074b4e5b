import numpy as np
import pytest

from ppcls_ise.clustering.search.tiles import pair_tiles, row_tiles


@pytest.mark.parametrize("count, block", [(1, 1), (1, 8), (7, 8), (8, 8), (9, 8), (16, 8), (40, 8), (48, 8), (53, 7)])
@pytest.mark.parametrize("parts", [1, 2, 3, 5, 11])
def test_each_pair_of_rows_is_met_once_and_the_shares_are_equal(count, block, parts):
    met, work = np.zeros((count, count), int), []
    for part in range(parts):
        tiles = list(pair_tiles([count], block, part, parts))
        work.append(sum(np.zeros(count)[tile.rows].size * np.zeros(count)[tile.columns].size for tile in tiles))
        for tile in tiles:
            assert tile.rows.start // block == (tile.rows.stop - 1) // block and tile.columns.start % block == 0
            met[tile.rows, tile.columns] += 1
            if tile.both:
                met[tile.columns, tile.rows] += 1
    assert (met == 1).all()
    assert all(abs(share - sum(work) / parts) <= block for share in work)  # a row of a tile


def test_tiles_that_follow_each_other_have_no_rows_in_common():
    tiles = list(pair_tiles([80], 8))
    for one, next_one in zip(tiles, tiles[1:]):
        assert one.rows != next_one.rows


def test_rows_meet_all_columns():
    met = np.zeros((10, 23), int)
    for tile in row_tiles(10, 23, 4):
        assert not tile.both
        met[tile.rows, tile.columns] += 1
    assert (met == 1).all()
