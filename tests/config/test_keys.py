import types

import pytest

from ppcls_ise.config.keys import check_keys, check_name, named_items, nearest, require_block, require_keys
from ppcls_ise.errors import ISEError


def test_known_keys_pass_and_nothing_counts_as_empty():
    check_keys({"topk": 1}, ["topk", "base"], "Arch.Head")
    check_keys(None, ["topk"], "Arch.Head")


@pytest.mark.parametrize("block, message", [
    ({"topkk": 1}, "^B.topkk is no known key, did you mean topk[?] Known are topk, base$"),
    ({"TOPK": 1}, "did you mean topk[?]"), ({"x": 1}, "^B.x is no known key[.] Known are topk, base$"),
    ({3: 1}, "^B.3 is no known key[.]"), ([1], r"^B is a block of keys \(topk, base\), not \[1\]$"),
    ({"seed": 1}, "^B.seed is no key of this block: set Global.seed$")])
def test_what_is_not_known_is_refused(block, message):
    with pytest.raises(ISEError, match=message):
        check_keys(block, ["topk", "base", "topk"], "B", {"seed": "set Global.seed"})


@pytest.mark.parametrize("block, message", [
    (None, "^B is missing; it should be a block of keys with a, b$"), (4, "^B is 4; it should be"),
    ({"a": 0}, "^B.b is missing$"), ({"a": None, "b": 1}, "^B.a is missing$")])
def test_what_is_missing_is_named(block, message):
    with pytest.raises(ISEError, match=message):
        require_keys(block, ["a", "b"], "B")


def test_a_block_is_one_or_missing():
    require_block(None, "B")
    require_block({}, "B")
    with pytest.raises(ISEError, match=r"^B is a block of keys, not \[1\]$"):
        require_block([1], "B")


def test_falsehood_and_zero_are_values():
    require_keys({"a": False, "b": 0}, ["a", "b"], "B")


def test_nearest_minds_the_cutoff_but_not_upper_case():
    assert nearest("arch", ["Arch", "AMP"], 0.8) == "Arch" and nearest("Clusters", ["Cluster"], 0.8) == "Cluster"
    assert nearest("Search", ["Arch", "Cluster"], 0.85) is None and nearest("Search", ["Arch"]) == "Arch"


def test_a_name_is_looked_up_among_what_can_be_built():
    module = types.SimpleNamespace(PadCrop=int, padcorp="text")
    check_name("PadCrop", module, "ops.0")
    with pytest.raises(ISEError, match="^ops.0: PaddleClas has no PadCorp, did you mean PadCrop[?]$"):
        check_name("PadCorp", module, "ops.0")


def test_items_have_the_place_that_an_override_has():
    assert list(named_items([{"A": None}, {"B": {"x": 1}}], "L")) == [("L.0", "A", None), ("L.1", "B", {"x": 1})]
    assert list(named_items(None, "L")) == []


@pytest.mark.parametrize("items, message", [
    ({"A": 1}, "^L is a list, not {'A': 1}$"), (["A"], "^L.0 is one name with its options below it .*not 'A'$"),
    ([{"A": 1, "B": 2}], "^L.0 is one name"), ([{}], "^L.0 is one name")])
def test_other_lists_are_refused(items, message):
    with pytest.raises(ISEError, match=message):
        list(named_items(items, "L"))
