"""Which part of each room the tests run.

coverage json -q -o - | python tests/coverage_of_rooms.py
"""
from __future__ import annotations

import json
import sys

ENOUGH = 85  # per cent


def rooms(files: dict) -> dict[str, tuple[int, int]]:
    """The ``files`` of coverage's report -> {room: (statements, of which run)}; modules beside the rooms are ``.``."""
    found: dict[str, tuple[int, int]] = {}
    for path, file in files.items():
        parts = path.replace("\\", "/").rpartition("ppcls_ise/")[2].split("/")
        room, summary = parts[0] if len(parts) > 1 else ".", file["summary"]
        statements, run = found.get(room, (0, 0))
        found[room] = statements + summary["num_statements"], run + summary["covered_lines"]
    return dict(sorted(found.items()))


def report(found: dict[str, tuple[int, int]]) -> str:
    """A line for each room, one for the whole, and one that names the rooms of which too little is run."""
    total = tuple(sum(column) for column in zip(*found.values()))
    whole = {**found, "all": total}
    shares = {room: 100 * run / statements if statements else 100.0 for room, (statements, run) in whole.items()}
    low = [f"{room} ({shares[room]:.1f} %)" for room in found if shares[room] < ENOUGH]
    return "\n".join([*(f"{room:12} {statements:6} {shares[room]:5.1f} %" for room, (statements, _) in whole.items()),
                      f"below {ENOUGH} %: {', '.join(low) or 'none'}"])


if __name__ == "__main__":
    print(report(rooms(json.load(sys.stdin)["files"])))
