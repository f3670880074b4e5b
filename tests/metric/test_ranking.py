

import numpy as np
import paddle
import pytest

from ppcls_ise.metric import Rules, evaluate, ranking
from tests.helpers import golden
from tests.slow_evaluation import twin


def random_case(seed, queries=40, gallery=150, identities=12, cameras=4, ties=False):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(identities + 2, 8))
    qp, gp = rng.integers(1, identities + 1, queries), rng.integers(-1, identities + 1, gallery)
    qc, gc = rng.integers(cameras, size=queries), rng.integers(cameras, size=gallery)
    qf, gf = (centres[p] + rng.normal(size=(len(p), 8)) for p in (qp, gp))
    # Small whole numbers: many distances are exactly equal, in float32 as in float64.
    qf, gf = (np.round(f) if ties else f / np.linalg.norm(f, axis=1, keepdims=True) for f in (qf, gf))
    return qf.astype(np.float32), qp, qc, gf.astype(np.float32), gp, gc


def assert_same(result, expected):
    assert result["mAP"] == pytest.approx(expected["mAP"], abs=1e-9)
    assert result["mINP"] == pytest.approx(expected["mINP"], abs=1e-9)
    np.testing.assert_allclose(result["cmc"], expected["cmc"], atol=1e-12)
    assert result["cmc"].dtype == np.float64
    assert result["valid_queries"] == expected["valid_queries"]


@pytest.mark.parametrize("rule, junk_pid", [("nojunk", -1), ("withjunk", None)])
@pytest.mark.parametrize("wrap", [np.asarray, paddle.to_tensor])
def test_golden(rule, junk_pid, wrap):
    data = np.load(golden("metrics.npz"))
    result = evaluate(wrap(data["query_feats"]), data["query_pids"], data["query_cams"], wrap(data["gallery_feats"]),
                      data["gallery_pids"], data["gallery_cams"], Rules(junk_pid=junk_pid), topk=100)
    assert result["mAP"] == pytest.approx(float(data[f"{rule}__mAP"]), abs=1e-6)
    np.testing.assert_array_equal(result["cmc"], data[f"{rule}__cmc"])
    assert result["valid_queries"] == len(data[f"{rule}__ap_valid_queries"]) == 291


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("protocol", ["market", "all", "same_camera"])
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_slow_evaluation(seed, protocol, ties):
    case = random_case(seed, ties=ties)
    for junk_pid in (-1, None):
        expected = twin(*case, protocol=protocol, junk_pid=junk_pid, topk=20)
        rules = Rules(protocol, junk_pid=junk_pid)
        assert_same(evaluate(*case, rules, topk=20), expected)
        assert_same(evaluate(*case, rules, topk=20, block_size=7), expected)


@pytest.mark.parametrize("arguments", [
    {"cameras": 1}, {"gallery": 5}, {"queries": 1}, {"identities": 1}, {"identities": 200},
    {"queries": 3, "gallery": 1}, {"queries": 5, "gallery": 1500, "identities": 2},
], ids=str)
@pytest.mark.parametrize("ties", [False, True])
def test_unusual_sets(arguments, ties):
    for seed in range(5):
        case = random_case(seed, ties=ties, **arguments)
        for protocol in ("market", "all", "same_camera"):
            assert_same(evaluate(*case, Rules(protocol)), twin(*case, protocol=protocol))


def test_without_cameras_only_the_query_itself_is_removed():
    qf, qp, _, gf, gp, _ = random_case(0)
    assert_same(evaluate(qf, qp, None, gf, gp, None), twin(qf, qp, None, gf, gp, None))
    everything = evaluate(gf, gp, None, gf, gp, None)
    itself = np.arange(len(gp))
    honest = evaluate(gf, gp, None, gf, gp, None, Rules(own=itself))
    assert everything["cmc"][0] == 1 > honest["cmc"][0]
    assert_same(honest, twin(gf, gp, None, gf, gp, None, own=itself))
    # Some queries of a gallery, in another order: each is found under its own index, the others have none.
    chosen = np.array([40, 7, 99])
    queries = np.concatenate([gf[chosen], qf]), np.concatenate([gp[chosen], qp])
    own = np.concatenate([chosen, np.full(len(qp), -1)])
    assert_same(evaluate(*queries, None, gf, gp, None, Rules(own=own), block_size=2),
                twin(*queries, None, gf, gp, None, own=own))


def one_query(distances, pids, cams=None, topk=50, **rules):
    """Gallery at the given distances from a query of pid 1, camera 1."""
    gallery = np.array(distances, np.float32)[:, None]
    cams = np.full(len(pids), 2) if cams is None else np.array(cams)
    return evaluate(np.zeros((1, 1), np.float32), [1], [1], gallery, np.array(pids), cams, Rules(**rules),
                    topk)


def test_by_hand():
    perfect = one_query([1, 2, 3, 4], [1, 1, 5, 6])
    assert (perfect["mAP"], perfect["mINP"], perfect["cmc"][0]) == (1, 1, 1)
    # Matches at rank 2 and 4: precision 1/2 each; the last match at rank 4 of two.
    mixed = one_query([1, 2, 3, 4], [5, 1, 6, 1], topk=3)
    assert (mixed["mAP"], mixed["mINP"], mixed["cmc"].tolist()) == (0.5, 0.5, [0, 1, 1])
    hardest = one_query([1, 2, 3, 4, 5], [1, 5, 6, 7, 1])
    assert hardest["mAP"] == pytest.approx((1 + 2 / 5) / 2) and hardest["mINP"] == pytest.approx(2 / 5)


