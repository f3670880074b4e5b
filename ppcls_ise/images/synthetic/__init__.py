"""A synthetic person re-ID set in Market-1501's layout, for demos and tests without a download.

`make_synthetic` writes small surveillance-like crops of drawn persons seen by several cameras. The persons are in
`synthetic_figure`; here are the cameras, the scenes and the files.
"""
import json
import math
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from .figure import Placement, Pose, SyntheticConfig, draw_person, sample_person

__all__ = ["SyntheticConfig", "SyntheticSet", "make_synthetic"]

GENERATOR_VERSION = 2  # part of the manifest: raise it with every change of the pixels
MANIFEST = "manifest.json"
TRAIN, QUERY, GALLERY = "bounding_box_train", "query", "bounding_box_test"
SUPERSAMPLING = 2
# Leading words of every random stream, so that no two kinds of draws can share one.
_PERSON, _CAMERA, _TRACK, _IMAGE, _PLAN = range(5)


class Shot(NamedTuple):
    """One image to be drawn. pid 0 is a distractor and -1 junk, as in Market-1501; `who` is the person drawn."""
    folder: str
    pid: int
    camera: int
    sequence: int
    frame: int
    box: int
    who: int

    @property
    def name(self) -> str:
        pid = "-1" if self.pid < 0 else f"{self.pid:04d}"
        return f"{pid}_c{self.camera}s{self.sequence}_{self.frame:06d}_{self.box:02d}.jpg"


@dataclass(frozen=True)
class Camera:
    """A fixed camera. Lengths are relative to the height of the image."""
    gains: np.ndarray        # [3] RGB
    gamma: float
    saturation: float
    haze: float              # grey veil, 0 .. 1
    blur: float              # standard deviation, pixels of a 128 pixel high image
    noise: float             # standard deviation, grey levels of 255
    quality: int             # JPEG
    yaw: float               # of people who walk towards the camera
    height: float            # of a person
    stretch: float           # of the boxes' width
    tilt: float
    roll: float
    offset: tuple[float, float]
    light: float             # horizontal gradient of the light, signed
    scene: np.ndarray        # RGB uint8 [H, many W, 3] at the drawing resolution


def _rng(*key: int) -> np.random.Generator:
    return np.random.default_rng([k + 1 for k in key])  # + 1: the junk pid is -1, a seed must not be negative


@dataclass(frozen=True)
class SyntheticSet:
    """What is drawn; the block ``Synthetic`` of a config.

    Attributes:
        identities: persons of the training folder, with pids 1 .. identities.
        test_identities: other persons, of the query and gallery folders, with the next pids.
        images_per_identity: training images of a person, or gallery images of a test person. Each person is seen by 2
            to 4 cameras.
        cameras: 2 .. 9, since Market's names have one digit for the camera.
        seed: any integer >= 0.
        height, width: size of an image in pixels.

    Raises:
        ValueError: a value is out of range.
    """

    identities: int = 128
    test_identities: int = 60
    images_per_identity: int = 12
    cameras: int = 6
    seed: int = 0
    height: int = 128
    width: int = 64

    def __post_init__(self) -> None:
        least = dict(identities=1, test_identities=1, images_per_identity=2, cameras=2, seed=0, height=32, width=16)
        for key, bound in least.items():
            if getattr(self, key) < bound:
                raise ValueError(f"{key} must be at least {bound}, but is {getattr(self, key)}")
        if self.cameras > 9:
            raise ValueError(f"cameras must be at most 9 (Market-1501 names have one digit), but is {self.cameras}")
        if self.identities + self.test_identities > 9999:
            raise ValueError("identities + test_identities must be at most 9999 (Market-1501 names have four digits)")


