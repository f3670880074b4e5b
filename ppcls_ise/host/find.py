"""Finding a PaddleClas that has an engine."""
from __future__ import annotations

import functools
import importlib.util
import os
import sys
from collections.abc import Iterator

__all__ = ["HOME_VARIABLE", "VERSIONS", "HostError", "activate", "version"]

HOME_VARIABLE = "PADDLECLAS_HOME"
_WAYS_OUT = (
    "Either:\n"
    "  1. pip install --no-deps paddleclas==2.4.2     (the newest wheel with PaddleClas's engine), or\n"
    f"  2. clone PaddleClas (release/2.5 or develop) and set {HOME_VARIABLE} to the checkout.")


#: Of PaddleClas, the newest first, each with a file that it has and the versions before it do not. Nothing in ``ppcls``
#: says which version it is.
_MARKS = {"develop": "arch/backbone/legendary_models/pp_hgnet_v2.py",
          "release/2.5": "arch/backbone/model_zoo/convnext.py",
          "2.4.2": "engine/engine.py"}
VERSIONS = tuple(_MARKS)


class HostError(ImportError):
    """No PaddleClas that can run here; the message says what was found and the ways out."""


@functools.cache
def activate() -> str:
    """Make ``import ppcls`` give a PaddleClas that has an engine.

    Looked for in this order: the checkout that the environment variable ``PADDLECLAS_HOME`` names, an importable
    ``ppcls``, the ``ppcls`` inside the ``paddleclas`` wheel. The wheel itself is not imported: it prints its model
    table.

    Returns:
        The folder that holds ``ppcls``.

    Raises:
        HostError: if none of them has an engine.
    """
    found = []
    for origin, folder in _candidates():
        if folder is None:
            found.append(f"{origin}: not there")
        elif os.path.isfile(os.path.join(folder, "ppcls", "engine", "engine.py")):
            sys.path.insert(0, folder)  # before any other that is on the path already
            return folder
        else:
            found.append(f"{origin}: {folder} has no ppcls/engine/engine.py")
    raise HostError("No PaddleClas with a training engine.\n  " + "\n  ".join(found) + "\n" + _WAYS_OUT)


def _candidates() -> Iterator[tuple[str, str | None]]:
    home = os.environ.get(HOME_VARIABLE)
    if home:
        # A named checkout is meant: falling through to another PaddleClas would hide the mistake.
        yield f"{HOME_VARIABLE}={home}", os.path.abspath(os.path.expanduser(home))
        return
    yield "importable ppcls", _folder_of("ppcls", levels=2)
    yield "paddleclas wheel", _folder_of("paddleclas", levels=1)


def _folder_of(package: str, levels: int) -> str | None:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = list(spec.submodule_search_locations)[0]
    return os.path.dirname(folder) if levels == 2 else folder


def version() -> str:
    """Which of :data:`VERSIONS` PaddleClas is, or is nearest to.

    Raises:
        HostError: as :func:`activate` does.
    """
    folder = os.path.join(activate(), "ppcls")
    return next(name for name, file in _MARKS.items() if os.path.isfile(os.path.join(folder, *file.split("/"))))
