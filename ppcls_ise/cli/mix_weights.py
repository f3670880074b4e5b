"""Weights between those of the start and those of the training.

    ise mix-weights start.pdparams output/ISE_R50/ISEModel/latest.pdparams between.pdparams --share 0.75

Where the start has seen persons, weights on the way to what was trained can find a person in another camera better than
both ends (docs/cameras.md). Global.anchor does the same at every evaluation of a training.
"""
from __future__ import annotations

import argparse

from . import program

__all__ = ["main", "parser"]


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = program.make_parser("mix-weights", __doc__)
    parser.add_argument("start", help="weights that the training started from")
    parser.add_argument("trained", help="those that it ended with")
    parser.add_argument("output", help="file to write: .pdparams, .npz, .safetensors")
    parser.add_argument("--share", type=float, default=0.75, help="of the way from the start (default: 0.75)")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run it. Returns: the exit code."""
    return program.run(parser(), _mix, arguments)


def _mix(options: argparse.Namespace) -> None:
    from ..weights import mixed, read_state, write_state

    state = mixed(read_state(options.start), read_state(options.trained), options.share)
    write_state(options.output, state)
    print(f"wrote {options.output}: {len(state)} parameters, {options.share:g} of the way from {options.start}")
