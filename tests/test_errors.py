"""Errors as text, and short lists in messages."""
import pytest

from ppcls_ise.errors import ErrorText, ISEError, some


def test_a_known_error_stays_what_it_is():
    error = ErrorText.of(ISEError("a.jpg is no image"), "unused").rebuilt("reading failed: ")
    assert type(error) is ISEError and str(error) == "a.jpg is no image"


@pytest.mark.parametrize("details, text", [(None, "there: KeyError: 'x'"), ("Traceback ...", "there: Traceback ...")])
def test_any_other_says_where_it_happened(details, text):
    error = ErrorText.of(KeyError("x"), details).rebuilt("there: ")
    assert type(error) is RuntimeError and str(error) == text


def test_it_is_a_tuple_on_its_way():
    known, text = tuple(ErrorText.of(ISEError("a")))
    assert ErrorText(known, text) == (True, "a")


@pytest.mark.parametrize("items, text", [
    ([], "none"), (["a"], "a"), ("abcde", "a, b, c, d, e"), ("abcdefgh", "a, b, c, d, e and 3 more"),
    (iter(range(6)), "0, 1, 2, 3, 4 and 1 more")])
def test_short_lists(items, text):
    assert some(items) == text


def test_their_length_can_be_chosen():
    assert some("abcd", 1) == "a and 3 more" and some("abcd", 4) == "a, b, c, d"
