"""A chat platform's webhook as a bare ASGI app, so that being posted to costs little but the work.

Every tap comes in here, and the platform waits for the answer.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.types import Receive, Scope, Send

Headers = Mapping[bytes, bytes]

REFUSED: Final = 403
TOO_LONG: Final = 413


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and perhaps some JSON."""

    status: int
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Takes a body of at most `most` bytes; `hear` is given it with the request's headers.

    A body that breaks off is heard as an empty one. Whom `knows` does not know by the headers is
    not read at all.
    """

    most: int
    hear: Callable[[bytes, Headers], Awaitable[Answer]]
    knows: Callable[[Headers], bool] = lambda _: True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        answer = await self._answer(dict(scope["headers"]), receive)
        headers = [(b"content-length", b"%d" % len(answer.body))]
        if answer.body:
            headers.append((b"content-type", b"application/json"))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, headers: Headers, receive: Receive) -> Answer:
        if not self.knows(headers):
            return Answer(REFUSED)
        body = await self._body(receive)
        return Answer(TOO_LONG) if body is None else await self.hear(body, headers)

    async def _body(self, receive: Receive) -> bytes | None:
        """The whole body; None when it is too long."""
        kept: bytes = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return b""
            kept += message.get("body", b"")
            if len(kept) > self.most:
                return None
            if not message.get("more_body", False):
                return kept
