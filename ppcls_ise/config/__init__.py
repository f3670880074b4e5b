"""Configs: yaml with bases and overrides, and what its blocks may hold; needs neither Paddle nor PaddleClas."""
from .load import load_config, save_config, shipped_configs
from .plain import plain_dicts

__all__ = ["load_config", "plain_dicts", "save_config", "shipped_configs"]
