"""Passes codes on to lists above Sala's own: what the outbox holds for a service goes up in one
request, and what was said there is asked for now and then.

What a service does not take stays in the outbox and is tried again, ever less often. Nothing of a
request or an answer is logged.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from aiohttp import ClientError

from bot.channels import TryAgain
from bot.channels.calls import Calls
from bot.channels.fetching import NotFetched
from bot.exchange.upward import LABEL, LIST_OF, Connector, Heard, Request
from bot.log import log, where
from bot.store import Bundle
from bot.store.upward import Raisable, channel_of
from bot.store.whole import WholeStore

WITHIN: Final = 60.0
MOST: Final = 20_000_000
"""Bytes of an answer."""
HEAR_EVERY: Final = timedelta(minutes=10)
MOST_PAGES: Final = 5_000
"""Pages of one look; the rest comes with the next."""


class NotPassed(Exception):
    """A service did not take what went up, or did not answer. The text is a status or a class."""


@dataclass(slots=True)
class Passing:
    """What goes up to the services that settings name, once each was tried."""

    store: WholeStore
    connectors: tuple[Connector, ...]
    clock: Callable[[], datetime]
    calls: Calls = field(default_factory=Calls)
    _heard: datetime | None = None
    _hearing: "asyncio.Task[None] | None" = None

    @property
    def channels(self) -> Mapping[str, Connector]:
        """Services by their name in the outbox."""
        return {channel_of(one.name): one for one in self.connectors}

    async def close(self) -> None:
        """Stop listening and close what is open."""
        if self._hearing:
            self._hearing.cancel()
            with suppress(asyncio.CancelledError):
                await self._hearing
        await self.calls.close()

    async def served(self) -> list[Connector]:
        """Those that were tried at the address that is set."""
        found = []
        for one in self.connectors:
            service = await self.store.service(one.name)
            if service and service.address == one.address:
                found.append(one)
        return found

    async def look(self) -> None:
        """Plan what changed; begin to ask for answers when it is time, beside everything else."""
        now, served = self.clock(), await self.served()
        for one in served:
            await self.store.plan_raising(one.name, now)
        idle = self._hearing is None or self._hearing.done()
        if served and idle and (self._heard is None or now - self._heard >= HEAR_EVERY):
            self._heard = now
            self._hearing = asyncio.create_task(self._hear_all(served))

    async def _hear_all(self, served: list[Connector]) -> None:
        for one in served:
            try:
                await self.hear(one)
            except Exception as error:  # it is asked again in ten minutes
                log("effect_failed", channel=channel_of(one.name), **where(error))

    async def carry(self, bundle: Bundle) -> None:
        """Bring these codes at the service to what they are here now. NotPassed, TryAgain."""
        connector = self.channels[bundle.channel]
        if connector not in await self.served():
            raise NotPassed("untried")
        hashes = [bytes.fromhex(one.body.decode()) for one in bundle.effects]
        await self.raises(connector, await self.store.raisable(connector.name, hashes))

    async def raises(self, connector: Connector, codes: list[Raisable]) -> None:
        """Send them up, and keep that the service took them."""
        for request in connector.raises(codes, self.clock()) if codes else ():
            await self.ask(request)
        await self.store.has_raised(connector.name, codes)

    async def hear(self, connector: Connector) -> None:
        """All that changed there since the last look."""
        service = await self.store.service(connector.name)
        checkpoint, next = service.checkpoint if service else "", None
        for _ in range(MOST_PAGES if service else 0):
            heard = await self.page(connector, checkpoint, next)
            words = [(one.signal, one.value, one.source, one.feedback) for one in heard.words]
            label, seen = LABEL[connector.name], sorted(heard.seen)
            await self.store.heard_above(connector.name, label, seen, words, self.clock())
            next = heard.next
            if next is None:
                await self.store.heard_until(connector.name, heard.checkpoint)
                return

    async def page(self, connector: Connector, checkpoint: str, next: str | None) -> Heard:
        """One page of what changed. NotPassed, TryAgain, BadAnswer."""
        now = self.clock()
        body = await self.ask(connector.look(checkpoint, next, now))
        return connector.read(body, checkpoint, now)

    async def ask(self, request: Request) -> bytes:
        """The answer's body. TryAgain when the service says when, NotPassed for anything else."""
        try:
            answer = await self.calls.ask(
                request.url, request.headers, request.body, within=WITHIN, most=MOST
            )
        except (ClientError, OSError, TimeoutError, NotFetched) as error:
            raise NotPassed(type(error).__name__) from None
        if answer.status in {429, 503} and (at := _again_at(answer.retry_after, self.clock())):
            raise TryAgain(again_at=at)
        if not 200 <= answer.status < 300:
            raise NotPassed(str(answer.status))
        return answer.body


async def try_out(passing: Passing, connector: Connector, pause: float, looks: int) -> str | None:
    """Whether the service takes an invented code that matches nothing, shows it, and lets it go:
    None, and it is served from now on; else what did not come about. The code is taken back."""
    vault, now = passing.store.vault, passing.clock()
    code = Raisable(vault.randoms(16), "ImagePDQ", vault.randoms(32).hex(), False, 0,
                    vault.randoms(16).hex())  # fmt: skip
    checkpoint, own = connector.first(now), ""
    for one in (code, replace(code, gone=True)):
        for request in connector.raises([one], passing.clock()):
            await passing.ask(request)
        heard = await _shown(passing, connector, one, checkpoint, pause, looks)
        if heard is None:
            word = "let the code go" if one.gone else "took the code"
            return f"It {word}, but does not show it so."
        own = next((word.source for word in heard.words if word.value == one.value), own)
    name = connector.name
    await passing.store.serve(
        name, LABEL[name], LIST_OF[name], connector.address, checkpoint, own, passing.clock()
    )
    return None


async def _shown(
    passing: Passing, connector: Connector, code: Raisable, checkpoint: str, pause: float,
    looks: int,
) -> Heard | None:  # fmt: skip
    """The page on which the service shows the code as it is now."""
    for turn in range(looks):
        await asyncio.sleep(pause if turn else 0)
        next, key = None, connector.key(code)
        for _ in range(MOST_PAGES):
            heard = await passing.page(connector, checkpoint, next)
            if key in (heard.gone if code.gone else heard.active):
                return heard
            next = heard.next
            if next is None:
                break
    return None


def _again_at(retry_after: str | None, now: datetime) -> datetime | None:
    """The time a `Retry-After` names, at most a day from now."""
    if not retry_after:
        return None
    try:
        if retry_after.isdecimal():
            at = now + timedelta(seconds=min(int(retry_after), 86_400))
        else:
            at = parsedate_to_datetime(retry_after).astimezone(UTC)
    except ValueError:
        return None
    return min(max(at, now), now + timedelta(days=1))
