"""The clusterings that ``Cluster.name`` may name without a file or module."""
from __future__ import annotations

from typing import TypeVar

from ..errors import ISEError
from .base import Clustering

__all__ = ["CLUSTERINGS", "register_clustering"]

#: Name -> class.
CLUSTERINGS: dict[str, type[Clustering]] = {}

Kind = TypeVar("Kind", bound=type[Clustering])


def register_clustering(kind: Kind) -> Kind:
    """Class decorator: make a clustering known by the name of its class.

    Raises:
        ISEError: if a class of another module has that name.
    """
    known = CLUSTERINGS.setdefault(kind.__name__, kind)
    if known.__module__ != kind.__module__:
        raise ISEError(f"{known.__module__} has registered a clustering {kind.__name__}; give that of "
                       f"{kind.__module__} another name")
    CLUSTERINGS[kind.__name__] = kind
    return kind
