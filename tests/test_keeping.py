"""What an operator does to all that is kept, while it is written: copies of it, new keys for it."""

import asyncio
import os
import stat
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from bot.store import Turn
from bot.store.copying import NotCopied, copy_file
from bot.store.jobs import Connection, Cursor
from bot.store.resealing import SEALED, renew
from bot.store.whole import WholeStore
from bot.vault import Unopened, Vault, load_or_make, replace_keys, turning
from tests.cases_kept import ANN, NOW, A, B, dump, registered
from tests.operated import Sala, bytes_of, commands, keys, names, with_store
from tests.serving import SALA, clean_environment
from tests.test_moving import lived_in
from tests.turns_kept import event


@pytest.fixture
def sala(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sala:
    monkeypatch.chdir(tmp_path)
    return commands(tmp_path)


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


def test_a_copy_holds_nobodys_words_in_clear(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("canary"))
        case = await registered(store, B, who=ANN)
        copy_file(tmp_path / "sala.db", tmp_path / "copy")
        held = (tmp_path / "copy").read_bytes()
        assert not any(one.encode() in held for one in ("canary", case.number, B))

    with_store(tmp_path, story)


# ---------------------------------------------------------------- rotate


async def full(store: WholeStore) -> None:
    """Something of every table."""
    await lived_in(store)


def sealed_with(folder: Path) -> set[bytes]:
    """The names of the keys that what is kept begins with."""
    kept = dump(folder)
    cells = {cell for rows in kept.values() for row in rows for cell in row}
    shown = {b64decode(row[3]) for row in kept["feedback"] if not str(row[3]).startswith("[")}
    sealed = {cell for cell in cells if isinstance(cell, bytes) and len(cell) > 32} | shown
    return {cell[:5] for cell in sealed}


def test_everything_is_sealed_with_the_new_key_and_the_former_is_gone(
    sala: Sala, tmp_path: Path
) -> None:
    with_store(tmp_path, full)
    old, before = keys(tmp_path), dump(tmp_path)
    assert sealed_with(tmp_path) == {old.head}
    done = sala("rotate")
    assert done.exit_code == 0, done.output
    assert "Copy that file offline again" in done.stdout
    assert "The former key is gone" in done.stdout
    new = keys(tmp_path)
    assert not new.former
    assert sealed_with(tmp_path) == {new.head} != {old.head}
    assert old.head not in bytes_of(tmp_path)
    assert b64encode(old.head)[:6] not in bytes_of(tmp_path)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600
    assert names(tmp_path) == {"keys", "sala.db"}
    assert [(name, len(rows)) for name, rows in dump(tmp_path).items()] == [
        (name, len(rows)) for name, rows in before.items()
    ]


def test_every_sealed_value_opens_for_its_place_and_says_the_same(
    sala: Sala, tmp_path: Path
) -> None:
    from sqlite_utils.utils import sqlite3

    def opened() -> list[bytes]:
        vault, plain = keys(tmp_path), []
        db = sqlite3.connect(tmp_path / "sala.db")
        for one in SEALED:
            columns = ", ".join((one.column, *one.key))
            order = ", ".join(one.key)
            query = f"select {columns} from {one.table} order by {order}"
            rows = [row for row in db.execute(query) if row[0] and not str(row[0]).startswith("[")]
            assert rows, one
            for value, *key in rows:
                raw = b64decode(value) if one.shown else value
                plain.append(vault.open(one.place(tuple(key)), raw))
        db.close()
        return plain

    with_store(tmp_path, full)
    before = opened()
    sala("rotate")
    assert opened() == before


@pytest.mark.usefixtures("both")
def test_what_is_sealed_anew_is_so_once_and_needs_the_new_key_alone(tmp_path: Path) -> None:
    async def anew(store: WholeStore) -> None:
        counts.append(sum([count async for count in store.reseal()]))

    async def read(store: WholeStore) -> None:
        assert await store.state(ANN) == b"s"
        assert len(await store.partners()) == 1

    counts: list[int] = []
    with_store(tmp_path, full)
    replace_keys(tmp_path / "keys", keys(tmp_path).with_new_key())
    for _ in range(2):
        with_store(tmp_path, anew)
    assert counts[0] > len(SEALED)
    assert counts[1] == 0
    replace_keys(tmp_path / "keys", keys(tmp_path).without_former())
    with_store(tmp_path, read)


class Counted:
    """A database that counts the journeys to it."""

    def __init__(self, db: Connection) -> None:
        self.db = db
        self.journeys = 0

    def execute(self, sql: str, parameters: Any = (), /) -> Cursor:
        self.journeys += 1
        return self.db.execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Cursor:
        self.journeys += 1
        return self.db.executemany(sql, parameters)


@pytest.mark.usefixtures("both")
def test_a_group_is_sealed_anew_in_two_journeys_to_the_database(tmp_path: Path) -> None:
    """With two for each value a million of them took an hour in PostgreSQL."""
    body = next(one for one in SEALED if (one.table, one.column) == ("inbox", "body"))

    async def story(store: WholeStore) -> None:
        for number in range(30):
            await store.receive(event(f"a{number}"))

        def job(db: Connection) -> tuple[int, int]:
            kept = [tuple(key) for key in db.execute("select event from inbox").fetchall()]
            counted = Counted(db)
            return renew(body, store.vault, kept, counted), counted.journeys

        assert await store._engine.write(job) == (30, 2)

    with_store(tmp_path, story)


def test_what_is_open_goes_on_with_the_new_key_and_the_former_stays_for_it(
    sala: Sala, tmp_path: Path
) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("1"))
        case = await registered(store, A)
        done = await asyncio.to_thread(sala, "rotate")
        assert done.exit_code == 0, done.output
        assert "stop Sala" in done.stdout
        assert keys(tmp_path).former
        assert (await store.check_pin(case.number, case.pin or "", NOW)).right
        (claimed,) = await store.claim(["line"], NOW, 9)
        assert claimed.waiting[0].body == b"1"
        await store.commit(claimed, Turn(b"after"))
        await registered(store, B, name="u", number=case.number)
        assert await store.state(ANN) == b"after"

    with_store(tmp_path, story)
    new = keys(tmp_path)
    assert sealed_with(tmp_path) == {new.head}
    again = sala("rotate")
    assert "Goes on with the new key" in again.stdout
    assert "The former key is gone" in again.stdout
    assert (keys(tmp_path).head, keys(tmp_path).former) == (new.head, False)


