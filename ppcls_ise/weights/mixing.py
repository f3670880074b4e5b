"""Weights between two checkpoints of one network."""
from __future__ import annotations

import numpy as np

from ..errors import ISEError, some
from .files import State

__all__ = ["mixed"]


def mixed(start: State, trained: State, share: float) -> State:
    """``start + share * (trained - start)``, BatchNorm's statistics too (WiSE-FT, Wortsman et al., CVPR 2022).

    Args:
        start, trained: name -> array, of one network.
        share: 0 is the start, 1 what was trained.

    Returns:
        name -> array; numbers that are none of float32, float64 or float16 are those of ``trained``.

    Raises:
        ISEError: a share outside [0, 1], or states that differ in names, shapes or dtypes.
    """
    if not 0 <= share <= 1:
        raise ISEError(f"the share is from 0, the start, to 1, what was trained, not {share}")
    alone = [name for name in {**start, **trained} if name not in start or name not in trained]
    if alone:
        raise ISEError(f"the two are of different networks: only one has {some(alone)}")
    arrays = {name: (np.asarray(start[name]), np.asarray(trained[name])) for name in trained}
    wrong = [f"{name} {one.dtype} {list(one.shape)} and {other.dtype} {list(other.shape)}"
             for name, (one, other) in arrays.items() if (one.shape, one.dtype) != (other.shape, other.dtype)]
    if wrong:
        raise ISEError(f"the two are of different networks: {some(wrong)}")
    if share == 1:  # to the bit
        return {name: other for name, (_, other) in arrays.items()}
    return {name: one + one.dtype.type(share) * (other - one) if np.issubdtype(one.dtype, np.floating) else other
            for name, (one, other) in arrays.items()}
