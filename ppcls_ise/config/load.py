"""Where configs are found."""
from __future__ import annotations

import os
from pathlib import Path

__all__ = ["find_config", "shipped_configs"]


def shipped_configs() -> Path:
    """The folder of the configs that come with the package: in it when installed, beside it in a checkout."""
    installed = Path(__file__).resolve().parents[1] / "configs"
    return installed if installed.is_dir() else installed.parents[1] / "configs"


def find_config(name: str) -> str:
    """The file that ``-c`` names: a path, or else the name of a shipped config."""
    shipped = shipped_configs() / name
    return name if os.path.exists(name) or not shipped.is_file() else str(shipped)
