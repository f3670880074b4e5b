"""Show a config in one piece: its bases merged, overrides applied, sizes filled in.

    ise config -c ISE_R50_LP.yaml -o Global.epochs=50 --flat ISE_R50_LP_flat.yaml

PaddleClas's own tools know no ``_base_``: they are given the file that ``--flat`` writes, with ``--for train`` the
config that they can train from.
"""
from __future__ import annotations

import argparse
import os
import sys

import yaml

from ..config import load_config, plain_dicts
from ..config.load import write_yaml
from ..errors import ISEError
from . import program

__all__ = ["main", "parser"]


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = program.make_parser("config", __doc__)
    program.add_config(parser)
    parser.add_argument("--flat", metavar="FILE", help="write it there instead of printing it")
    parser.add_argument("--for", dest="mode", choices=("train", "eval", "export"),
                        help="check it, and complete it as ise train, eval and export do before PaddleClas sees it")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run it. Returns: the exit code."""
    return program.run(parser(), _show, arguments)


def _show(options: argparse.Namespace) -> None:
    config = load_config(options.config, options.override)
    if options.mode:
        import ppcls_ise

        ppcls_ise.register()
        from ..engine import prepare_config

        config = prepare_config(config, options.mode)
    if not options.flat:
        yaml.safe_dump(plain_dicts(config), sys.stdout, sort_keys=False, allow_unicode=True)
        return
    overrides = "".join(f" -o {override}" for override in options.override)
    try:
        os.makedirs(os.path.dirname(options.flat) or ".", exist_ok=True)
        readers = f", for PaddleClas's own tools to {options.mode}, not for ise" if options.mode else ""
        write_yaml(config, options.flat, f"{options.config}{overrides}, flat{readers}.")
    except OSError as error:
        raise ISEError(f"--flat {options.flat} cannot be written: {error.strerror}") from error
