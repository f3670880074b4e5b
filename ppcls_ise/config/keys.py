"""Blocks of a config: a misspelt key is an error, not a silent default."""
from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any

from ..errors import ISEError

__all__ = ["check_keys", "check_name", "named_items", "nearest", "require_block", "require_keys",
           "require_text"]


def check_keys(block: Any, known: Iterable[str], place: str, instead: Mapping[str, str] | None = None) -> None:
    """Refuse what a block of a config cannot mean.

    Args:
        block: of a config; None counts as empty.
        known: the keys that it may have.
        place: what the config calls the block, such as ``Arch.Head``.
        instead: what to do instead of setting a key that is not known, for keys that people look for here.

    Raises:
        ISEError: if it is no block, or has a key that is not known; names the nearest one that is.
    """
    known = list(dict.fromkeys(known))
    if block is None:
        return
    if not isinstance(block, dict):
        raise ISEError(f"{place} is a block of keys ({', '.join(known)}), not {block!r}")
    for key in block:
        if instead and key in instead:
            raise ISEError(f"{place}.{key} is no key of this block: {instead[key]}")
        if key not in known:
            raise ISEError(f"{place}.{key} is no known key{_did_you_mean(key, known) or '.'} "
                           f"Known are {', '.join(known)}")


def require_block(block: Any, place: str) -> None:
    """Refuse what is neither a block of a config nor missing.

    Raises:
        ISEError: naming the place.
    """
    if block is not None and not isinstance(block, dict):
        raise ISEError(f"{place} is a block of keys, not {block!r}")


def require_keys(block: dict | None, keys: Iterable[str], place: str) -> None:
    """Refuse a block of a config that is missing, or lacks one of ``keys``.

    Raises:
        ISEError: naming what is missing.
    """
    if not isinstance(block, dict):
        raise ISEError(f"{place} is {'missing' if block is None else repr(block)}; it should be a block of keys with "
                       f"{', '.join(keys)}")
    for key in keys:
        if block.get(key) is None:
            raise ISEError(f"{place}.{key} is missing")


def require_text(value: Any, place: str) -> None:
    """Refuse a name that is neither text nor missing.

    Raises:
        ISEError: naming the place.
    """
    if value is not None and not isinstance(value, str):
        raise ISEError(f"{place} is a text, not {value!r}")


def check_name(name: str, module: ModuleType, place: str) -> None:
    """Refuse a name that PaddleClas would look up in its ``module`` in vain.

    Raises:
        ISEError: with the nearest name that is there.
    """
    if not hasattr(module, str(name)):
        there = [one for one in dir(module) if callable(getattr(module, one))]
        raise ISEError(f"{place}: PaddleClas has no {name}{_did_you_mean(name, there)}")


def named_items(items: list | None, place: str) -> Iterator[tuple[str, str, dict | None]]:
    """Walk a list of a config whose items are a name with its options: ``transform_ops``, ``Loss.Train``, ...

    Returns:
        (place of the item, as ``-o`` has it, its name, its options) of each.

    Raises:
        ISEError: if it is no such list.
    """
    if not isinstance(items or [], list):
        raise ISEError(f"{place} is a list, not {items!r}")
    for index, item in enumerate(items or []):
        if not isinstance(item, dict) or len(item) != 1:
            raise ISEError(f"{place}.{index} is one name with its options below it ('- Name:'), not {item!r}")
        name, options = next(iter(item.items()))
        require_block(options, f"{place}.{index}.{name}")
        yield f"{place}.{index}", name, options


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name most like ``name``, upper or lower case; None if the likeness of none is at least ``cutoff``."""
    spelling = {one.lower(): one for one in known}
    near = difflib.get_close_matches(str(name).lower(), spelling, 1, cutoff)
    return spelling[near[0]] if near else None


def _did_you_mean(name: Any, known: Iterable[str]) -> str:
    near = nearest(name, known)
    return f", did you mean {near}?" if near else ""
