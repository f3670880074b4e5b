"""The TIPC files that are shipped: positions, and options that their configs take."""
import re
import shlex
import tarfile

import pytest

from ppcls_ise.config import load_config
from ppcls_ise.engine import prepare_config
from tests.helpers import ROOT

FILES = sorted((ROOT / "test_tipc" / "configs" / "ISE").glob("*.txt"))
TRAINING = [path for path in FILES if "paddle2onnx" not in path.name]
# Position -> what stands there before the colon, as in PaddleClas's files.
KEYS = {2: "model_name", 3: "python", 4: "gpu_list", 5: "-o Global.device", 7: "-o Global.epochs",
        8: "-o Global.output_dir", 9: "-o DataLoader.Train.sampler.batch_size", 10: "-o Global.pretrained_model",
        11: "train_model_name", 12: "train_infer_img_dir", 14: "##", 15: "trainer", 17: "pact_train", 18: "fpgm_train",
        19: "distill_train", 20: "to_static_train", 21: "null", 22: "##", 24: "eval", 25: "null", 26: "##",
        28: "-o Global.save_inference_dir", 29: "-o Global.pretrained_model", 30: "norm_export",
        36: "pretrained_model_url", 37: "infer_model", 38: "infer_export", 39: "infer_quant", 40: "inference",
        41: "-o Global.use_gpu", 42: "-o Global.enable_mkldnn", 43: "-o Global.cpu_num_threads",
        44: "-o Global.batch_size", 45: "-o Global.use_tensorrt", 46: "-o Global.use_fp16",
        47: "-o Global.rec_inference_model_dir",
        48: "-o Global.infer_imgs", 50: "-o Global.benchmark", 51: "null", 52: "null", 54: "random_infer_input"}


@pytest.mark.parametrize("path", TRAINING, ids=lambda path: path.stem)
def test_positions(path):
    lines = path.read_text().splitlines()
    assert len(lines) == 54 and all(lines)
    assert {number: lines[number - 1].split(":")[0] for number in KEYS} == KEYS
    headings = {1: "train_params", 23: "eval_params", 27: "infer_params", 53: "infer_benchmark_params"}
    for number, name in headings.items():
        assert re.fullmatch(f"=+{name}=+", lines[number - 1])
    assert path.name.startswith(lines[1].split(":")[1] + "_")


@pytest.mark.parametrize("path", TRAINING, ids=lambda path: path.stem)
def test_the_config_takes_the_options(path):
    lines = path.read_text().splitlines()
    words = shlex.split(lines[15].split(":", 1)[1] + " " + lines[8].replace(":", "=") + " "
                        + lines[12].replace(":", "="))
    options = [value for flag, value in zip(words, words[1:]) if flag == "-o"]
    config = prepare_config(load_config(str(ROOT / words[words.index("-c") + 1]), options), "train")
    devices = [1 + entry.count(",") for entry in lines[3].split(":")[1].split("|")]
    sampler, group = config["DataLoader"]["Train"]["sampler"], config["Arch"]["bn_group_size"]
    for count in devices:  # each holds whole groups
        assert sampler["batch_size"] % (count * group) == 0 and group % sampler["num_instances"] == 0
    assert config["Global"]["iter_per_epoch"] <= 5 and config["Arch"]["Backbone"]["pretrained"] is False


@pytest.mark.parametrize("path", sorted(set(FILES) - set(TRAINING)), ids=lambda path: path.stem)
def test_paddle2onnx_files_convert_what_the_lite_chain_leaves(path):
    lines = path.read_text().splitlines()
    training = path.with_name(lines[1].split(":")[1] + "_train_infer_python.txt").read_text().splitlines()
    assert len(lines) == 16 and lines[4].split(":")[1] == training[36].split(":")[1]


def test_no_path_of_a_machine():
    for path in (ROOT / "test_tipc").rglob("*"):
        if path.suffix in (".txt", ".sh", ".py", ".md", ".json") and "output" not in path.parts:
            assert not re.search(r"(?<![\w.])/(tmp|home|root|work|Users|mnt|opt)/", path.read_text()), path


def test_the_shipped_crops_are_whole():
    with tarfile.open(ROOT / "test_tipc" / "small_set.tar.gz") as archive:
        folders = [name.split("/")[1] for name in archive.getnames() if name.endswith(".jpg")]
    counts = {folder: folders.count(folder) for folder in set(folders)}
    assert counts == {"bounding_box_train": 144, "query": 33, "bounding_box_test": 83}
