"""As ppcls/data: data sets, sampler, transforms, and the synthetic set."""
from .images import ReIDImages, UnlabeledFolder
from .sampler import PseudoLabelSampler
from .transforms import ChannelJitter, PadCrop, RandomErase

__all__ = ["ChannelJitter", "PadCrop", "PseudoLabelSampler", "RandomErase", "ReIDImages", "UnlabeledFolder"]
