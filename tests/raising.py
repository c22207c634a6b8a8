"""A Sala below lists above it, driven by hand: what is planned goes up when the test says so."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from bot.cases.eligibility import List
from bot.cases.hashes import Hash, Item
from bot.conversation.codec import decode_inbound
from bot.conversation.model import News
from bot.exchange.upward import Connector
from bot.outbox import Outbox
from bot.passing import Passing, try_out
from bot.store import Arrival, ConversationId, Registered, Ticket, Turn
from bot.store.sqlite import SqliteStore
from bot.vault import Vault
from tests.exchange_house import NOON

ANN = ConversationId(b"a" * 16)
A, B, C = (letter * 64 for letter in "abc")


@dataclass
class Below:
    """The store, the outbox that passes on, and a clock that the test turns."""

    folder: Path
    connectors: tuple[Connector, ...]
    vault: Vault = field(default_factory=Vault.generate)
    now: datetime = NOON
    tickets: int = 0
    beside: list[object] = field(default_factory=list)
    """Clocks that go with this one (`.now`)."""
    store: SqliteStore = field(init=False)
    passing: Passing = field(init=False)
    outbox: Outbox = field(init=False)

    def open(self) -> None:
        self.store = SqliteStore.open(self.folder / "below.db", self.vault, lambda: self.now)
        self.passing = Passing(self.store, self.connectors, lambda: self.now)
        self.outbox = Outbox(
            self.store, self.store, None, {}, lambda: self.now, lambda: None,
            passing=self.passing,
        )  # fmt: skip

    async def close(self) -> None:
        await self.passing.close()
        await self.store.close()

    async def begins(self) -> None:
        """Ann has a conversation; every service is tried."""
        await self.store.receive(Arrival("line", "1", ANN, b"{}", b"{}", self.now))
        (claimed,) = await self.store.claim(["line"], self.now, 1)
        await self.store.commit(claimed, Turn(b"{}"))
        await self.tries()

    async def tries(self) -> None:
        for one in self.connectors:
            assert await try_out(self.passing, one, 0, 1) is None
        self.wait(minutes=1)

    def wait(self, **passed: float) -> None:
        self.now += timedelta(**passed)
        for clock in self.beside:
            clock.now = self.now

    async def registers(
        self, *values: str, list: List = "adults", told: datetime | None = None,
        one_picture: bool = False,
    ) -> Registered:  # fmt: skip
        self.tickets += 1
        issued = told or self.now
        ticket = Ticket(bytes([self.tickets]) * 16, ANN, list, issued + timedelta(hours=1))
        await self.store.issue(ticket)
        hashes = [Hash("pdq", "512", value, 90) for value in values]
        items = (
            [Item("image", tuple(hashes))]
            if one_picture
            else [Item("image", (one,)) for one in hashes]
        )
        case = await self.store.register(ticket.digest, items, self.now)
        await self.store.follow(case.number, ANN, True)
        return case

    async def passes(self) -> None:
        """What a minute of the worker does: plan, and carry all that is due."""
        for one in await self.passing.served():
            await self.store.plan_raising(one.name, self.now)
        while await self.outbox.start():
            await self.outbox.finish()

    async def hears(self) -> None:
        for one in self.connectors:
            await self.passing.hear(one)

    async def waiting(self) -> int:
        states = [await self.store.service_state(one.name) for one in self.connectors]
        return sum(state.waiting for state in states if state)

    async def told(self, case: Registered) -> dict[str, str]:
        standing = await self.store.standing(case.number)
        return {one.partner: one.outcome for one in standing.told} if standing else {}

    async def news(self) -> int:
        claims = await self.store.claim(["line"], self.now, 9)
        events = [decode_inbound(one.body) for claim in claims for one in claim.waiting]
        return sum(isinstance(one, News) for one in events)


def play(folder: Path, story: Callable[[Below], Awaitable[None]], *services: Connector) -> None:
    """Tell a story below these services, each of which was tried."""

    async def told() -> None:
        below = Below(folder, services)
        below.open()
        try:
            await below.begins()
            await story(below)
        finally:
            with suppress(Exception):
                await below.close()

    asyncio.run(told())
