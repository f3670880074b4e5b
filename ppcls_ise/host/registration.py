"""Making our names known to PaddleClas, which looks them up by name in its own modules."""
from __future__ import annotations

import functools
import importlib

from .bridges import refuse_crash, stand_in_for_visualdl
from .find import activate
from .table import TABLE, Row, resolve

__all__ = ["register"]


@functools.cache
def register() -> None:
    """Do what the :data:`~ppcls_ise.host.table.TABLE` says. Idempotent.

    Raises:
        HostError: if there is no PaddleClas that can run here.
    """
    activate()
    refuse_crash()
    stand_in_for_visualdl()
    # All of them first: the engine copies names of the others when it is imported.
    for module in ("ppcls.arch", "ppcls.data", "ppcls.engine.engine", "ppcls.engine.evaluation", "ppcls.engine.train"):
        importlib.import_module(module)
    from ppcls.utils.logger import init_logger

    # PaddleClas's logger fails until the Engine gives it a file; a model may be built without an Engine.
    init_logger()
    for row in TABLE:
        if row.kind != "used" and not row.target.startswith("visualdl:"):
            _put(row)


def _put(row: Row) -> None:
    module, _, name = row.target.partition(":")
    place, ours = importlib.import_module(module), resolve(row.ours)
    if row.kind == "wrapped":
        if not hasattr(place, name):
            return  # of another version, see row.versions
        ours = ours(getattr(place, name))
    setattr(place, name, ours)
