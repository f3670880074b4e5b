"""Configs: yaml with overrides, and what its blocks may hold; needs neither Paddle nor PaddleClas."""
