"""Train a network without labels, on one device or several.

    ise train -c ISE_R50.yaml -o Global.image_root=dataset/market1501

On several devices:

    python -m paddle.distributed.launch --gpus 0,1,2,3 ise train -c ISE_R50.yaml
"""
from __future__ import annotations

import argparse
from typing import Any

from . import engine, program

__all__ = ["main", "parser"]


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    return engine.make_parser("train", __doc__)


def main(arguments: list[str] | None = None) -> int:
    """Run it. Returns: the exit code."""
    return program.run(parser(), lambda options: engine.run_engine(options, "train", _train), arguments)


def _train(trainer: Any) -> None:
    from ..engine import log_best_and_last

    trainer.train()
    log_best_and_last(trainer)
