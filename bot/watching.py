"""How Sala is, for whoever watches: /healthz for everybody, /metrics for who has the token.

The public answer names the parts that fail, and nothing that was counted. Whoever asks often is
told what was looked at some seconds ago: nobody can keep the store busy by asking.
"""

import asyncio
import hmac
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Final, Protocol

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bot import metrics
from bot.store.backlog import Backlog

KEPT: Final = 5.0
"""Seconds for which what was looked at is told again."""
WITHIN: Final = 3.0
"""Seconds in which the store must have been written and read."""
QUEUE: Final = 60.0
"""An event that had no turn after so many seconds: nobody is being answered."""
OUTBOX: Final = 120.0
"""Likewise an effect that was due and is not carried out."""
PARTS: Final = ("worker", "store", "queue", "outbox", "line", "telegram", "ear", "jail")
"""All that an answer can name."""
_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


class Store(Protocol):
    """What is asked of the store."""

    async def prove_writable(self) -> None:
        """Write something that changes nothing."""
        ...

    async def backlog(self, channels: Sequence[str], now: datetime) -> Backlog:
        """What waits now."""
        ...


@dataclass(frozen=True, slots=True)
class State:
    """How Sala was at one moment. `failing`: people are not being answered, or not by this door.
    `weak`: they are, but less well. `backlog` is None when the store did not say."""

    failing: tuple[str, ...]
    weak: tuple[str, ...]
    backlog: Backlog | None
    ear: bool | None
    jail: bool | None


@dataclass(slots=True)
class Watch:
    """Looks at every part. `troubled` are the doors whose platform takes or gives nothing; `ear`
    and `jail` are None where there is none, or before it was needed."""

    store: Store
    channels: Sequence[str]
    works: Callable[[], bool]
    troubled: Callable[[], Sequence[str]]
    ear: Callable[[], bool | None]
    jail: Callable[[], bool | None]
    clock: Callable[[], datetime]
    kept: float = KEPT
    within: float = WITHIN
    _looking: "asyncio.Task[State] | None" = field(default=None)
    _until: float = 0.0

    async def state(self) -> State:
        """How Sala is, or was some seconds ago; all who ask meanwhile share one look."""
        now = asyncio.get_running_loop().time()
        if self._looking is None or (self._looking.done() and now >= self._until):
            self._until = now + self.kept
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(self._looking)

    async def _look(self) -> State:
        backlog = await self._backlog()
        ear, jail = self.ear(), self.jail()
        weak = [name for name, able in (("ear", ear), ("jail", jail)) if able is False]
        return State(tuple(self._failing(backlog)), tuple(weak), backlog, ear, jail)

    async def _backlog(self) -> Backlog | None:
        try:
            async with asyncio.timeout(self.within):
                await self.store.prove_writable()
                return await self.store.backlog(self.channels, self.clock())
        except Exception:  # whatever it is, the store cannot be used now
            return None

    def _failing(self, backlog: Backlog | None) -> Iterator[str]:
        if not self.works():
            yield "worker"
        if backlog is None:
            yield "store"
        elif backlog.event_seconds >= QUEUE:
            yield "queue"
        if backlog and backlog.effect_seconds >= OUTBOX:
            yield "outbox"
        yield from sorted({*self.troubled()} & {*PARTS})


def routes(watch: Watch, token: str = "") -> list[BaseRoute]:
    """/healthz, /healthz/alive, and with a token /metrics."""

    async def health(request: Request) -> JSONResponse:
        state = await watch.state()
        said: dict[str, object] = {"ok": not state.failing}
        said |= {"failing": state.failing} if state.failing else {}
        said |= {"weak": state.weak} if state.weak else {}
        if state.backlog and _knows(request, token):
            said |= asdict(state.backlog)
        return JSONResponse(said, 503 if state.failing else 200, _HEADERS)

    async def alive(request: Request) -> JSONResponse:
        return JSONResponse({"ok": True}, 200, _HEADERS)

    async def counted(request: Request) -> Response:
        if not _knows(request, token):
            return Response(status_code=401, headers=_HEADERS)
        state = await watch.state()
        return Response(metrics.told(gauges(watch, state)), 200, _HEADERS, _TEXT)

    made: list[BaseRoute] = [Route("/healthz", health), Route("/healthz/alive", alive)]
    return [*made, Route("/metrics", counted)] if token else made


def _knows(request: Request, token: str) -> bool:
    """Whether the request shows the token, compared in constant time."""
    shown = request.headers.get("authorization", "").encode("latin-1")
    return bool(token) and hmac.compare_digest(shown, b"Bearer " + token.encode())


def gauges(watch: Watch, state: State) -> Iterator[Metric]:
    """What is so now. Numbers of people's messages come in whole fives, as all of people's do."""
    yield _gauge("sala_ok", "Whether people are being answered", not state.failing)
    yield _gauge("sala_store_ok", "Whether the store can be written", state.backlog is not None)
    for name, about, able in (
        ("sala_ear_loaded", "Whether the ear hears meaning, not letters alone", state.ear),
        ("sala_jail_able", "Whether the jail worked when needed last", state.jail),
    ):
        if able is not None:
            yield _gauge(name, about, able)
    troubled = GaugeMetricFamily(
        "sala_door_troubled", "Its platform takes nothing", labels=["door"]
    )
    for door in watch.channels:
        troubled.add_metric([metrics.door_of(door)], door in watch.troubled())
    yield troubled
    yield from _waiting(state.backlog) if state.backlog else ()


def _waiting(backlog: Backlog) -> Iterator[Metric]:
    about = "Seconds that the oldest event without its turn waits"
    yield _gauge("sala_queue_seconds", about, metrics.in_steps(backlog.event_seconds))
    about = "Seconds since the oldest effect was due that is not carried out"
    yield _gauge("sala_outbox_seconds", about, metrics.in_steps(backlog.effect_seconds))
    about = "Conversations with an effect that is due"
    yield _gauge("sala_outbox_due", about, metrics.in_steps(backlog.due))
    yield _gauge("sala_parked", "Events set aside, which nobody answers", backlog.parked)


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value)
