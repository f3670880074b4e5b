"""A file in place of another, whole or not at all."""
from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from collections.abc import Iterator

__all__ = ["replacing"]

#: Seconds after which a file that nobody has completed is what a kill left behind.
ABANDONED = 3600.0


@contextlib.contextmanager
def replacing(path: str, durable: bool = False) -> Iterator[str]:
    """Write a file beside ``path``, which takes its place when the block ends: a reader, or a kill, sees either, whole.

    Args:
        path: a file that may or may not be there; its folder is.
        durable: whether the new file is on the disk itself before it takes the place, so that a power cut cannot leave
            less than either.

    Yields:
        The path to write to, ``PATH.<8 random digits>.new``: writers never share one, and what a kill leaves behind
        is known by its name, and removed by the next writer after an hour. The writer opens it, so its permissions are
        those of any new file. Where the block raises, it is removed and ``path`` is as it was.

    Example:
        >>> with replacing("config.yaml") as new, open(new, "w") as file:  # doctest: +SKIP
        ...     file.write(text)
    """
    _remove_abandoned(path)
    new = f"{path}.{secrets.token_hex(4)}.new"
    try:
        yield new
        if durable:
            with open(new, "rb") as file:
                os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException:  # an interruption from the keyboard, too
        with contextlib.suppress(OSError):
            os.remove(new)
        raise


def _remove_abandoned(path: str) -> None:
    """What killed writers of this file left behind, so that it does not pile up."""
    folder, name = os.path.split(path)
    pattern = re.compile(re.escape(name) + r"\.[0-9a-f]{8}\.new")
    for other in os.listdir(folder or "."):
        if pattern.fullmatch(other):
            with contextlib.suppress(OSError):  # another process was faster
                if time.time() - os.path.getmtime(os.path.join(folder, other)) > ABANDONED:
                    os.remove(os.path.join(folder, other))