def make_synthetic(root: str | Path, config: SyntheticConfig | None = None,
                   progress: Callable[[Iterable], Iterable] | None = None, **sizes: int) -> dict:
    """Writes the synthetic set, or finds that it is there already.

    The images of `<root>/bounding_box_train`, `query` and `bounding_box_test` are named as Market-1501 names them. The
    same arguments give the same bytes on one machine. The set is written to a hidden folder beside `root` and renamed
    when complete, so `root` never holds half a set; nothing that exists is ever deleted or overwritten.

    Args:
        root: folder to create; an empty one is accepted.
        config: difficulty; None is the default `SyntheticConfig`.
        progress: wraps the iterable of shots, for instance `tqdm.tqdm`.
        sizes: of :class:`SyntheticSet`.

    Returns:
        The manifest: {"generator", "version", "parameters", "counts"}; `counts` maps a folder to its number of images.

    Raises:
        ValueError: an argument is out of range.
        FileExistsError: `root` holds anything but this very set.

    Example:
        >>> make_synthetic("dataset/synthetic")["counts"]["query"]  # doctest: +SKIP
    """
    config = config or SyntheticConfig()
    wanted = SyntheticSet(**sizes)
    sizes = asdict(wanted)
    if config.palette_size < 2:
        raise ValueError(f"palette_size must be at least 2, but is {config.palette_size}")
    shots = list(_plan(wanted.identities, wanted.test_identities, wanted.images_per_identity, wanted.cameras,
                       wanted.seed))
    counts = {folder: sum(shot.folder == folder for shot in shots) for folder in (TRAIN, QUERY, GALLERY)}
    manifest = {"generator": "ppcls_ise.images.synthetic", "version": GENERATOR_VERSION,
                "parameters": {**sizes, "config": asdict(config)}, "counts": counts}
    root = Path(root).expanduser().resolve()
    if _is_there(root, manifest):
        return manifest
    root.parent.mkdir(parents=True, exist_ok=True)
    partial = root.parent / f".{root.name}.partial-{uuid.uuid4().hex[:8]}"
    try:
        _write(partial, shots if progress is None else progress(shots), sizes, config)
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        _publish(partial, root, manifest)
    finally:
        shutil.rmtree(partial, ignore_errors=True)  # our own unfinished work only; gone already after a rename
    return manifest


def _is_there(root: Path, manifest: dict) -> bool:
    """Whether `root` is the complete set of this manifest. Raises FileExistsError if it is anything else but empty."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    way_out = "choose another root, or move it away yourself"
    path = root / MANIFEST
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        raise FileExistsError(f"{root} exists but has no readable {MANIFEST} of a synthetic set: {way_out}") from None
    if found != manifest:
        raise FileExistsError(f"{root} holds another data set ({_difference(found, manifest)}): {way_out}")
    for folder, count in manifest["counts"].items():
        images = len(list((root / folder).glob("*.jpg")))
        if images != count:
            raise FileExistsError(f"{root / folder} should hold {count} images but holds {images}: {way_out}")
    return True


def _difference(found: object, wanted: object, key: str = "manifest") -> str:
    """Names the first value in which two manifests differ."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for name in wanted:
            if found.get(name) != wanted[name]:
                return _difference(found.get(name), wanted[name], name)
    return f"its {key} is {found!r}, wanted {wanted!r}"


def _publish(partial: Path, root: Path, manifest: dict) -> None:
    try:
        os.rename(partial, root)  # atomic; fails if somebody else put anything there meanwhile
    except OSError:
        # Another process of the same launch may have made the same set: then all is well.
        if not _is_there(root, manifest):
            raise


