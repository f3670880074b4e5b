"""Yaml files that build on others: ``_base_`` and ``_delete_``, as in mmengine."""
from __future__ import annotations

import ast
import os
from collections.abc import Callable
from typing import Any

import yaml

from ..errors import ISEError
from .plain import plain_dicts

__all__ = ["BASE", "DELETE", "check_words", "merge", "read_with_bases"]

BASE, DELETE = "_base_", "_delete_"


def read_with_bases(path: str, find: Callable[[str, str], str]) -> dict[str, Any]:
    """Read a yaml file and what it builds on.

    ``_base_`` names a file or a list of files. Blocks are merged key by key, at any depth; of everything else, lists
    included, the file's own value takes the place of its bases'. ``_delete_: True`` in a block lets the whole block
    take that place. Bases in one list may share blocks, but no key.

    Args:
        path: an existing file, UTF-8.
        find: (what ``_base_`` names, the file that names it) -> path of an existing file.

    Returns:
        Plain dicts and lists, none of them twice, without ``_base_`` and ``_delete_``. A text that is a Python literal
        is its value, as PaddleClas has it: yaml reads ``1e-4`` as text.

    Raises:
        ISEError: naming the files, for one that cannot be read, a base that is missing or leads back to the file, and
            a key that two bases of a list give; for ``_base_`` or ``_delete_`` where it has no meaning.
    """
    return _literal(_read(path, find, ()))


def merge(base: Any, own: Any) -> Any:
    """``own`` over ``base``, as :func:`read_with_bases` has it; neither is changed."""
    if not isinstance(own, dict):
        return own
    rest = {key: value for key, value in own.items() if key != DELETE}
    below = base if isinstance(base, dict) and not own.get(DELETE) else {}
    return {**below, **{key: merge(below.get(key), value) for key, value in rest.items()}}


def check_words(value: Any, place: str = "", deletes: bool = False) -> None:
    """Refuse ``_base_`` and ``_delete_`` where they have no meaning.

    Args:
        value: what a file says, without its own ``_base_``; or what has come of it.
        place: that of the value, with a dot behind.
        deletes: whether ``_delete_`` has a meaning: it has in a block, but not in a list.

    Raises:
        ISEError: naming the key.
    """
    if isinstance(value, list):
        for index, item in enumerate(value):
            check_words(item, f"{place}{index}.")
    if not isinstance(value, dict):
        return
    for word in (BASE, *([] if deletes else [DELETE])):
        if word in value:
            raise ISEError(f"{place}{word} has no meaning there: {BASE} stands at the top of a file, {DELETE} in a "
                           "block of a file; a list, and a block that -o gives, replaces the whole by itself")
    if not isinstance(value.get(DELETE, False), bool):
        raise ISEError(f"{place}{DELETE} is True or False, not {value[DELETE]!r}")
    for key, item in value.items():
        check_words(item, f"{place}{key}.", deletes)


def _read(path: str, find: Callable[[str, str], str], above: tuple[str, ...]) -> dict[str, Any]:
    above = (*above, os.path.realpath(path))
    if above[-1] in above[:-1]:
        start = above.index(above[-1])
        raise ISEError(f"config {path} builds on itself: {BASE} leads from " + " to ".join(above[start:]))
    own = _parse(path)
    bases = own.pop(BASE, None)
    try:
        own = plain_dicts(own)
        check_words(own, deletes=True)
    except ISEError as error:
        raise ISEError(f"config {path}: {error}") from error
    if not isinstance(bases or [], (str, list)):
        raise ISEError(f"config {path}: {BASE} is a file or a list of files, not {bases!r}")
    below: dict[str, Any] = {}
    given: dict[str, str] = {}  # key -> the base that gives it
    for name in [bases] if isinstance(bases, str) else bases or []:
        base = find(str(name), path)
        block = _read(base, find, above)
        for key in _keys(block):
            other = next((one for one in given if _same_or_inside(key, one) or _same_or_inside(one, key)), None)
            if other is not None:
                raise ISEError(f"config {path}: two of its {BASE} give {key}: {given[other]} and {base}; take it out "
                               f"of one, or let one be the {BASE} of the other")
        given.update(dict.fromkeys(_keys(block), base))
        below = merge(below, block)
    return merge(below, own)


def _parse(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            config = yaml.safe_load(file)
    except (RecursionError, yaml.YAMLError) as error:
        raise ISEError(f"config {path} is no yaml: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ISEError(f"config {path} cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise ISEError(f"config {path} is no block of keys such as Global and Arch, but {config!r:.60}")
    return config


def _keys(block: dict[str, Any], above: str = "") -> list[str]:
    """Dotted keys of the values in nested blocks; an empty block is a value."""
    keys = []
    for key, value in block.items():
        keys += _keys(value, f"{above}{key}.") if isinstance(value, dict) and value else [f"{above}{key}"]
    return keys


def _same_or_inside(key: str, block: str) -> bool:
    return key == block or key.startswith(block + ".")


def _literal(value: Any) -> Any:
    """A copy in which every text that a key has is a Python literal where it can be read as one."""
    if isinstance(value, dict):
        return {key: _literal(_evaluated(item)) for key, item in value.items()}
    return [_literal(item) for item in value] if isinstance(value, list) else value


def _evaluated(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value
