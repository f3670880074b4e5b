"""From a block of a config to the frozen dataclass that is the one home of its keys, defaults and checks."""
from __future__ import annotations

import dataclasses
import functools
import math
import numbers
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union

from ..errors import ISEError
from .keys import check_keys

__all__ = ["Block", "Count", "Is", "Path", "Positive", "Whole", "check_block", "defaults_of", "drop_unset",
           "keys_of", "read_block"]

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Is:
    """What a value has to be beyond its type: ``Annotated[int, Is("a whole number above 0", lambda n: n > 0)]``."""

    described: str  #: as a message says it, type included
    check: Callable[[Any], bool] = lambda value: True


Whole = Annotated[int, Is("a whole number above 0", lambda value: value > 0)]
Count = Annotated[int, Is("a whole number, 0 or above", lambda value: value >= 0)]
Positive = Annotated[float, Is("a number above 0", lambda value: value > 0)]
Path = Annotated[str, Is("a text (a folder 2024 is ./2024)")]


@dataclasses.dataclass(frozen=True)
class Block:
    """Base of the blocks in :mod:`ppcls_ise.config.blocks`: values are checked where Python builds one, too."""

    #: Keys that people look for in this block -> what to do instead.
    instead: ClassVar[Mapping[str, str]] = types.MappingProxyType({})
    #: Keys that PaddleClas reads; None: all others are its own.
    host_keys: ClassVar[tuple[str, ...] | None] = ()

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check_value(type(self), field.name, getattr(self, field.name))


def read_block(kind: type[T], block: Mapping[str, Any] | None, place: str, instead: Mapping[str, str] | None = None,
               ignored: Iterable[str] = ()) -> T:
    """Read and check a block.

    Args:
        kind: a frozen dataclass. Its fields are the keys; a field without a default is required; the annotations say
            what a value may be (``int``, ``float``, ``bool``, ``str``, ``dict``, ``Literal``, ``list[...]``, another
            frozen dataclass for a block in the block, unions of these, ``Annotated`` with an :class:`Is`); its
            ``__post_init__`` checks what is left, by errors whose message begins with the name of the key.
        block: of a config; None counts as empty. A key that is null has its default, unless None is a value that the
            annotation names; a required one is missing.
        place: what the config calls it, ``Arch.Head``.
        instead: what to do instead of setting a key that is not known, for keys that people look for here; a
            :class:`Block` has its own.
        ignored: keys that somebody else reads, beside ``host_keys`` of a :class:`Block`.

    Returns:
        The block as a ``kind``. Lists become tuples, so that it can be hashed.

    Raises:
        ISEError: for an unknown or missing key, or a value that its key cannot have; names the key.
    """
    given = _given(kind, block, place, instead, ignored)
    for key in _required(kind):
        if key not in given:
            raise ISEError(f"{place}.{key} is missing")
    return _build(kind, given, place)


def check_block(kind: type, block: Mapping[str, Any] | None, place: str, instead: Mapping[str, str] | None = None,
                ignored: Iterable[str] = ()) -> None:
    """:func:`read_block` for a block that need not be complete: what is there is checked, what is missing is not.

    Raises:
        ISEError: for an unknown key, or a value that its key cannot have; names the key.
    """
    given = _given(kind, block, place, instead, ignored)
    if all(key in given for key in _required(kind)):
        _build(kind, given, place)


def drop_unset(kind: type, block: Mapping[str, Any] | None) -> None:
    """Take the keys out of a checked block, and of the blocks in it, that are null and so have their default.

    Args:
        block: of a config, changed; who reads it key by key need not know null.
    """
    if not isinstance(block, dict):
        return
    for key in keys_of(kind):
        if key in block and _is_unset(kind, key, block[key]):
            del block[key]
        inner = _inner_block(_hints(kind)[key])
        if inner is not None:
            drop_unset(inner, block.get(key))


def keys_of(kind: type) -> list[str]:
    """Keys of a block."""
    return [field.name for field in dataclasses.fields(kind) if field.init]


def defaults_of(kind: type) -> dict[str, Any]:
    """Key -> default of a block; ``dataclasses.MISSING`` where it is required."""
    return {field.name: field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
            for field in dataclasses.fields(kind) if field.init}


def _given(kind: type, block: Mapping[str, Any] | None, place: str, instead: Mapping[str, str] | None,
           ignored: Iterable[str]) -> dict[str, Any]:
    """Checked values by key, blocks in the block as their dataclasses, without the keys that are null for unset."""
    others = getattr(kind, "host_keys", ())
    if others is None:  # the other keys are not ours to judge
        others = block if isinstance(block, Mapping) else ()
    check_keys(block, [*keys_of(kind), *others, *ignored], place, {**getattr(kind, "instead", {}), **(instead or {})})
    given = {}
    for key, value in (block or {}).items():
        if key not in keys_of(kind):
            continue
        inner = _inner_block(_hints(kind)[key])
        if value is None and (key in _required(kind) or _is_unset(kind, key, value)):
            continue
        if inner is not None and isinstance(value, Mapping):
            value = read_block(inner, value, f"{place}.{key}")
        else:
            try:
                _check_value(kind, key, value)
            except ISEError as error:
                raise ISEError(f"{place}.{error}") from error
        given[key] = tuple(value) if isinstance(value, list) else value
    return given


def _is_unset(kind: type, key: str, value: Any) -> bool:
    return value is None and key not in _required(kind) and not _fits(None, _hints(kind)[key])


def _build(kind: type[T], given: dict[str, Any], place: str) -> T:
    try:
        return kind(**given)
    except ValueError as error:  # ISEError is one
        raise ISEError(f"{place}.{error}") from error


def _required(kind: type) -> list[str]:
    return [key for key, default in defaults_of(kind).items() if default is dataclasses.MISSING]


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def _inner_block(hint: Any) -> type | None:
    """The dataclass that a block in the block is read into, if the annotation names one."""
    for one in (hint, *typing.get_args(hint)):
        if isinstance(one, type) and dataclasses.is_dataclass(one):
            return one
    return None


def _check_value(kind: type, key: str, value: Any) -> None:
    hint = _hints(kind)[key]
    if not _fits(value, hint):
        raise ISEError(f"{key} is {_described(hint)}, not {value!r}")


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
    if hint is float:  # numpy registers its numbers with these types
        return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    if hint is int:
        return isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return isinstance(value, origin or hint)


_SPOKEN = {bool: "True or False", int: "a whole number", float: "a number", str: "a text", dict: "a block of keys",
           type(None): "null", list: "a list", tuple: "a list"}

_SPOKEN_OF_MANY = {int: "whole numbers", float: "numbers", str: "texts"}


def _described(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return next((one.described for one in arguments[1:] if isinstance(one, Is)), _described(arguments[0]))
    if origin in (Union, types.UnionType):
        return " or ".join(_described(one) for one in arguments)
    if origin is Literal:
        return ", ".join(map(str, arguments))
    if origin in (list, tuple) and arguments[0] in _SPOKEN_OF_MANY:
        return f"a list of {_SPOKEN_OF_MANY[arguments[0]]}"
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return f"a block of keys ({', '.join(keys_of(hint))})"
    return _SPOKEN.get(origin or hint, str(hint))
