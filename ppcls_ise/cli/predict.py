"""Print the feature of an image, or of every image in a folder, a line each.

    ise predict -o Global.rec_inference_model_dir=inference -o Global.infer_imgs=crop.jpg
"""
from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING

from ..errors import ISEError
from . import program

if TYPE_CHECKING:
    from ..inference import FeatureExtractor

__all__ = ["main", "parser"]


def parser(config: str | None = "inference_rec.yaml") -> argparse.ArgumentParser:
    """Options of the command; ``config`` is the default of ``-c``, without which it has to be given."""
    parser = program.make_parser("predict", __doc__)
    program.add_config(parser, config)
    return parser


def main(arguments: list[str] | None = None, config: str | None = "inference_rec.yaml") -> int:
    """Run it; ``config`` as of :func:`parser`. Returns: the exit code."""
    return program.run(parser(config), _predict, arguments)


def _predict(options: argparse.Namespace) -> None:
    from ..config.deployment import read_deployment
    from ..images.reading import shown
    from ..inference.batches import readable_features
    from ..inference.from_config import images_to_predict, make_extractor

    settings = read_deployment(options.config, options.override).model
    images = images_to_predict(settings)
    paths = [images.path(row) for row in range(len(images.names))]
    extractor = make_extractor(settings)

    def skipped(row: int, error: ISEError) -> None:
        print(f"skipped: {error}", file=sys.stderr)

    count, started = 0, time.perf_counter()
    for rows, features in readable_features(extractor, paths, skipped):
        count += len(rows)
        for row, feature in zip(rows, features):
            print(f"{shown(os.path.basename(paths[row]))}:\t{feature}")
    seconds = time.perf_counter() - started
    if not count:
        raise ISEError("none of the images can be read")
    if settings.benchmark:
        print(f"[Benchmark] {count} images in {seconds:.2f} s with reading; {_times(extractor)}")


def _times(extractor: FeatureExtractor, runs: int = 5) -> str:
    """Times of the parts for crops in memory, in PaddleClas's names for them."""
    import numpy as np

    batch = [np.random.default_rng(0).integers(0, 256, (256, 128, 3), dtype=np.uint8)] * extractor.batch_size
    extractor(batch)
    times = []
    for function in (lambda: list(map(extractor.preprocess, batch)), lambda: extractor(batch)):
        started = time.perf_counter()
        for _ in range(runs):
            function()
        times.append(1000 * (time.perf_counter() - started) / runs)
    return (f"a batch of {len(batch)}: preprocess_time {times[0]:.2f} ms, inference_time {times[1] - times[0]:.2f} ms")
