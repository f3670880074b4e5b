"""``ise predict`` in a checkout: cd deploy && python python/predict_rec.py --help"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

from ppcls_ise.cli.predict import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(config=None))  # the shipped ones are for the folder above
