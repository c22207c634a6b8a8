"""The worker goes round by itself, through a full disk and a database that is held by another."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlite_utils.utils import sqlite3

from bot.conversation.model import Opened
from bot.store import engine
from tests.talking import Talk, play, until, working


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """No file may grow past the size that the database's log has now."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (folder / "sala.db-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def test_a_full_disk_ends_nothing_and_nothing_is_sent_before_it_can_be_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def story(talk: Talk) -> None:
        async def refused() -> bool:
            return "store_failed" in capsys.readouterr().err

        async def answered() -> bool:
            return await talk.store.claim(["door"], talk.now, 9) == [] and talk.heard("hello") == 1

        await talk.arrives(Opened(talk.now, "en"))
        with full_disk(tmp_path):
            async with working(talk):
                await until(refused)
        assert talk.door.sent == []
        async with working(talk):
            await until(answered)

    play(tmp_path, story)


def test_a_database_that_another_process_holds_ends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(talk: Talk) -> None:
        async def refused() -> bool:
            return "store_failed" in capsys.readouterr().err

        async def answered() -> bool:
            return talk.heard("hello") == 1 and talk.worker.works()

        other = sqlite3.connect(tmp_path / "sala.db", isolation_level=None)
        other.execute("begin immediate")
        async with working(talk):
            await until(refused)
            assert talk.worker.works()
            talk.now += timedelta(seconds=30)
            assert not talk.worker.works()
            other.execute("rollback")
            await talk.arrives(Opened(talk.now, "en"))
            await until(answered)
        other.close()
        assert not talk.worker.works()

    monkeypatch.setattr(engine, "BUSY_MS", 20)
    play(tmp_path, story)


def test_the_worker_takes_up_what_arrives_while_it_goes_round(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        async def greeted() -> bool:
            return await talk.store.parked() == 0 and talk.heard("ask.phone") == 1

        async with working(talk):
            await talk.arrives(Opened(talk.now, "en"))
            talk.worker.wake()
            await until(greeted)

    play(tmp_path, story)
