"""The gate before all doors: only our own host names, and nobody may take for ever to say a thing.

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
ANY_HOST: Final = frozenset({"/healthz", "/healthz/alive", "/metrics"})
"""Asked by whoever watches this machine, under whatever name."""


class Gate:
    """Requests for other hosts end here; a body that takes too long breaks off.

    What is posted most, to the paths of `ahead`, goes past the router.
    """

    def __init__(
        self,
        app: ASGIApp,
        public_url: str,
        patience: float = PATIENCE,
        ahead: Mapping[str, ASGIApp] = MappingProxyType({}),
    ) -> None:
        self.app = app
        self.ahead = ahead
        self.patience = patience
        own = urlsplit(public_url).hostname or ""
        self.hosts = LOOPBACK if own in LOOPBACK else frozenset({own})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 421."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if scope["path"] not in ANY_HOST and _host(headers.get(b"host", b"")) not in self.hosts:
            await JSONResponse({"error": "other_host"}, 421)(scope, receive, send)
            return
        if headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers:
            body = _Body(receive, self.patience)
            receive, send = body.receive, body.closing(send)
        posted = self.ahead.get(scope["path"]) if scope["method"] == "POST" else None
        await (posted or self.app)(scope, receive, send)


class _Body:
    """A request's body, which must be here in time; after one that was not, the line is closed."""

    def __init__(self, receive: Receive, patience: float) -> None:
        self._receive = receive
        self._until = asyncio.get_running_loop().time() + patience
        self._whole = False

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            return {"type": "http.disconnect"}
        self._whole = message["type"] == "http.request" and not message.get("more_body", False)
        return message

    def closing(self, send: Send) -> Send:
        """Send, and close the line when the body has not all been read by then."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and not self._whole:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        return sending


@lru_cache(256)
def _host(shown: bytes) -> str:
    try:
        return urlsplit(f"//{shown.decode('latin-1')}").hostname or ""
    except ValueError:
        return ""
