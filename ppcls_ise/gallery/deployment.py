"""Configs of ``deploy/``: PaddleClas's keys -> extractor, entries of a gallery, gallery."""
from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from typing import Callable

import numpy as np
import yaml

from ..config.keys import check_keys
from ..config.overrides import apply_override
from ..errors import ISEError
from ..images.listing import MARKET_PATTERN, ImageList, identify, list_images
from ..images.reading import file_digest, read_image, shown, threaded
from ..inference.extractor import FeatureExtractor
from .files import locked, make_folder, next_id
from .gallery import KINDS, Gallery, check_entries

__all__ = ["check_cameras", "check_targets", "images_to_predict", "listed_entries", "make_extractor", "number_or_name",
           "query_cameras", "read_config", "readable_features", "update_gallery"]

COLUMNS = ("path", "pid", "camid")
OPERATIONS = ("new", "append", "remove")
#: Block -> its keys. ``Serving`` has its own in the service.
KEYS = {
    "Global": ("infer_imgs rec_inference_model_dir batch_size use_gpu gpu_mem enable_mkldnn cpu_num_threads "
               "use_tensorrt use_fp16 use_onnx benchmark").split(),
    "IndexProcess": ("index_method index_operation index_dir image_root data_file delimiter columns pattern "
                     "on_bad_image dist_type embedding_size batch_size return_k score_thres").split(),
    "Search": "cameras other_cameras json picture".split(),
}
#: Of these the values: whole numbers above 0; texts; True or False.
WHOLE = "batch_size cpu_num_threads gpu_mem embedding_size return_k".split()
TEXTS = "rec_inference_model_dir index_method index_operation index_dir image_root data_file delimiter pattern".split()
SWITCHES = "use_gpu enable_mkldnn use_tensorrt use_fp16 use_onnx benchmark other_cameras".split()
#: Keys of PaddleClas's deploy configs that mean nothing here and do no harm.
OTHERS = {"Global": ("det_inference_model_dir enable_benchmark enable_profile image_shape ir_optim label_list "
                     "labe_list max_det_results rec_nms_thresold threshold use_npu use_xpu").split(),
          "IndexProcess": ["binary_index", "hamming_radius"]}


def read_config(path: str, overrides: Iterable[str] = ()) -> dict:
    """Read a yaml file, with ``key.sub=value`` overrides.

    Raises:
        ISEError: if the file is missing or no yaml, has no block Global, an unknown key in a block of ours or a value
            that its key cannot have, or if an override names no place in it.
    """
    try:
        with open(path, encoding="utf-8") as file:
            config = yaml.safe_load(file)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ISEError(f"config {path} cannot be read: {error}") from error
    if not isinstance(config, dict) or not isinstance(config.get("Global"), dict):
        raise ISEError(f"config {path} has no block Global")
    for override in overrides:
        apply_override(config, override)
    for name in KEYS:
        _check_block(name, config.get(name))
    return config


def _check_block(name, block):
    ignored = OTHERS.get(name, ())
    if isinstance(block, dict):
        block = {key: value for key, value in block.items() if key not in ignored and value is not None}
    check_keys(block, KEYS[name], name)
    for key, value in (block or {}).items():
        whole = isinstance(value, int) and not isinstance(value, bool)
        if key in WHOLE and not (whole and value > 0):
            raise ISEError(f"{name}.{key} is a whole number above 0, not {value!r}")
        if key in TEXTS and not isinstance(value, str):
            raise ISEError(f"{name}.{key} is a text, not {value!r}; a folder of such a name is ./{value}")
        if key == "columns" and not (isinstance(value, (list, tuple)) and value
                                     and all(isinstance(column, str) for column in value)):
            raise ISEError(f"{name}.{key} is a list of names, not {value!r}")
        if key in SWITCHES and not isinstance(value, bool):
            raise ISEError(f"{name}.{key} is True or False, not {value!r}")
        if key == "score_thres" and not (whole or isinstance(value, float)):
            raise ISEError(f"{name}.{key} is a cosine, -1 to 1, not {value!r}")


def make_extractor(settings: dict) -> FeatureExtractor:
    """The extractor that a block ``Global`` describes, with PaddleClas's keys.

    Raises:
        ISEError: as :class:`FeatureExtractor` does, or if the model's folder is not named.
    """
    if not settings.get("rec_inference_model_dir"):
        raise ISEError("Global.rec_inference_model_dir is missing: the folder that tools/export_model.py has written")
    options = {key: settings[key] for key in ("use_gpu", "gpu_mem", "enable_mkldnn", "use_tensorrt", "use_fp16")
               if settings.get(key) is not None}
    if settings.get("use_onnx"):
        options = {"runtime": "onnx", **{key: value for key, value in options.items() if key.startswith("use_")}}
    return FeatureExtractor(os.path.expanduser(settings["rec_inference_model_dir"]),
                            batch_size=settings.get("batch_size") or 1,
                            threads=settings.get("cpu_num_threads") or 2, **options)


