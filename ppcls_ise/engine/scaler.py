from __future__ import annotations

from typing import Any

import numpy as np

from ..host.bridges import loss_scaler
from .run import Hook, State

__all__ = ["LossScalerState"]


class LossScalerState(Hook):
    """Keeps the state of AMP's loss scaler, ``scaler.*`` of a checkpoint, which PaddleClas forgets.

    Args:
        engine: PaddleClas's Engine in train mode.
    """

    def __init__(self, engine: Any):
        self.engine = engine

    def state_dict(self) -> State:
        scaler = loss_scaler(self.engine)
        return {f"scaler.{key}": np.asarray(value) for key, value in (scaler.state_dict() if scaler else {}).items()}

    def load_state_dict(self, state: State) -> None:
        scaler = loss_scaler(self.engine)
        own = {key[len("scaler."):]: value for key, value in state.items() if key.startswith("scaler.")}
        if own and scaler:
            scaler.load_state_dict({key: value.item() if value.ndim == 0 else value for key, value in own.items()})
