"""``ise export`` in a checkout: python tools/export_model.py --help"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from ppcls_ise.cli.export import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
