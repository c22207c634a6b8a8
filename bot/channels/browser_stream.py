"""The live side of the browser door: visits, their open streams, and sending on them.

Open pages are remembered in this process only, by a digest of their visit: the worker that sends
runs in the process that holds their streams.
"""

import asyncio
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any, Final, NewType

from bot.channels import Message, Plain, TryAgain
from bot.store import EffectId
from bot.text import unbroken

Visit = NewType("Visit", str)
"""SHA-256 of a visit's token, in hex. The token itself is only in the visitor's cookie."""


def new_token() -> str:
    """A visit's token: 32 random bytes."""
    return secrets.token_urlsafe(32)


def visit_by(token: str) -> Visit:
    """The visit of this token."""
    return Visit(hashlib.sha256(token.encode()).hexdigest())


def address_of(visit: Visit) -> bytes:
    """The address kept for a visit; it opens nothing by itself."""
    return json.dumps({"visit": visit}, separators=(",", ":")).encode()


def visit_of(address: bytes) -> Visit:
    """The visit in an address."""
    return Visit(json.loads(address)["visit"])


def render(message: Message) -> dict[str, Any]:
    """A message as the page reads it. The preview is left out: nothing rings here."""
    more: dict[str, Any] = {"alone": True} if message.alone else {}
    if message.calls:
        more["calls"] = [{"label": one.label, "url": one.url} for one in message.calls]
    return more | {
        "id": message.id,
        "text": message.text,
        "choices": [{"label": one.label, "data": one.data} for one in message.choices],
        "links": [{"label": one.label, "url": one.url, "app": one.app} for one in message.links],
        "lang": message.language,
    }


def _frame(event: str, data: str = "1") -> str:
    return f"event: {event}\ndata: {data}\n\n"


_READY: Final = _frame("ready")
_MOVED: Final = _frame("moved")
# A comment holds the connection open; the event lets the page notice when none comes.
_TICK: Final = ": keep\n" + _frame("tick")


class Live:
    """One open stream: frames on their way to the page, and what it has not acknowledged."""

    def __init__(self) -> None:
        self.opened = False
        self._frames: asyncio.Queue[str | None] = asyncio.Queue()
        self._waiting: dict[EffectId, asyncio.Future[bool]] = {}

    async def deliver(self, messages: Sequence[Message], within: float) -> int:
        """How many messages, from the first, the page acknowledged within these seconds."""
        acks = [self._offer(message) for message in messages]
        if acks:
            await asyncio.wait(acks, timeout=within)
        for message in messages:
            self._waiting.pop(message.id, None)
        return sum(1 for _ in takewhile(lambda ack: ack.done() and ack.result(), acks))

    def _offer(self, message: Message) -> asyncio.Future[bool]:
        ack: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[message.id] = ack
        self.put(message)
        return ack

    def put(self, message: Message) -> None:
        """Show a message; nobody waits until it is seen."""
        data = json.dumps(render(message), ensure_ascii=False, separators=(",", ":"))
        self._frames.put_nowait(_frame("message", unbroken(data)))

    def seen(self, ids: Sequence[EffectId]) -> None:
        """The page has shown these. Ids nobody waits for say nothing."""
        for id in ids:
            if id in self._waiting:
                _answer_ack(self._waiting[id], True)

    def end(self, last: str | None = None) -> None:
        """Say one last frame, end the stream, and stop waiting."""
        if last is not None:
            self._frames.put_nowait(last)
        self._frames.put_nowait(None)
        for ack in self._waiting.values():
            _answer_ack(ack, False)

    async def frames(self, keepalive: float) -> AsyncIterator[str]:
        """`ready`, then messages as they come, and a tick after so many seconds without one."""
        yield _READY
        while True:
            try:
                async with asyncio.timeout(keepalive):
                    frame = await self._frames.get()
            except TimeoutError:
                frame = _TICK
            if frame is None:
                return
            yield frame


def _answer_ack(ack: asyncio.Future[bool], seen: bool) -> None:
    if not ack.done():
        ack.set_result(seen)


class BrowserChannel(Plain):
    """Sends to the pages that are open in this process; a message nobody saw is held."""

    name = "browser"
    wakes = False

    def __init__(
        self, ack_within: float = 8.0, keepalive: float = 20.0, most: int = 2000,
        open_within: float = 10.0,
    ) -> None:  # fmt: skip
        self._ack_within = ack_within
        self._keepalive = keepalive
        self._most = most
        self._open_within = open_within
        self._live: dict[Visit, Live] = {}

    async def send(
        self, address: bytes, messages: Sequence[Message], way: bytes | None = None
    ) -> None:
        """Put messages on the visit's stream and wait until the page has shown them; TryAgain
        (held) when it is not open or does not say so. A repeated id is invisible there."""
        visit = visit_of(address)
        live = self._live.get(visit)
        if live is None:
            raise TryAgain
        sent = await live.deliver(messages, self._ack_within)
        if sent < len(messages):
            # The page connects anew by itself and opens again, which releases what is held.
            self.drop(visit, live)
            raise TryAgain(sent)

    def show(self, visit: Visit, messages: Sequence[Message]) -> None:
        """Put these on the visit's page, if it is open, past all that waits."""
        if live := self._live.get(visit):
            for message in messages:
                live.put(replace(message, id=EffectId(secrets.token_urlsafe(16))))

    def connect(self, visit: Visit) -> Live | None:
        """A new stream for this visit, in place of an older one; None when there are too many.

        It ends unless its page says soon that it is open (`opened`); of too many the oldest that
        did not say so makes room.
        """
        older = self._live.pop(visit, None)
        if older is not None:
            older.end(_MOVED)
        elif len(self._live) >= self._most and not self._make_room():
            return None
        live = self._live[visit] = Live()
        asyncio.get_running_loop().call_later(self._open_within, self._drop_unopened, visit, live)
        return live

    def _make_room(self) -> bool:
        idle = next((visit for visit, live in self._live.items() if not live.opened), None)
        if idle is not None:
            self.drop(idle)
        return idle is not None

    def _drop_unopened(self, visit: Visit, live: Live) -> None:
        if not live.opened:
            self.drop(visit, live)

    def opened(self, visit: Visit) -> None:
        """The visit's page said that it is open."""
        if visit in self._live:
            self._live[visit].opened = True

    def drop(self, visit: Visit, live: Live | None = None) -> None:
        """End the visit's stream, or only this one of its streams."""
        held = self._live.get(visit)
        if held is not None and live in {None, held}:
            del self._live[visit]
            held.end()

    def seen(self, visit: Visit, ids: Sequence[EffectId]) -> None:
        """The visit's page has shown these messages."""
        if visit in self._live:
            self._live[visit].seen(ids)

    def stream(self, live: Live) -> AsyncIterator[str]:
        """The frames of one stream."""
        return live.frames(self._keepalive)

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        for visit in list(self._live):
            self.drop(visit)
