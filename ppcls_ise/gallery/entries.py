"""What is known of the images of a gallery: from a list, from their names, and read back from disk."""
from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from ..config.deployment import IndexSettings
from ..errors import ISEError
from ..images.listing import list_images
from ..images.reading import shown

__all__ = ["Entry", "check_entries", "listed_entries", "number_or_name"]

#: ``path``, and ``pid``, ``camid`` and anything else that JSON can hold, where it is known.
Entry = dict[str, Any]


def listed_entries(settings: IndexSettings) -> list[Entry]:
    """Entries that a config names: ``path`` relative to ``image_root``, ``pid``, ``camid`` and what else.

    ``data_file`` is a list of lines with ``columns`` between ``delimiter``, or ``.jsonl`` with an object a line.
    Without one it is every image below ``image_root``, and ``pattern`` says what is in its name.

    Raises:
        ISEError: for a missing folder or list, or a line that does not fit.
    """
    if not settings.image_root:
        raise ISEError("IndexProcess.image_root is missing: the folder of the images")
    if not settings.data_file:
        return _from_names(settings.image_root, settings.pattern)
    file = settings.data_file
    try:
        with open(os.path.expanduser(file), encoding="utf-8-sig", errors="surrogateescape") as lines:
            numbered = [(number, line.rstrip("\r\n")) for number, line in enumerate(lines, 1) if line.strip()]
    except OSError as error:
        raise ISEError(f"IndexProcess.data_file {file} cannot be read: {error}") from error
    if not numbered:
        raise ISEError(f"IndexProcess.data_file {file} is empty")
    parse = _from_json if file.endswith(".jsonl") else _from_columns(settings.delimiter or "\t", settings.columns)
    return [parse(f"{file}, line {number}", line) for number, line in numbered]


def _from_names(root: str, pattern: str | None) -> list[Entry]:
    images = list_images(root, pattern=pattern, called=f"IndexProcess.pattern '{pattern}'")
    entries: list[Entry] = [{"path": name} for name in images.names]
    for row, entry in enumerate(entries):
        if images.pids is not None:
            entry["pid"] = int(images.pids[row])
        camera = images.camera(row)
        if camera is not None:
            entry["camid"] = number_or_name(camera)
    return entries


def _from_json(place: str, line: str) -> Entry:
    def refuse(constant: str) -> NoReturn:
        raise ISEError(f"{place}: {constant} is no value of JSON")

    try:
        entry = json.loads(line, parse_constant=refuse)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ISEError(f"{place} is no JSON: {error}") from error
    if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
        raise ISEError(f'{place} is no object with a path, such as {{"path": "a.jpg", "camid": 1}}')
    try:
        check_entries([entry])
    except ISEError as error:
        raise ISEError(f"{place}: {error}") from error
    return {**entry, "camid": int(entry["camid"])} if isinstance(entry.get("camid"), float) else entry


def _from_columns(delimiter: str, columns: Sequence[str]) -> Callable[[str, str], Entry]:
    def parse(place: str, line: str) -> Entry:
        values = line.split(delimiter)
        if len(values) > len(columns):
            raise ISEError(f"{place} has {len(values)} columns between {delimiter!r}, IndexProcess.columns names "
                           f"{len(columns)}: {', '.join(columns)}")
        named = dict(zip(columns, values))
        return {name: number_or_name(value) if name in ("pid", "camid") else value for name, value in named.items()}

    return parse


def number_or_name(text: str) -> int | str:
    """An identity or a camera as a gallery keeps it: a number where it is one, else its name."""
    return int(text) if re.fullmatch(r"-?\d{1,18}", text) else text


def check_entries(entries: Sequence[Entry]) -> None:
    """Raises: ISEError: for an entry without a path, or whose camera cannot be compared with another."""
    for entry in entries:
        if not isinstance(entry.get("path"), str) or not entry["path"]:
            raise ISEError("every entry of a gallery needs a path")
        camid = entry.get("camid")
        whole = isinstance(camid, float) and camid.is_integer()  # as pandas writes numbers of a column with gaps
        if isinstance(camid, bool) or not (whole or isinstance(camid, (int, str, type(None)))):
            raise ISEError(f"{shown(entry['path'])}: camid is a whole number or a text, not {camid!r}")
