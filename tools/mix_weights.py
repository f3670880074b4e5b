"""``ise mix-weights`` in a checkout: python tools/mix_weights.py --help"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from ppcls_ise.cli.mix_weights import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
