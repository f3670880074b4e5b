"""The block ``DataLoader`` of a config."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["named_blocks"]


def named_blocks(loaders: dict[str, Any] | None) -> Iterator[tuple[str, Any]]:
    """(place, block) of what is trained on, clustered and evaluated."""
    loaders = loaders or {}
    for name in ("Train", "Cluster"):
        if loaders.get(name) is not None:
            yield f"DataLoader.{name}", loaders[name]
    evaluation = loaders.get("Eval")
    for name, block in evaluation.items() if isinstance(evaluation, dict) else ():
        yield f"DataLoader.Eval.{name}", block
