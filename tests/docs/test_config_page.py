"""docs/config.md against the code and the shipped configs."""
import ast
import dataclasses
import inspect
import re

import pytest

from ppcls_ise.arch import GeM, ISEHead
from ppcls_ise.arch.model import ISEModel
from ppcls_ise.clustering import KReciprocalDBSCAN
from ppcls_ise.config import load_config
from ppcls_ise.data import ChannelJitter, PadCrop, PseudoLabelSampler, RandomErase, ReIDImages, UnlabeledFolder
from ppcls_ise.engine.cluster_block import ClusterBlock
from ppcls_ise.images.data_set import list_reid_images
from ppcls_ise.images.listing import list_images
from ppcls_ise.images.synthetic import make_synthetic
from ppcls_ise.loss import ClusterContrastLoss, LabelPreservingLoss
from ppcls_ise.metric import ReIDMetric
from tests.helpers import ROOT

PAGE = (ROOT / "docs/config.md").read_text()
ROWS = {key: default for key, default in re.findall(r"^\| `([^`]+)` \| [^|]* \| ([^|]*) \|", PAGE, re.M)}
DATASET, OPS = "DataLoader.*.dataset.", "transform_ops."
# prefix -> where its keys are parameters; what of them is no key of a config, or PaddleClas's
CODE = {
    "Cluster.": ([ClusterBlock, KReciprocalDBSCAN], ""),
    "Arch.Head.": ([ISEHead], "name"), "Arch.Pooling.": ([GeM], "name"),
    "Loss.Train.ClusterContrastLoss.": ([ClusterContrastLoss], "weight"),
    "Loss.Train.LabelPreservingLoss.": ([LabelPreservingLoss], "weight"),
    "Metric.Eval.ReIDMetric.": ([ReIDMetric], ""), "Synthetic.": ([make_synthetic], "root config progress"),
    "DataLoader.Train.sampler.": ([PseudoLabelSampler], "name dataset iter_per_epoch seed group_size"),
    DATASET: ([UnlabeledFolder, list_reid_images, list_images, ReIDImages], "name pattern called where options"),
    OPS + "PadCrop.": ([PadCrop], ""), OPS + "RandomErase.": ([RandomErase], ""),
    OPS + "ChannelJitter.": ([ChannelJitter], ""),
    "Arch.": ([ISEModel], "name infer_output_key infer_add_softmax export_normalize feature_cache host Backbone Neck "
                          "Head Pooling BackboneStopLayer"),
}


def parameters(sources, exempt):
    found = {}
    for source in sources:
        target = source.__init__ if inspect.isclass(source) and not dataclasses.is_dataclass(source) else source
        for name, parameter in inspect.signature(target).parameters.items():
            if name != "self" and name not in exempt.split():
                found.setdefault(name, parameter.default)
    return found


@pytest.mark.parametrize("prefix", CODE)
def test_keys_and_defaults_are_those_of_the_code(prefix):
    sources, exempt = CODE[prefix]
    in_code = parameters(sources, exempt)
    told = {key[len(prefix):]: default for key, default in ROWS.items()
            if key.startswith(prefix) and "." not in key[len(prefix):] and key[len(prefix):] not in exempt.split()}
    assert set(told) == set(in_code), "docs/config.md and the code differ in these keys"
    for name, default in in_code.items():
        expected = "required" if default is inspect.Parameter.empty else f"`{default!r}`"
        assert told[name] == expected, prefix + name


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


def test_the_global_keys_of_the_page_are_the_known_ones():
    assert {f"Global.{key}" for key in GLOBAL_KEYS} == {key for key in ROWS if key.startswith("Global.")}
    named = re.search(r"^Of PaddleClas's other keys of `Global` .*?\.$", PAGE, re.M | re.S)[0]
    assert set(re.findall(r"`(\w+)`", named)) - {"Global"} == set(HOST_GLOBAL_KEYS)
    assert not set(GLOBAL_KEYS) & set(HOST_GLOBAL_KEYS)


def test_every_global_key_that_paddleclas_reads_is_known():
    import ppcls.utils.config

    package = ROOT.__class__(ppcls.utils.config.__file__).parent.parent
    code = [path.read_text() for path in package.rglob("*.py") if "static" not in path.parts]  # no Engine of ours there
    reads = set(re.findall(r"""\[["']Global["']\](?:\.get\(|\[)\s*["'](\w+)["']""", "\n".join(code)))
    assert len(reads) > 20 and not reads - {*GLOBAL_KEYS, *HOST_GLOBAL_KEYS}


def test_defaults_of_global_keys():
    for key, default in re.findall(r'settings\.get\("(\w+)", ([^()]+)\)', sources()):
        assert ROWS[f"Global.{key}"] == f"`{ast.literal_eval(default)!r}`", key
