"""Evaluate trained weights: mAP, mINP and rank-k of query against gallery.

    ise eval -c ISE_R50.yaml -o Global.pretrained_model=output/ISE_R50/ISEModel/best_model
"""
from __future__ import annotations

import argparse

from . import engine, program

__all__ = ["main", "parser"]


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    return engine.make_parser("eval", __doc__)


def main(arguments: list[str] | None = None) -> int:
    """Run it. Returns: the exit code."""
    return program.run(
        parser(), lambda options: engine.run_engine(options, "eval", lambda evaluator: evaluator.eval()), arguments)
