"""Bodies of the answers, for the interface's description."""
from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Appended", "Entry", "Error", "Health", "Match", "Matches", "Page", "Removed", "errors"]

#: Status -> when a route answers with it.
STATUSES = {
    400: "The request, or the image in it, is damaged or cut off.",
    401: "The token is missing or wrong.",
    403: "The gallery cannot be changed here: the server has no token.",
    404: "There is no such image, or its file is gone.",
    408: "The request did not arrive in time.",
    413: "The upload has too many bytes or pixels.",
    415: "The upload is no JPEG, PNG, WEBP or BMP image.",
    422: "A field is missing or out of range.",
    429: "Too many requests are waiting; Retry-After says when to come again.",
    500: "The server has failed; its log says more.",
    503: "No answer in time, too many connections, or the gallery cannot be changed now.",
}


class Error(BaseModel):
    """Whatever goes wrong: one sentence."""

    error: str


class Entry(BaseModel):
    """An image of the gallery, and whatever else its list says of it."""

    model_config = ConfigDict(extra="allow")

    id: int = Field(ge=0, description="never given to another image")
    name: str = Field(description="of its file")
    picture: str = Field(description="its address, below that of the service")
    pid: int | str | None = Field(None, description="identity, if known")
    camid: int | str | None = Field(None, description="camera, if known")


class Match(Entry):
    similarity: float = Field(ge=-1.01, le=1.01, description="cosine")


class Matches(BaseModel):
    matches: list[Match] = Field(description="best first")


class Page(BaseModel):
    images: int = Field(ge=0, description="of all pages")
    start: int
    entries: list[Entry]


class Health(BaseModel):
    status: str
    images: int
    cameras: list[str]
    index: str
    dimension: int
    model: str | None
    max_upload_mb: float


class Appended(BaseModel):
    id: int
    images: int


class Removed(BaseModel):
    removed: int
    images: int


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """``responses`` of a route for these statuses and those that any route may answer with."""
    return {status: {"model": Error, "description": STATUSES[status]} for status in sorted({*statuses, 500, 503})}
