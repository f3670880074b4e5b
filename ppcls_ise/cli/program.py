"""What the commands share: how their options are read and how they end."""
from __future__ import annotations

import argparse
import os
import select
import sys
from collections.abc import Callable

from ..errors import ISEError
from ..host import HostError
from . import quiet

__all__ = ["add_config", "make_parser", "positive", "run", "until_unread"]


def make_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """A parser whose ``--help`` shows a description as it is written, which is the docstring of the command."""
    return argparse.ArgumentParser(f"ise {name}", description=description,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)


def add_config(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """PaddleClas's options: ``-c FILE`` and ``-o key.sub=value``.

    Args:
        default: of ``-c``; without one it has to be given.
    """
    parser.add_argument("-c", "--config", required=default is None, default=default, metavar="FILE",
                        help="yaml file, or the name of a config that is shipped"
                             + (f" (default: {default})" if default else ""))
    parser.add_argument("-o", "--override", action="append", default=[], metavar="KEY.SUB=VALUE",
                        help="of the config; as often as you like")


def run(parser: argparse.ArgumentParser, action: Callable[[argparse.Namespace], int | None],
        arguments: list[str] | None) -> int:
    """Call ``action`` with the options; a mistake of the user's becomes one line instead of a traceback.

    Args:
        arguments: without the name of the program; None: those of the process.

    Returns:
        The exit code: what ``action`` returns (None is 0), 1 after a mistake, 130 after Ctrl-C, 141 where nobody reads
        what it prints any more.
    """
    return until_unread(lambda: _run(parser, action, arguments))


def _run(parser: argparse.ArgumentParser, action: Callable[[argparse.Namespace], int | None],
         arguments: list[str] | None) -> int:
    options = parser.parse_args(arguments)
    quiet.silence()
    try:
        return action(options) or 0
    except (ISEError, HostError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def until_unread(action: Callable[[], int]) -> int:
    """Call ``action``, and print what it leaves to print.

    Returns:
        What ``action`` returns; 141, 128 + SIGPIPE, where nobody reads standard output any more, as after ``| head``.
    """
    try:
        try:
            return action()
        finally:
            sys.stdout.flush()  # here, where it may fail
    except BrokenPipeError:
        if not _is_unread():  # a pipe of somebody else's
            raise
        nobody = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nobody, sys.stdout.fileno())  # Python flushes it once more
        os.close(nobody)
        return 141


def _is_unread() -> bool:
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
    except OSError:  # standard output is no file
        return False
    return bool(poll.poll(0))


def positive(text: str) -> int:
    """A whole number above 0, as ``type`` of an option."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number above 0, not {text!r}")
    return int(text)
