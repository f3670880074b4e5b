"""Unsupervised person re-identification by Implicit Sample Extension (ISE, CVPR 2022), as a plugin of PaddleClas."""

__all__ = ["register"]
__version__ = "0.1.0"


def register() -> None:
    """Make ISE known to PaddleClas: model, losses, data sets, sampler, transforms, metric and ``train_mode: ise``.

    Idempotent. Call it before building PaddleClas's ``Engine``.

    Raises:
        ppcls_ise.host.HostError: if there is no PaddleClas with an engine.
    """
    from . import host

    host.register()
