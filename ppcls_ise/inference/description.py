"""``inference.yml``: what an exported model wants to be fed with, and which files it describes.

It is written after the model and taken away before a new one is: a model beside which it is missing, or names other
files, is one whose export was interrupted.
"""
from __future__ import annotations

import os
from typing import Any

import yaml

from ..errors import ISEError
from ..files import replacing
from ..images.reading import file_digest

__all__ = ["check_file", "read_description", "write_description"]

NAME = "inference.yml"


def read_description(model_dir: str) -> dict[str, Any]:
    """``Global`` (may be empty) and ``PreProcess`` with ``transform_ops``.

    Raises:
        ISEError: if the file is missing or of no use.
    """
    path = os.path.join(model_dir, NAME)
    if not os.path.isfile(path):
        raise ISEError(f"{path} is missing; export the model with ise export, which writes it last")
    try:
        with open(path, encoding="utf-8") as file:
            description = yaml.safe_load(file)
        if not isinstance(description["PreProcess"]["transform_ops"], list):
            raise TypeError
        return {**description, "Global": dict(description.get("Global") or {})}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ISEError(f"{path} is no yaml: {error}") from error
    except (KeyError, TypeError, ValueError):
        raise ISEError(f"{path} has no PreProcess.transform_ops; ise export writes them") from None


def write_description(model_dir: str, description: dict[str, Any]) -> str:
    """Write it in place of the old one; a reader, or a kill, sees either, whole. Returns: its path."""
    path = os.path.join(model_dir, NAME)
    with replacing(path) as new, open(new, "w", encoding="utf-8") as file:
        yaml.safe_dump(description, file, sort_keys=False)
    return path


def check_file(path: str, digest: str | None) -> None:
    """Raises: ISEError: if a file of the model is not the one of ``digest``; an old description may have none."""
    if digest is not None and file_digest(path) != digest:
        raise ISEError(f"{path} is not the file that {NAME} beside it describes: an export was interrupted, or files "
                       "of two exports lie in one folder; export the model again")