def test_what_was_still_sealed_with_the_former_key_is_found_before_it_goes(
    sala: Sala, tmp_path: Path
) -> None:
    """A process that met nothing new yet seals with the key it knows."""

    async def story(store: WholeStore) -> None:
        await asyncio.to_thread(sala, "rotate")
        await store.receive(event("1"))

    with_store(tmp_path, story)
    assert len(sealed_with(tmp_path)) == 2
    assert "The former key is gone" in sala("rotate").stdout
    assert sealed_with(tmp_path) == {keys(tmp_path).head}


@pytest.mark.parametrize("groups", [0, 1, 4])
def test_ended_midway_all_is_readable_and_it_goes_on(
    sala: Sala, tmp_path: Path, groups: int
) -> None:
    async def some(store: WholeStore) -> None:
        async with aclosing(store.reseal()) as each:
            for _ in range(groups):
                await anext(each)

    async def read(store: WholeStore) -> None:
        assert await store.state(ANN) == b"s"
        claims = await store.claim(["line"], NOW, 9)
        assert all(one.waiting for one in claims)
        assert {one.conversation for one in claims} >= {ANN}

    with_store(tmp_path, full)
    with turning(tmp_path / "keys") as file:
        replace_keys(file, keys(tmp_path).with_new_key())
    new = keys(tmp_path).head
    with_store(tmp_path, some)
    assert len(sealed_with(tmp_path)) == (2 if groups else 1)
    with_store(tmp_path, read)
    assert "Goes on with the new key" in sala("rotate").stdout
    with_store(tmp_path, read)
    assert sealed_with(tmp_path) == {keys(tmp_path).head} == {new}


def test_killed_once_the_key_file_changed_nothing_is_lost(sala: Sala, tmp_path: Path) -> None:
    with_store(tmp_path, full)
    before = (tmp_path / "keys").read_bytes()
    words, environment = [*SALA, "rotate"], clean_environment(tmp_path)
    with subprocess.Popen(words, env=environment, cwd=tmp_path, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline()
        process.kill()
    assert (tmp_path / "keys").read_bytes() != before
    assert sala("rotate").exit_code == 0
    assert sealed_with(tmp_path) == {keys(tmp_path).head}


def test_keys_that_are_not_the_databases_are_left_as_they_are(sala: Sala, tmp_path: Path) -> None:
    sala("migrate")
    (tmp_path / "keys").unlink()
    load_or_make(tmp_path / "keys")
    before = (tmp_path / "keys").read_bytes()
    done = sala("rotate")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "do not belong to this database" in done.stderr
    assert (tmp_path / "keys").read_bytes() == before


@pytest.mark.parametrize("missing", ["keys", "sala.db"])
def test_nothing_is_made_where_there_is_nothing_to_rotate(
    sala: Sala, tmp_path: Path, missing: str
) -> None:
    sala("migrate")
    (tmp_path / missing).unlink()
    done = sala("rotate")
    assert done.exit_code == 1
    assert missing in done.stderr
    assert missing not in names(tmp_path)


def test_two_do_not_change_the_key_file_at_once(sala: Sala, tmp_path: Path) -> None:
    sala("migrate")
    before = (tmp_path / "keys").read_bytes()
    with turning(tmp_path / "keys"):
        done = sala("rotate")
    assert done.exit_code == 1
    assert "another command" in done.stderr
    assert (tmp_path / "keys").read_bytes() == before


@pytest.mark.parametrize("spoilt", ["", "no keys at all", "\u00e9", Vault.generate().to_keys()])
def test_a_key_file_that_is_no_use_meanwhile_changes_nothing_for_who_has_the_keys(
    tmp_path: Path, spoilt: str
) -> None:
    vault = keys(tmp_path)
    sealed = vault.seal("a", b"1")
    (tmp_path / "keys").write_text(spoilt)
    with pytest.raises(Unopened):
        vault.open("a", Vault.generate().seal("a", b"2"))
    (tmp_path / "keys").unlink()
    with pytest.raises(Unopened):
        vault.open("a", Vault.generate().seal("a", b"2"))
    assert vault.open("a", sealed) == b"1"
