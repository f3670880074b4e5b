"""Where the golden data is, and what a program does not print."""
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
#: Warnings of Python, loggers of other libraries, Paddle's C++ and its flags.
NOISE = re.compile(r"warnings\.warn|ccache|faiss|PIR|^[IWEF]\d{4} |FLAGS|^\[\d{4}-\d\d-\d\d ", re.M)


def shared(path):
    """A file of the data beside the checkout that is too large, or not free, to be in it; skips where it is absent."""
    file = ROOT.parent / "shared" / path
    if not file.exists():
        pytest.skip(f"{path} lies beside the checkout on our machines only")
    return file


def golden(name):
    """The golden file ``name``: whole where it is there, else the subset of its cases that the repository holds."""
    whole = ROOT.parent / "shared" / "golden" / name
    return whole if whole.exists() else ROOT / "tests" / "golden" / name
