"""What the names of images say of identity and camera."""
from __future__ import annotations

import os
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ISEError
from .reading import shown

__all__ = ["MARKET_PATTERN", "camera_ids", "identify", "identity_numbers", "search_names"]

#: ``0002_c1s1_000451_03.jpg``: identity 2, camera 1. Also Duke's, CUHK03-NP's, VeRi's and PersonX's naming. Junk is
#: ``-1_c1s1_...``; a ``-`` after a letter or digit is a hyphen: ``id-1_c2.jpg`` is of identity 1.
MARKET_PATTERN = r"(?P<pid>(?:(?<![^\W_])-)?\d+)_c(?P<camid>\d+)"


def identify(names: list[str], pattern: str | None, called: str) -> dict[str, list[str | None]]:
    """What a pattern finds in names: searched in the file name and, where that does not match, in the whole path.

    Args:
        names: N paths.
        pattern: regular expression with the groups ``pid`` and/or ``camid``, or None.
        called: what errors call it.

    Returns:
        Group name -> its text in each of the N names; None for a group that took no part in the match.

    Raises:
        ISEError: if it is no regular expression, has other groups or none, or a name does not match.
    """
    if pattern is None:
        return {}
    groups, matches = search_names(names, pattern, called, everywhere=True)
    return {group: [match[group] for match in matches if match is not None] for group in groups}


def search_names(names: list[str], pattern: str, called: str, everywhere: bool
            ) -> tuple[list[str], list[re.Match[str] | None]]:
    """The groups of a pattern, and its match in each name; ``everywhere``: a name without one is an error."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ISEError(f"{called} is no regular expression: {error}") from error
    unknown = set(expression.groupindex) - {"pid", "camid"}
    if unknown or not expression.groupindex:
        raise ISEError(f"{called} needs the groups (?P<pid>...) and/or (?P<camid>...)"
                       + (f", not {', '.join(sorted(unknown))}" if unknown else ""))
    matches = [expression.search(os.path.basename(name)) or expression.search(name) for name in names]
    missed = [name for name, match in zip(names, matches) if match is None]
    if everywhere and missed:
        raise ISEError(f"{shown(missed[0])} does not match {called} ({len(missed)} of {len(names)} images do not); "
                       "repair it, or set it to null if the names say nothing")
    return list(expression.groupindex), matches


def identity_numbers(texts: list[Any], names: list[str], called: str) -> NDArray[np.int64]:
    """The identities that ``called`` finds in names, as numbers of 64 bits.

    Raises:
        ISEError: naming the image of the one that is none.
    """
    try:
        return np.array([int(text) for text in texts], np.int64)
    except OverflowError:
        wrong = next(i for i, text in enumerate(texts) if abs(int(text)) >= 2**63)
        raise ISEError(f"{shown(names[wrong])}: {called} finds the identity {texts[wrong]}, which has more than 64 bits"
                       ) from None
    except (TypeError, ValueError):
        wrong = next(i for i, text in enumerate(texts) if not re.fullmatch(r"-?\d+", text or ""))
        raise ISEError(f"{shown(names[wrong])}: {called} finds the identity {texts[wrong]!r}, which is no "
                       "integer") from None


def camera_ids(texts: list[Any]) -> tuple[NDArray[np.int64], tuple[str, ...] | None]:
    """Camera ids, and their names if they are no numbers."""
    if all(re.fullmatch(r"\d{1,18}", text or "") for text in texts):
        return np.array([int(text) for text in texts], np.int64), None
    names, camids = np.unique(np.array([text or "" for text in texts]), return_inverse=True)
    return camids.astype(np.int64), tuple(names.tolist())
