"""The lines that strangers hold: each says soon what it wants and takes its answer, or is ended.

uvicorn has a clock for a line on which nothing more is asked, and none for one on which nothing was
asked yet, whose request dribbles in, or that does not read. When there are too many, the one that
has owed a whole request longest makes room, so that idle lines keep nobody out.
"""

import asyncio
import resource
from typing import Any, ClassVar, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_LINES: Final = 1000
"""Connections at once, chat pages' streams among them."""
FILES: Final = 4096
"""Open files that are enough for so many connections, those to the platforms and the database."""


def allow_lines() -> None:
    """Let this process hold as many, as far as the machine lets it (a shell gives 1024)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if resource.RLIM_INFINITY != soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


class Caller(H11Protocol):
    """One connection."""

    most: ClassVar[int] = MOST_LINES
    asks_within: ClassVar[float] = 10.0
    """Seconds until the head of a request is here."""
    reads_within: ClassVar[float] = 30.0
    """Seconds until what was written is read, once there is more than the line takes."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.owes_since = self.loop.time()
        self._asks_by: asyncio.TimerHandle | None = None
        self._reads_by: asyncio.TimerHandle | None = None

    @property
    def owes(self) -> bool:
        """Whether a whole request is still to come, or the line is only waiting to be closed."""
        return self.conn.their_state is not h11.DONE or self.transport.is_closing()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it too
        """A line is there; of too many the one that owes longest ends."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            owing = [one for one in self.connections if isinstance(one, Caller) and one.owes]
            min(owing, key=lambda one: one.owes_since).end()
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """A line is gone."""
        _cancel(self._asks_by)
        _cancel(self._reads_by)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """What comes in; the clock runs from the first byte of a request to the end of its head."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._expect()
        else:
            _cancel(self._asks_by)
            self._asks_by = None

    def on_response_complete(self) -> None:
        """An answer is out: from now on the next request is owed."""
        self.owes_since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The other side does not read fast enough."""
        super().pause_writing()
        self._reads_by = self.loop.call_later(self.reads_within, self.end)

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        _cancel(self._reads_by)
        self._reads_by = None

    def timeout_keep_alive_handler(self) -> None:
        """Nothing more was asked; what the other side does not read is waited for no longer."""
        super().timeout_keep_alive_handler()
        if self._reads_by is None:
            self._reads_by = self.loop.call_later(self.reads_within, self.end)

    def end(self) -> None:
        """End the line now, whatever is on it."""
        self.transport.abort()

    def _expect(self) -> None:
        if self._asks_by is None:
            self._asks_by = self.loop.call_later(self.asks_within, self.end)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
