"""Making our names known to PaddleClas, which looks them up by name in its own modules."""
from __future__ import annotations

import functools
import importlib
from types import ModuleType
from typing import Any

from .bridges import refuse_crash, stand_in_for_visualdl
from .find import HostError, activate
from .processor import faster_blas
from .table import TABLE, Row, resolve

__all__ = ["register"]


@functools.cache
def register() -> None:
    """Do what the :data:`~ppcls_ise.host.table.TABLE` says. Idempotent.

    Raises:
        HostError: if there is no PaddleClas that can run here.
    """
    activate()
    faster_blas()
    refuse_crash()
    stand_in_for_visualdl()
    # All of them first: the engine copies names of the others when it is imported.
    for module in ("ppcls.arch", "ppcls.data", "ppcls.engine.engine", "ppcls.engine.evaluation", "ppcls.engine.train"):
        importlib.import_module(module)
    from ppcls.utils.logger import init_logger

    # PaddleClas's logger fails until the Engine gives it a file; a model may be built without an Engine.
    init_logger()
    rows = [row for row in TABLE if row.kind != "used" and not row.target.startswith("visualdl:")]
    # All or nothing: whoever removes the reason of a failure and tries again must not wrap what is wrapped.
    for place, name, ours in list(map(_replacement, rows)):
        if ours is not None:
            setattr(place, name, ours)


def _replacement(row: Row) -> tuple[ModuleType, str, Any]:
    """(module of theirs, name in it, what is to be there); None for a target of another version."""
    module, _, name = row.target.partition(":")
    place = importlib.import_module(module)
    try:
        ours = resolve(row.ours)
    except (ImportError, AttributeError) as error:
        raise HostError(f"{row.target} cannot be {row.kind} by {row.ours}: {error}") from error
    if row.kind != "wrapped":
        return place, name, ours
    return place, name, ours(getattr(place, name)) if hasattr(place, name) else None
