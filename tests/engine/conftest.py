import re

import pytest
from helpers import ROOT
from training import TINY


@pytest.fixture
def train(people, tmp_path):
    """Train the tiny configuration in this process; returns (engine, lines of its log)."""

    def run(*overrides, name="run"):
        import paddle
        from ppcls.engine.engine import Engine

        from ppcls_ise.engine import load_config, prepare_config

        output = tmp_path / name
        config = load_config(str(ROOT / "configs/ISE_demo.yaml"),
                             [*TINY, f"Global.image_root={people}", f"Global.output_dir={output}", *overrides])
        # Optimiser states go by the names of parameters, which Paddle counts up within a process.
        with paddle.utils.unique_name.guard():
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
