from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import ISEError
from ..images.reading import read_image, to_rgb
from .description import check_file, read_description
from .preprocessing import Preprocessing
from .runtimes import OnnxRuntime, PaddleRuntime, model_files, onnx_file

__all__ = ["FeatureExtractor", "ImageLike"]

#: A path, an opened image, or uint8 [h, w, 3] RGB.
ImageLike = str | os.PathLike | Image.Image | np.ndarray
RUNTIMES = ("paddle", "onnx")


class FeatureExtractor:
    """Unit features of images by an exported model; may be called from several threads at once.

    Args:
        model_dir: folder of ``inference.json`` (paddle 3) or ``inference.pdmodel`` (paddle 2) and
            ``inference.pdiparams``, or of ``inference.onnx``, and of ``inference.yml`` with the preprocessing, as
            ``tools/export_model.py`` writes them.
        runtime: ``paddle`` or ``onnx``.
        batch_size: images per run.
        threads: of the CPU.
        options: of :class:`PaddleRuntime`: ``use_gpu``, ``gpu_mem``, ``enable_mkldnn``, ``use_tensorrt``, ``use_fp16``.

    Attributes:
        dimension (int): D, numbers of a feature.
        model (str): which model it is, the same for its ONNX file; None if ``inference.yml`` does not say.

    Raises:
        ISEError: if the folder holds no exported model, or it cannot run as wished.

    Example::

        extractor = FeatureExtractor("inference")
        similarity = extractor(["a.jpg"]) @ extractor(["b.jpg", "c.jpg"]).T
    """

    def __init__(self, model_dir: str, runtime: str = "paddle", batch_size: int = 32, threads: int = 2,
                 **options: Any):
        if runtime not in RUNTIMES or batch_size < 1 or threads < 1:
            raise ISEError(f"runtime is {' or '.join(RUNTIMES)}, batch_size and threads are at least 1, not "
                           f"{runtime!r}, {batch_size!r}, {threads!r}")
        if runtime == "onnx" and any(options.get(key) for key in ("use_gpu", "use_tensorrt", "use_fp16")):
            raise ISEError("runtime onnx runs on the CPU; set use_gpu, use_tensorrt and use_fp16 to False")
        file, key = (onnx_file(model_dir), "onnx") if runtime == "onnx" else (model_files(model_dir)[1], "model")
        description = read_description(model_dir)
        check_file(file, description["Global"].get(key))  # before it is loaded: Paddle dies of weights that do not fit
        self._run: OnnxRuntime | PaddleRuntime
        if runtime == "onnx":
            self._run = OnnxRuntime(file, threads)
        else:
            self._run = PaddleRuntime(model_dir, threads, batch_size=batch_size, **options)
        self.preprocess = Preprocessing(description["PreProcess"]["transform_ops"])
        self.batch_size, self.model = batch_size, description["Global"].get("model")
        blank = np.zeros((1, 3, self.preprocess.height, self.preprocess.width), np.float32)
        self.dimension = int(self._run(blank).shape[1])
        said = description["Global"].get("feature_size", self.dimension)
        if said != self.dimension:
            raise ISEError(f"{model_dir}: the model gives {self.dimension} numbers an image, inference.yml says "
                           f"{said}; export the model again")

    def __call__(self, images: Sequence[ImageLike]) -> NDArray[np.float32]:
        """Features of images.

        Args:
            images: N paths, opened images, or uint8 [h, w, 3] RGB arrays, mixed as you like; N may be 0.

        Returns:
            float32 [N, D], unit rows in the order of ``images``.

        Raises:
            ISEError: for an unreadable file, an array that is no such image, or a model that gives NaN.
        """
        features = np.empty((len(images), self.dimension), np.float32)
        for start in range(0, len(images), self.batch_size):
            batch = np.stack([self.preprocess(pixels(image)) for image in images[start:start + self.batch_size]])
            features[start:start + len(batch)] = self._run(batch)
        # Already so unless exported with Arch.export_normalize: False.
        norms = np.linalg.norm(features, axis=1, keepdims=True)
        if not (np.isfinite(norms).all() and norms.all()):
            row = int(np.flatnonzero(~(np.isfinite(norms) & (norms > 0)))[0])
            raise ISEError(f"the model gives image {row} a feature without length or with NaN; are its weights whole?")
        return features / norms


def pixels(image: ImageLike) -> NDArray[np.uint8]:
    """uint8 [h, w, 3] RGB of a path, an opened image or such an array.

    Raises:
        ISEError: if it is none of them.
    """
    if isinstance(image, (str, os.PathLike)):
        return read_image(os.fspath(image))
    if isinstance(image, Image.Image):
        return np.asarray(to_rgb(image))
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 \
            and image.size:
        return image
    described = f"{image.dtype} {list(image.shape)}" if isinstance(image, np.ndarray) else type(image).__name__
    raise ISEError(f"an image is a path, a PIL image or a uint8 array [height, width, 3] in RGB, not {described}")
