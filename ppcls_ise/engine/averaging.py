"""The moving average of the weights: what a run extracts with, evaluates and saves."""
from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import paddle
from paddle import nn

from ..config.blocks import GlobalBlock
from ..distributed.processes import unwrap
from ..errors import ISEError
from .run import Hook, State, run_of

__all__ = ["WeightAverage", "automatic_decay", "averaged_weights"]


#: The automatic average reaches back over so much of the optimiser's way: as many steps as make this with the learning
#: rate that training begins with.
REACH = 0.005


class WeightAverage(Hook):
    """Keeps ``average <- decay * average + (1 - decay) * weights``, BatchNorm's statistics too, after every step.

    (Mean teachers, Tarvainen and Valpola, NeurIPS 2017.) With an ``anchor`` below 1 what is used in the end lies
    between the weights of the start and the average: ``start + anchor * (average - start)`` (WiSE-FT, Wortsman et al.,
    CVPR 2022).

    It joins after the hooks that make the processes hold one model, so that all of them have one average. A checkpoint
    has the average as the model, and the weights that training goes on with in this hook's state.

    Args:
        engine: PaddleClas's Engine in train mode.
        cameras: whether cameras are told apart, where ``Global.ema_decay: auto`` averages (:func:`automatic_decay`).
    """

    def __init__(self, engine: Any, cameras: bool):
        settings = engine.config["Global"]
        decay = settings.get("ema_decay", GlobalBlock.ema_decay)
        if decay == "auto":
            decay = automatic_decay(engine.config["Optimizer"]["lr"]) if cameras else 0.0
        self.decay = decay
        self.anchor = settings.get("anchor", GlobalBlock.anchor)
        self.weights = _numbers(unwrap(engine.model))
        self.average = {name: tensor.detach().clone() for name, tensor in self.weights.items()}
        self.start = {name: tensor.detach().clone() for name, tensor in self.weights.items()} if self.anchor < 1 else {}

    @property
    def is_needed(self) -> bool:
        """Whether anything else is evaluated and saved than the weights of the last step."""
        return self.decay > 0 or self.anchor < 1

    @paddle.no_grad()
    def after_step(self) -> None:
        """Move the average."""
        for name, tensor in self.weights.items():
            self.average[name].lerp_(tensor.detach(), 1 - self.decay)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Let the model hold what is evaluated and saved."""
        raw = {name: tensor.detach().clone() for name, tensor in self.weights.items()}
        self._set({name: paddle.lerp(self.start[name], tensor, self.anchor) if self.start else tensor
                   for name, tensor in self.average.items()})
        try:
            yield
        finally:
            self._set(raw)

    def state_dict(self) -> State:
        """``raw.*``: the weights that training goes on with; with an anchor also ``average.*`` and ``start.*``."""
        parts = {"raw.": self.weights, **({"average.": self.average, "start.": self.start} if self.start else {})}
        return {prefix + name: tensor.numpy() for prefix, tensors in parts.items() for name, tensor in tensors.items()}

    def load_state_dict(self, state: State) -> None:
        """Go on with the average of a checkpoint; with its weights as the first average if it had none.

        Raises:
            ISEError: for an anchor, where the checkpoint does not hold what to be near to.
        """
        if self.start and not any(name.startswith("start.") for name in state):
            raise ISEError("Global.anchor cannot be set when a run is resumed that began without it: the checkpoint "
                           "does not hold the weights of the start. Mix them when it is over: ise mix-weights")
        for prefix, tensors in (("average.", self.average), ("start.", self.start), ("raw.", self.weights)):
            for name, tensor in tensors.items():
                if prefix + name in state:
                    tensor.set_value(state[prefix + name])

    def _set(self, values: dict[str, paddle.Tensor]) -> None:
        for name, tensor in self.weights.items():
            tensor.set_value(values[name])


def automatic_decay(lr: float | dict[str, Any]) -> float:
    """Weight of the old average that fits a learning rate: 0.98 at 1e-4, 0.93 at 3.5e-4, 0.9 at least.

    Adam moves a weight by about the learning rate in a step, so the average of ``1 / (1 - decay)`` steps reaches back
    as far at any rate.

    Args:
        lr: ``Optimizer.lr`` of a config; of a schedule the rate that it begins with, or ``values``' first.
    """
    if isinstance(lr, dict):
        lr = lr["learning_rate"] if "learning_rate" in lr else lr["values"][0]
    rate = float(lr)  # type: ignore[arg-type]
    return max(1 - rate / REACH, 0.9)


@contextlib.contextmanager
def averaged_weights(model: nn.Layer) -> Iterator[None]:
    """Let a model in training hold the average of its weights, where its run keeps one."""
    hook = run_of(model).hook(WeightAverage)
    with hook.applied() if hook else contextlib.nullcontext():
        yield


def _numbers(model: nn.Layer) -> dict[str, paddle.Tensor]:
    """Parameters and statistics by name; counters stay as they are."""
    return {name: tensor for name, tensor in model.state_dict().items() if tensor.dtype == paddle.float32}
