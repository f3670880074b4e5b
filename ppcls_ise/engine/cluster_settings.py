from __future__ import annotations

import dataclasses

from ..clustering import METHODS
from ..config.keys import check_keys
from ..errors import ISEError

__all__ = ["ClusterSettings"]


@dataclasses.dataclass(frozen=True)
class ClusterSettings:
    """The ``Cluster`` block of a config.

    Attributes:
        eps: DBSCAN's radius in Jaccard distance, in (0, 1), or ``auto``: chosen at the first clustering
            (:func:`ppcls_ise.clustering.choose_eps`) and kept. Market-1501: 0.4; MSMT17: 0.7.
        min_samples: images within eps (itself included) that make an image the core of a cluster.
        k1: neighbours of the k-reciprocal sets.
        k2: neighbours of the local query expansion; 1 is none.
        interval: epochs between clusterings.
        search: ``exact`` (faiss on the CPU, blocked Paddle on a GPU), ``faiss`` or ``paddle`` (that one on any
            device, the same neighbours), or ``ivf`` (approximate, for a million images; the log tells its recall).
        probes: cells searched per image by ``ivf``.
        block_size: rows and columns of the distance block of the Paddle search: 4 * block_size**2 bytes.
        half: float16 scan in the Paddle search, with exact ranking in float32: the same neighbours, faster on a GPU.
    """

    eps: float | str = 0.4
    min_samples: int = 4
    k1: int = 30
    k2: int = 6
    interval: int = 1
    search: str = "exact"
    probes: int = 256
    block_size: int = 4096
    half: bool = False

    @classmethod
    def from_config(cls, config: dict) -> ClusterSettings:
        """Read and check ``config["Cluster"]``.

        Raises:
            ISEError: for an unknown key or a value out of range.
        """
        known = {field.name: field.type for field in dataclasses.fields(cls)}
        check_keys(config.get("Cluster"), known, "Cluster")
        settings = cls(**config.get("Cluster") or {})
        for key, kind in known.items():
            value = getattr(settings, key)
            if key == "search":
                if value not in METHODS:
                    raise ISEError(f"Cluster.search is {', '.join(METHODS)}, not {value!r}")
            elif kind == "bool":
                if not isinstance(value, bool):
                    raise ISEError(f"Cluster.{key} is True or False, not {value!r}")
            elif key != "eps" or value != "auto":
                _check_number(key, kind, value)
        return settings


def _check_number(key, kind, value):
    if isinstance(value, bool) or not isinstance(value, (int, float) if kind.startswith("float") else int):
        raise ISEError(f"Cluster.{key} must be {kind.replace('str', 'auto').replace('|', 'or')}, not {value!r}")
    if not value > 0 or (key == "eps" and value >= 1):
        raise ISEError(f"Cluster.{key} must be above 0{' and below 1' if key == 'eps' else ''}, not {value!r}")