def test_who_is_removed():
    # In order: same camera, junk, distractor, match.
    gallery = dict(distances=[1, 2, 3, 4], pids=[1, -1, 0, 1], cams=[1, 2, 2, 2])
    assert one_query(**gallery)["cmc"][:3].tolist() == [0, 1, 1]  # only the distractor is ahead
    assert one_query(**gallery, junk_pid=None)["cmc"][:3].tolist() == [0, 0, 1]
    assert one_query(**gallery, protocol="all")["mAP"] == pytest.approx((1 + 2 / 3) / 2)
    assert one_query(**gallery, protocol="same_camera")["mAP"] == 1


def test_equal_distances_are_one_threshold():
    # Two of four images at the same distance match, so precision there is 1/2 wherever they stand in the gallery.
    for pids in ([1, 1, 5, 6], [5, 6, 1, 1], [1, 5, 6, 1]):
        assert one_query([2, 2, 2, 2], pids)["mAP"] == pytest.approx(0.5)
    assert one_query([2, 2], [5, 1])["cmc"][:2].tolist() == [0, 1]
    assert one_query([2, 2], [1, 5])["cmc"][:2].tolist() == [1, 1]


def test_queries_without_a_match_are_skipped():
    eye = np.eye(3, dtype=np.float32)
    result = evaluate(eye, [1, 2, 3], [0, 0, 0], eye, [1, 2, 9], [1, 0, 1])
    assert result["valid_queries"] == 1 and result["mAP"] == 1
    nobody = evaluate(eye, [7, 7, 7], [0, 0, 0], eye, [1, 2, 9], [1, 0, 1])
    assert nobody["valid_queries"] == 0 and nobody["mAP"] == nobody["mINP"] == 0 and (nobody["cmc"] == 0).all()
    assert evaluate(eye, [1, 2, 3], [0, 0, 0], eye[:0], [], [])["valid_queries"] == 0
    assert evaluate(eye[:0], [], [], eye, [1, 2, 3], [0, 0, 0])["valid_queries"] == 0


def test_blocks_are_bounded(monkeypatch):
    module = ranking
    shapes = []
    rank_block = module.rank_block
    monkeypatch.setattr(module, "BLOCK_FLOATS", 1000)
    monkeypatch.setattr(module, "rank_block", lambda d, *rest: shapes.append(d.shape) or rank_block(d, *rest))
    case = random_case(0)
    assert_same(evaluate(*case), twin(*case))
    assert shapes == [(6, 150)] * 6 + [(4, 150)]


@pytest.mark.parametrize("change, message", [
    ({"protocol": "cuhk"}, "market, all, same_camera"), ({"topk": 0}, "topk"),
    ({"protocol": "same_camera", "cams": None}, "camera ids"), ({"own": [0]}, "own must"),
    ({"own": np.full(40, 150)}, "150 gallery images"),
])
def test_arguments_out_of_range(change, message):
    qf, qp, qc, gf, gp, gc = random_case(0)
    if "cams" in change:
        qc = gc = change.pop("cams")
    with pytest.raises(ValueError, match=message):
        topk = change.pop("topk", 50)
        evaluate(qf, qp, qc, gf, gp, gc, Rules(**change), topk)


def test_arrays_that_do_not_fit():
    qf, qp, qc, gf, gp, gc = random_case(0)
    with pytest.raises(ValueError, match="gallery: .*149"):
        evaluate(qf, qp, qc, gf, gp[1:], gc)
    with pytest.raises(ValueError, match="8 dimensions.*7"):
        evaluate(qf, qp, qc, gf[:, 1:], gp, gc)
    with pytest.raises(ValueError, match="neither"):
        evaluate(qf, qp, qc, gf, gp, None)
    gf[[30, 9]] = np.nan
    with pytest.raises(ValueError, match=" of 2 of 150 gallery images.*rows 9, 30"):
        evaluate(qf, qp, qc, gf, gp, gc)


def test_other_distances_and_progress():
    case, seen = random_case(0), []
    plain = evaluate(*case)
    squared = ((case[0][:, None] - case[3]) ** 2).sum(2).astype(np.float32)
    same = evaluate(*case, Rules(distances=lambda part: squared[part].copy()), block_size=16,
                    progress=lambda done, total: seen.append((done, total)))
    assert_same(same, plain)
    assert seen == [(16, 40), (32, 40), (40, 40)]
    assert evaluate(*case, Rules(distances=lambda part: -squared[part]))["mAP"] < plain["mAP"] / 2


def test_precision_of_each_query():
    eye = np.eye(3, dtype=np.float32)
    ap = evaluate(eye, [1, 2, 3], [0, 0, 0], eye, [1, 9, 3], [1, 1, 0])["ap"]
    assert ap[0] == 1 and np.isnan(ap[1:]).all()
