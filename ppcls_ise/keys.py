"""Blocks of a config: a misspelt key is an error, not a silent default."""
from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable
from typing import Callable

from .errors import ISEError

__all__ = ["check_keys", "parameters_of"]


def check_keys(block: dict | None, known: Iterable[str], place: str) -> None:
    """Refuse what a block of a config cannot mean.

    Args:
        block: of a config; None counts as empty.
        known: the keys that it may have.
        place: what the config calls the block, such as ``Arch.Head``.

    Raises:
        ISEError: if it is no block, or has a key that is not known; names the nearest one that is.
    """
    known = list(known)
    if block is None:
        return
    if not isinstance(block, dict):
        raise ISEError(f"{place} is a block of keys ({', '.join(known)}), not {block!r}")
    for key in block:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            raise ISEError(f"{place}.{key} is no known key{f', did you mean {near[0]}' if near else ''}? "
                           f"Known are {', '.join(known)}")


def parameters_of(function: Callable, *without: str) -> list[str]:
    """Names of the parameters of a function or class that a config may set, less those that its caller sets."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [name for name, parameter in inspect.signature(function).parameters.items()
            if parameter.kind in kinds and name not in without]
