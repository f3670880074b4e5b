"""Build a gallery of features, add images to it or take them out.

    ise gallery -o Global.rec_inference_model_dir=inference -o IndexProcess.image_root=/data/crops \\
        -o IndexProcess.pattern=null -o IndexProcess.index_dir=gallery

IndexProcess.index_operation says which: new, append or remove. Without options: the gallery of the demo.
"""
from __future__ import annotations

import argparse
import os
import time

from . import program

__all__ = ["main", "parser"]


def parser(config: str | None = "gallery.yaml") -> argparse.ArgumentParser:
    """Options of the command; ``config`` is the default of ``-c``, without which it has to be given."""
    parser = program.make_parser("gallery", __doc__)
    program.add_config(parser, config)
    return parser


def main(arguments: list[str] | None = None, config: str | None = "gallery.yaml") -> int:
    """Run it; ``config`` as of :func:`parser`. Returns: the exit code."""
    return program.run(parser(config), _build, arguments)


def _build(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from ..config.deployment import read_deployment
    from ..gallery.update import update_gallery
    from ..images.reading import shown
    from ..inference.from_config import make_extractor

    config, started = read_deployment(options.config, options.override), time.time()
    extractor = None
    if config.index.index_operation != "remove":
        extractor = make_extractor(config.model, config.index.batch_size)
    gallery, counts = update_gallery(config.index, extractor, lambda paths: tqdm(paths, unit="image"))
    done = ", ".join(f"{count} {name}" for name, count in counts._asdict().items() if count) or "nothing to do"
    cameras = ", ".join(shown(str(camera)) for camera in gallery.cameras) or "unknown"
    print(f"{config.index.index_dir}: {len(gallery)} images ({done}), {gallery.kind}, {gallery.dimension} numbers "
          f"each, cameras {cameras}; {time.time() - started:.1f} s")
    root = os.path.abspath(os.path.expanduser(config.index.image_root or ""))
    if counts.unknown and root != gallery.image_root:
        print(f"not in the gallery: {counts.unknown} of the listed images; those it has lie below "
              f"{shown(gallery.image_root)}, where IndexProcess.image_root is {shown(root)}")
