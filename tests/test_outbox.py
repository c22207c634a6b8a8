"""What goes out goes out once, however reading and sending fall together."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from bot import outbox
from bot.channels import Unreachable
from bot.conversation.model import Chose, Language, NodeId, Opened
from bot.store import Bundle, ConversationId, EffectId
from bot.store.jobs import Unwritten
from bot.store.sqlite import SqliteStore
from tests import databases
from tests.talking import DAY, VAULT, Door, Talk, play, until, working


class LateReader(SqliteStore):
    """A store whose reading takes so long that what was under way is finished meanwhile."""

    under_way: asyncio.Event
    finish: asyncio.Task[None] | None = None

    async def due(self, channels: Collection[str], now: datetime, limit: int) -> list[Bundle]:
        found = await super().due(channels, now, limit)
        if self.finish:
            self.under_way.set()
            await self.finish
        return found


def test_what_is_settled_while_the_store_is_read_does_not_go_out_again(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        store = LateReader.open(tmp_path / "late.db", VAULT, lambda: DAY)
        store.under_way = asyncio.Event()

        async def wait() -> None:
            await store.under_way.wait()

        talk.door.during = wait
        await talk.store.close()
        talk.store = store
        talk.restart()
        await talk.arrives(Opened(DAY, "en"))
        await talk.worker.turns()
        assert await talk.worker.outbox.start() == 1
        store.finish = asyncio.create_task(talk.worker.outbox.finish())
        assert await talk.worker.outbox.start() == 0
        ids = [message.id for message in talk.door.sent]
        assert len(ids) == len(set(ids)) == 2

    play(tmp_path, story)


def test_what_is_said_while_another_message_is_on_its_way_follows_it_once(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        on_its_way, go_on = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            on_its_way.set()
            await go_on.wait()

        async def both() -> bool:
            return talk.heard("ask.situation") == 1

        talk.door.during = hold
        async with working(talk):
            await talk.arrives(Opened(DAY, "en"))
            talk.worker.wake()
            await on_its_way.wait()
            await talk.arrives(Chose(DAY, NodeId("ask.phone"), "own"))
            talk.worker.wake()
            await until(lambda: nothing_waits(talk))
            assert talk.door.sent == []
            go_on.set()
            await until(both)
        ids = [message.id for message in talk.door.sent]
        assert len(ids) == len(set(ids)) == 3

    play(tmp_path, story)


async def nothing_waits(talk: Talk) -> bool:
    return await talk.store.claim(["door"], DAY, 9) == []


class Forgetful(SqliteStore):
    """A store whose disk is full whenever something is to be settled, so often."""

    full: int = 0

    async def settle(self, conversation: ConversationId, ids: Sequence[EffectId]) -> None:
        if self.full:
            self.full -= 1
            raise Unwritten
        await super().settle(conversation, ids)


def test_what_went_out_and_cannot_be_settled_is_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk lasts for hours, and on Telegram every repeat would ring."""

    async def story(talk: Talk) -> None:
        store = Forgetful.open(tmp_path / "full.db", VAULT, lambda: DAY)
        await talk.store.close()
        talk.store = store
        talk.door.together = False
        talk.restart()
        await talk.opens()
        store.full = 5

        async def answered() -> bool:
            return not store.full and await store.due(["door"], DAY, 9) == []

        async with working(talk):
            await talk.arrives(Chose(DAY, NodeId("ask.phone"), "own"))
            talk.worker.wake()
            await until(answered)
        assert talk.heard("ask.situation") == 1

    monkeypatch.setattr(outbox, "PAUSE", 0)
    play(tmp_path, story)


class Blocked(Door):
    """Its menus and its messages reach nobody any more."""

    def __init__(self) -> None:
        super().__init__()
        self.tried: list[bytes] = []

    async def speak(self, address: bytes, language: Language) -> None:
        self.tried.append(address)
        raise Unreachable


def test_who_cannot_be_reached_is_written_to_no_more_and_nothing_of_them_stays(
    tmp_path: Path,
) -> None:
    door = Blocked()

    async def story(talk: Talk) -> None:
        await talk.opens()
        await talk.works_later(minutes=30)
        assert (len(door.tried), door.sent) == (1, [])
        assert databases.dump(tmp_path / "sala.db")["outbox"] == []

    play(tmp_path, story, door)
