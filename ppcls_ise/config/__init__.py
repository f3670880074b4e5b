"""Configs: yaml with bases and overrides, and what its blocks may hold; needs neither Paddle nor PaddleClas."""
from .load import load_config, plain_dicts, save_config, shipped_configs

__all__ = ["load_config", "plain_dicts", "save_config", "shipped_configs"]
