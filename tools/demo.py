"""``ise demo`` in a checkout, which is where it writes to."""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

from ppcls_ise.cli.demo import main  # noqa: E402

if __name__ == "__main__":
    os.chdir(ROOT)  # the commands that it runs find the package here, installed or not
    sys.exit(main())
