"""What goes wrong, said so that it can be put right: one kind of error, short lists in messages, errors as text."""
from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["ErrorText", "ISEError", "some"]


class ISEError(ValueError):
    """A mistake in config, data or weights: the message names it and the way out, and the tools show only that."""


class ErrorText(NamedTuple):
    """An exception as text, which can leave a thread or a process: not every exception can be pickled."""

    known: bool  #: whether it is an :class:`ISEError`
    text: str

    @classmethod
    def of(cls, error: Exception, details: str | None = None) -> ErrorText:
        """The text of an error; of an unknown one ``details``, by default its type and message."""
        known = isinstance(error, ISEError)
        return cls(known, str(error) if known else details or f"{type(error).__name__}: {error}")

    def rebuilt(self, place: str) -> Exception:
        """The error again; an unknown one as a RuntimeError that begins with where it happened."""
        return ISEError(self.text) if self.known else RuntimeError(place + self.text)


def some(items: Iterable[object], most: int = 5) -> str:
    """The first of a list, for a message: ``a, b, c and 4 more``; ``none`` of an empty one."""
    texts = [str(item) for item in items]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more or "none"
