__all__ = ["ISEError"]


class ISEError(ValueError):
    """A mistake in config, data or weights: the message names it and the way out, and the tools show only that."""
