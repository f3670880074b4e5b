import numpy as np
import paddle
import pytest

from ppcls_ise.clustering.search.groups import group_neighbours, scan_groups
from ppcls_ise.clustering.search.tiles import pair_tiles
from tests.clustering.twins import features

GROUPS = np.random.default_rng(1).choice(7, 230, p=[0.4, 0.3, 0.1, 0.1, 0.05, 0.04, 0.01])
EVERYTHING = slice(0, 230)


def by_definition(x, groups, k, among):
    x = x.astype(np.float64)
    out = np.full((len(x), k), -1)
    for i in range(len(x)):
        squared = ((x[i] - x) ** 2).sum(1).astype(np.float32)
        squared[i] = -1
        allowed = np.flatnonzero(groups == groups[i] if among == "same" else groups != groups[i])
        near = allowed[np.argsort(squared[allowed], kind="stable")][:k]
        out[i, :len(near)] = near
    return out


@pytest.mark.parametrize("options", [{}, {"method": "paddle", "block_size": 50},
                                     {"method": "paddle", "block_size": 50, "half": True}], ids=str)
@pytest.mark.parametrize("among, k", [("same", 1), ("same", 9), ("other", 9), ("same", 120), ("other", 300)])
@pytest.mark.parametrize("duplicates", [0, 40])
def test_neighbours_are_those_of_the_definition(options, among, k, duplicates):
    x = features(230, duplicates=duplicates)
    found = group_neighbours(x, GROUPS, k, among, EVERYTHING, **options)
    np.testing.assert_array_equal(found, by_definition(x, GROUPS, k, among))
    np.testing.assert_array_equal(group_neighbours(paddle.to_tensor(x), GROUPS, k, among, EVERYTHING, **options), found)


@pytest.mark.parametrize("among", ["same", "other"])
@pytest.mark.parametrize("parts", [2, 3, 50])
def test_shares_give_the_same(among, parts):
    x = features(230, duplicates=40)
    scanned = tuple(map(np.stack, zip(*(scan_groups(x, GROUPS, 9, among, part=part, parts=parts)
                                        for part in range(parts)))))
    rows = slice(20, 140)
    found = group_neighbours(x, GROUPS, 9, among, rows, scanned=tuple(array[:, rows] for array in scanned))
    np.testing.assert_array_equal(found, by_definition(x, GROUPS, 9, among)[rows])


def test_many_equal_rows_are_found_in_full():
    x = np.repeat(features(10), 30, axis=0)  # more duplicates than candidates: a full pass over the group
    groups = np.arange(300) % 3
    for among in ("same", "other"):
        np.testing.assert_array_equal(group_neighbours(x, groups, 5, among, slice(0, 300)),
                                      by_definition(x, groups, 5, among))


@pytest.mark.parametrize("sizes", [[5], [5, 3, 9], [1, 1, 1], [20, 0, 4]])
@pytest.mark.parametrize("parts", [1, 3])
def test_tiles_of_groups_meet_each_pair_once(sizes, parts):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    for among in ("same", "other"):
        met = np.zeros((len(groups), len(groups)), int)
        for part in range(parts):
            for tile in pair_tiles(sizes, 4, part, parts, among):
                met[tile.rows, tile.columns] += 1
                if tile.both:
                    met[tile.columns, tile.rows] += 1
        np.testing.assert_array_equal(met, (groups[:, None] == groups) == (among == "same"))


def test_approximate_search_is_refused():
    with pytest.raises(ValueError, match="exact or paddle"):
        scan_groups(features(230), GROUPS, 5, "same", "ivf")
