"""Blocks of deployment: what PaddleClas's own configs hold, what null means, and the config of a checkout's deploy/."""
import dataclasses
from typing import Annotated

import pytest
import yaml

from ppcls_ise.config import load_config
from ppcls_ise.config.deployment import (
    Deployment,
    IndexSettings,
    ModelSettings,
    SearchSettings,
    ServingSettings,
    read_deployment,
)
from ppcls_ise.config.fields import Is, read_block
from ppcls_ise.errors import ISEError
from ppcls_ise.images.names import MARKET_PATTERN
from tests.helpers import ROOT

BLOCKS = {"Global": ModelSettings, "IndexProcess": IndexSettings, "Search": SearchSettings, "Serving": ServingSettings}


@pytest.fixture
def read(tmp_path):
    def write(config, *overrides):
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        return read_deployment(tmp_path / "config.yaml", overrides)

    return write


def test_a_block_that_is_missing_is_one_of_defaults(read):
    assert read({"Global": {}}) == Deployment()
    with pytest.raises(ISEError, match="has no block Global"):
        read({"IndexProcess": {}})


def test_null_is_the_default_but_turns_a_pattern_off(read):
    null = {name: dict.fromkeys(field.name for field in dataclasses.fields(kind)) for name, kind in BLOCKS.items()}
    assert read(null) == Deployment(index=IndexSettings(pattern=None))
    assert read({"Global": {}}).index.pattern == MARKET_PATTERN


def test_keys_of_paddleclas_that_mean_nothing_here_do_no_harm(read):
    config = {"Global": {"rec_inference_model_dir": "./models/x", "image_shape": [3, 224, 224], "threshold": 0.2,
                         "max_det_results": 5, "label_list": ["foreground"], "enable_benchmark": True, "ir_optim": True,
                         "rec_nms_thresold": 0.05, "det_inference_model_dir": None},
              "DetPreProcess": {}, "RecPreProcess": {"transform_ops": []}, "RecPostProcess": None,
              "IndexProcess": {"index_method": "HNSW32", "image_root": "./data", "index_dir": "./index",
                               "hamming_radius": 100, "binary_index": False, "score_thres": 0.5, "return_k": 5}}
    found = read(config)
    assert found.model.rec_inference_model_dir == "./models/x"
    assert (found.index.index_method, found.index.return_k, found.index.score_thres) == ("HNSW32", 5, 0.5)


@pytest.mark.parametrize(("override", "message"), [
    ("Serving.port=70000", "Serving.port is a whole number from 1 to 65535, not 70000"),
    ("Serving.port=True", "Serving.port is a whole number from 1 to 65535, not True"),
    ("Serving.host=127", "Serving.host is a name or an address, not 127"),
    ("Serving.threads=1.5", "Serving.threads is a whole number above 0, not 1.5"),
    ("Serving.max_upload=8", "Serving.max_upload is no known key, did you mean max_upload_mb"),
    ("IndexProcess.columns=['pid', 'path']", "IndexProcess.columns begins with path, not pid, path"),
    ("IndexProcess.columns=[]", "IndexProcess.columns begins with path, not nothing"),
    ("Search.cameras=[1.5]", r"Search.cameras is a list, as \[1,2\] or \['door'\] or null, not \[1.5\]")])
def test_a_value_that_a_key_cannot_have_is_named(read, override, message):
    with pytest.raises(ISEError, match=message):
        read({"Global": {}}, override)


@pytest.mark.parametrize("name", ["gallery", "inference_rec"])
def test_the_config_of_deploy_is_the_shipped_one_seen_from_there(name):
    shipped, there = (load_config(ROOT / folder / f"{name}.yaml") for folder in ("configs", "deploy/configs"))
    paths = {key: (shipped[block][key], value) for block in there for key, value in there[block].items()
             if value != shipped[block][key]}
    assert paths and all(elsewhere == "../" + here for here, elsewhere in paths.values())
    for config in (shipped, there):
        for block in config:
            config[block] = {key: value for key, value in config[block].items() if key not in paths}
    assert shipped == there


def test_every_key_of_the_shipped_config_has_its_default_or_belongs_to_the_demo():
    """The comments in it are what a user reads of the defaults."""
    found = read_deployment(ROOT / "configs/gallery.yaml")
    own = {"infer_imgs", "rec_inference_model_dir", "batch_size", "index_dir", "image_root"}
    for block, default in ((found.model, ModelSettings()), (found.index, IndexSettings()),
                           (found.search, SearchSettings()), (found.serving, ServingSettings())):
        for field in dataclasses.fields(block):
            assert field.name in own or getattr(block, field.name) == getattr(default, field.name), field.name


def test_a_description_stands_for_type_and_range():
    @dataclasses.dataclass(frozen=True)
    class Block:
        size: Annotated[int, Is("an even number", lambda value: value % 2 == 0)] = 2
        sizes: tuple[Annotated[int, Is("an even number", lambda value: value % 2 == 0)], ...] = ()

    assert read_block(Block, {"size": 4, "sizes": [2, 4]}, "B") == Block(4, (2, 4))
    for block in ({"size": 3}, {"size": "two"}):
        with pytest.raises(ISEError, match=f"B.size is an even number, not {block['size']!r}"):
            read_block(Block, block, "B")
    with pytest.raises(ISEError, match="B.sizes is a list, not"):
        read_block(Block, {"sizes": [2, 3]}, "B")


def test_a_config_of_ones_own_builds_on_the_shipped_one(read):
    found = read({"_base_": "gallery.yaml", "Global": {"rec_inference_model_dir": "inference"},
                  "IndexProcess": {"image_root": "/data/crops", "pattern": None}}, "IndexProcess.return_k=3")
    assert (found.model.rec_inference_model_dir, found.model.batch_size) == ("inference", 32)
    assert (found.index.image_root, found.index.pattern, found.index.return_k) == ("/data/crops", None, 3)
    assert found.serving == ServingSettings()
