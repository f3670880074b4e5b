"""The ``Cluster`` block of a config: which clustering, with which keys, and how often."""
from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import os
import sys
import typing
from types import ModuleType, SimpleNamespace

from ..clustering import CLUSTERINGS, Clustering
from ..config.fields import keys_of, read_block
from ..config.keys import nearest
from ..errors import ISEError

__all__ = ["ClusterBlock", "clustering_of", "is_own", "kept_name"]


@dataclasses.dataclass(frozen=True)
class ClusterBlock:
    """The keys of the block that are training's own; the others are the fields of the clustering.

    Attributes:
        name: of a clustering of ours, or of one of the user's own: ``path/to/file.py:Class``, relative to the working
            directory, or ``package.module:Class``.
        interval: epochs between clusterings.
    """

    name: str = "KReciprocalDBSCAN"
    interval: int = 1

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise ISEError(f"interval must be above 0, not {self.interval!r}")


def clustering_of(block: dict | None) -> tuple[Clustering, int]:
    """Read and check a ``Cluster`` block. A file or module that it names is Python, and is run.

    Returns:
        The clustering, and the epochs between two.

    Raises:
        ISEError: for a clustering that is not there or is none, a class that cannot be read from a block, an unknown
            key, or a value out of range.
    """
    own = _own_keys(block)
    kind = _find(own.name)
    _check_fields(kind, own.name)
    return read_block(kind, block, "Cluster", _keys_of_others(kind), keys_of(ClusterBlock)), own.interval


def is_own(block: dict | None) -> bool:
    """Does a ``Cluster`` block name a clustering of the user's own, which need not be where the run is looked at?"""
    return ":" in _own_keys(block).name


def kept_name(block: dict | None) -> str:
    """What a checkpoint calls the clustering of a ``Cluster`` block: its ``name``, without what a path needs not say.

    Not by the class alone: two files may each have one of that name.
    """
    place, colon, wanted = _own_keys(block).name.rpartition(":")
    return f"{os.path.normpath(place)}:{wanted}" if colon else wanted


def _own_keys(block: dict | None) -> ClusterBlock:
    return read_block(ClusterBlock, block, "Cluster", ignored=block if isinstance(block, dict) else ())


def _keys_of_others(kind: type[Clustering]) -> dict[str, str]:
    """What to say of a key that another clustering has: it has come from a base, where this one was chosen."""
    owners: dict[str, list[str]] = {}
    for name, other in CLUSTERINGS.items():
        for key in keys_of(other):
            owners.setdefault(key, []).append(name)
    return {key: f"it is one of {' and '.join(names)}, not of {kind.__name__}; where it comes from a base, replace the "
                 "whole block: _delete_: True in it, or -o \"Cluster={'name': ...}\""
            for key, names in owners.items() if key not in keys_of(kind)}


def _find(name: str) -> type[Clustering]:
    place, colon, wanted = name.rpartition(":")
    if not colon:
        return _registered(name)
    if not place or not wanted:
        raise ISEError(f"Cluster.name: {name!r} lacks the {'class' if place else 'file or module'}; write "
                       "my_clustering.py:MyClass or package.module:MyClass")
    module = _file(place) if place.endswith(".py") else _module(place)
    kind = getattr(module, wanted, None)
    if kind is None:
        there = [key for key, value in vars(module).items() if _is_clustering(value)]
        raise ISEError(f"Cluster.name: {place} has no class {wanted!r}; its clusterings are "
                       f"{', '.join(there) or 'none'}")
    if not _is_clustering(kind):
        raise ISEError(f"Cluster.name: {name} is no class derived from ppcls_ise.clustering.Clustering")
    parameters = vars(kind).get("__dataclass_params__")
    if parameters is None or not parameters.frozen:
        raise ISEError(f"Cluster.name: {name} is no frozen dataclass; write @dataclasses.dataclass(frozen=True) above "
                       "the class")
    if kind.__abstractmethods__:
        raise ISEError(f"Cluster.name: {name} has no method {', '.join(sorted(kind.__abstractmethods__))}")
    return kind


def _check_fields(kind: type[Clustering], name: str) -> None:
    """Refuse fields whose keys somebody else reads, and annotations that say nothing."""
    for key in keys_of(ClusterBlock):
        if key in keys_of(kind):
            raise ISEError(f"Cluster.name: {name} has a field {key}, but Cluster.{key} is a key of training itself; "
                           "give the field another name")
    for owner in kind.__mro__:
        for key, annotation in inspect.get_annotations(owner).items():
            try:  # each by itself: an error of all does not say of which
                typing.get_type_hints(SimpleNamespace(__annotations__={key: annotation}),
                                      vars(sys.modules[owner.__module__]), dict(vars(owner)))
            except Exception as error:  # what is written there is Python, and can raise anything
                raise ISEError(f"Cluster.name: the annotation {annotation!r} of {name}'s field {key} cannot be read "
                               f"({type(error).__name__}: {error}); define or import what it names") from error


def _registered(name: str) -> type[Clustering]:
    if name not in CLUSTERINGS:
        near = nearest(name, CLUSTERINGS)
        raise ISEError(f"Cluster.name: there is no clustering {name!r}{f', did you mean {near}?' if near else '.'} "
                       f"Known are {', '.join(CLUSTERINGS)}, and your own as my_clustering.py:MyClass or "
                       "package.module:MyClass")
    return CLUSTERINGS[name]


def _is_clustering(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Clustering) and value is not Clustering


def _file(path: str) -> ModuleType:
    """The module of a file; run once in a process, as any module is."""
    path = os.path.expanduser(path)
    known = f"clustering of {os.path.abspath(path)}"
    if known in sys.modules:
        return sys.modules[known]
    if not os.path.isfile(path):
        raise ISEError(f"Cluster.name: there is no file {path} in {os.getcwd()}")
    spec = importlib.util.spec_from_file_location(known, path)
    assert spec is not None and spec.loader is not None  # for a name that ends in .py there is a loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[known] = module  # where dataclasses look for the module of a class
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[known]
        if isinstance(error, (ImportError, SyntaxError)):
            raise ISEError(f"Cluster.name: {path} cannot be run ({type(error).__name__}: {error})") from error
        raise
    return module


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ISEError(f"Cluster.name: module {name} cannot be imported ({error}); it must be installed or on "
                       "PYTHONPATH, or be named as a file, path/to/file.py:Class") from error
