"""As ppcls/data: data sets, sampler, transforms, loader."""
from .datasets import ReIDImages, UnlabeledFolder
from .sampler import PseudoLabelSampler
from .transforms import ChannelJitter, PadCrop, RandomErase

__all__ = ["ChannelJitter", "PadCrop", "PseudoLabelSampler", "RandomErase", "ReIDImages", "UnlabeledFolder"]
