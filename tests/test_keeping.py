"""What an operator does to all that is kept: copies of it, made while it is written."""

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot.cli import main
from bot.store import Turn
from bot.store.copying import NotCopied, copy_file
from bot.store.sqlite import SqliteStore
from bot.store.whole import WholeStore
from bot.vault import Vault, load_or_make
from tests.cases_kept import ANN, NOW, A, B, dump, registered
from tests.turns_kept import event

Sala = Callable[..., Result]


@pytest.fixture
def sala(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sala:
    """`sala …` in this process, on the data in the test's folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str, said: str = "", **settings: str) -> Result:
        environment = {"SALA_DATA_DIR": str(tmp_path), "DATABASE_URL": "", **settings}
        return CliRunner(env=environment).invoke(main, words, input=said)

    return run


def with_store(folder: Path, use: Callable[[WholeStore], Awaitable[None]]) -> None:
    """A store in the folder, with the keys that are there."""

    async def used() -> None:
        store = SqliteStore.open(folder / "sala.db", keys(folder), lambda: NOW)
        try:
            await use(store)
        finally:
            await store.close()

    asyncio.run(used())


def keys(folder: Path) -> Vault:
    return load_or_make(folder / "keys")[0]


def bytes_of(folder: Path) -> bytes:
    """The database and what is written beside it."""
    return b"".join(path.read_bytes() for path in sorted(folder.glob("sala.db*")))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# ---------------------------------------------------------------- backup


def test_a_copy_of_a_store_that_is_open_is_the_same_and_restores(
    sala: Sala, tmp_path: Path
) -> None:
    copies, there = tmp_path / "copies", tmp_path / "there"
    copies.mkdir()
    there.mkdir()
    digests = []

    async def story(store: WholeStore) -> None:
        await store.receive(event("1"))
        case = await registered(store, A)
        digests.append(await store.write_out(None))
        done = await asyncio.to_thread(sala, "backup", "copies/one")
        assert (done.exit_code, done.output) == (0, "")
        await store.withdraw(case.number, NOW, erase=True)
        await store.sweep(NOW)

    async def restored(store: WholeStore) -> None:
        assert await store.write_out(None) == digests[0]

    with_store(tmp_path, story)
    assert names(copies) == {"one"}
    assert stat.S_IMODE((copies / "one").stat().st_mode) == 0o600
    (copies / "one").rename(there / "sala.db")
    (tmp_path / "keys").rename(there / "keys")
    with_store(there, restored)


def test_a_copy_made_among_writes_is_of_one_moment(tmp_path: Path) -> None:
    """Each turn writes a state and a timer: no copy has one without the other."""

    async def turn(store: WholeStore, number: int) -> None:
        await store.receive(event(str(number)))
        (claimed,) = await store.claim(["line"], NOW, 1)
        await store.commit(claimed, Turn(b"s", timers=((str(number), NOW),), cancel_timers=True))

    async def story(store: WholeStore) -> None:
        await turn(store, 0)
        copying = asyncio.create_task(asyncio.to_thread(many_copies))
        number = 0
        while not copying.done():
            await turn(store, number := number + 1)
        await copying

    def many_copies() -> None:
        for number in range(5):
            folder = tmp_path / str(number)
            folder.mkdir()
            copy_file(tmp_path / "sala.db", folder / "sala.db")

    with_store(tmp_path, story)
    for number in range(5):
        kept = dump(tmp_path / str(number))
        ((_, _, version, *_),) = kept["conversation"]
        ((_, name, _),) = kept["timer"]
        assert int(str(name)) == int(str(version)) - 1


def test_nothing_is_written_over(sala: Sala, tmp_path: Path) -> None:
    sala("migrate")
    (tmp_path / "copy").write_text("mine")
    done = sala("backup", "copy")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "was left as it is" in done.stderr
    assert (tmp_path / "copy").read_text() == "mine"
    assert names(tmp_path) == {"keys", "sala.db", "copy"}


def test_without_a_database_there_is_no_copy_and_none_is_made(sala: Sala, tmp_path: Path) -> None:
    done = sala("backup", "copy")
    assert done.exit_code == 1
    assert "was not copied" in done.stderr
    assert names(tmp_path) == set()


def test_a_database_that_is_broken_gives_no_copy(sala: Sala, tmp_path: Path) -> None:
    sala("migrate")
    with (tmp_path / "sala.db").open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(8192))
    with pytest.raises(NotCopied):
        copy_file(tmp_path / "sala.db", tmp_path / "copy")
    assert names(tmp_path) == {"keys", "sala.db"}


def test_a_place_that_is_not_there_is_said_in_one_line(sala: Sala) -> None:
    sala("migrate")
    done = sala("backup", "nowhere/copy")
    assert done.exit_code == 1
    assert "nowhere" in done.stderr
    assert isinstance(done.exception, SystemExit)


def test_of_postgresql_the_way_is_named(sala: Sala, tmp_path: Path) -> None:
    done = sala("backup", "copy", DATABASE_URL="postgresql://sala@nowhere.invalid/sala")
    assert done.exit_code == 1
    assert "pg_dump" in done.stderr
    assert "sala export" in done.stderr
    assert names(tmp_path) == set()


def test_a_copy_holds_nobodys_words_in_clear(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("canary"))
        case = await registered(store, B, who=ANN)
        copy_file(tmp_path / "sala.db", tmp_path / "copy")
        held = (tmp_path / "copy").read_bytes()
        assert not any(one.encode() in held for one in ("canary", case.number, B))

    with_store(tmp_path, story)
