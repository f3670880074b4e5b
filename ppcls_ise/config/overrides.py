"""``-o key.sub=value`` on a config; the same for training and deployment."""
from __future__ import annotations

import ast

from ..errors import ISEError

__all__ = ["apply_override"]


def apply_override(config: dict, override: str) -> None:
    """Set one place of a config.

    Args:
        config: nested dicts and lists, changed in place.
        override: ``key.sub=value``; a number is an index of a list, the value a Python literal, yaml's
            ``null``, or else a string.

    Raises:
        ISEError: if it names no place in the config.
    """
    path, equals, text = override.partition("=")
    keys = path.split(".")
    if not equals or not all(keys):
        raise ISEError(f"-o {override} should read key.sub=value")
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = None if text in ("null", "~") else text  # as yaml has it
    place = config
    for depth, key in enumerate(keys):
        if isinstance(place, list):
            if not key.isdigit() or int(key) >= len(place):
                raise ISEError(f"-o {override}: {'.'.join(keys[:depth])} is a list of {len(place)}, {key} is no index")
            key = int(key)
        elif not isinstance(place, dict):
            raise ISEError(f"-o {override}: {'.'.join(keys[:depth])} is a value and has no {key} in it")
        elif depth < len(keys) - 1 and place.get(key) is None:
            place[key] = {}
        if depth == len(keys) - 1:
            place[key] = value
        else:
            place = place[key]
