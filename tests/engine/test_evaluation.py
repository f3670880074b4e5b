"""Evaluation inside PaddleClas's engine: what Global says is what is done, and the log tells."""
import types

import numpy as np
import paddle
import pytest

from ppcls_ise.clustering.re_ranking import ReRanking
from ppcls_ise.config import load_config
from ppcls_ise.engine import extract_features, prepare_config
from ppcls_ise.engine.evaluation import SplitFeatures, describe_rules, evaluate_splits, evaluation_rules, own_images
from ppcls_ise.errors import ISEError
from ppcls_ise.metric import ReIDMetric, Rules, evaluate
from tests.helpers import ROOT


class Paths(types.SimpleNamespace):
    def path(self, index):
        return f"{self.root}/{self.names[index]}"


def split(features, pids, camids, names, root="data"):
    data_set = types.SimpleNamespace(pids=np.array(pids), camids=None if camids is None else np.array(camids),
                                     list=Paths(root=root, names=names))
    return SplitFeatures(np.array(features, np.float32), data_set)


def unit(*angles):
    return [[np.cos(angle), np.sin(angle)] for angle in angles]


def test_flip_test_is_the_mean_of_image_and_mirror():
    class Asymmetric(paddle.nn.Layer):
        def forward(self, x):
            return {"features": paddle.nn.functional.normalize(x[:, 0, 0, :3])}

    images = [(np.random.default_rng(i).random((3, 2, 5)).astype("float32"),) for i in range(5)]
    result = extract_features(Asymmetric(), images, batch_size=2, flip=True).numpy()
    for (image,), row in zip(images, result):
        first, second = image[0, 0, :3], image[0, 0, ::-1][:3]
        mean = first / np.linalg.norm(first) + second / np.linalg.norm(second)
        np.testing.assert_allclose(row, mean / np.linalg.norm(mean), rtol=1e-5)


def test_without_identities_nothing_can_be_evaluated():
    known, unknown = split(unit(0), [1], [1], ["a"]), split(unit(0), [1], [1], ["b"])
    unknown.data_set.pids = None
    with pytest.raises(ISEError, match="Eval.Gallery: an evaluation needs identities"):
        evaluation_rules(known, unknown, {})


def test_without_cameras_only_the_query_itself_goes(caplog_ppcls):
    gallery = split(unit(0, 0.1, 0.2, 1), [1, 2, 1, 2], None, ["a", "b", "c", "d"])
    query = split(unit(0, 1), [1, 2], [-1, -1], ["a", "elsewhere"])
    rules = evaluation_rules(query, gallery, {"protocol": "market"})
    assert rules.own.tolist() == [0, -1] and rules.protocol == "all"
    result = evaluate_splits(ReIDMetric(), query, gallery, rules)
    # Query 0 without itself: b (wrong), c (right). Query 1: d (right), c, b (right).
    assert result["ap"].tolist() == pytest.approx([0.5, (1 + 2 / 3) / 2])
    assert "nothing is removed from a query's ranking but the query image itself" in caplog_ppcls()
    with pytest.raises(ISEError, match="same_camera needs camera ids"):
        evaluation_rules(query, gallery, {"protocol": "same_camera"})


def test_own_images_go_by_file():
    names = ["x/1.jpg", "2.jpg"]
    assert own_images(Paths(root="a", names=names), Paths(root="./a", names=names[::-1])).tolist() == [1, 0]
    assert own_images(Paths(root="a", names=names), Paths(root="b", names=names)).tolist() == [-1, -1]


def test_re_ranking_by_config():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 8)) + 2 * rng.normal(size=(5, 8))[np.arange(40) % 5]
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype("float32")
    pids, camids = np.arange(40) % 5, np.arange(40) % 2
    query = split(x[:10], pids[:10], camids[:10], list("0123456789"))
    gallery = split(x[10:], pids[10:], camids[10:], [f"g{i}" for i in range(30)])
    plain, re_ranked = (evaluate_splits(ReIDMetric(), query, gallery,
                                        evaluation_rules(query, gallery, {"re_ranking": flag}))["mAP"]
                        for flag in (False, True))
    assert plain == evaluate(x[:10], pids[:10], camids[:10], x[10:], pids[10:], camids[10:])["mAP"]
    assert re_ranked > plain


@pytest.fixture
def caplog_ppcls(monkeypatch):
    from ppcls.utils import logger

    lines = []
    monkeypatch.setattr(logger, "info", lambda text, *rest: lines.append(text))
    return lambda: "\n".join(lines)


def test_best_metric_picks_what_is_returned(train):
    engine, lines = train("Global.eval_during_train=True", "Global.best_metric=rank5", "Global.epochs=1",
                          "Global.iter_per_epoch=1", "Global.flip_test=True", "Global.re_ranking=True")
    line = next(line for line in lines if "[Avg]mAP" in line)
    assert line.endswith("protocol: market, flip_test, re_ranking: k1 20 k2 6 lambda 0.3")
    best = next(line for line in lines if "best metric" in line)
    assert float(best.split("best metric: ")[1].rstrip("]")) == pytest.approx(
        float(line.split("rank5: ")[1].split(",")[0]), abs=1e-5)


def test_a_run_that_picked_without_labels_is_evaluated_by_map(train):
    engine, lines = train("Global.best_metric=unlabelled", "Global.eval_during_train=True", "Global.epochs=1",
                      "Global.iter_per_epoch=1")
    engine.mode = "eval"
    expected, = [float(line.split("mAP: ")[1].split(",")[0]) for line in lines if "[Avg]mAP" in line]
    assert engine.eval() == pytest.approx(expected, abs=1e-5)


def test_the_log_names_the_rules_that_were_used(train):
    # Names that tell no camera: there is no market protocol then.
    _, lines = train("Global.eval_during_train=True", "Global.protocol=market", "Global.epochs=1",
                     "Global.iter_per_epoch=1", r"DataLoader.Eval.Query.dataset.pattern=(?P<pid>\d+)_c")
    assert next(line for line in lines if "[Avg]mAP" in line).endswith("gallery: 40, protocol: all")


def test_what_is_said_of_re_ranking_is_what_it_was_given():
    again = ReRanking(np.eye(4, dtype="float32"), np.eye(4, dtype="float32"), k1=2, k2=1, lambda_value=0.5)
    assert describe_rules(Rules("same_camera", distances=again), {"flip_test": False}) == (
        "protocol: same_camera, re_ranking: k1 2 k2 1 lambda 0.5")
    assert describe_rules(Rules("all"), {"flip_test": True, "re_ranking": True}) == (
        "protocol: all, flip_test")


@pytest.mark.parametrize("override, message", [
    ("Global.best_metric=map", "Global.best_metric is mAP, mINP, rank1, rank5, rank10, unlabelled, not 'map'"),
    (["Global.best_metric=unlabelled", "Metric.Eval=[{'Recallk':{'topk':[1]}}]"],
     "Global.best_metric needs Metric.Eval"),
    ("Global.flip_test=yes", "Global.flip_test is True or False"),
    ("Global.re_ranking=1", "Global.re_ranking is True or False")])
def test_mistakes_are_named(override, message):
    with pytest.raises(ISEError, match=message):
        prepare_config(load_config(str(ROOT / "configs/ISE_demo.yaml"), np.atleast_1d(override).tolist()), "eval")
