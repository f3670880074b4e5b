"""The blocks of a config that describe our data sets, transforms and sampler."""
from __future__ import annotations

import ppcls.data.preprocess as ppcls_transforms

from ..config.keys import check_keys, check_name, named_items, parameters_of
from ..images.data_set import NOT_UNLABELED, list_reid_images
from ..images.listing import list_images
from .datasets import DATASETS, ReIDImages, UnlabeledFolder
from .sampler import PseudoLabelSampler
from .transforms import ChannelJitter, PadCrop, RandomErase

__all__ = ["check_dataset", "check_plain_dataset", "check_sampler", "check_transforms"]

TRANSFORMS = {"ChannelJitter": ChannelJitter, "PadCrop": PadCrop, "RandomErase": RandomErase}
#: Keys of ReIDImages.
KEYS = ["name", *parameters_of(ReIDImages), *parameters_of(list_reid_images, "image_root"),
        *parameters_of(list_images, "image_root", "called")]
#: Parameters of the sampler that come from elsewhere in the config.
_OF_SAMPLER = {"seed": "set Global.seed", "iter_per_epoch": "set Global.iter_per_epoch",
               "group_size": "set Arch.bn_group_size"}


def check_dataset(block: dict, place: str) -> None:
    """Refuse a key of ``dataset``, or of a transform of ours in it, that nothing reads.

    Args:
        block: its ``name`` is one of :data:`DATASETS`.
        place: what the config calls it, ``DataLoader.Train.dataset``.

    Raises:
        ISEError: naming the key; for a transform that does not exist.
    """
    if DATASETS[block["name"]] is UnlabeledFolder:
        check_keys(block, [*parameters_of(UnlabeledFolder), *(key for key in KEYS if key not in NOT_UNLABELED)], place,
                   NOT_UNLABELED)
    else:
        check_keys(block, KEYS, place)
    check_transforms(block.get("transform_ops"), f"{place}.transform_ops")


def check_plain_dataset(block: dict | None, place: str) -> None:
    """:func:`check_dataset` for a block that names transforms only, ``DataLoader.Cluster.dataset``."""
    check_keys(block, ["transform_ops"], place,
               dict.fromkeys({*KEYS, "cameras"} - {"transform_ops"}, "the images are those of DataLoader.Train"))
    check_transforms((block or {}).get("transform_ops"), f"{place}.transform_ops")


def check_transforms(transforms: list | None, place: str) -> None:
    """Refuse a transform that does not exist, or a key of one of ours that it does not have."""
    for item, name, options in named_items(transforms, place):
        check_name(name, ppcls_transforms, item)
        if name in TRANSFORMS:
            check_keys(options, parameters_of(TRANSFORMS[name]), f"{item}.{name}")


def check_sampler(block: dict, place: str) -> None:
    """Refuse a key of the training sampler that it does not have."""
    check_keys(block, ["name", *parameters_of(PseudoLabelSampler, "dataset", *_OF_SAMPLER)], place, _OF_SAMPLER)
