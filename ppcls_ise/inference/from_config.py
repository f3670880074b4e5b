"""What a block ``Global`` of deployment describes: an extractor, and the images that it is given."""
from __future__ import annotations

import os

from ..config.deployment import ModelSettings
from ..errors import ISEError
from ..images.listing import ImageList, list_images
from .extractor import FeatureExtractor

__all__ = ["images_to_predict", "make_extractor"]


def make_extractor(settings: ModelSettings, batch_size: int | None = None) -> FeatureExtractor:
    """The extractor that a config describes.

    Args:
        settings: the model and what runs it.
        batch_size: instead of that of the settings.

    Raises:
        ISEError: as :class:`FeatureExtractor` does, or if the model's folder is not named.
    """
    if not settings.rec_inference_model_dir:
        raise ISEError("Global.rec_inference_model_dir is missing: the folder that ise export has written")
    options: dict[str, bool | int] = {"use_gpu": settings.use_gpu, "use_tensorrt": settings.use_tensorrt,
                                      "use_fp16": settings.use_fp16}
    if not settings.use_onnx:
        options |= {"gpu_mem": settings.gpu_mem, "enable_mkldnn": settings.enable_mkldnn}
    return FeatureExtractor(os.path.expanduser(settings.rec_inference_model_dir),
                            "onnx" if settings.use_onnx else "paddle", batch_size or settings.batch_size,
                            settings.cpu_num_threads, **options)


def images_to_predict(settings: ModelSettings) -> ImageList:
    """``Global.infer_imgs``: an image, or all images below a folder, sorted.

    Raises:
        ISEError: if there are none.
    """
    if not settings.infer_imgs:
        raise ISEError("Global.infer_imgs is missing: an image or a folder of images")
    source = os.path.expanduser(str(settings.infer_imgs))
    if os.path.isfile(source):
        return ImageList("", [source], None, None)
    return list_images(source, pattern=None)
