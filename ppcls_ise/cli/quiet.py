"""Lines of other libraries that say nothing about a run, silenced one by one and as close to their source as can be.

For programs alone, which begin with :func:`silence`: importing or registering ``ppcls_ise`` changes nobody's logging.
"""
from __future__ import annotations

import logging
import os
import sys
import warnings

from ..host.bridges import silence_flags

__all__ = ["silence", "silence_export", "silence_flags"]


def silence() -> None:
    """Call it before Paddle is imported."""
    # Paddle, about compiling extensions, which nothing here does.
    warnings.filterwarnings("ignore", "No ccache found", UserWarning)
    # Which of its builds faiss tries; that there is none is an ImportError.
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)
    # Paddle's C++ INFO lines: ports of connections. Who asks for more with GLOG_v gets all.
    if "GLOG_v" not in os.environ:
        os.environ.setdefault("GLOG_minloglevel", "1")


def silence_export() -> None:
    """Call it before an export, of which Paddle 3 says "static graph(PIR) not support input out tensor".

    It means a division, changes nothing, and comes from C++, where one switch is for all warnings. But it comes once
    in a process: so here is a division whose warning goes to nobody.
    """
    import paddle

    sys.stderr.flush()
    shown, nobody = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    paddle.enable_static()
    os.dup2(nobody, 2)
    try:
        with paddle.static.program_guard(paddle.static.Program()):
            number = paddle.static.data("number", [1])
            paddle.divide(number, number)
    finally:
        os.dup2(shown, 2)
        paddle.disable_static()
        os.close(shown)
        os.close(nobody)