def _plan(identities: int, test_identities: int, images_per_identity: int, cameras: int, seed: int) -> Iterator[Shot]:
    """Who is seen by which camera in which frame. A person passes each of its cameras once, as one track."""
    last = identities + test_identities
    for pid in range(1, last + 1):
        rng = _rng(seed, _PLAN, pid)
        seen = np.sort(rng.permutation(cameras)[:rng.integers(2, min(4, cameras) + 1)]) + 1
        seen = seen[:images_per_identity]
        for i, camera in enumerate(seen.tolist()):
            # Spread evenly; the first cameras take the remainder.
            count = images_per_identity // len(seen) + (i < images_per_identity % len(seen))
            sequence, frame = int(rng.integers(1, 4)), int(rng.integers(1, 90000))
            for k in range(count + (pid > identities)):
                folder = TRAIN if pid <= identities else (QUERY if k == 0 else GALLERY)
                yield Shot(folder, pid, camera, sequence, frame, int(folder != QUERY), pid)
                frame += int(rng.integers(20, 60))
    rng = _rng(seed, _PLAN, 0)
    extra = max(2, test_identities * images_per_identity // 8)
    for i in range(extra):  # passers-by and bad boxes that belong to nobody
        yield Shot(GALLERY, 0, int(rng.integers(1, cameras + 1)), 1, 100 * i + 1, 1, 10000 + i)
    for i in range(max(2, extra // 6)):  # poor boxes of test persons, which the protocol ignores
        who = int(rng.integers(identities + 1, last + 1))
        yield Shot(GALLERY, -1, int(rng.integers(1, cameras + 1)), 1, 100 * i + 1, 1, who)


def _write(folder: Path, shots: Iterable[Shot], sizes: dict[str, int], config: SyntheticConfig) -> None:
    for name in (TRAIN, QUERY, GALLERY):
        (folder / name).mkdir(parents=True)
    seed, shape = sizes["seed"], (sizes["height"], sizes["width"])
    cameras = {c: make_camera(_rng(seed, _CAMERA, c), shape, config) for c in range(1, sizes["cameras"] + 1)}
    for shot in shots:
        image = render(shot, cameras[shot.camera], seed, shape, config)
        bgr = np.ascontiguousarray(image[..., ::-1])
        ok, code = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, cameras[shot.camera].quality])
        if not ok:
            raise OSError(f"OpenCV could not encode {shot.name}")
        (folder / shot.folder / shot.name).write_bytes(code.tobytes())


def make_camera(rng: np.random.Generator, shape: tuple[int, int], config: SyntheticConfig) -> Camera:
    """Draws one camera with its scene; `shape` is (height, width) of its images in pixels."""
    cast, optics, view = config.camera_cast, config.camera_optics, config.camera_viewpoint
    temperature, tint = rng.uniform(-1, 1), rng.uniform(-1, 1)
    gains = np.exp(cast * (np.asarray([0.08, -0.006, -0.1]) * temperature + np.asarray([0.016, -0.032, 0.016]) * tint
                           + rng.uniform(-0.08, 0.08)))
    return Camera(
        gains=gains, gamma=math.exp(cast * rng.uniform(-0.145, 0.145)), saturation=1 - cast * rng.uniform(-0.07, 0.19),
        haze=cast * rng.uniform(0, 0.08), blur=optics * rng.uniform(0.2, 0.75), noise=optics * rng.uniform(1.5, 6.5),
        quality=int(np.clip(92 - optics * rng.uniform(0, 28), 20, 95)), yaw=rng.uniform(0, 2 * math.pi),
        height=0.92 + view * rng.uniform(-0.03, 0.02),
        stretch=1.16 + view * rng.uniform(-0.06, 0.06), tilt=view * rng.uniform(0, 0.17),
        roll=view * rng.uniform(-0.03, 0.03),
        offset=(view * rng.uniform(-0.02, 0.02), view * rng.uniform(-0.012, 0.012)),
        light=rng.uniform(-0.25, 0.25), scene=make_scene(rng, shape, config))


def make_scene(rng: np.random.Generator, shape: tuple[int, int], config: SyntheticConfig) -> np.ndarray:
    """A wall, a floor and clutter: RGB uint8 [2 height, 16 width, 3], from which the boxes cut their background."""
    h, w = SUPERSAMPLING * shape[0], 8 * SUPERSAMPLING * shape[1]
    wall = rng.uniform(70, 190, 3) * 0.4 + rng.uniform(70, 190) * 0.6
    floor = rng.uniform(60, 170) + rng.uniform(-14, 14, 3)
    horizon = int(h * rng.uniform(0.3, 0.75))
    scene = np.empty((h, w, 3), np.float32)
    scene[:horizon], scene[horizon:] = wall, floor
    for _ in range(14):  # windows, doors, posters, hedges on the wall
        x, y = int(rng.integers(0, w)), int(rng.integers(-h // 4, horizon))
        size = (int(h * rng.uniform(0.08, 0.35)), int(h * rng.uniform(0.15, 0.5)))
        colour = wall * rng.uniform(0.5, 1.4) if rng.random() < 0.6 else rng.uniform(30, 220, 3)
        corner = (x + size[0], min(horizon, y + size[1]))
        cv2.rectangle(scene, (x, y), corner, colour.tolist(), -1)
        cv2.rectangle(scene, (x, y), corner, (0.6 * colour).tolist(), 3)
    step, slant = int(h * rng.uniform(0.12, 0.3)), rng.uniform(-1.2, 1.2)
    line = (floor * rng.uniform(0.7, 1.25)).tolist()
    for x in range(-h, w + h, step):  # joints of the pavement
        cv2.line(scene, (x, horizon), (int(x + slant * (h - horizon)), h), line, 2)
    for y in np.geomspace(8, max(9, h - horizon), int(rng.integers(3, 6))).astype(int).tolist():
        cv2.line(scene, (0, horizon + y), (w, horizon + y), line, 2)
    for _ in range(int(rng.integers(2, 6))):  # poles and trunks
        x, colour = int(rng.integers(0, w)), rng.uniform(40, 130, 3).tolist()
        cv2.rectangle(scene, (x, 0), (x + int(h * rng.uniform(0.02, 0.06)), int(h * rng.uniform(0.6, 1))), colour, -1)
    for cells, strength in ((8, 16.0), (48, 9.0)):  # stains and grain
        grain = rng.normal(0, strength, (cells, cells * w // h, 1)).astype(np.float32)
        scene += cv2.resize(grain, (w, h), interpolation=cv2.INTER_LINEAR)[..., None]
    return np.clip(125 + 0.25 * config.background * (scene - 125), 0, 255).astype(np.uint8)


def render(shot: Shot, camera: Camera, seed: int, shape: tuple[int, int], config: SyntheticConfig) -> np.ndarray:
    """Draws one image: RGB uint8 [height, width, 3]. Depends on its arguments only, not on the order of the calls."""
    track = _rng(seed, _TRACK, shot.who, shot.camera, shot.pid < 1)
    rng = _rng(seed, _IMAGE, shot.pid, shot.camera, shot.frame)
    canvas = (SUPERSAMPLING * shape[0], SUPERSAMPLING * shape[1])
    bad = shot.pid < 1
    yaw = camera.yaw + math.pi * track.integers(0, 2) + config.view_variation * track.normal(0, 0.18)
    swing, start = config.pose_variation * track.uniform(0.1, 0.38), track.random()
    image = _background(camera.scene, canvas, start, rng)
    if not (shot.pid == 0 and rng.random() < 0.35):  # a part of the distractors is mere background
        if rng.random() < config.occlusion:
            _stranger(image, camera, rng, config)
        pose = Pose(yaw + config.view_variation * rng.normal(0, 0.06), rng.uniform(0, 2 * math.pi), swing,
                    track.uniform(0, 1.2))
        person = sample_person(_rng(seed, _PERSON, shot.who), config)
        jitter = config.box_jitter * (10.0 if bad else 1.0)
        _compose(image, draw_person(canvas, person, pose, _place(canvas, camera, rng, jitter)), camera, rng)
        if rng.random() < config.occlusion:
            _obstacle(image, rng)
    return _expose(image, camera, shape, rng, config)


def _background(scene: np.ndarray, canvas: tuple[int, int], start: float, rng: np.random.Generator) -> np.ndarray:
    # A track stays in one region of the scene: neighbouring frames share most of what is behind the person.
    room = scene.shape[1] - canvas[1]
    x = int(np.clip(start * room + rng.normal(0, 0.6) * canvas[1], 0, room))
    y = int(rng.integers(-8, 9) * canvas[0] // 256)
    return np.roll(scene[:, x:x + canvas[1]], y, axis=0) if y else scene[:, x:x + canvas[1]].copy()


def _place(canvas: tuple[int, int], camera: Camera, rng: np.random.Generator, jitter: float,
           aside: float = 0.0) -> Placement:
    h, w = canvas
    scale = h * camera.height * math.exp(jitter * rng.normal(0, 0.01))
    x = w / 2 + h * (camera.offset[0] - 0.5 * camera.roll + jitter * rng.normal(0, 0.005) + aside)
    y = h * (0.5 + camera.offset[1] + jitter * rng.normal(0, 0.005)) + scale / 2
    return Placement(x, y, scale, camera.tilt, camera.roll, camera.stretch)


def _compose(image: np.ndarray, figure: tuple[np.ndarray, np.ndarray], camera: Camera,
             rng: np.random.Generator) -> None:
    """Puts a figure on the image, lit from the camera's side and with folds in the clothes."""
    layer, mask = figure
    h, w = mask.shape
    few = rng.normal(1, 0.09, (12, 6)).astype(np.float32)
    folds: np.ndarray = cv2.resize(few, (w, h), interpolation=cv2.INTER_CUBIC)
    folds *= 1 + camera.light * np.linspace(-1, 1, w, dtype=np.float32)
    lit = np.clip(layer * folds[..., None], 0, 255).astype(np.uint8)
    np.copyto(image, lit, where=(mask > 0)[..., None])


def _stranger(image: np.ndarray, camera: Camera, rng: np.random.Generator, config: SyntheticConfig) -> None:
    """Another person half in the box, behind the one that the box is about."""
    person = sample_person(rng, config)
    place = _place(image.shape[:2], camera, rng, 1.0, aside=float(rng.choice([-1, 1]) * rng.uniform(0.18, 0.28)))
    pose = Pose(rng.uniform(0, 2 * math.pi), rng.uniform(0, 2 * math.pi), 0.4, 0.2)
    _compose(image, draw_person(image.shape[:2], person, pose, place), camera, rng)


def _obstacle(image: np.ndarray, rng: np.random.Generator) -> None:
    """A pole, or a car or bench before the legs."""
    h, w = image.shape[:2]
    colour = rng.uniform(60, 170) + rng.uniform(-20, 20, 3)
    if rng.random() < 0.5:
        x = int(rng.uniform(0.1, 0.8) * w)
        cv2.rectangle(image, (x, 0), (x + int(rng.uniform(0.08, 0.2) * w), h), colour.tolist(), -1)
    else:
        y = int(rng.uniform(0.65, 0.85) * h)
        cv2.rectangle(image, (0, y), (w, h), colour.tolist(), -1)
        cv2.rectangle(image, (0, y), (w, y + h // 32), (0.7 * colour).tolist(), -1)


def _expose(image: np.ndarray, camera: Camera, shape: tuple[int, int], rng: np.random.Generator,
            config: SyntheticConfig) -> np.ndarray:
    """What the camera makes of the scene: optics, sampling, colour and noise; RGB uint8 [height, width, 3]."""
    small = cv2.resize(image, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    sigma = camera.blur * shape[0] / 128
    if sigma > 0.05:
        small = cv2.GaussianBlur(small, (0, 0), sigma)
    values = small.astype(np.float32) / 255
    values = values ** camera.gamma * (camera.gains * math.exp(config.light_variation * rng.normal(0, 0.07)))
    grey = values.mean(axis=2, keepdims=True)
    values = grey + camera.saturation * (values - grey)
    values = values + camera.haze * (0.6 - values)
    values = 255 * values + rng.normal(0, 1, values.shape).astype(np.float32) * camera.noise
    return np.clip(values, 0, 255).astype(np.uint8)
