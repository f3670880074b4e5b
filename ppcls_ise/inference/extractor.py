from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import yaml
from PIL import Image

from ..data.reading import read_image
from ..errors import ISEError

__all__ = ["FeatureExtractor"]


class FeatureExtractor:
    """Unit features of images by Paddle Inference on an exported model.

    Args:
        model_dir: folder of ``inference.json`` (paddle 3) or ``inference.pdmodel`` (paddle 2) and
            ``inference.pdiparams``, and of ``inference.yml`` with the preprocessing, as ``tools/export_model.py``
            writes them.
        batch_size: images per run of the predictor.

    Raises:
        ISEError: if the folder holds no exported model.
    """

    def __init__(self, model_dir: str, batch_size: int = 32):
        from paddle import inference

        programs = [os.path.join(model_dir, "inference" + suffix) for suffix in (".json", ".pdmodel")]
        program = next((file for file in programs if os.path.isfile(file)), None)
        weights = os.path.join(model_dir, "inference.pdiparams")
        if program is None or not os.path.isfile(weights):
            raise ISEError(f"{model_dir} holds no exported model (inference.json or .pdmodel, and inference.pdiparams)")
        config = inference.Config(program, weights)
        config.disable_glog_info()
        self._predictor = inference.create_predictor(config)
        self._input = self._predictor.get_input_handle(self._predictor.get_input_names()[0])
        self.batch_size = batch_size
        self._read_preprocessing(os.path.join(model_dir, "inference.yml"))

    def _read_preprocessing(self, path):
        if not os.path.isfile(path):
            raise ISEError(f"{path} is missing; export the model with tools/export_model.py, which writes it")
        with open(path, encoding="utf-8") as file:
            description = yaml.safe_load(file)
        self.height, self.width = description["Global"]["image_shape"][1:]
        normalise = next(op["NormalizeImage"] for op in description["PreProcess"]["transform_ops"]
                         if "NormalizeImage" in op)
        self._mean, self._std = (np.array(normalise[key], np.float32) for key in ("mean", "std"))

    def __call__(self, paths: Sequence[str]) -> np.ndarray:
        """Args: paths of N images. Returns: float32 [N, D], unit rows in the order of ``paths``."""
        parts = []
        for start in range(0, len(paths), self.batch_size):
            batch = np.stack([self._load(path) for path in paths[start:start + self.batch_size]])
            self._input.reshape(batch.shape)
            self._input.copy_from_cpu(batch)
            self._predictor.run()
            output = self._predictor.get_output_handle(self._predictor.get_output_names()[0])
            parts.append(output.copy_to_cpu().copy())
        return np.concatenate(parts)

    def _load(self, path):
        image = Image.fromarray(read_image(path)).resize((self.width, self.height), Image.BICUBIC)
        pixels = np.asarray(image, np.float32) / 255.0
        return np.ascontiguousarray(((pixels - self._mean) / self._std).transpose(2, 0, 1))
