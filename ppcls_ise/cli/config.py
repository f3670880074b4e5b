"""Show a config in one piece: its bases merged, overrides applied, sizes filled in.

    ise config -c configs/ISE_R50_LP.yaml [-o Global.epochs=50 ...] [--flat ISE_R50_LP_flat.yaml]

PaddleClas's own tools know no ``_base_``: they are given the file that ``--flat`` writes.
"""
from __future__ import annotations

import argparse
import os
import sys

import yaml

from ..config import load_config, plain_dicts
from ..config.load import write_yaml
from ..errors import ISEError

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Print or write the config that the command line names.

    Args:
        arguments: of the command line; default those of the program.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(prog="ise config", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--config", required=True, help="a file, or the name of a shipped config")
    parser.add_argument("-o", "--override", action="append", default=[], help="key.sub=value")
    parser.add_argument("--flat", metavar="FILE", help="write it there instead of printing it")
    options = parser.parse_args(arguments)
    try:
        config = load_config(options.config, options.override)
        if not options.flat:
            yaml.safe_dump(plain_dicts(config), sys.stdout, sort_keys=False, allow_unicode=True)
            return 0
        os.makedirs(os.path.dirname(options.flat) or ".", exist_ok=True)
        overrides = "".join(f" -o {override}" for override in options.override)
        write_yaml(config, options.flat, f"{options.config}{overrides}, flat.")
    except (ISEError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
