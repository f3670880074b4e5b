"""Protection below the routes: a request arrives whole, in time and within its size, or is answered with an error."""
from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from http import HTTPStatus

import h11
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..config.deployment import ServingSettings

__all__ = ["UploadGuard", "patient_protocol"]

MULTIPART = 64 * 1024  # bytes that headers and fields of a form may add to an upload
LINGER = 4  # times the limit: so much of an upload is thrown away, so that its client hears the answer


class UploadGuard:
    """ASGI middleware: takes the whole body of a request before the application sees any of it."""

    def __init__(self, app: ASGIApp, limits: ServingSettings):
        self.app, self.limits, self.waiting = app, limits, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        if self.waiting >= self.limits.max_waiting:
            await _answer(send, 429, "too many requests are waiting; come again in a second", [(b"retry-after", b"1")])
            return
        self.waiting += 1
        try:
            await self._guarded(scope, receive, send)
        finally:
            self.waiting -= 1

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = self.limits.upload_bytes + MULTIPART
        too_large = f"an upload has at most {self.limits.max_upload_mb:g} MB"
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if int(declared) > LINGER * limit:
            await _answer(send, 413, too_large)
            return
        try:
            body = await asyncio.wait_for(_read(receive, limit), self.limits.upload_seconds)
        except asyncio.TimeoutError:
            await _answer(send, 408, f"the request did not arrive within {self.limits.upload_seconds:g} seconds")
            return
        except ConnectionError:
            return  # nobody is there to be answered
        if body is None:
            await _answer(send, 413, too_large)
            return
        parts: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return parts.pop() if parts else await receive()

        await self.app(scope, replay, send)


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The body, or None where it is larger than the limit."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            parts.clear()
        else:
            parts.append(part)
        if size > LINGER * limit or not message.get("more_body"):
            return None if size > limit else b"".join(parts)


async def _answer(send: Send, status: int, message: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    body = json.dumps({"error": message}).encode()
    await send({"type": "http.response.start", "status": status, "headers": [
        (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), (b"connection", b"close"),
        *headers]})
    await send({"type": "http.response.body", "body": body})


async def _too_many(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await _answer(send, 503, "too many connections; come again in a second", [(b"retry-after", b"1")])


def patient_protocol(seconds: float, connections: int) -> type[H11Protocol]:
    """uvicorn's protocol, with patience for the head of a request, where uvicorn itself would wait for ever, and a
    bound on open connections that answers as the interface promises, where uvicorn's own answers in plain text."""

    class Protocol(H11Protocol):
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > connections:
                self.app = _too_many
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._watch()

        def _watch(self) -> None:
            """One timer from the first byte of a head (or the connection) to its end."""
            waiting = (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing()
            if waiting and self._timer is None:
                self._timer = self.loop.call_later(seconds, self._late)
            elif not waiting and self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _late(self) -> None:
            self._timer = None
            if (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing():
                self._refuse(408, f"the request did not arrive within {seconds:g} seconds")

        def send_400_response(self, msg: str) -> None:
            self._refuse(400, msg)

        def _refuse(self, status: int, message: str) -> None:
            # In the middle of a body the application has the word; it sees the connection end.
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                body = json.dumps({"error": message}).encode()
                head = [("content-type", "application/json"), ("content-length", str(len(body))),
                        ("connection", "close")]
                for event in (h11.Response(status_code=status, headers=head, reason=HTTPStatus(status).phrase),
                              h11.Data(data=body), h11.EndOfMessage()):
                    self.transport.write(self.conn.send(event))
            self.transport.close()

    return Protocol
