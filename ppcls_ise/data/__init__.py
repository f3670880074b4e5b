"""As ppcls/data: images, sampler, transforms, and the synthetic set."""
from .images import ReIDImages
from .sampler import PseudoLabelSampler
from .transforms import PadCrop, RandomErase

__all__ = ["PadCrop", "PseudoLabelSampler", "RandomErase", "ReIDImages"]
