"""Draw the synthetic person re-ID set, in Market-1501's layout.

    ise synthetic --root dataset/synthetic --identities 64
"""
from __future__ import annotations

import argparse
import time
from collections.abc import Iterable

from ..errors import ISEError
from . import program

__all__ = ["main", "parser"]

#: Fields of SyntheticSet.
NUMBERS = {"identities": "persons to train on", "test_identities": "other persons, in query and gallery",
           "images_per_identity": "training or gallery images of a person", "cameras": "cameras, 2 to 9",
           "camera_groups": "groups of cameras that share no person", "seed": "the same seed gives the same bytes",
           "height": "of an image, in pixels", "width": "of an image, in pixels"}


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    from ..images.synthetic import SyntheticSet

    parser = program.make_parser("synthetic", __doc__)
    parser.add_argument("--root", default="dataset/synthetic", help="folder to create (default: %(default)s)")
    for name, text in NUMBERS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=getattr(SyntheticSet, name), metavar="N",
                            help=f"{text} (default: %(default)s)")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run it. Returns: the exit code."""
    return program.run(parser(), _draw, arguments)


def _draw(options: argparse.Namespace) -> None:
    from ..images.synthetic import make_synthetic

    started = time.time()
    try:
        manifest = make_synthetic(progress=_bar, **vars(options))
    except (ValueError, OSError) as error:
        raise ISEError(str(error)) from error
    counts = ", ".join(f"{count} in {folder}" for folder, count in manifest["counts"].items())
    print(f"{options.root}: {counts} ({time.time() - started:.1f} s)")


def _bar(shots: Iterable) -> Iterable:
    from tqdm import tqdm

    return tqdm(shots, desc="drawing", unit="image")
