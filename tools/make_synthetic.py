"""Makes the synthetic person re-ID set in Market-1501's layout.

    python tools/make_synthetic.py --root dataset/synthetic
"""
import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ppcls_ise.images.synthetic import make_synthetic  # noqa: E402


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="dataset/synthetic", help="folder to create (default: %(default)s)")
    for name, default, text in (("identities", 128, "persons to train on"),
                                ("test-identities", 60, "other persons, in query and gallery"),
                                ("images-per-identity", 12, "training or gallery images of a person"),
                                ("cameras", 6, "cameras, 2 to 9"), ("seed", 0, "the same seed gives the same bytes"),
                                ("height", 128, "of an image, in pixels"), ("width", 64, "of an image, in pixels")):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{text} (default: %(default)s)")
    return parser.parse_args(argv)


def bar(shots):
    try:
        from tqdm import tqdm
    except ImportError:  # the set does not depend on a progress bar
        return shots
    return tqdm(shots, desc="drawing", unit="image")


def main(argv=None) -> int:
    args = vars(parse_args(argv))
    start = time.time()
    try:
        manifest = make_synthetic(progress=bar, **args)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    counts = ", ".join(f"{count} in {folder}" for folder, count in manifest["counts"].items())
    print(f"{args['root']}: {counts} ({time.time() - start:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
