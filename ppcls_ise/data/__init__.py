"""As ppcls/data: data sets, sampler, transforms, and the synthetic set."""
import importlib

_MODULES = {"ReIDImages": "images", "UnlabeledFolder": "images", "PseudoLabelSampler": "sampler",
            "ChannelJitter": "transforms", "PadCrop": "transforms", "RandomErase": "transforms"}
__all__ = sorted(_MODULES)


def __getattr__(name):
    # On first use: reading an image in deployment must not need Paddle, which the data sets do.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("." + _MODULES[name], __name__), name)
