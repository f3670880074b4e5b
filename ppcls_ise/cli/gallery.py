"""Build a gallery of features, add images to it or take them out.

    ise gallery -o Global.rec_inference_model_dir=inference -o IndexProcess.image_root=/data/crops \\
        -o IndexProcess.pattern=null -o IndexProcess.index_dir=gallery

IndexProcess.index_operation says which: new, append or remove. Without options: the gallery of the demo.
"""
from __future__ import annotations

import argparse
import os
import time

from ..errors import ISEError
from . import program

__all__ = ["main", "parser"]


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = program.make_parser("gallery", __doc__)
    program.add_config(parser, "gallery.yaml")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run it. Returns: the exit code."""
    return program.run(parser(), _build, arguments)


def _build(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from ..gallery.deployment import make_extractor, read_config, update_gallery
    from ..images.reading import shown

    config = read_config(options.config, options.override)
    block = config.get("IndexProcess")
    if not isinstance(block, dict):
        raise ISEError("the config has no block IndexProcess")
    settings = {**config["Global"], "batch_size": block.get("batch_size") or config["Global"].get("batch_size")}
    started = time.time()
    extractor = None if block.get("index_operation") == "remove" else make_extractor(settings)
    gallery, counts = update_gallery(block, extractor, lambda paths: tqdm(paths, unit="image"))
    done = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing to do"
    cameras = ", ".join(map(shown, gallery.cameras)) or "unknown"
    print(f"{block['index_dir']}: {len(gallery)} images ({done}), {gallery.kind}, {gallery.dimension} numbers each, "
          f"cameras {cameras}; {time.time() - started:.1f} s")
    root = os.path.abspath(os.path.expanduser(block["image_root"]))
    if counts["unknown"] and root != gallery.image_root:
        print(f"not in the gallery: {counts['unknown']} of the listed images; those it has lie below "
              f"{shown(gallery.image_root)}, where IndexProcess.image_root is {shown(root)}")
