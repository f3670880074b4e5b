"""The blocks of a training config: what each refuses."""
import dataclasses

import pytest

from ppcls_ise.config import blocks
from ppcls_ise.config.check import check_config
from ppcls_ise.config.fields import Block, defaults_of, read_block
from ppcls_ise.config.load import load_config
from ppcls_ise.errors import ISEError

KINDS = [getattr(blocks, name) for name in blocks.__all__ if name.endswith("Block")]


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_are_frozen_and_their_defaults_pass_their_checks(kind):
    assert issubclass(kind, Block) and kind.__dataclass_params__.frozen and kind.__doc__
    required = {"num_features": 8, "weight": 1.0, "batch_size": 4, "num_instances": 2, "num_workers": 0, "epochs": 1,
                "iter_per_epoch": 1, "output_dir": "out", "save_interval": 1, "print_batch_step": 1,
                "eval_during_train": False, "shuffle": False, "drop_last": False, "transform_ops": [], "name": "x",
                "Backbone": {"name": "x"}, "Neck": {"num_features": 8}, "Head": {}}
    needed = {key: required[key] for key, default in defaults_of(kind).items() if default is dataclasses.MISSING}
    read_block(kind, needed, "B")


@pytest.mark.parametrize("kind, block, message", [
    (blocks.GlobalBlock, {"image_shape": [256, 128]}, r"image_shape is \[3, height, width\] or null, not \[256, 128\]"),
    (blocks.HeadBlock, {"topk": -1}, "topk is the number of support samples per image, >= 0, not -1"),
    (blocks.HeadBlock, {"momentum": 1.0}, r"momentum is the weight of the old centroid, in \[0, 1\), not 1.0"),
    (blocks.HeadBlock, {"update": "ori"}, "update is hard, all, not 'ori'"),
    (blocks.PoolingBlock, {"p": 0}, "p is a number above 0"),
    (blocks.PoolingBlock, {"eps": 0.0}, "eps is a number above 0"),
    (blocks.NeckBlock, {"num_features": 0}, "num_features is the width of the backbone's feature, not 0"),
    (blocks.ClusterContrastLossBlock, {"weight": 1, "temperature": 0}, "temperature is a number above 0"),
    (blocks.LabelPreservingLossBlock, {"weight": 1, "temperature": -1}, "temperature is a number above 0"),
    (blocks.UnlabeledFolderBlock, {"cameras": r"(?P<pid>\d+)"}, "cameras has the group camid only"),
    (blocks.ReIDImagesBlock, {"cache": "gpu"}, "cache is none, ram, disk, not 'gpu'"),
    (blocks.ReIDImagesBlock, {"cls_label_path": [1]}, "cls_label_path is a text or a list of texts, not"),
    (blocks.PadCropBlock, {"padding": -1}, "padding is a whole number of pixels"),
    (blocks.RandomEraseBlock, {"probability": 2}, "probability is from 0 to 1"),
    (blocks.RandomEraseBlock, {"area": [0.4, 0.02]}, "area is .lower, upper. bound"),
    (blocks.RandomEraseBlock, {"min_aspect": 0}, "min_aspect is above 0, at most 1"),
    (blocks.RandomEraseBlock, {"fill": [0.5]}, "fill is a value per channel"),
    (blocks.PlainSamplerBlock, {"batch_size": 0, "shuffle": False, "drop_last": False},
     "batch_size is a whole number above 0"),
    (blocks.LoaderBlock, {"num_workers": -1}, "num_workers is a whole number of processes")])
def test_what_a_block_refuses(kind, block, message):
    given = {"epochs": 1, "iter_per_epoch": 1, "output_dir": "o", "save_interval": 1, "print_batch_step": 1,
             "eval_during_train": False, **block} if kind is blocks.GlobalBlock else block
    with pytest.raises(ISEError, match=f"^B.{message}"):
        read_block(kind, given, "B")


