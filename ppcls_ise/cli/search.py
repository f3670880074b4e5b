"""Search a gallery with an image, or every image in a folder.

    ise search -o Global.rec_inference_model_dir=inference -o IndexProcess.index_dir=gallery \\
        -o Global.infer_imgs=crop.jpg -o Search.picture=found.png

Prints a table, and if wished writes JSON and a picture. Without options: the queries of the demo.
"""
from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING

from ..errors import ISEError
from . import program

if TYPE_CHECKING:
    from ..gallery import Gallery, Match

__all__ = ["main", "parser"]


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = program.make_parser("search", __doc__)
    program.add_config(parser, "gallery.yaml")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run it. Returns: the exit code."""
    return program.run(parser(), _search, arguments)


def _search(options: argparse.Namespace) -> None:
    from ..gallery import Gallery
    from ..gallery.deployment import (
        check_cameras,
        check_targets,
        images_to_predict,
        make_extractor,
        query_cameras,
        read_config,
        readable_features,
    )

    config = read_config(options.config, options.override)
    block, search = config.get("IndexProcess") or {}, config.get("Search") or {}
    check_targets(search)
    queries, found = images_to_predict(config["Global"]), []
    left_out = [[camera] for camera in query_cameras(block, queries)] if search.get("other_cameras") else None
    gallery = Gallery.open(os.path.expanduser(block.get("index_dir") or "."))
    check_cameras(search.get("cameras"), gallery)
    extractor = make_extractor(config["Global"])
    gallery.check_model(extractor)

    def skipped(row: int, error: ISEError) -> None:
        print(f"skipped: {error}", file=sys.stderr)

    paths = [queries.path(row) for row in range(len(queries.names))]
    for rows, features in readable_features(extractor, paths, skipped):
        for row, feature in zip(rows, features):
            found.append((paths[row], gallery.search(
                feature[None], block.get("return_k") or 10, cameras=search.get("cameras"),
                not_cameras=left_out[row] if left_out else (), threshold=_threshold(block))[0]))
    if not found:
        raise ISEError("none of the images can be read")
    _write(search, gallery, found)


def _threshold(block: dict) -> float:
    return -1.0 if block.get("score_thres") is None else block["score_thres"]


def _write(search: dict, gallery: Gallery, found: list[tuple[str, list[Match]]]) -> None:
    from ..images.reading import shown

    for query, matches in found:
        print(f"\n{shown(query)}\n{'rank':>6}  {'similarity':>10}  {'pid':>6}  {'camera':>6}  path")
        for rank, match in enumerate(matches, 1):
            print(f"{rank:6d}  {match.similarity:10.4f}  {_known(match, 'pid'):>6}  {_known(match, 'camid'):>6}  "
                  f"{shown(match.entry['path'])}")
        if not matches:
            print("        nothing as similar as IndexProcess.score_thres in these cameras")
    if search.get("json"):
        results = [{"query": query, "matches": [
            {**{key: value for key, value in match.entry.items() if key != "digest"},
             "similarity": round(match.similarity, 6)} for match in matches]}
            for query, matches in found]
        with open(search["json"], "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
        print(f"\n{search['json']}")
    if search.get("picture"):
        from ..visualize import contact_sheet
        from ..visualize.pictures import PLAIN, camera_label

        contact_sheet([[(query, "#1c2333", "query"),
                        *((gallery.checked_image_path(match.id), PLAIN,
                           f"{match.similarity:.2f} {camera_label(match.entry.get('camid'))}") for match in matches)]
                       for query, matches in found]).save(search["picture"])
        print(f"\n{search['picture']}")


def _known(match: Match, key: str) -> str:
    from ..images.reading import shown

    value = match.entry.get(key)
    return "" if value is None else shown(value)
