"""Search the gallery with an image or every image in a folder: a table, and if wished JSON and a picture.

cd deploy && python python/search.py -c configs/gallery.yaml -o Global.infer_imgs=crop.jpg"""
import json
import os
import re
import sys

import _program


def main(config):
    from ppcls_ise.inference import Gallery
    from ppcls_ise.inference.deployment import check_cameras, make_extractor, paths_to_predict, readable_features

    block, search = config.get("IndexProcess") or {}, config.get("Search") or {}
    cameras = search.get("cameras")
    paths, found = paths_to_predict(config["Global"]), []
    gallery = Gallery.open(os.path.expanduser(block.get("index_dir") or "."))
    check_cameras(cameras, gallery)
    extractor = make_extractor(config["Global"])
    gallery.check_model(extractor)
    camera_of = _query_camera(search, block)

    def skipped(row, error):
        print(f"skipped: {error}", file=sys.stderr)

    for rows, features in readable_features(extractor, paths, skipped):
        for row, feature in zip(rows, features):
            camera = camera_of(paths[row])
            found.append((paths[row], gallery.search(
                feature[None], block.get("return_k") or 10, cameras=cameras,
                not_cameras=[] if camera is None else [camera], threshold=block.get("score_thres") or -1.0)[0]))
    if not found:
        sys.exit("error: none of the images can be read")
    _write(search, gallery, found)


def _query_camera(search, block):
    """The camera of a query that is to be left out, read from its name as those of the gallery were."""
    from ppcls_ise.data.listing import MARKET_PATTERN
    from ppcls_ise.errors import ISEError
    from ppcls_ise.inference.deployment import number_or_name

    if not search.get("other_cameras"):
        return lambda path: None
    pattern = re.compile(block.get("pattern") or MARKET_PATTERN)

    def camera(path):
        match = pattern.search(os.path.basename(path)) or pattern.search(path)
        if match is None or "camid" not in pattern.groupindex:
            raise ISEError(f"Search.other_cameras: {path} does not tell its camera by IndexProcess.pattern")
        return number_or_name(match["camid"])

    return camera


def _write(search, gallery, found):
    for query, matches in found:
        print(f"\n{query}\n{'rank':>6}  {'similarity':>10}  {'pid':>6}  {'camera':>6}  path")
        for rank, match in enumerate(matches, 1):
            print(f"{rank:6d}  {match.similarity:10.4f}  {_known(match, 'pid'):>6}  {_known(match, 'camid'):>6}  "
                  f"{match.entry['path']}")
        if not matches:
            print("        nothing as similar as IndexProcess.score_thres in these cameras")
    if search.get("json"):
        results = [{"query": query, "matches": [{"similarity": round(match.similarity, 6), **match.entry}
                                                for match in matches]} for query, matches in found]
        with open(search["json"], "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
        print(f"\n{search['json']}")
    if search.get("picture"):
        from ppcls_ise.visualize import contact_sheet
        from ppcls_ise.visualize.pictures import PLAIN, camera_label

        contact_sheet([[(query, "#1c2333", "query"),
                        *((gallery.image_path(match.id), PLAIN,
                           f"{match.similarity:.2f} {camera_label(match.entry.get('camid'))}") for match in matches)]
                       for query, matches in found]).save(search["picture"])
        print(f"\n{search['picture']}")


def _known(match, key):
    value = match.entry.get(key)
    return "" if value is None else str(value)


if __name__ == "__main__":
    _program.run(main, __doc__)
