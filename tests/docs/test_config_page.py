"""docs/config.md against the blocks in the code and the shipped configs."""
import ast
import dataclasses
import inspect
import re
import types
import typing

import pytest

from ppcls_ise.clustering import CameraJaccardDBSCAN, CrossCameraDBSCAN, KReciprocalDBSCAN
from ppcls_ise.config import blocks, load_config
from ppcls_ise.config.fields import defaults_of
from ppcls_ise.engine.cluster_block import ClusterBlock
from ppcls_ise.images.data_set import list_reid_images, list_unlabeled_folder
from ppcls_ise.images.listing import list_images
from ppcls_ise.images.synthetic import SyntheticSet
from ppcls_ise.metric import PROTOCOLS, ReIDMetric, Rules
from tests.helpers import ROOT

PAGE = (ROOT / "docs/config.md").read_text()
FOUND = re.findall(r"^\| `([^`]+)` \| ([^|]*) \| ([^|]*) \|", PAGE, re.M)
ROWS, TYPES = {key: default for key, _, default in FOUND}, {key: kind for key, kind, _ in FOUND}
DATASET, OPS = "DataLoader.*.dataset.", "transform_ops."
#: Prefix of keys on the page -> the blocks they are of.
KINDS = {
    "Global.": [blocks.GlobalBlock],
    "Cluster.": [ClusterBlock, KReciprocalDBSCAN, CrossCameraDBSCAN, CameraJaccardDBSCAN],
    "Arch.": [blocks.ArchBlock], "Arch.Backbone.": [blocks.BackboneBlock], "Arch.Head.": [blocks.HeadBlock],
    "Arch.BackboneStopLayer.": [blocks.StopLayerBlock], "Arch.Pooling.": [blocks.PoolingBlock],
    "Arch.Neck.": [blocks.NeckBlock],
    **{f"Loss.Train.{name}.": [kind] for name, kind in blocks.LOSSES.items()},
    DATASET: [blocks.ReIDImagesBlock, blocks.UnlabeledFolderBlock],
    **{f"{OPS}{name}.": [kind] for name, kind in blocks.TRANSFORMS.items()},
    "DataLoader.Train.sampler.": [blocks.SamplerBlock], "DataLoader.Eval.*.sampler.": [blocks.PlainSamplerBlock],
    "DataLoader.*.loader.": [blocks.LoaderBlock],
    "Metric.Eval.ReIDMetric.": [ReIDMetric], "Synthetic.": [SyntheticSet]}
#: What a block says by itself where it is chosen by this key, or where it is trained: required all the same.
CHOSEN = {"Global.train_mode", "Arch.name", DATASET + "name", "DataLoader.Train.sampler.name"}
#: Blocks of their own, explained key by key.
INNER = {"Arch.Backbone", "Arch.BackboneStopLayer", "Arch.Pooling", "Arch.Neck", "Arch.Head"}


