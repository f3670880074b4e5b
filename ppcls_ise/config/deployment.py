"""Configs of deployment: PaddleClas's keys, a frozen dataclass a block."""
from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar

from ..errors import ISEError
from ..images.names import MARKET_PATTERN
from .fields import Is, Path, Positive, Whole, read_block
from .load import load_config

__all__ = ["Deployment", "IndexSettings", "ModelSettings", "SearchSettings", "ServingSettings", "read_deployment"]

Block = TypeVar("Block")

#: Keys of PaddleClas's deploy configs that mean nothing here and do no harm.
OTHERS = {"Global": ("det_inference_model_dir enable_benchmark enable_profile image_shape ir_optim label_list "
                     "labe_list max_det_results rec_nms_thresold threshold use_npu use_xpu").split(),
          "IndexProcess": ["binary_index", "hamming_radius"]}


@dataclasses.dataclass(frozen=True)
class ModelSettings:
    """Block ``Global``: an exported model, what runs it, and the images that it is given."""

    rec_inference_model_dir: Path | None = None  #: folder of the model
    infer_imgs: str | int | None = None  #: an image, or a folder of images
    batch_size: Whole = 1
    use_gpu: bool = False
    gpu_mem: Whole = 8000  #: MB
    enable_mkldnn: bool = True  #: oneDNN on the CPU
    cpu_num_threads: Whole = 2
    use_tensorrt: bool = False
    use_fp16: bool = False
    use_onnx: bool = False  #: inference.onnx in ONNX Runtime, on the CPU
    benchmark: bool = False  #: print times


@dataclasses.dataclass(frozen=True)
class IndexSettings:
    """Block ``IndexProcess``: a gallery, the images that go into it, and how it is searched."""

    index_dir: Path | None = None  #: folder of the gallery
    index_method: Literal["Flat", "IVF", "HNSW32", "SQ8", "HNSW"] = "Flat"  #: HNSW is PaddleClas's name of HNSW32
    index_operation: Literal["new", "append", "remove"] = "new"
    image_root: Path | None = None  #: folder of the images
    data_file: Path | None = None  #: list of images; None: every image below image_root
    delimiter: str = "\t"
    columns: Annotated[tuple[str, ...], Is("a list of names")] = ("path", "pid", "camid")
    pattern: str | None = MARKET_PATTERN  #: what names tell where there is no list; None: nothing
    on_bad_image: Literal["error", "skip"] = "error"
    dist_type: Annotated[Literal["IP", "L2"], Is("IP (L2 ranks unit features alike)")] = "IP"
    embedding_size: Whole | None = None  #: checked if it is there
    batch_size: Whole | None = None  #: None: that of Global
    return_k: Whole = 10
    score_thres: Annotated[float, Is("a cosine, -1 to 1")] = -1.0

    def __post_init__(self) -> None:
        if self.columns[:1] != ("path",):
            raise ISEError(f"columns begins with path, not {', '.join(self.columns) or 'nothing'}")


@dataclasses.dataclass(frozen=True)
class SearchSettings:
    """Block ``Search``: which images a search may find, and the files that it writes."""

    cameras: Annotated[tuple[int | str, ...], Is("a list, as [1,2] or ['door']")] | None = None  #: None: all
    other_cameras: bool = False  #: leave out images of the query's own camera
    json: Annotated[str, Is("a file to write")] | None = None
    picture: Annotated[str, Is("a file to write")] | None = None


@dataclasses.dataclass(frozen=True)
class ServingSettings:
    """Block ``Serving``: where the service listens, and what one request may cost."""

    host: Annotated[str, Is("a name or an address")] = "127.0.0.1"
    port: Annotated[int, Is("a whole number from 1 to 65535", lambda value: 0 < value < 65536)] = 8000
    max_upload_mb: Positive = 8.0
    max_megapixels: Positive = 20.0
    max_waiting: Whole = 64  #: requests with a body, at work or waiting
    upload_seconds: Positive = 10.0  #: for a request to arrive
    answer_seconds: Positive = 20.0  #: from there to the answer
    threads: Whole = 2

    @property
    def upload_bytes(self) -> int:
        """Bytes of an upload, less what multipart adds to it."""
        return int(self.max_upload_mb * 2**20)


@dataclasses.dataclass(frozen=True)
class Deployment:
    """A config of deployment; a block that it lacks is one of defaults."""

    model: ModelSettings = dataclasses.field(default_factory=ModelSettings)
    index: IndexSettings = dataclasses.field(default_factory=IndexSettings)
    search: SearchSettings = dataclasses.field(default_factory=SearchSettings)
    serving: ServingSettings = dataclasses.field(default_factory=ServingSettings)


def read_deployment(path: str | os.PathLike[str], overrides: Iterable[str] = ()) -> Deployment:
    """Read a config of deployment, as :func:`~.load.load_config` does.

    Raises:
        ISEError: if the file is missing or no yaml, has no block ``Global``, an unknown key in a block of ours or a
            value that its key cannot have, or if an override names no place in it.
    """
    config = load_config(path, overrides)
    if not isinstance(config.get("Global"), dict):
        raise ISEError(f"config {path} has no block Global")
    return Deployment(_read(ModelSettings, config, "Global"), _read(IndexSettings, config, "IndexProcess"),
                      _read(SearchSettings, config, "Search"), _read(ServingSettings, config, "Serving"))


def _read(kind: type[Block], config: dict[str, Any], name: str) -> Block:
    """A block, less what means nothing here."""
    block = config.get(name)
    if isinstance(block, dict):
        block = {key: value for key, value in block.items()
                 if key not in OTHERS.get(name, ())}
    return read_block(kind, block, name)