@pytest.mark.parametrize("override, message", [
    ("Global.epochs=many", "Global.epochs is a whole number above 0, not 'many'"),
    ("Global.device=tpu", "Global.device is auto, cpu, gpu, xpu, npu, mlu, not 'tpu'"),
    ("Global.flip_test=1", "Global.flip_test is True or False, not 1"),
    ("DataLoader.Train.sampler.batch_size=64.0",
     "DataLoader.Train.sampler.batch_size is a whole number above 0, not 64.0"),
    ("DataLoader.Train.sampler=[1]", r"DataLoader.Train.sampler is a block of keys, not \[1\]"),
    ("DataLoader.Eval=[1]", r"DataLoader.Eval is a block of keys, not \[1\]"),
    ("DataLoader.Train.dataset.cache=gpu", "DataLoader.Train.dataset.cache is none, ram, disk, not 'gpu'"),
    ("DataLoader.Train.dataset.transform_ops.2.PadCrop.padding=x", "transform_ops.2.PadCrop.padding is a whole number"),
    *[(f"Global.{key}={value}", f"Global.{key} is a whole number above 0, not {value}")
      for key in ("epochs", "save_interval", "print_batch_step", "eval_interval", "update_freq", "iter_per_epoch")
      for value in (0, -1)],
    ("Global.start_eval_epoch=-1", "Global.start_eval_epoch is a whole number, 0 or above, not -1"),
    ("Global.image_shape=[3,0,64]", r"Global.image_shape is \[3, height, width\] or null, not \[3, 0, 64\]"),
    ("DataLoader.Train.sampler.batch_size=0", "DataLoader.Train.sampler.batch_size is a whole number above 0, not 0"),
    ("DataLoader.Train.sampler.num_instances=0", "sampler.num_instances is a whole number above 0, not 0"),
    ("DataLoader.Train.dataset.name=[]", r"DataLoader.Train.dataset.name is a text, not \[\]"),
    ("DataLoader.Eval.Query.dataset.name=[]", r"DataLoader.Eval.Query.dataset.name is a text, not \[\]"),
    ("DataLoader.Train.sampler.name=[]", r"DataLoader.Train.sampler.name is a text, not \[\]"),
    ("DataLoader.Train.dataset.transform_ops.0.ResizeImage=5", "transform_ops.0.ResizeImage is a block of keys, not 5"),
    ("Arch.name=[]", r"Arch.name is a text, not \[\]"),
    ("Arch.Pooling.p=1e999", "Arch.Pooling.p is a number above 0, not inf"),
    ("Loss=1", "Loss is a block of keys"),
    ("Loss.Train.0.ClusterContrastLoss.temperature=0", "temperature is a number above 0"),
    ("Arch.Head.topk=1.5", "Arch.Head.topk is the number of support samples per image, >= 0, not 1.5"),
    ("Arch.Backbone.pretrained=1", "Arch.Backbone.pretrained is True or False or a text, not 1")])
def test_values_are_checked_with_the_place_that_an_override_has(override, message):
    for mode in ("train", "eval", "export", "data"):
        with pytest.raises(ISEError, match=message):
            check_config(load_config("ISE_demo.yaml", [override]), mode)


def test_of_other_models_only_the_values_that_are_read_here_are_checked():
    other = ["Arch.name=RecModel", "Global.epochs=0", "Global.seed=x", "Global.device=gcu", "Global.image_shape=[1]",
             "Global.pretrained_model=False"]
    check_config(load_config("ISE_demo.yaml", other), "train")
    for override, message in (("Global.flip_test=1", "Global.flip_test is True or False"),
                              ("Global.pretrained_model=1", "Global.pretrained_model is a text"),
                              ("Global.epoch=1", "Global.epoch is no known key, did you mean epochs")):
        with pytest.raises(ISEError, match=message):
            check_config(load_config("ISE_demo.yaml", [*other, override]), "train")


def test_a_folder_whose_name_is_a_number():
    for key in ("output_dir", "image_root", "pretrained_model"):
        with pytest.raises(ISEError, match=rf"Global.{key} is a text \(a folder 2024 is ./2024\).*, not 2024"):
            check_config(load_config("ISE_demo.yaml", [f"Global.{key}=2024"]), "train")
    check_config(load_config("ISE_demo.yaml", ["Global.output_dir=./2024"]), "train")


def test_a_training_needs_what_global_has_no_default_for():
    config = load_config("ISE_demo.yaml")
    del config["Global"]["epochs"]
    check_config(config, "eval")
    with pytest.raises(ISEError, match="^Global.epochs is missing$"):
        check_config(config, "train")
    config["Arch"]["name"] = "RecModel"  # a training of PaddleClas's own
    check_config(config, "train")
