"""Reading and keeping configs."""
from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from ..errors import ISEError
from ..files import replacing
from .bases import check_words, read_with_bases
from .keys import nearest
from .overrides import apply_override
from .plain import plain_dicts
from .sizes import complete_sizes

__all__ = ["load_config", "save_config", "shipped_configs", "write_yaml"]


def load_config(path: str | os.PathLike[str], overrides: Iterable[str] = ()) -> dict[str, Any]:
    """Read a config: the file, the files that its ``_base_`` names, then ``key.sub=value`` overrides.

    A value is yaml's, a Python literal, or else a string. (PaddleClas evaluates it: ``protocol=all`` becomes a
    function.) A ``ResizeImage`` that names no size gets that of ``Global.image_shape``.

    Args:
        path: of a yaml file; ``ISE_R50.yaml`` and ``configs/ISE_R50.yaml`` are the shipped config where there is no
            such file. So are files that ``_base_`` names, relative to the file that names them.
        overrides: as :func:`apply_override` has them, in turn.

    Returns:
        The flat and complete config: plain dicts and lists, nothing in it twice.

    Raises:
        ISEError: naming the file, if one is missing or no yaml; for an override that names no place in it; naming the
            key, for a value that is neither block, list, text nor number.
    """
    config = read_with_bases(_existing(os.fspath(path), "", "config {} does not exist"), _base_file)
    for override in overrides:
        apply_override(config, override)
    check_words(config)
    config = plain_dicts(config)
    complete_sizes(config)
    return config


def save_config(config: dict[str, Any], folder: str) -> str:
    """Keep the config of a run, overrides included, in its output folder: what evaluates, exports or looks at the run
    needs to name nothing else.

    ``Global.checkpoints`` is left out: where a resumed run was taken up again is no part of what it is.

    Args:
        config: of :func:`load_config`; ``load_config`` of the file gives it again.
        folder: made where it is missing.

    Returns:
        The path of ``config.yaml`` in it.
    """
    config = plain_dicts(config)
    config["Global"]["checkpoints"] = None
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "config.yaml")
    write_yaml(config, path, "The config of this run, with its overrides.")
    return path


def write_yaml(config: dict[str, Any], path: str, comment: str) -> None:
    """Write a config as one flat file, with a comment as its first line; an existing file is replaced as a whole."""
    with replacing(path) as new, open(new, "w", encoding="utf-8") as file:
        file.write(f"# {comment}\n")
        yaml.safe_dump(plain_dicts(config), file, sort_keys=False, allow_unicode=True)


def shipped_configs() -> Path:
    """The folder of the configs that come with the package: in the package itself, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def _base_file(name: str, naming: str) -> str:
    return _existing(name, os.path.dirname(naming), "config {}, a _base_, does not exist", naming)


def _existing(name: str, folder: str, missing: str, naming: str | None = None) -> str:
    """``name`` below ``folder`` or, where it is a bare name or one in ``configs/`` or ``_base_/``, the shipped file.

    A file ``naming`` that names itself means the shipped one, if there is another of its name.
    """
    path = os.path.join(folder, os.path.expanduser(name))
    found = [path] if os.path.isfile(path) else []
    inside = name.removeprefix("configs/")
    if os.path.dirname(inside) in ("", "_base_"):
        shipped = shipped_configs() / inside
        found += [str(shipped)] if shipped.is_file() else []
    if found:
        return next((one for one in found if naming is None or not os.path.samefile(one, naming)), found[0])
    if os.path.isdir(path):
        raise ISEError(f"config {path} is a folder, not a yaml file")
    names = sorted(file.name for file in shipped_configs().glob("*.yaml"))
    near = nearest(os.path.basename(name), names, 0.75)
    raise ISEError(missing.format(path) + (f"; did you mean {near}?" if near else
                                           f"; shipped are {', '.join(names)}" if names else ""))
