"""Training through PaddleClas's engine on a tiny synthetic set."""
import numpy as np
import pytest

from ppcls_ise.clustering import cluster_centroids
from ppcls_ise.engine import ClusterHook
from ppcls_ise.engine.evaluation import query_and_gallery
from ppcls_ise.images.synthetic import make_synthetic
from tests.slow_evaluation import twin
from tests.training import cluster_hook


def test_two_epochs_log_save_and_write_their_labels(train, losses):
    engine, lines = train()
    assert len(losses(lines)) == 6
    assert all({"ClusterContrastLoss", "LabelPreservingLoss", "loss"} == {name for name, _ in step}
               for step in losses(lines))
    assert sum("[Cluster][Epoch" in line and "outliers:" in line for line in lines) == 2
    lambdas = [line.split("lambda: ")[1].split(",")[0] for line in lines if "[Iter" in line]
    assert lambdas[0] == "0.00000" and lambdas[-1] > lambdas[0]
    assert next((engine_output(engine)).rglob("latest.pdparams")).exists()
    record = np.load(engine_output(engine) / "pseudo_labels" / "epoch_2.npz")
    assert len(record["labels"]) == len(record["paths"]) == len(engine.train_dataloader.dataset)
    assert np.array_equal(record["labels"], cluster_hook(engine).labels)


def engine_output(engine):
    import pathlib

    return pathlib.Path(engine.output_dir)


@pytest.mark.slow
def test_identities_are_never_read_in_training(train, losses):
    # The same files in the same order; only what counts as the identity differs.
    scrambled = r"DataLoader.Train.dataset.pattern=_c(?P<camid>\d+)s\d+_(?P<pid>\d+)"
    first, other = train(name="true"), train(scrambled, name="scrambled")
    assert first[0].train_dataloader.dataset.pids.tolist() != other[0].train_dataloader.dataset.pids.tolist()
    assert losses(first[1]) == losses(other[1])
    for name, value in first[0].model.state_dict().items():
        assert np.array_equal(value.numpy(), other[0].model.state_dict()[name].numpy()), name


@pytest.mark.parametrize("overrides, expected", [
    (["Arch.Head.topk=0", "Loss.Train=[{'ClusterContrastLoss':{'weight':1.0}}]"], {"ClusterContrastLoss", "loss"}),
    (["Loss.Train=[{'ClusterContrastLoss':{'weight':1.0}}]"], {"ClusterContrastLoss", "loss"}),
    (["Arch.Head.contrast_supports=False"], {"ClusterContrastLoss", "LabelPreservingLoss", "loss"})])
def test_ablations_are_a_matter_of_config(train, losses, overrides, expected):
    _, lines = train(*overrides, "Global.epochs=1")
    assert {name for step in losses(lines) for name, _ in step} == expected


def test_the_memory_moves_with_the_steps_and_the_neck_keeps_its_bias(train, monkeypatch):
    extract = ClusterHook._extract

    def remember(hook):
        hook.engine.first_features = extract(hook)
        return hook.engine.first_features

    monkeypatch.setattr(ClusterHook, "_extract", remember)
    engine, _ = train("Global.epochs=1")
    head, neck = engine.model.head, engine.model.neck.feat_bn
    assert head.step == 3
    started = cluster_centroids(engine.first_features, cluster_hook(engine).labels)
    moved = np.abs(head.memory.centroids.numpy() - started).max(axis=1) > 1e-3
    assert 4 <= moved.sum() <= 12  # the clusters of three batches of four, and no other
    assert np.allclose(np.linalg.norm(head.memory.centroids.numpy(), axis=1), 1, atol=1e-5)
    assert not neck.bias.numpy().any()
    assert (neck.weight.numpy() != 1).all()


def test_interval_keeps_labels_in_between(train):
    _, lines = train("Cluster.interval=2", "Global.epochs=3", "Global.iter_per_epoch=1")
    assert [line.split("Epoch ")[1][0] for line in lines if "[Cluster]" in line and "outliers" in line] == ["1", "3"]


def test_gem_trains_its_exponent(train):
    engine, _ = train("Arch.Pooling.name=gem", "Arch.Pooling.p=3.0", "Global.epochs=1")
    assert engine.model.pool.p.item() != 3.0


def test_no_cluster_tells_distances_and_an_eps_that_works(train):
    with pytest.raises(ValueError, match="no cluster") as error:
        train("Cluster.eps=0.001", "Cluster.min_samples=4")
    advised = float(str(error.value).split("try ")[1].split()[0])
    _, lines = train(f"Cluster.eps={advised}", "Cluster.min_samples=4", "Global.epochs=1", name="advised")
    assert any("clusters: " in line for line in lines)


def test_one_cluster_trains_without_supports_and_says_so(train, losses):
    engine, lines = train("Cluster.eps=0.999", "Global.epochs=1", "Cluster.k1=60")
    assert cluster_hook(engine).labels.max() == 0
    assert any("without support samples" in line for line in lines)
    assert any("fewer clusters" in line for line in lines)
    assert all(np.isfinite(float(value)) for step in losses(lines) for _, value in step)


def test_fewer_other_clusters_than_supports_and_eps_auto(train):
    engine, lines = train("Arch.Head.topk=90", "Cluster.eps=auto", "Global.iter_per_epoch=1")
    assert 0 < cluster_hook(engine).labels.max() < 90
    assert sum("no 90 others" in line and "without support samples" in line for line in lines) == 2
    reported = [line.split("INFO: ")[-1] for line in lines if "eps auto" in line]
    assert reported == [f"[Cluster][Epoch 1] Cluster.eps auto: {cluster_hook(engine).kept['eps']}, kept from now on"]


@pytest.mark.slow
def test_all_protocols_evaluate(train):
    found = {}
    for protocol in ("market", "all", "same_camera"):
        engine, lines = train(f"Global.protocol={protocol}", "Global.eval_during_train=True", "Global.epochs=1",
                              "Global.iter_per_epoch=1", name=protocol)
        sides = [array for split in query_and_gallery(engine)
                 for array in (split.features, split.data_set.pids, split.data_set.camids)]
        expected = twin(*sides, protocol=protocol)
        found[protocol] = engine.eval()
        assert found[protocol] == pytest.approx(expected["mAP"], abs=1e-6)
        line = next(line for line in lines if "[Avg]mAP" in line)
        assert f"mINP: {expected['mINP']:.5f}, rank1: {expected['cmc'][0]:.5f}" in line
        assert f"queries: {expected['valid_queries']} of 14, gallery: 40, protocol: {protocol}" in line
    assert len(set(found.values())) == 3


@pytest.mark.parametrize("workers", [0, 2])
def test_an_unreadable_image_is_named_and_nothing_hangs(train, tmp_path, workers):
    root = tmp_path / "people"
    make_synthetic(str(root), identities=8, test_identities=3, images_per_identity=4, cameras=3, height=64, width=32)
    broken = sorted((root / "bounding_box_train").iterdir())[20]
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(ValueError, match=broken.name + " is no readable image"):
        train(f"Global.image_root={root}", f"DataLoader.Eval.Query.loader.num_workers={workers}")


def test_gradient_accumulation_moves_the_memory_once_a_step(train):
    engine, lines = train("Global.update_freq=2", "Global.iter_per_epoch=4", "Global.epochs=2")
    # PaddleClas 2.4.2 knows no accumulation: there every batch is a step.
    steps = 4 // getattr(engine, "update_freq", 1)
    assert engine.model.head.step == engine.model.head.total_steps == 2 * steps