def images_to_predict(settings: dict) -> ImageList:
    """``Global.infer_imgs``: an image, or all images below a folder, sorted.

    Raises:
        ISEError: if there are none.
    """
    source = settings.get("infer_imgs")
    if not source:
        raise ISEError("Global.infer_imgs is missing: an image or a folder of images")
    source = os.path.expanduser(str(source))
    if os.path.isfile(source):
        return ImageList("", [source], None, None)
    return list_images(source, pattern=None)


def query_cameras(block: dict, images: ImageList) -> list[int | str]:
    """Cameras of queries, read off their names by ``IndexProcess.pattern`` as those of the gallery were.

    Raises:
        ISEError: for a pattern that is none, or does not tell the camera of an image.
    """
    pattern = block.get("pattern") or MARKET_PATTERN
    found = identify(images.names, pattern, f"IndexProcess.pattern '{pattern}'")
    if "camid" not in found:
        raise ISEError(f"Search.other_cameras needs the group camid in IndexProcess.pattern, not '{pattern}'")
    if None in found["camid"]:
        name = images.names[found["camid"].index(None)]
        raise ISEError(f"Search.other_cameras: {shown(name)} does not tell its camera by IndexProcess.pattern")
    return [number_or_name(text) for text in found["camid"]]


def listed_entries(block: dict) -> list[dict]:
    """Entries that ``IndexProcess`` names: ``path`` relative to ``image_root``, ``pid``, ``camid`` and what else.

    ``data_file`` is a list of lines with ``columns`` between ``delimiter``, or ``.jsonl`` with an object a line.
    Without one it is every image below ``image_root``, and ``pattern`` says what its name tells.

    Raises:
        ISEError: for a missing folder or list, or a line that does not fit.
    """
    root, file = block.get("image_root"), block.get("data_file")
    if not root:
        raise ISEError("IndexProcess.image_root is missing: the folder of the images")
    if not file:
        pattern = block.get("pattern", MARKET_PATTERN)
        images = list_images(root, pattern=pattern, called=f"IndexProcess.pattern '{pattern}'")
        return [{"path": name, **({} if images.pids is None else {"pid": int(images.pids[row])}),
                 **({} if images.camera(row) is None else {"camid": number_or_name(images.camera(row))})}
                for row, name in enumerate(images.names)]
    try:
        with open(os.path.expanduser(file), encoding="utf-8-sig", errors="surrogateescape") as lines:
            numbered = [(number, line.rstrip("\r\n")) for number, line in enumerate(lines, 1) if line.strip()]
    except OSError as error:
        raise ISEError(f"IndexProcess.data_file {file} cannot be read: {error}") from error
    if not numbered:
        raise ISEError(f"IndexProcess.data_file {file} is empty")
    parse = _from_json if str(file).endswith(".jsonl") else _from_columns(block)
    return [parse(f"{file}, line {number}", line) for number, line in numbered]


def _from_json(place, line):
    def refuse(constant):
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


def _from_columns(block):
    delimiter, columns = block.get("delimiter") or "\t", tuple(block.get("columns") or COLUMNS)
    if columns[0] != "path":
        raise ISEError(f"IndexProcess.columns begins with path, not {columns[0]!r}")

    def parse(place, line):
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


def check_cameras(cameras: list | None, gallery: Gallery) -> None:
    """``Search.cameras`` names cameras of the gallery.

    Raises:
        ISEError: naming the one that does not, and those there are.
    """
    if not isinstance(cameras, (list, type(None))):
        raise ISEError(f"Search.cameras is a list, as [1,2] or ['door'], not {cameras!r}")
    for camera in cameras or ():
        if camera not in gallery.cameras:
            raise ISEError(f"Search.cameras: the gallery has no camera {camera!r}; it has "
                           f"{', '.join(map(repr, gallery.cameras)) or 'none that is known'}")


def check_targets(search: dict) -> None:
    """``Search.json`` and ``Search.picture`` are files that can be written, before the search is made.

    Raises:
        ISEError: naming the one that cannot.
    """
    from PIL import Image

    for key in ("json", "picture"):
        path = search.get(key)
        if path is None:
            continue
        if not isinstance(path, str) or not os.path.isdir(os.path.dirname(path) or "."):
            raise ISEError(f"Search.{key} is a file to write, in a folder that is there, not {path!r}")
        if key == "picture" and os.path.splitext(path)[1].lower() not in Image.registered_extensions():
            raise ISEError(f"Search.picture needs the ending of a picture, such as .png, not {path!r}")


