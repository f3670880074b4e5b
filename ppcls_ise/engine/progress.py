from __future__ import annotations

import time

from ppcls.utils import logger

__all__ = ["Progress"]


class Progress:
    """A log line now and then with how far a long work is and when it will be done.

    Args:
        name: what is being done.
        unit: what is counted.
        seconds: between two lines; work shorter than that leaves none.
    """

    def __init__(self, name: str, unit: str = "images", seconds: float = 10.0):
        self.name, self.unit, self.seconds = name, unit, seconds
        self.started = self.reported = time.time()

    def __call__(self, done: int, total: int) -> None:
        """``done`` of ``total`` are done."""
        now = time.time()
        if now - self.reported >= self.seconds:
            self.reported = now
            eta = (now - self.started) / done * (total - done)
            logger.info(f"{self.name}: {done}/{total} {self.unit}, eta: {eta:.0f} s")
