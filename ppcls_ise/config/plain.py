"""Configs as yaml writes them best: dicts, lists, text and numbers."""
from __future__ import annotations

import numbers
from typing import Any

from ..errors import ISEError

__all__ = ["plain_dicts"]


def plain_dicts(config: dict[str, Any]) -> dict[str, Any]:
    """A copy of nothing but dicts, lists, text, numbers, True, False and None, none of them twice.

    Tuples become lists, numbers of numpy Python's. Keys stay what they are.

    Raises:
        ISEError: for anything else, and for what contains itself; names the key.
    """
    return {_plain(key, ()): _plain(item, (key,), (config,)) for key, item in config.items()}


def _plain(value: Any, path: tuple[Any, ...], above: tuple[Any, ...] = ()) -> Any:
    if any(value is one for one in above):
        raise ISEError(f"{_spoken(path)} contains itself")
    if isinstance(value, dict):
        return {_plain(key, path): _plain(item, (*path, key), (*above, value)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, (*path, index), (*above, value)) for index, item in enumerate(value)]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    raise ISEError(f"{_spoken(path)} is text, a number, a list or a block, not {value!r} ({type(value).__name__})")


def _spoken(path: tuple[Any, ...]) -> str:
    return ".".join(map(str, path)) or "a key"
