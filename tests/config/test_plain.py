"""Configs as yaml writes them best."""
import datetime

import numpy as np
import pytest

from ppcls_ise.config import load_config, plain_dicts
from ppcls_ise.errors import ISEError


def test_keys_stay_and_numbers_are_pythons():
    given = {"a": {1: (2, None, True)}, "b": np.float64(0.5), "c": np.int64(3), "d": ["x"], None: 1.5}
    found = plain_dicts(given)
    assert found == {"a": {1: [2, None, True]}, "b": 0.5, "c": 3, "d": ["x"], None: 1.5}
    assert (type(found["b"]), type(found["c"]), found["a"][1][2]) == (float, int, True)
    assert found["d"] is not given["d"]


@pytest.mark.parametrize("value", [{1}, datetime.date(2024, 1, 1), b"x", 1j, np.bool_(True), {("a", "b"): {2}}])
def test_what_yaml_cannot_write_is_named(value):
    with pytest.raises(ISEError, match=r"^A.0.*(is text, a number|contains)"):
        plain_dicts({"A": [value]})


def test_what_contains_itself_is_named():
    block = {}
    block["b"] = [block]
    with pytest.raises(ISEError, match="^b.0 contains itself$"):
        plain_dicts(block)


def test_overrides_are_plain():
    config = load_config("ISE_demo.yaml", ["Arch.Backbone.cfg={1: (2, 3)}"])
    assert config["Arch"]["Backbone"]["cfg"] == {1: [2, 3]}
    with pytest.raises(ISEError, match="^Arch.Backbone.cfg is text, a number, a list or a block, not .1. .set.$"):
        load_config("ISE_demo.yaml", ["Arch.Backbone.cfg={1}"])
