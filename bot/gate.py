"""The gate before all doors: only our own host names, nobody may take for ever to say a thing, and
no more are inside than can be served. Whoever finds it full is answered all the same (`full`).

A page of another site whose name was turned to this machine's address (DNS rebinding) comes with
that site's name as the host.
"""

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
PATIENCE: Final = 15.0
"""Seconds in which a whole body must be here."""
MOST_INSIDE: Final = 900
"""Requests at once, chat pages' streams among them; below the lines there may be (callers.py)."""
MOST_HEAD: Final = 16_384
"""Bytes of a request's head. (The server's own limit overlooks one that comes in one piece.)"""
ANY_HOST: Final = frozenset({"/healthz", "/healthz/alive", "/metrics"})
"""Asked by whoever watches this machine, under whatever name."""


async def _busy(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse({"error": "busy"}, 503, {"Retry-After": "5"})(scope, receive, send)


class Gate:
    """Requests for other hosts end here; a body that takes too long breaks off. When there are too
    many the oldest unfinished body breaks off; where there is none, `full` answers.

    What is posted most, to the paths of `ahead`, goes past the router.
    """

    def __init__(
        self,
        app: ASGIApp,
        public_url: str,
        patience: float = PATIENCE,
        ahead: Mapping[str, ASGIApp] = MappingProxyType({}),
        full: ASGIApp = _busy,
        most: int = MOST_INSIDE,
    ) -> None:  # fmt: skip
        self.app = app
        self.ahead = ahead
        self.patience = patience
        self.full = full
        self.most = most
        self.inside = 0
        self._coming: dict[_Body, None] = {}
        own = urlsplit(public_url).hostname or ""
        self.hosts = LOOPBACK if own in LOOPBACK else frozenset({own})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 421, 400 or 503."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.inside += 1
        try:
            await self._enter(scope, receive, send)
        finally:
            self.inside -= 1

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        if scope["path"] not in ANY_HOST and _host(headers.get(b"host", b"")) not in self.hosts:
            await JSONResponse({"error": "other_host"}, 421)(scope, receive, send)
            return
        sized = headers.get(b"content-length")
        if wrong := _wrong(scope, headers):
            closing = {"Connection": "close"}
            await JSONResponse({"error": wrong}, 400, closing)(scope, receive, send)
            return
        app = self._way(scope)
        if sized in {None, b"0"} and b"transfer-encoding" not in headers:
            await app(scope, receive, send)
            return
        body = _Body(receive, self.patience)
        self._coming[body] = None
        try:
            await app(scope, body.receive, body.closing(send))
        finally:
            del self._coming[body]

    def _way(self, scope: Scope) -> ASGIApp:
        """Where a request goes; out again when it is full and nobody can make room."""
        if self.inside > self.most and not self._make_room():
            return self.full
        posted = self.ahead.get(scope["path"]) if scope["method"] == "POST" else None
        return posted or self.app

    def _make_room(self) -> bool:
        slowest = next((body for body in self._coming if body.comes), None)
        if slowest:
            slowest.break_off()
        return slowest is not None


class _Body:
    """A request's body, which must be here in time; after one that was not, the line is closed."""

    def __init__(self, receive: Receive, patience: float) -> None:
        self._receive = receive
        self._until = asyncio.get_running_loop().time() + patience
        self._waits: asyncio.Timeout | None = None
        self._whole = False

    @property
    def comes(self) -> bool:
        """Whether it is being waited for."""
        return self._waits is not None

    def break_off(self) -> None:
        """Wait for it no longer."""
        self._until = asyncio.get_running_loop().time()
        if self._waits:
            self._waits.reschedule(self._until)
            self._waits = None

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until) as self._waits:
                message = await self._receive()
        except TimeoutError:
            return {"type": "http.disconnect"}
        finally:
            self._waits = None
        self._whole = message["type"] == "http.request" and not message.get("more_body", False)
        return message

    def closing(self, send: Send) -> Send:
        """Send, and close the line when the body has not all been read by then."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and not self._whole:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        return sending


def _wrong(scope: Scope, headers: Mapping[bytes, bytes]) -> str | None:
    """What is wrong with a request's head."""
    if b"content-length" in headers and b"transfer-encoding" in headers:
        # One of them is a lie; whoever stands in front may have believed the other.
        return "two_lengths"
    size = len(scope["path"]) + len(scope["query_string"])
    size += sum(len(name) + len(value) for name, value in scope["headers"])
    return "head" if size > MOST_HEAD else None


@lru_cache(256)
def _host(shown: bytes) -> str:
    try:
        return urlsplit(f"//{shown.decode('latin-1')}").hostname or ""
    except ValueError:
        return ""
