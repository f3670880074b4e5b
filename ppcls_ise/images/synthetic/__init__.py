"""A synthetic person re-ID set in Market-1501's layout, for demos and tests without a download.

:func:`make_synthetic` writes small surveillance-like crops of drawn persons seen by several cameras.
"""
from .settings import SyntheticConfig, SyntheticSet
from .writing import make_synthetic

__all__ = ["SyntheticConfig", "SyntheticSet", "make_synthetic"]
