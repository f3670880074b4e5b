"""From a block of a config to the frozen dataclass that is the one home of its keys, defaults and checks."""
from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar, Union

from ..errors import ISEError
from .keys import check_keys

__all__ = ["Is", "defaults_of", "keys_of", "read_block"]

Block = TypeVar("Block")


@dataclasses.dataclass(frozen=True)
class Is:
    """What a value has to be beyond its type: ``Annotated[int, Is("a whole number above 0", lambda n: n > 0)]``."""

    described: str  #: as a message says it, type included
    check: Callable[[Any], bool] = lambda value: True


def read_block(kind: type[Block], block: dict | None, place: str, instead: Mapping[str, str] | None = None,
               ignored: Iterable[str] = ()) -> Block:
    """Read and check a block.

    Args:
        kind: a frozen dataclass. Its fields are the keys; a field without a default is required; the annotations say
            what a value may be (``int``, ``float``, ``bool``, ``str``, ``Literal``, ``list[...]``, unions of these,
            ``Annotated`` with an :class:`Is`);
            its ``__post_init__`` checks ranges by ``ISEError``s whose message begins with the name of the key.
        block: of a config; None counts as empty.
        place: what the config calls it, ``Arch.Head``.
        instead: what to do instead of setting a key that is not known, for keys that people look for here.
        ignored: keys that somebody else reads.

    Returns:
        The block as a ``kind``. Lists become tuples, so that it can be hashed.

    Raises:
        ISEError: for an unknown or missing key, or a value that its key cannot have; names the key.
    """
    check_keys(block, [*keys_of(kind), *ignored], place, instead)
    given = {key: value for key, value in (block or {}).items() if key in keys_of(kind)}
    hints = typing.get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name in given:
            if not _fits(given[field.name], hints[field.name]):
                raise ISEError(f"{place}.{field.name} is {_described(hints[field.name])}, not {given[field.name]!r}")
        elif _required(field):
            raise ISEError(f"{place}.{field.name} is missing")
    try:
        return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in given.items()})
    except ISEError as error:
        raise ISEError(f"{place}.{error}") from error


def keys_of(kind: type) -> list[str]:
    """Keys of a block."""
    return [field.name for field in dataclasses.fields(kind) if field.init]


def defaults_of(kind: type) -> dict[str, Any]:
    """Key -> default of a block; ``dataclasses.MISSING`` where it is required."""
    return {field.name: field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
            for field in dataclasses.fields(kind) if field.init}


def _required(field: dataclasses.Field) -> bool:
    return field.init and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _fits(value: Any, hint: Any) -> bool:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if origin is Annotated:
        return _fits(value, arguments[0]) and all(one.check(value) for one in arguments[1:] if isinstance(one, Is))
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in arguments)
    if origin is Literal:
        return any(value == one and type(value) is type(one) for one in arguments)
    if origin in (list, tuple):
        return isinstance(value, (list, tuple)) and all(_fits(item, arguments[0]) for item in value)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, origin or hint)


_SPOKEN = {bool: "True or False", int: "a whole number", float: "a number", str: "a text", dict: "a block of keys",
           type(None): "null", list: "a list", tuple: "a list"}


def _described(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return next((one.described for one in arguments[1:] if isinstance(one, Is)), _described(arguments[0]))
    if origin in (Union, types.UnionType):
        return " or ".join(_described(one) for one in arguments)
    if origin is Literal:
        return ", ".join(map(str, arguments))
    return _SPOKEN.get(origin or hint, str(hint))