def spoken(hint):
    """An annotation as the page has it: what a value may be, null aside."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return set().union(*map(spoken, typing.get_args(hint)))
    if typing.get_origin(hint) is typing.Literal:
        return {type(value).__name__ for value in typing.get_args(hint)}
    if typing.get_origin(hint) is tuple:
        return {"list"}
    return set() if hint is type(None) else {hint.__name__}


@pytest.mark.parametrize("prefix", KINDS)
def test_keys_defaults_and_types_are_those_of_the_blocks(prefix):
    in_code, hints = {}, {}
    for kind in KINDS[prefix]:
        in_code.update({prefix + key: default for key, default in defaults_of(kind).items()})
        hints.update({prefix + key: hint for key, hint in typing.get_type_hints(kind).items()})
    on_page = {key for key in ROWS if key.startswith(prefix) and "." not in key[len(prefix):]}
    assert on_page == set(in_code) - INNER, "docs/config.md and the code differ in these keys"
    for key in on_page:
        required = in_code[key] is dataclasses.MISSING or key in CHOSEN
        assert ROWS[key] == ("required" if required else f"`{in_code[key]!r}`"), key
        # Where a bool stands for None, or a seed of False for none, it is no type to recommend.
        assert set(TYPES[key].split(" or ")) in (spoken(hints[key]), spoken(hints[key]) - {"bool"}), key


def test_every_block_is_on_the_page():
    listed = {getattr(blocks, name) for name in blocks.__all__ if name.endswith("Block")}
    # Parts of Global and Head, and DataLoader.Cluster, which the page describes in words.
    other = {blocks.AnyGlobalBlock, blocks.MemoryBlock, blocks.ClusterImagesBlock, blocks.ClusterSamplerBlock}
    assert listed - other <= {kind for kinds in KINDS.values() for kind in kinds}


def place(path):
    """A path in a config as the page names it."""
    path = re.sub(r".*transform_ops\.", OPS, path)
    path = re.sub(r"^DataLoader\.(Train|Cluster|Eval\.\w+)\.(dataset|loader)", r"DataLoader.*.\2", path)
    return re.sub(r"^DataLoader\.(Cluster|Eval\.\w+)\.sampler", "DataLoader.Eval.*.sampler", path)


def paths(block, above=""):
    for key, value in block.items():
        path = f"{above}{key}"
        if isinstance(value, dict):
            yield from paths(value, path + ".")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for item in value:
                for name, options in item.items():
                    yield from paths(options, f"{path}.{name}.") if options else [f"{path}.{name}"]
        else:
            yield path


@pytest.mark.parametrize("path", sorted(ROOT.glob("configs/ISE*.yaml")), ids=lambda path: path.stem)
def test_every_key_of_the_shipped_configs_is_explained(path):
    keys = {place(key) for key in paths(load_config(path))}
    assert not keys - set(ROWS), "not in docs/config.md"


def sources():
    """All code that reads training configs; the configs of deployment are others."""
    return "\n".join(path.read_text() for folder in ("ppcls_ise", "tools") for path in (ROOT / folder).rglob("*.py")
                     if not {"inference", "gallery", "serving"} & set(path.parts))


def test_every_global_key_that_the_code_reads_is_explained():
    reads = r'(?:settings|\["Global"\])(?:\.get\(|\.setdefault\(|\[)"(\w+)"'
    assert not {f"Global.{key}" for key in re.findall(reads, sources())} - set(ROWS), "not in docs/config.md"


def test_every_global_key_of_the_page_is_read():
    import ppcls.engine.engine as engine

    folder = ROOT.__class__(engine.__file__).parent
    host = "\n".join(path.read_text() for path in folder.rglob("*.py"))
    newer = {"update_freq", "iter_per_epoch"}  # which the oldest host does not know
    for key in [key.removeprefix("Global.") for key in ROWS if key.startswith("Global.")]:
        assert key in newer or re.search(rf"""["']{key}["']""", sources() + host), key


def test_the_keys_of_paddleclas_are_the_known_ones():
    named = re.search(r"^Of PaddleClas's other keys of `Global` .*?\.$", PAGE, re.M | re.S)[0]
    assert set(re.findall(r"`(\w+)`", named)) - {"Global"} == set(blocks.GlobalBlock.host_keys)
    assert not set(defaults_of(blocks.GlobalBlock)) & set(blocks.GlobalBlock.host_keys)


def test_every_global_key_that_paddleclas_reads_is_known():
    import ppcls.utils.config

    package = ROOT.__class__(ppcls.utils.config.__file__).parent.parent
    code = [path.read_text() for path in package.rglob("*.py") if "static" not in path.parts]  # no Engine of ours there
    reads = set(re.findall(r"""\[["']Global["']\](?:\.get\(|\[)\s*["'](\w+)["']""", "\n".join(code)))
    assert len(reads) > 20 and not reads - {*defaults_of(blocks.GlobalBlock), *blocks.GlobalBlock.host_keys}


def test_no_default_of_a_global_key_stands_twice():
    for key, default in re.findall(r'(?:settings|\["Global"\])\.get\("(\w+)", ([^()]+)\)', sources()):
        if default != f"GlobalBlock.{key}":  # a room that knows no config
            assert ast.literal_eval(default) == getattr(blocks.GlobalBlock, key), key


def test_rooms_that_know_no_config_have_its_defaults():
    listed = inspect.signature(list_reid_images).parameters
    for function, kind in ((list_reid_images, blocks.ReIDImagesBlock), (list_images, blocks.ReIDImagesBlock),
                           (list_unlabeled_folder, blocks.UnlabeledFolderBlock)):
        for key, parameter in inspect.signature(function).parameters.items():
            if key not in ("called", "image_root") and (key, function) != ("pattern", list_images):
                assert parameter.default == getattr(kind, key), (function.__name__, key)
    assert listed["pattern"].default == "auto" and Rules().protocol == blocks.GlobalBlock.protocol
    assert blocks.GlobalBlock.best_metric in ReIDMetric().names and blocks.GlobalBlock.protocol in PROTOCOLS
