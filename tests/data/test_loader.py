"""An image that goes bad while a training runs, and trainings of images without labels."""
import faulthandler
import os
import pathlib
import shutil

import numpy as np
import paddle
import pytest

from ppcls_ise.engine import ClusterHook
from ppcls_ise.engine import parallel as distributed
from ppcls_ise.images.listing import ImageList
from ppcls_ise.images.synthetic import make_synthetic
from ppcls_ise.visualize import cluster_history, run_tables
from tests.helpers import ROOT, shared
from tests.training import cluster_hook

pytestmark = pytest.mark.slow  # trains in most tests


@pytest.fixture(autouse=True)
def time_limit():
    """A hang ends the test run with a traceback."""
    faulthandler.dump_traceback_later(120, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_that_goes_bad_after_extraction_ends_the_epoch_with_its_name(train, tmp_path, monkeypatch, workers):
    root = tmp_path / "people"
    make_synthetic(str(root), identities=8, test_identities=3, images_per_identity=4, cameras=3, height=64, width=32)
    extract = ClusterHook._extract

    def spoil(hook):
        features = extract(hook)
        for file in (root / "bounding_box_train").iterdir():
            file.write_bytes(b"")
        return features

    monkeypatch.setattr(ClusterHook, "_extract", spoil)
    with pytest.raises(ValueError, match=r"bounding_box_train/.*\.jpg is no readable image"):
        train(f"Global.image_root={root}", f"DataLoader.Train.loader.num_workers={workers}")
    with pytest.raises(ValueError, match="16 of 16|32 of 32"):
        train(f"Global.image_root={root}", "DataLoader.Train.dataset.on_bad_image=skip", name="all bad")


def test_cached_crops_train_to_the_same_losses_and_survive_their_files(train, losses, tmp_path, people, monkeypatch):
    root = tmp_path / "people"
    shutil.copytree(people, root)
    extract = ClusterHook._extract
    direct = train(f"Global.image_root={root}", name="direct")[1]

    def spoil(hook):
        features = extract(hook)
        shutil.rmtree(root / "bounding_box_train", ignore_errors=True)
        return features

    monkeypatch.setattr(ClusterHook, "_extract", spoil)
    _, cached = train(f"Global.image_root={root}", "DataLoader.Train.dataset.cache=ram", name="cached")
    assert losses(cached) == losses(direct) and len(losses(direct)) == 6
    assert any("cache: ram, 0.00 GB for 96 crops of 64 x 32" in line for line in cached)


def test_processes_that_see_different_images_are_refused(monkeypatch):
    def gather(into, own):
        into.extend([own, own if others == "same" else (2, "other")])

    monkeypatch.setattr(distributed.dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(distributed.dist, "all_gather_object", gather)
    images, others = ImageList("", ["a.jpg", "b\udce9.jpg", "c.jpg"], None, None), "same"
    distributed.require_same_images(images)
    others = "fewer"
    with pytest.raises(ValueError, match=r"different training images \(3, 2 of them\)"):
        distributed.require_same_images(images)


def test_names_that_are_no_utf_8_train_resume_and_are_shown(train, losses, tmp_path, people, monkeypatch):
    root, odd = tmp_path / "people", os.fsdecode(b"caf\xe9_")
    shutil.copytree(people, root)
    for split in ("bounding_box_train", "query", "bounding_box_test"):
        file = min((root / split).iterdir())
        file.rename(file.with_name(odd + file.name))
    overrides = [f"Global.image_root={root}", "Global.eval_during_train=True", "Global.save_interval=1",
                 "DataLoader.Train.dataset.cache=disk", f"DataLoader.Train.dataset.cache_dir={tmp_path}"]
    whole, lines = train(*overrides, name="whole")
    stem = str(next(pathlib.Path(whole.output_dir).rglob("epoch_1.pdparams")))[:-len(".pdparams")]
    resumed, again = train(*overrides, f"Global.checkpoints={stem}", name="resumed")
    assert losses(lines)[-3:] == losses(again)
    names = whole.train_dataloader.dataset.list.names
    assert sum(odd in name for name in names) == 1
    with np.load(f"{whole.output_dir}/pseudo_labels/epoch_2.npz") as record:
        assert record["paths"].tolist() == names
    assert cluster_history(whole.output_dir)[2]["purity"] == pytest.approx(
        run_tables(whole.output_dir)["clusters"][2]["purity"])
    monkeypatch.setattr(ClusterHook, "_extract", lambda hook: paddle.full([len(names), 8], np.nan))
    with pytest.raises(ValueError, match="hold NaN or Inf") as error:
        train(*overrides, name="diverged")
    str(error.value).encode()


def hide_labels(source, target):
    """Links to the images of ``source`` in their order, with names that tell the camera only."""
    target.mkdir()
    for i, file in enumerate(sorted(source.iterdir())):
        camera = file.name.split("_c")[1].split("s")[0].split("_")[0]
        (target / f"{i:05d} cam{camera}{file.suffix}").symlink_to(file)


def unlabeled(folder):
    return [f"DataLoader.Train.dataset.image_root={folder}", "DataLoader.Train.dataset.name=UnlabeledFolder",
            "DataLoader.Train.dataset.cls_label_path=."]


CAMERAS = r"DataLoader.Train.dataset.cameras=cam(?P<camid>\d+)"


def same_training(labelled, hidden, losses):
    return (np.array_equal(cluster_hook(labelled[0]).labels, cluster_hook(hidden[0]).labels)
            and losses(labelled[1]) == losses(hidden[1]) != [])


def test_a_folder_without_labels_trains_to_what_the_labelled_set_does(train, losses, people, tmp_path):
    hide_labels(people / "bounding_box_train", tmp_path / "hidden")
    labelled = train(name="labelled")
    hidden = train(*unlabeled(tmp_path / "hidden"), CAMERAS, name="hidden")
    assert same_training(labelled, hidden, losses)
    assert hidden[0].train_dataloader.dataset.pids is None
    no_cameras = train(*unlabeled(tmp_path / "hidden"), name="no cameras")
    assert no_cameras[0].train_dataloader.dataset.camids is None
    assert not same_training(labelled, no_cameras, losses)  # the sampler takes any other images
    assert np.isfinite([float(value) for step in losses(no_cameras[1]) for _, value in step]).all()


def test_the_folder_config_needs_nothing_but_the_folder(people, tmp_path):
    from ppcls.engine.engine import Engine

    from ppcls_ise.config import load_config
    from ppcls_ise.engine import prepare_config

    config = load_config(str(ROOT / "configs/ISE_folder.yaml"), [
        f"Global.image_root={people / 'bounding_box_train'}", f"Global.output_dir={tmp_path}", "Global.epochs=2",
        "Global.iter_per_epoch=2", "Arch.Backbone={'name':'PPLCNet_x0_25','pretrained':False}", "Global.seed=3",
        "Arch.Neck.num_features=1280", "Cluster.k1=8", "Cluster.k2=3", "Cluster.min_samples=2", "Cluster.eps=0.6",
        "Global.image_shape=[3,64,32]",
        "DataLoader.Train.sampler.batch_size=16", "Arch.bn_group_size=16",
        "DataLoader.Train.sampler.num_instances=4",
        "DataLoader.Train.loader.num_workers=0", "DataLoader.Cluster.loader.num_workers=0"])
    engine = Engine(prepare_config(config, "train"), mode="train")
    engine.train()
    assert cluster_hook(engine).plain_data_set.in_memory and cluster_hook(engine).plain_data_set.camids is None
    assert next(tmp_path.rglob("latest.pdparams")).exists()
    with pytest.raises(ValueError, match="DataLoader.Eval is missing.*eval_during_train: False"):
        prepare_config(config, "eval")


def test_cuhk03_with_hidden_labels_gives_the_same_pseudo_labels_and_losses(train, losses, tmp_path):
    shutil.unpack_archive(shared("data/cuhk03_np_small.tar.gz"), tmp_path)
    root = next(tmp_path.rglob("bounding_box_train")).parent
    hide_labels(root / "bounding_box_train", tmp_path / "hidden")
    common = ["Global.epochs=1", "Global.iter_per_epoch=2", "Cluster.k1=20", "Cluster.k2=6"]
    labelled = train(f"Global.image_root={root}", *common, name="labelled")
    hidden = train(*unlabeled(tmp_path / "hidden"), CAMERAS, "DataLoader.Train.dataset.cache=ram", *common)
    assert len(cluster_hook(labelled[0]).labels) == 1913 and cluster_hook(labelled[0]).labels.max() > 20
    assert same_training(labelled, hidden, losses)
