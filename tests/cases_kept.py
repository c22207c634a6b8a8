"""A store with two conversations, and short words for what happens to its cases."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.cases.hashes import Hash, Item
from bot.cases.status import Told
from bot.conversation.codec import decode_inbound
from bot.conversation.model import News
from bot.store import (
    Arrival,
    ConversationId,
    Page,
    Partner,
    Record,
    Registered,
    Ticket,
    Turn,
)
from bot.store.whole import WholeStore
from bot.vault import Vault
from tests import databases

VAULT = Vault.generate()
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANN, BOB = ConversationId(b"a" * 16), ConversationId(b"b" * 16)
A, B, C = (letter * 64 for letter in "abc")
UNKNOWN = "ZZZ-ZZZ-ZZZ"
Story = Callable[[WholeStore], Awaitable[None]]


def play(folder: Path, story: Story) -> None:
    """Run a story in a new store where Ann and Bob have a conversation."""

    async def told() -> None:
        store = databases.open_store(folder / "sala.db", VAULT, lambda: NOW)
        try:
            for who in (ANN, BOB):
                await store.receive(Arrival("line", who.hex(), who, b"to", b"hello", NOW))
            for claimed in await store.claim(["line"], NOW, 9):
                await store.commit(claimed, Turn(b"s"))
            await story(store)
        finally:
            await store.close()

    asyncio.run(told())


def after(**time: float) -> datetime:
    return NOW + timedelta(**time)


def picture(value: str) -> Item:
    return Item("image", (Hash("pdq", "512", value, 90),))


def ticket(name: str = "t", who: ConversationId = ANN, **more: object) -> Ticket:
    fields = {"list": "adults", "expires_at": after(hours=1), "number": None, **more}
    return Ticket(name.encode() * 16, who, **fields)


async def registered(
    store: WholeStore, *values: str, name: str = "t", who: ConversationId = ANN,
    now: datetime = NOW, **more: object,
) -> Registered:  # fmt: skip
    await store.issue(one := ticket(name, who, expires_at=now + timedelta(hours=1), **more))
    return await store.register(one.digest, [picture(value) for value in values], now)


async def platform(store: WholeStore, name: str = "Chirp", *lists: str) -> Partner:
    await store.add_partner(name, lists or ("adults", "minors"), NOW)
    return next(one for one in await store.partners() if one.name == name)


async def fed(
    store: WholeStore, partner: Partner, start: int = 0, after: int | None = None,
    limit: int = 100, now: datetime = NOW,
) -> Page:  # fmt: skip
    return await store.feed(partner, ("adults", "minors"), start, after, limit, now)


async def record_of(store: WholeStore, partner: Partner, value: str) -> Record:
    (record,) = [one for one in (await fed(store, partner)).records if one.value == value]
    return record


async def inbox(store: WholeStore, who: ConversationId) -> list[object]:
    claims = await store.claim(["line"], NOW, 9)
    return [decode_inbound(e.body) for c in claims if c.conversation == who for e in c.waiting]


async def news(store: WholeStore, who: ConversationId) -> int:
    return sum(isinstance(event, News) for event in await inbox(store, who))


async def told(store: WholeStore, number: str) -> tuple[Told, ...]:
    standing = await store.standing(number)
    assert standing is not None
    return standing.told


def dump(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    return databases.dump(folder / "sala.db")


def wrong(case: Registered) -> str:
    """A PIN that is not this case's."""
    return f"{(int(case.pin or 0) + 1) % 10**6:06d}"
