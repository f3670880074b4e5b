"""``ise COMMAND ...``, also as ``python -m ppcls_ise.cli COMMAND ...``."""
from __future__ import annotations

import importlib
import sys
from types import ModuleType

from .. import __version__
from ..config.keys import nearest
from . import program

__all__ = ["COMMANDS", "command", "main"]

#: In the order in which a user meets them.
COMMANDS = ("demo", "synthetic", "config", "check-data", "train", "eval", "visualize", "cluster-report",
            "convert-weights", "mix-weights", "export", "predict", "gallery", "search", "serve")


def main(arguments: list[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: its name and its own arguments; None: those of the process.

    Returns:
        The exit code: 0, 1 for what a command refuses, 2 for a command or an option that there is not, 141 where
        nobody reads what it prints any more.
    """
    given = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    return program.until_unread(lambda: _run(*given))


def _run(name: str, *rest: str) -> int:
    if name in ("-h", "--help"):
        print(_help())
    elif name == "--version":
        print(f"ppcls_ise {__version__}")
    elif name not in COMMANDS:
        near = nearest(name, COMMANDS)
        print(f"error: {name} is no command{f', did you mean {near}?' if near else ''} (ise --help lists them)",
              file=sys.stderr)
        return 2
    else:
        return command(name).main(list(rest))
    return 0


def command(name: str) -> ModuleType:
    """The module of a command, with ``parser()`` and ``main(arguments)``."""
    return importlib.import_module("." + name.replace("-", "_"), __package__)


def _help() -> str:
    lines = [f"  {name:16} {(command(name).__doc__ or '').splitlines()[0]}" for name in COMMANDS]
    return "\n".join(["usage: ise COMMAND ...", "", "Person re-identification without labels, on PaddleClas.", "",
                      "commands (ise COMMAND --help says more of each):", *lines, "",
                      "options:", "  --version        of this program"])
