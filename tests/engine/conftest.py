import re

import pytest
from helpers import ROOT

from ppcls_ise.data.synthetic import make_synthetic

#: Overrides that make configs/ISE_demo.yaml a matter of seconds.
TINY = ["Global.epochs=2", "Global.iter_per_epoch=3", "Global.print_batch_step=1", "Global.image_shape=[3,64,32]",
        "DataLoader.Train.dataset.transform_ops.0.ResizeImage.size=[32,64]",
        "DataLoader.Eval.Query.dataset.transform_ops.0.ResizeImage.size=[32,64]",
        "DataLoader.Train.sampler.batch_size=16", "DataLoader.Train.sampler.num_instances=4",
        "Cluster.min_samples=2", "Cluster.k1=8", "Cluster.k2=3"]


@pytest.fixture(scope="session")
def people(tmp_path_factory):
    """A synthetic set of 16 training and 6 test persons at 64 x 32."""
    root = tmp_path_factory.mktemp("people") / "set"
    make_synthetic(str(root), identities=16, test_identities=6, images_per_identity=6, cameras=3, height=64, width=32)
    return root


@pytest.fixture
def train(people, tmp_path):
    """Train the tiny configuration in this process; returns (engine, lines of its log)."""

    def run(*overrides, name="run"):
        from ppcls.engine.engine import Engine

        from ppcls_ise.engine import load_config, prepare_config

        output = tmp_path / name
        config = load_config(str(ROOT / "configs/ISE_demo.yaml"),
                             [*TINY, f"Global.image_root={people}", f"Global.output_dir={output}", *overrides])
        engine = Engine(prepare_config(config, "train"), mode="train")
        engine.train()
        log = next(output.rglob("train.log")).read_text()
        return engine, [re.sub(r"^\[[^]]*\] ", "", line) for line in log.splitlines()]

    return run


@pytest.fixture
def losses():
    """The losses of every step in a log, as printed."""

    def read(lines):
        steps = [line for line in lines if re.search(r"\[Train\].*\[Iter", line)]
        return [re.findall(r"(\w*[lL]oss): ([\d.]+)", line) for line in steps]

    return read
