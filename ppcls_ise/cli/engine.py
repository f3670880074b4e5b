"""What the commands on PaddleClas's ``Engine`` share."""
from __future__ import annotations

import argparse
import os
import time
import traceback
from collections.abc import Callable
from typing import Any

from ..config import load_config, save_config
from ..errors import ISEError
from . import program, quiet

__all__ = ["make_parser", "prepared", "run_engine"]


def make_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """PaddleClas's own command line: ``-c``, ``-o`` and ``-p``."""
    parser = program.make_parser(name, description)
    program.add_config(parser)
    parser.add_argument("-p", "--profiler_options", metavar="KEY=VALUE;KEY=VALUE", help="of PaddleClas's profiler")
    return parser


def run_engine(options: argparse.Namespace, mode: str, action: Callable[[Any], object]) -> None:
    """Build the ``Engine`` that a config describes and call ``action`` with it.

    Args:
        options: of :func:`make_parser`.
        mode: ``train``, ``eval`` or ``export``.

    Raises:
        ISEError: for a config that cannot be built.
        HostError: if there is no PaddleClas with an engine.
    """
    given, config = prepared(options, mode)
    quiet.silence_flags()
    import paddle.distributed as dist

    config["profiler_options"] = options.profiler_options
    engine = _build(config, mode, options.config)
    if mode == "train" and dist.get_rank() == 0:
        save_config(given, engine.output_dir)
    action(engine)


def prepared(options: argparse.Namespace, mode: str) -> tuple[dict, dict]:
    """The config that ``-c`` and ``-o`` name, as given and completed; the set of its block ``Synthetic`` is drawn."""
    import ppcls_ise

    ppcls_ise.register()
    from ..engine import prepare_config

    given = load_config(options.config, options.override)
    config = prepare_config(given, mode)
    if mode == "train":
        _make_output_dir(config["Global"].get("output_dir"))
    if mode in ("train", "eval"):
        _draw_synthetic_set(config)
    return given, config


def _draw_synthetic_set(config: dict, patience: int = 600) -> None:
    """Make the set of a block ``Synthetic`` at ``Global.image_root`` on first use: rank 0 draws, the others wait."""
    block, root = config.get("Synthetic"), config["Global"].get("image_root")
    if not isinstance(block, dict) or not root or os.path.isdir(root):
        return
    import paddle.distributed as dist

    if dist.get_rank() == 0:
        from ..images.synthetic import make_synthetic

        print(f"[Synthetic] drawing the synthetic set into {root}", flush=True)
        try:
            make_synthetic(root, **block)
        except (TypeError, ValueError) as error:
            raise ISEError(f"Synthetic: {error}") from error
        except OSError as error:
            raise ISEError(f"Global.image_root {root}: the synthetic set cannot be drawn there: {error}") from error
    for _ in range(patience):
        if os.path.isdir(root):
            return
        time.sleep(1)
    raise ISEError(f"{root} did not appear within {patience} seconds; the first process should have made it")


def _make_output_dir(folder: str | None) -> None:
    """Make ``Global.output_dir``, before PaddleClas trips over one that cannot be made or written."""
    if folder is None:
        return
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise ISEError(f"Global.output_dir {folder} cannot be made: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ISEError(f"Global.output_dir {folder} cannot be written")


def _build(config: dict, mode: str, name: str) -> Any:
    """PaddleClas's Engine; what it trips over in a config becomes a message that names the config."""
    from ppcls.engine.engine import Engine

    try:
        return Engine(config, mode=mode)
    except ISEError:
        raise
    except (AssertionError, AttributeError, KeyError, NameError, TypeError, ValueError) as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise ISEError(f"PaddleClas cannot build what {name} describes: {type(error).__name__}: {error} "
                       f"(in {place.name}, {place.filename}:{place.lineno})") from error