def readable_features(extractor: FeatureExtractor, paths: Iterable[str], unreadable: Callable[[int, ISEError], None],
                      read: Callable[[str], np.ndarray] = read_image) -> Iterable[tuple[list[int], np.ndarray]]:
    """Features of files a batch at a time, those that are no image left out.

    Args:
        unreadable: called with the row of such a file and the error, which it may raise.
        read: path -> uint8 [h, w, 3]; called from several threads.

    Yields:
        Rows of ``paths`` and their features, float32 [n, D].
    """
    rows, images = [], []
    for row, outcome in enumerate(threaded(read, paths)):
        if isinstance(outcome, ISEError):
            unreadable(row, outcome)
        else:
            rows.append(row)
            images.append(outcome)
        if len(images) == extractor.batch_size:
            yield rows, extractor(images)
            rows, images = [], []
    if images:
        yield rows, extractor(images)


def update_gallery(block: dict, extractor: FeatureExtractor | None, progress: Callable = iter) -> tuple[Gallery, dict]:
    """Do what ``IndexProcess`` says: ``index_operation`` new, append or remove.

    Args:
        block: ``IndexProcess``.
        extractor: None for ``remove``, which needs none.
        progress: wraps the list of paths while their features are extracted, as tqdm does.

    Returns:
        The gallery as it is on disk now; counts ``added``, ``replaced``, ``removed``, ``unknown`` (listed to be
        removed, but not there) and ``unreadable``.

    Raises:
        ISEError: for keys that do not fit, a missing or damaged gallery, an unreadable image (unless
            ``on_bad_image: skip``), or a gallery of another model.
    """
    operation, folder = _check(block, extractor)
    entries, root = listed_entries(block), os.path.abspath(os.path.expanduser(block["image_root"]))
    # Whole paths: the gallery may be of another root, where the same name is another image.
    entries = [{**entry, "path": os.path.join(root, entry["path"])} for entry in entries]
    counts = {"added": 0, "replaced": 0, "removed": 0, "unknown": 0, "unreadable": 0}
    make_folder(folder)  # before the features are extracted, which takes long
    if operation != "remove":
        features, entries, counts["unreadable"] = _features(block, extractor, entries, progress)
    with locked(folder):
        if operation == "new":
            gallery = Gallery(features, entries, _kind(block), root, extractor.model, next_id(folder))
            counts["added"] = len(gallery)
        else:
            gallery = Gallery.open(folder)
            known = gallery.ids_of([entry["path"] for entry in entries])
            if operation == "remove":
                counts["removed"] = gallery.remove(known)
                counts["unknown"] = len({os.path.normpath(entry["path"]) for entry in entries}) - len(known)
            else:
                gallery.check_model(extractor)
                counts["added"] = len(gallery.append(features, entries)) - len(known)
                counts["replaced"] = len(known)
        gallery.save(folder)
    return gallery, counts


def _check(block, extractor):
    operation, folder = block.get("index_operation", "new"), block.get("index_dir")
    if operation not in OPERATIONS:
        raise ISEError(f"IndexProcess.index_operation is {', '.join(OPERATIONS)}, not {operation!r}")
    if not folder:
        raise ISEError("IndexProcess.index_dir is missing: the folder of the gallery")
    if block.get("dist_type", "IP") not in ("IP", "L2"):
        raise ISEError(f"IndexProcess.dist_type is IP (L2 ranks unit features alike), not {block['dist_type']!r}")
    if operation == "remove" and not block.get("data_file"):
        raise ISEError("index_operation remove takes the images that IndexProcess.data_file lists; it is not set")
    size = block.get("embedding_size")
    if extractor and size and size != extractor.dimension:
        raise ISEError(f"IndexProcess.embedding_size is {size}, the model gives {extractor.dimension} numbers")
    _kind(block)
    return operation, os.path.expanduser(folder)


def _kind(block):
    kinds = {**{kind: kind for kind in KINDS}, "HNSW": "HNSW32"}
    method = block.get("index_method", "Flat")
    if method not in kinds:
        raise ISEError(f"IndexProcess.index_method is {', '.join(KINDS)}, not {method!r}")
    return kinds[method]


def _features(block, extractor, entries, progress):
    """Features and entries of what can be read, and how many could not."""
    policy = block.get("on_bad_image", "error")
    if policy not in ("error", "skip"):
        raise ISEError(f"IndexProcess.on_bad_image is error or skip, not {policy!r}")
    bad, digests = [], {}

    def read(path):
        digests[path] = file_digest(path)  # first: where the file is overwritten now, better no picture than another's
        return read_image(path)

    def unreadable(row, error):
        if policy == "error":
            raise error
        bad.append(row)

    paths = [entry["path"] for entry in entries]
    rows, parts = [], []
    for done, features in readable_features(extractor, progress(paths), unreadable, read):
        rows += done
        parts.append(features)
    if not rows:
        raise ISEError(f"none of {len(paths)} images can be read, the first is {shown(paths[0])}")
    return (np.concatenate(parts), [{**entries[row], "digest": digests[entries[row]["path"]]} for row in rows],
            len(bad))
