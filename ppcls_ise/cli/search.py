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
    from ..config.deployment import Deployment, SearchSettings
    from ..gallery import Gallery, Match

__all__ = ["main", "parser"]


def parser(config: str | None = "gallery.yaml") -> argparse.ArgumentParser:
    """Options of the command; ``config`` is the default of ``-c``, without which it has to be given."""
    parser = program.make_parser("search", __doc__)
    program.add_config(parser, config)
    return parser


def main(arguments: list[str] | None = None, config: str | None = "gallery.yaml") -> int:
    """Run it; ``config`` as of :func:`parser`. Returns: the exit code."""
    return program.run(parser(config), _search, arguments)


def _search(options: argparse.Namespace) -> None:
    from ..config.deployment import read_deployment
    from ..gallery import Gallery
    from ..gallery.queries import check_cameras, query_cameras
    from ..inference.from_config import images_to_predict

    config = read_deployment(options.config, options.override)
    _check_targets(config.search)
    queries = images_to_predict(config.model)
    left_out = query_cameras(queries.names, config.index.pattern) if config.search.other_cameras else None
    if not config.index.index_dir:
        raise ISEError("IndexProcess.index_dir is missing: the folder of the gallery")
    gallery = Gallery.open(os.path.expanduser(config.index.index_dir))
    check_cameras(config.search.cameras or (), gallery)
    found = _matches(config, gallery, [queries.path(row) for row in range(len(queries.names))], left_out)
    for query, matches in found:
        _print_table(query, matches)
    if config.search.json:
        _write_json(config.search.json, found)
    if config.search.picture:
        _draw(config.search.picture, gallery, found)


def _check_targets(search: SearchSettings) -> None:
    """``Search.json`` and ``Search.picture`` can be written: looked at before the search is made."""
    from PIL import Image

    for key, path in (("json", search.json), ("picture", search.picture)):
        if path and not os.path.isdir(os.path.dirname(path) or "."):
            raise ISEError(f"Search.{key} is a file to write, in a folder that is there, not {path!r}")
    if search.picture and os.path.splitext(search.picture)[1].lower() not in Image.registered_extensions():
        raise ISEError(f"Search.picture needs the ending of a picture, such as .png, not {search.picture!r}")


def _matches(config: Deployment, gallery: Gallery, paths: list[str], left_out: list[int | str] | None
             ) -> list[tuple[str, list[Match]]]:
    """Path of each query that can be read, with what was found for it: nothing of the camera left out for it."""
    from ..inference.batches import readable_features
    from ..inference.from_config import make_extractor

    extractor = make_extractor(config.model)
    gallery.check_model(extractor)

    def skipped(row: int, error: ISEError) -> None:
        print(f"skipped: {error}", file=sys.stderr)

    found = []
    for rows, features in readable_features(extractor, paths, skipped):
        for row, feature in zip(rows, features):
            matches = gallery.search(feature[None], config.index.return_k, config.search.cameras,
                                     left_out[row:row + 1] if left_out else (), config.index.score_thres)
            found.append((paths[row], matches[0]))
    if not found:
        raise ISEError("none of the images can be read")
    return found


def _print_table(query: str, matches: list[Match]) -> None:
    from ..images.reading import shown

    print(f"\n{shown(query)}\n{'rank':>6}  {'similarity':>10}  {'pid':>6}  {'camera':>6}  path")
    for rank, match in enumerate(matches, 1):
        known = ["" if match.entry.get(key) is None else shown(str(match.entry[key])) for key in ("pid", "camid")]
        print(f"{rank:6d}  {match.similarity:10.4f}  {known[0]:>6}  {known[1]:>6}  {shown(match.entry['path'])}")
    if not matches:
        print("        nothing as similar as IndexProcess.score_thres in these cameras")


def _write_json(path: str, found: list[tuple[str, list[Match]]]) -> None:
    results = [{"query": query, "matches": [
        {**{key: value for key, value in match.entry.items() if key != "digest"},
         "similarity": round(match.similarity, 6)} for match in matches]} for query, matches in found]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
    print(f"\n{path}")


def _draw(path: str, gallery: Gallery, found: list[tuple[str, list[Match]]]) -> None:
    """A row a query: it, then its matches."""
    from ..visualize import contact_sheet
    from ..visualize.pictures import PLAIN, camera_label

    contact_sheet([[(query, "#1c2333", "query"),
                    *((gallery.checked_image_path(match.id), PLAIN,
                       f"{match.similarity:.2f} {camera_label(match.entry.get('camid'))}") for match in matches)]
                   for query, matches in found]).save(path)
    print(f"\n{path}")
