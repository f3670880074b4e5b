"""``ise cluster-report`` in a checkout: python tools/cluster_report.py --help"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from ppcls_ise.cli.cluster_report import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
