"""The state of a run in one object, and the hooks that it calls."""
from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from paddle import nn

from ..distributed.processes import unwrap
from ..errors import ISEError

__all__ = ["Hook", "Run", "run_of"]

#: State of a hook: name -> array, or what numpy makes an array of.
State = dict[str, Any]
AnyHook = TypeVar("AnyHook", bound="Hook")


class Hook:
    """What takes part in a run. Every method is there to be overridden, and does nothing by itself.

    The order of a run: ``before_epoch``, for every optimiser step ``after_step``, ``after_epoch``, where there is an
    evaluation ``after_evaluation``, and ``state_dict`` for every checkpoint. The hooks are called in the order in which
    they joined. A hook that has a state of its own returns it from :meth:`state_dict`, so that a resumed run goes on as
    if it had never been stopped.

    Attributes:
        run: the run that the hook has joined.
    """

    run: Run

    def before_epoch(self, epoch: int) -> None:
        """Called on every process before PaddleClas's step loop; ``epoch`` is counted from 1."""

    def after_clustering(self, epoch: int, labels: np.ndarray, previous: np.ndarray | None,
                         figures: dict[str, float]) -> None:
        """Called on every process when there are new pseudo labels.

        Args:
            labels: int64 [N], -1 = outlier. previous: those before them, or None.
            figures: what the clustering reports of itself.
        """

    def after_step(self) -> None:
        """Called on every process after every optimiser step, when the gradients have been cleared."""

    def after_epoch(self, epoch: int) -> None:
        """Called on every process after PaddleClas's step loop, before it evaluates, clears its meters and saves."""

    def after_evaluation(self, epoch: int, figures: dict[str, float]) -> None:
        """Called on every process after an evaluation in training, name -> fraction."""

    def state_dict(self) -> State:
        """Called on rank 0 whenever a checkpoint is saved. The names must be no other hook's."""
        return {}

    def load_state_dict(self, state: State) -> None:
        """Called on every process of a resumed run when the hook joins it, with what all hooks saved together."""


class Run:
    """What a training knows of itself besides PaddleClas's model and optimiser; a checkpoint holds it.

    Attributes:
        resumed_epoch: the epoch of the checkpoint that this run goes on from; None where it began by itself.
        best_metric: the figure of the best model so far, -1 before the first evaluation.
        hooks: in the order in which they are called.
    """

    def __init__(self) -> None:
        self.resumed_epoch: int | None = None
        self.best_metric = -1.0
        self.hooks: list[Hook] = []
        self._loaded: State | None = None

    def join(self, hook: AnyHook) -> AnyHook:
        """Add a hook; in a resumed run it gets its state back."""
        hook.run = self
        self.restore(hook)
        self.hooks.append(hook)
        return hook

    def restore(self, hook: Hook) -> None:
        """In a resumed run, give a hook its state back."""
        if self._loaded is not None:
            hook.load_state_dict(self._loaded)

    def hook(self, kind: type[AnyHook]) -> AnyHook | None:
        """The hook of a class; None if there is none."""
        return next((hook for hook in self.hooks if isinstance(hook, kind)), None)

    def before_epoch(self, epoch: int) -> None:
        """See :class:`Hook`; so are the others of its name."""
        for hook in self.hooks:
            hook.before_epoch(epoch)

    def after_clustering(self, epoch: int, labels: np.ndarray, previous: np.ndarray | None,
                         figures: dict[str, float]) -> None:
        for hook in self.hooks:
            hook.after_clustering(epoch, labels, previous, figures)

    def after_step(self) -> None:
        for hook in self.hooks:
            hook.after_step()

    def after_epoch(self, epoch: int) -> None:
        for hook in self.hooks:
            hook.after_epoch(epoch)

    def after_evaluation(self, epoch: int, figures: dict[str, float]) -> None:
        for hook in self.hooks:
            hook.after_evaluation(epoch, figures)

    def state_dict(self, epoch: int) -> State:
        """What a checkpoint of ``epoch`` holds: that number, ``best_metric``, and the states of the hooks.

        Raises:
            ISEError: if two hooks save something under one name.
        """
        state: State = {"epoch": epoch, "best_metric": self.best_metric}
        for hook in self.hooks:
            own = hook.state_dict()
            taken = state.keys() & own.keys()
            if taken:
                raise ISEError(f"{type(hook).__name__}.state_dict uses a name that is taken: {sorted(taken)[0]}")
            state.update(own)
        return state

    def load_state_dict(self, epoch: int, state: State | None) -> None:
        """Go on from a checkpoint: of ``epoch``, with what :meth:`state_dict` returned; None if it held nothing."""
        self.resumed_epoch = epoch
        if state is not None:
            self.best_metric = float(state["best_metric"])
        self._loaded = state


def run_of(model: nn.Layer) -> Run:
    """The one run of a model, which may be wrapped in DataParallel.

    PaddleClas hands its model, not its engine, to what saves and loads; so the model leads to its run: by the attribute
    ``ise_run``, the only one that is put on an object that PaddleClas holds.
    """
    own = unwrap(model)
    if not hasattr(own, "ise_run"):
        own.ise_run = Run()
    return own.ise_run
