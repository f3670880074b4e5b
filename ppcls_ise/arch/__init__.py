"""As ppcls/arch: the model of ISE. ``ISEModel`` itself (``ppcls_ise.arch.model``) needs PaddleClas to import."""
from . import pli
from .head import ISEHead
from .memory import ClusterMemory
from .pooling import GeM

__all__ = ["ClusterMemory", "GeM", "ISEHead", "pli"]
