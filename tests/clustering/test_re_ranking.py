import numpy as np
import pytest

from ppcls_ise.clustering.re_ranking import ReRanking


def twin(query, gallery, k1, k2, lambda_value):
    """Zhong et al. 2017 with dense float64 matrices."""
    x = np.concatenate([query, gallery]).astype(np.float64)
    count = len(x)
    distance = ((x[:, None] - x) ** 2).sum(2)
    distance /= distance.max(axis=1, keepdims=True)
    ranks = np.argsort(distance, axis=1, kind="stable")

    def reciprocal(i, k):
        return {j for j in ranks[i, :k + 1] if i in ranks[j, :k + 1]}

    v = np.zeros((count, count))
    for i in range(count):
        members = own = reciprocal(i, k1)
        for j in own:
            other = reciprocal(j, round(k1 / 2))
            if len(other & own) > 2 / 3 * len(other):
                members = members | other
        members = sorted(members)
        v[i, members] = np.exp(-distance[i, members]) / np.exp(-distance[i, members]).sum()
    v = v[ranks[:, :k2]].mean(axis=1)
    shared = np.minimum(v[:, None], v).sum(2)
    final = lambda_value * distance + (1 - lambda_value) * (1 - shared / (2 - shared))
    return final[:len(query), len(query):]


def features(seed, queries=25, gallery=120, dim=16):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(12, dim))
    x = centres[rng.integers(12, size=queries + gallery)] + 0.7 * rng.normal(size=(queries + gallery, dim))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    return x[:queries], x[queries:]


@pytest.mark.parametrize("k1, k2, lambda_value", [(20, 6, 0.3), (21, 1, 0.3), (22, 6, 0.0), (7, 3, 0.9),
                                                  pytest.param(300, 6, 0.5, marks=pytest.mark.slow)])
@pytest.mark.parametrize("seed", range(3))
def test_equals_the_dense_method(seed, k1, k2, lambda_value):
    query, gallery = features(seed)
    expected = twin(query, gallery, k1, k2, lambda_value)
    ranking = ReRanking(query, gallery, k1, k2, lambda_value)
    result = np.concatenate([ranking(slice(start, start + 7)) for start in range(0, len(query), 7)])
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=2e-6)
    # The same ranking wherever the dense one is no tie.
    order = np.argsort(result, axis=1, kind="stable")
    in_order = np.take_along_axis(expected, order, 1)
    assert (np.diff(in_order, axis=1) > -2e-6).all()


def test_it_is_another_ranking():
    query, gallery = features(0)
    plain = ReRanking(query, gallery, lambda_value=1.0)(slice(None))
    np.testing.assert_allclose(np.argsort(plain, 1), np.argsort(-query @ gallery.T, 1))
    assert (np.argsort(plain, 1) != np.argsort(ReRanking(query, gallery)(slice(None)), 1)).any()


def test_nothing_and_nearly_nothing():
    query, gallery = features(0, queries=2, gallery=1)
    assert ReRanking(query, gallery)(slice(None)).shape == (2, 1)
    assert ReRanking(query[:0], gallery)(slice(None)).shape == (0, 1)
    assert ReRanking(query, gallery[:0])(slice(None)).shape == (2, 0)
    same = np.ones((3, 4), np.float32) / 2
    assert np.allclose(ReRanking(same, same)(slice(None)), 0, atol=1e-6)


@pytest.mark.parametrize("change", [{"k1": 0}, {"k2": 0}, {"lambda_value": 1.5}])
def test_out_of_range(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        ReRanking(*features(0), **change)
