"""From a block to its dataclass."""
from __future__ import annotations

import dataclasses
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pytest

from ppcls_ise.config.fields import Block, Is, check_block, defaults_of, drop_unset, keys_of, read_block
from ppcls_ise.errors import ISEError


@dataclasses.dataclass(frozen=True)
class Inner:
    depth: int


@dataclasses.dataclass(frozen=True)
class Plain:
    size: int
    eps: float | Literal["auto"] = 0.5
    mode: Literal["fast", "exact"] = "exact"
    names: tuple[str, ...] = ()
    half: bool = False
    folder: str | None = None
    inner: Inner | None = None
    others: Any = None

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size is at least 1, not {self.size}")


@dataclasses.dataclass(frozen=True)
class WithNull(Plain):
    pattern: str | None = "auto"


@dataclasses.dataclass(frozen=True)
class Outer:
    inner: Plain | None = None


def test_a_block_becomes_its_dataclass():
    assert read_block(Plain, {"size": 2}, "B") == Plain(2)
    block = {"size": 3, "eps": "auto", "names": ["a", "b"], "folder": "x", "inner": {"depth": 1}, "others": {"a": [1]}}
    found = read_block(Plain, block, "B")
    assert found == Plain(3, "auto", names=("a", "b"), folder="x", inner=Inner(1), others={"a": [1]})
    assert read_block(Plain, {"size": 1, "eps": 1}, "B").eps == 1  # a whole number is a number
    assert keys_of(Plain)[:2] == ["size", "eps"] and defaults_of(Plain)["half"] is False
    assert defaults_of(Plain)["size"] is dataclasses.MISSING


@pytest.mark.parametrize("block, message", [
    ({}, "^B.size is missing$"), (None, "^B.size is missing$"), ({"size": None}, "^B.size is missing$"),
    ({"size": 1, "sizes": 2}, "^B.sizes is no known key, did you mean size[?] Known are size, eps,"),
    ({"size": 1, "seed": 2}, "^B.seed is no key of this block: set Global.seed$"),
    ([1], "^B is a block of keys"), ({"size": 0}, "^B.size is at least 1, not 0$"),
    ({"size": "1"}, "^B.size is a whole number, not '1'$"), ({"size": True}, "^B.size is a whole number, not True$"),
    ({"size": 1.0}, "^B.size is a whole number, not 1.0$"),
    ({"size": 1, "eps": "big"}, "^B.eps is a number or auto, not 'big'$"),
    ({"size": 1, "eps": True}, "^B.eps is a number or auto, not True$"),
    ({"size": 1, "eps": float("nan")}, "^B.eps is a number or auto, not nan$"),
    ({"size": 1, "eps": float("-inf")}, "^B.eps is a number or auto, not -inf$"),
    ({"size": np.bool_(True)}, "^B.size is a whole number, not .*True"),
    ({"size": np.float32(1)}, "^B.size is a whole number, not .*1.0"),
    ({"size": 1, "mode": "slow"}, "^B.mode is fast, exact, not 'slow'$"),
    ({"size": 1, "half": 1}, "^B.half is True or False, not 1$"),
    ({"size": 1, "names": "a"}, "^B.names is a list of texts, not 'a'$"),
    ({"size": 1, "names": [1]}, r"^B.names is a list of texts, not \[1\]$"),
    ({"size": 1, "folder": 3}, "^B.folder is a text or null, not 3$"),
    ({"size": 1, "inner": 3}, r"^B.inner is a block of keys \(depth\) or null, not 3$"),
    ({"size": 1, "inner": {}}, "^B.inner.depth is missing$"),
    ({"size": 1, "inner": {"dept": 1}}, "^B.inner.dept is no known key, did you mean depth[?]")])
def test_mistakes_name_the_key(block, message):
    with pytest.raises(ISEError, match=message):
        read_block(Plain, block, "B", {"seed": "set Global.seed"})


def test_numbers_of_numpy_are_numbers():
    found = read_block(Plain, {"size": np.int64(2), "eps": np.float32(0.5)}, "B")
    assert found == Plain(2, 0.5) and Ours(np.int32(3)).size == 3


def test_null_is_the_default_unless_it_is_a_value_of_its_own():
    block = {"size": 1, "eps": None, "half": None, "mode": None, "names": None, "folder": None, "pattern": None}
    assert read_block(WithNull, block, "B") == WithNull(1, pattern=None) != WithNull(1)
    drop_unset(WithNull, block)
    assert block == {"size": 1, "folder": None, "pattern": None}
    outer = {"inner": {"half": None, "size": 1}}
    drop_unset(Outer, outer)
    assert outer == {"inner": {"size": 1}}
    drop_unset(Outer, None)


def test_keys_that_others_read_are_passed_over():
    assert read_block(Plain, {"size": 1, "name": "x"}, "B", ignored=["name"]) == Plain(1)


def test_a_block_that_need_not_be_complete():
    check_block(Plain, {"eps": 0.1}, "B")
    check_block(Plain, {"size": None}, "B")
    for block, message in (({"eps": "x"}, "B.eps is a number"), ({"epss": 1}, "did you mean eps"),
                           ({"size": 0}, "B.size is at least 1"), ({"inner": {}}, "B.inner.depth is missing")):
        with pytest.raises(ISEError, match=message):
            check_block(Plain, block, "B")


@dataclasses.dataclass(frozen=True)
class Ours(Block):
    size: Annotated[int, Is("a whole number above 0", lambda size: size > 0)] = 1

    instead: ClassVar[dict[str, str]] = {"seed": "set Global.seed"}
    host_keys: ClassVar[tuple[str, ...]] = ("theirs",)


@dataclasses.dataclass(frozen=True)
class Open(Block):
    name: str

    host_keys: ClassVar[None] = None


def test_a_block_of_ours_knows_the_keys_of_others():
    assert read_block(Ours, {"theirs": 1}, "B") == Ours()
    assert read_block(Open, {"name": "n", "any": 1}, "B") == Open("n")
    with pytest.raises(ISEError, match="^B.seed is no key of this block: set Global.seed$"):
        read_block(Ours, {"seed": 1}, "B")


def test_a_block_of_ours_is_checked_where_python_builds_it():
    for size, message in (("1", "^size is a whole number above 0, not '1'$"),
                          (0, "^size is a whole number above 0, not 0$")):
        with pytest.raises(ISEError, match=message):
            Ours(size)
