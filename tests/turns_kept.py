"""A store in a folder, and short words for what happens to its conversations."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from bot.store import Arrival, Claimed, ConversationId, EffectId, Planned, Turn
from bot.store.whole import WholeStore
from bot.vault import Vault
from tests.databases import open_store

VAULT = Vault.generate()
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANN, BOB = ConversationId(b"a" * 16), ConversationId(b"b" * 16)
DOORS = ("line", "telegram")


@asynccontextmanager
async def opened(path: Path, now: datetime = NOW) -> AsyncIterator[WholeStore]:
    store = open_store(path, VAULT, lambda: now)
    try:
        yield store
    finally:
        await store.close()


def play(folder: Path, story: Callable[[WholeStore], Awaitable[None]]) -> None:
    async def told() -> None:
        async with opened(folder / "sala.db") as store:
            await story(store)

    asyncio.run(told())


def event(id: str, who: ConversationId = ANN, at: datetime = NOW, door: str = "line") -> Arrival:
    return Arrival(door, id, who, b"address of " + id.encode(), id.encode(), at)


def effect(id: str, due_at: datetime | None = NOW) -> Planned:
    return Planned(EffectId(id), id.encode(), due_at)


async def the_claim(store: WholeStore, now: datetime = NOW) -> Claimed:
    (claimed,) = await store.claim(DOORS, now, 10)
    return claimed


async def answered(store: WholeStore, id: str, *effects: Planned, hush: bool = False) -> None:
    assert await store.receive(event(id))
    assert await store.commit(await the_claim(store), Turn(b"s", effects, hush=hush))


async def due_ids(store: WholeStore, now: datetime = NOW) -> list[str]:
    return [e.id for bundle in await store.due(DOORS, now, 10) for e in bundle.effects]
