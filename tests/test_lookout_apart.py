"""Doors beside each other on one PostgreSQL database, and workers elsewhere: who shows the card."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from bot.channels import Message
from bot.channels.lookout import Guest, Lookout
from bot.conversation.codec import encode_inbound, encode_state
from bot.conversation.model import LANGUAGES, Opened, State, Typed
from bot.store import Arrival, EffectId, Turn
from bot.store.lateness import Wait
from bot.store.postgres import PostgresStore
from tests import databases
from tests.turns_kept import ANN, NOW, VAULT, effect

FREE = "update conversation set held_by = null"
CARDS = {one: Message(EffectId(one), f"card {one}", "preview", language=one) for one in LANGUAGES}


class Apart:
    """Two doors without a worker, and a worker; `now` moves by hand."""

    def __init__(self, address: str) -> None:
        self.now = NOW
        self.shown: list[str] = []
        open = PostgresStore.open
        self.worker = open(address, VAULT, lambda: self.now, here=())
        self.stores = [open(address, VAULT, lambda: self.now, here=("browser",)) for _ in range(2)]
        self.doors = [
            Lookout(store, CARDS, lambda: self.now, 15, alone=False) for store in self.stores
        ]

    def show(self, messages: Sequence[Message]) -> None:
        self.shown += [one.text for one in messages]

    async def says(self, door: int, id: str, event: Opened | Typed) -> None:
        arrival = Arrival("line", id, ANN, b"ann", encode_inbound(event), self.now)
        assert await self.stores[door].receive(arrival)
        self.doors[door].waits(Guest(Wait("line", ANN, id), self.now, self.show))

    async def later(self, seconds: float = 15) -> None:
        self.now += timedelta(seconds=seconds)
        await asyncio.gather(*(one.look() for one in self.doors))

    async def turns(self, state: State, *effects: str) -> None:
        [claim] = await self.worker.claim(["line"], self.now, 10)
        planned = tuple(effect(one, self.now) for one in effects)
        assert await self.worker.commit(claim, Turn(encode_state(state), planned))

    async def close(self) -> None:
        for one in (self.worker, *self.stores):
            await one.close()


@asynccontextmanager
async def opened(address: str) -> AsyncIterator[Apart]:
    apart = Apart(address)
    try:
        yield apart
    finally:
        await apart.close()


def play(address: str, story: Callable[[Apart], Awaitable[None]]) -> None:
    async def told() -> None:
        async with opened(address) as apart:
            await story(apart)

    asyncio.run(told())


def hello() -> Typed:
    return Typed(NOW, "hello")


def test_who_wrote_by_two_doors_and_waits_is_shown_the_card_by_one(database: str) -> None:
    async def story(apart: Apart) -> None:
        await apart.says(0, "1", Opened(NOW, "es"))
        await apart.says(1, "2", hello())
        await apart.later()
        assert apart.shown == ["card es"]
        await apart.says(0, "3", hello())
        await apart.later()
        assert apart.shown == ["card es"], "not twice within a minute"
        for door in (1, 0):
            await apart.says(door, f"much later {door}", hello())
        await apart.later(120)
        assert apart.shown == ["card es"] * 2

    play(database, story)


def test_whom_another_process_answered_is_shown_nothing(database: str) -> None:
    async def story(apart: Apart) -> None:
        await apart.says(0, "1", hello())
        await apart.turns(State(language="en"), "hello")
        await apart.worker.settle(ANN, [EffectId("hello")])
        await apart.later()
        assert apart.shown == []

    play(database, story)


def test_an_answer_that_a_living_worker_has_in_hand_is_waited_for_and_a_dead_ones_is_not(
    database: str,
) -> None:
    async def story(apart: Apart) -> None:
        await apart.says(0, "1", hello())
        await apart.turns(State(language="en"), "hello")
        await apart.later()
        assert apart.shown == []
        databases.ran(database, FREE)  # its half minute is over
        await apart.later()
        assert apart.shown == ["card en"]

    play(database, story)


def test_c9_where_somebody_may_be_looking_no_door_shows_anything(database: str) -> None:
    async def story(apart: Apart) -> None:
        await apart.says(0, "1", hello())
        await apart.turns(State(language="en", silent=True))
        await apart.says(1, "2", hello())
        await apart.later()
        much = Guest(Wait("line", ANN), apart.now, apart.show)
        apart.doors[0].shows(much)
        await apart.later()
        assert apart.shown == []

    play(database, story)


def test_who_writes_too_much_is_shown_the_card_though_answers_are_on_their_way(
    database: str,
) -> None:
    async def story(apart: Apart) -> None:
        await apart.says(0, "1", hello())
        await apart.turns(State(language="th"), "hello")
        apart.doors[1].shows(Guest(Wait("line", ANN), apart.now, apart.show))
        await apart.later(0)
        assert apart.shown == ["card th"]

    play(database, story)
