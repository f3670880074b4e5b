"""Finding, overriding, completing and keeping configs."""
import os

import pytest
import yaml

from ppcls_ise.config import load_config, save_config, shipped_configs
from ppcls_ise.errors import ISEError
from tests.helpers import ROOT

CONFIGS = sorted(ROOT.glob("configs/*.yaml"))


def leaves(value, above=()):
    """(path, value) of everything that is no block."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        return {above: value}
    return {path: leaf for key, item in items for path, leaf in leaves(item, (*above, key)).items()}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configs_are_found_from_any_folder(path, tmp_path, monkeypatch):
    assert path.parent == shipped_configs()
    monkeypatch.chdir(tmp_path)
    here = load_config(path)
    assert load_config(path.name) == here == load_config(f"configs/{path.name}")
    text = yaml.safe_dump(here)
    assert "_base_" not in text and "_delete_" not in text and "&id" not in text


def test_a_file_that_is_there_is_not_mistaken_for_a_shipped_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ISE_R50.yaml").write_text("Global: {epochs: 1}")
    assert load_config("ISE_R50.yaml") == {"Global": {"epochs": 1}}
    with pytest.raises(ISEError, match="mine/ISE_R50.yaml does not exist; did you mean .*ISE_R50.yaml"):
        load_config("mine/ISE_R50.yaml")


@pytest.mark.parametrize("name, message", [
    ("ISE_R50_MSTM17.yaml", "^config ISE_R50_MSTM17.yaml does not exist; did you mean ISE_R50_MSMT17.yaml"),
    ("nowhere.yaml", "^config nowhere.yaml does not exist; shipped are ISE_MobileNetV2_CUHK03.yaml, .*ISE_R50.yaml, ")])
def test_a_missing_file_is_named_with_the_shipped_ones_that_are_near(name, message):
    with pytest.raises(ISEError, match=message):
        load_config(name)


def test_other_encodings_are_named(tmp_path):
    (tmp_path / "latin.yaml").write_bytes("a: ü".encode("latin-1"))
    with pytest.raises(ISEError, match="latin.yaml cannot be read: .*utf-8"):
        load_config(tmp_path / "latin.yaml")


def test_ablations_differ_from_ise_in_a_few_keys():
    ise = leaves(load_config("ISE_R50.yaml"))
    for name, count in (("LP", 2), ("PLI", 3), ("baseline", 4), ("gem", 3), ("MSMT17", 11)):
        other = leaves(load_config(f"ISE_R50_{name}.yaml"))
        assert len([key for key in {*ise, *other} if ise.get(key, "-") != other.get(key, "-")]) == count, name


def test_relatives_say_only_what_differs():
    lengths = {path.stem: len(path.read_text().splitlines()) for path in CONFIGS}
    assert max(lengths[f"ISE_R50_{name}"] for name in ("LP", "PLI", "baseline", "gem")) <= 12


def test_published_recipes():
    for name, eps, momentum, update, weight, epochs, step in (
            ("ISE_R50", 0.4, 0.2, "hard", 0.1, 70, 30), ("ISE_R50_MSMT17", 0.7, 0.1, "all", 0.01, 50, 20)):
        config = load_config(f"{name}.yaml")
        head, train = config["Arch"]["Head"], config["DataLoader"]["Train"]
        assert (config["Cluster"]["eps"], head["momentum"], head["update"]) == (eps, momentum, update)
        assert config["Loss"]["Train"][1]["LabelPreservingLoss"]["weight"] == weight
        assert (config["Global"]["epochs"], config["Optimizer"]["lr"]["step_size"]) == (epochs, step)
        assert (train["sampler"]["batch_size"], train["sampler"]["num_instances"]) == (256, 16)


@pytest.mark.parametrize("path", [*CONFIGS, *sorted(ROOT.glob("configs/_base_/*.yaml"))], ids=lambda path: path.stem)
def test_sizes_and_normalisation_stand_once_in_a_file(path):
    text = path.read_text()
    assert "size: [" not in text and text.count("mean:") <= 1 and text.count("image_shape: [") <= 1


def sizes(config):
    return {path: value for path, value in leaves(config).items() if "ResizeImage" in path and "size" in path}


def test_every_resize_gets_the_size_of_the_image_shape():
    for overrides, width, height in (([], 128, 256), (["Global.image_shape=[3,64,32]"], 32, 64)):
        found = sizes(load_config("ISE_R50.yaml", overrides))
        blocks = {path[1:3] if path[1] == "Eval" else path[1:2] for path in found}
        assert blocks == {("Train",), ("Eval", "Query"), ("Eval", "Gallery")} and len(found) == 6
        assert {path[-1]: value for path, value in found.items()} == {0: width, 1: height}


def test_a_size_that_is_named_stays():
    key = "DataLoader.Train.dataset.transform_ops.0"
    for text, name in (("{'size': [9, 8]}", "size"), ("{'resize_short': 7}", "resize_short")):
        options = load_config("ISE_demo.yaml", [f"{key}={{'ResizeImage': {text}}}"])
        assert list(options["DataLoader"]["Train"]["dataset"]["transform_ops"][0]["ResizeImage"]) == [name]
    options = load_config("ISE_demo.yaml", [f"{key}={{'ResizeImage': None}}"])
    assert options["DataLoader"]["Train"]["dataset"]["transform_ops"][0] == {"ResizeImage": {"size": [32, 64]}}


@pytest.mark.parametrize("override", ["Global=None", "Global.image_shape=64", "DataLoader=[1]", "DataLoader.Eval=[1]",
                                      "DataLoader.Train=[1]", "DataLoader.Train.dataset=3",
                                      "DataLoader.Train.dataset.transform_ops={'a':1}",
                                      "DataLoader.Train.dataset.transform_ops=['ResizeImage']",
                                      "DataLoader.Train.dataset.transform_ops=[{'ResizeImage':[1]}]"])
def test_what_is_no_complete_config_is_left_for_the_checks(override):
    load_config("ISE_demo.yaml", [override])


@pytest.mark.parametrize("override, message", [
    ("Global.epochs", "key.sub=value"), ("=3", "key.sub=value"), ("Global.seed.x=1", "Global.seed is a value"),
    ("DataLoader.Train.dataset.transform_ops.99.PadCrop=1", "is a list of"),
    ("DataLoader.Train.dataset.transform_ops.first=1", "first is no index")])
def test_overrides_that_name_no_place_are_refused(override, message):
    with pytest.raises(ISEError, match=message):
        load_config("ISE_demo.yaml", [override])


@pytest.mark.parametrize("text", ["None", "null", "~"])
def test_nothing_is_written_as_in_python_or_yaml(text):
    assert load_config("ISE_demo.yaml", [f"Global.seed={text}"])["Global"]["seed"] is None


def test_overrides_are_literals_or_strings_and_nothing_is_run():
    config = load_config("ISE_demo.yaml", [
        "Global.protocol=all", "Global.seed=None", "Optimizer.lr.learning_rate=1e-4", "Global.use_visualdl=True",
        "New.place=a=b", "DataLoader.Train.dataset.transform_ops.0.ResizeImage.size=[32, 64]"])
    assert config["Global"]["protocol"] == "all" and config["Global"]["seed"] is None
    assert config["Optimizer"]["lr"]["learning_rate"] == 1e-4 and config["Global"]["use_visualdl"] is True
    assert config["New"]["place"] == "a=b"
    assert config["DataLoader"]["Train"]["dataset"]["transform_ops"][0]["ResizeImage"]["size"] == [32, 64]


@pytest.mark.parametrize("name", ["ISE_demo.yaml", "ISE_folder.yaml"])
def test_the_config_of_a_run_is_kept_and_gives_the_run_again(tmp_path, name):
    overrides = ["Global.protocol=all", "Optimizer.lr.learning_rate=1e-4", "Global.checkpoints=output/latest",
                 "DataLoader.Train.dataset.cameras=cam(?P<camid>\\d+)"]
    config = load_config(name, overrides)
    path = save_config(config, str(tmp_path / "new"))
    config["Global"]["checkpoints"] = None
    assert path == str(tmp_path / "new" / "config.yaml") and load_config(path) == config
    assert os.listdir(tmp_path / "new") == ["config.yaml"]
    assert yaml.safe_load((tmp_path / "new/config.yaml").read_text()).keys() == config.keys()  # flat: no _base_
