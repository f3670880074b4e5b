"""Check the images of a config before training.

    ise check-data -c ISE_folder.yaml -o Global.image_root=/data/crops

Prints a table of the splits, then what is wrong and what to do. Exit code 0 if nothing is, 1 if something is.
"""
from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..errors import ISEError
from . import engine, program

if TYPE_CHECKING:
    from ..images.check import Finding, SplitReport

__all__ = ["main", "parser"]

HEADER = ["split", "images", "identities", "cameras", "width x height: smallest / median / largest"]


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = program.make_parser("check-data", __doc__)
    program.add_config(parser)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run it. Returns: the exit code."""
    return program.run(parser(), _check, arguments)


def _check(options: argparse.Namespace) -> int:
    _, config = engine.prepared(options, "data")
    from ..images.check import check_data

    reports, findings = check_data(config, _bar)
    if not reports and not findings:
        raise ISEError(f"{options.config} has no data set of ours in DataLoader")
    return _show(reports, findings)


def _bar(items: Iterable, total: int, name: str) -> Iterable:
    from tqdm import tqdm

    return tqdm(items, total=total, desc=f"reading {name}", unit="image", leave=False)


def _show(reports: Sequence[SplitReport], findings: Sequence[Finding]) -> int:
    from ..images.reading import shown

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
