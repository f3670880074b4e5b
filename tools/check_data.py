"""Check the images of a config before training: python tools/check_data.py -c configs/ISE_R50.yaml [-o key=value ...]

A table of the splits, then what is wrong and what to do. Exit code 0 if nothing is, 1 if something is.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "..")))

from ppcls_ise.cli import quiet  # noqa: E402

quiet.silence()

HEADER = ["split", "images", "identities", "cameras", "width x height: smallest / median / largest"]


def bar(items, total, name):
    try:
        from tqdm import tqdm
    except ImportError:  # the check does not depend on a progress bar
        return items
    return tqdm(items, total=total, desc=f"reading {name}", unit="image", leave=False)


def show(reports, findings):
    from ppcls_ise.images.reading import shown

    rows = [HEADER, *(report.row() for report in reports)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print()
    for finding in sorted(findings, key=lambda finding: not finding.problem):
        print(f"{'PROBLEM' if finding.problem else 'note'} {finding.split}: {shown(finding.text)}")
    problems = sum(finding.problem for finding in findings)
    print(f"{problems} problem{'s' * (problems != 1)}, {len(findings) - problems} notes" if findings
          else "nothing wrong was found")
    return int(problems > 0)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--config", required=True)
    parser.add_argument("-o", "--override", action="append", default=[], help="key.sub=value")
    arguments = parser.parse_args(arguments)
    import ppcls_ise
    from ppcls_ise.errors import ISEError
    from ppcls_ise.host import HostError

    try:
        ppcls_ise.register()
        from ppcls_ise.engine import load_config, prepare_config
        from ppcls_ise.images.check import check_data

        config = prepare_config(load_config(arguments.config, arguments.override), "data")
        reports, findings = check_data(config, bar)
    except (ISEError, HostError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not reports and not findings:
        print(f"error: {arguments.config} has no data set of ours in DataLoader", file=sys.stderr)
        return 1
    return show(reports, findings)


if __name__ == "__main__":
    sys.exit(main())
