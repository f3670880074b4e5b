"""Features of a data set, in its order, shared out over the processes."""
from __future__ import annotations

import paddle
import paddle.distributed as dist
from paddle import nn
from paddle.io import Dataset

from ..config.blocks import LoaderBlock
from ..data.loader import ImageLoader
from ..distributed.processes import gather_slices, unwrap
from ..errors import ISEError
from .progress import Progress

__all__ = ["extract_features", "loader_settings"]

#: Images that the CPU runs at a time: what the layers of ResNet-50 write for more does not stay in its caches.
CPU_ROWS = 16


@paddle.no_grad()
def extract_features(model: nn.Layer, dataset: Dataset, batch_size: int, num_workers: int = 0,
                     use_shared_memory: bool = True, name: str = "images", flip: bool = False) -> paddle.Tensor:
    """Extract the unit feature of every image with the model in eval mode.

    Args:
        model: gives ``{"features": [b, D]}`` for float32 images [b, 3, H, W].
        dataset: items whose first entry is the image.
        batch_size: images per forward pass on each process.
        num_workers: loader processes on each process.
        use_shared_memory: of the loader processes.
        name: what the progress lines in the log call the images.
        flip: take the mean of the features of each image and of its mirror image, at unit length again.

    Returns:
        float32 [N, D] on the training device, in the data set's order, on every process.

    Raises:
        ISEError: on every process, naming the file, if an image cannot be read.
    """
    if not len(dataset):
        raise ISEError(f"{name}: there is no image to extract features of")
    model = unwrap(model)
    was_training = model.training
    model.eval()
    share = -(-len(dataset) // dist.get_world_size())
    own = range(dist.get_rank() * share, min((dist.get_rank() + 1) * share, len(dataset)))
    # The last processes may have too few rows, or none: they repeat row 0 and gather_slices cuts that off.
    rows = list(own) + [0] * (share - len(own))
    batches = [rows[start:start + batch_size] for start in range(0, share, batch_size)]
    loader = ImageLoader(dataset, batch_sampler=batches, num_workers=num_workers, use_shared_memory=use_shared_memory,
                         return_list=True)
    features, progress = [], Progress(f"[Extract] {name}", "images per process")
    try:
        for images, *_ in loader:
            batch = _features(model, images)
            if flip:
                batch = paddle.nn.functional.normalize((batch + _features(model, images.flip([3]))) / 2)
            features.append(batch)
            progress(min(len(features) * batch_size, share), share)
    finally:
        if was_training:
            model.train()
    return gather_slices(paddle.concat(features), len(dataset))


def _features(model: nn.Layer, images: paddle.Tensor) -> paddle.Tensor:
    """float32 [b, D] of images [b, 3, H, W]."""
    rows = CPU_ROWS if images.place.is_cpu_place() else len(images)
    parts = [model(images[start:start + rows])["features"] for start in range(0, len(images), rows)]
    return paddle.concat(parts).astype("float32")


def loader_settings(block: dict) -> dict:
    """Batch size and workers of a block of ``DataLoader``, for :func:`extract_features`."""
    loader = block["loader"]
    return {"batch_size": block["sampler"]["batch_size"], "num_workers": loader["num_workers"],
            "use_shared_memory": loader.get("use_shared_memory", LoaderBlock.use_shared_memory)}
