"""From every older schema to the newest, on either database: nothing of it is lost, and it is the
same as one that was made new."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlite_utils import Database
from sqlite_utils.utils import sqlite3

from bot.store import NewerSchema, Turn
from bot.store.pg_schema import statements
from bot.store.schema import MIGRATIONS, VERSION
from tests import databases
from tests.test_moving import lived_in
from tests.turns_kept import ANN, VAULT, opened, the_claim

pytestmark = pytest.mark.usefixtures("both")

OLDER = range(1, VERSION)
COLUMNS = """select table_name, column_name, data_type, is_nullable, column_default
  from information_schema.columns where table_schema = 'public'"""
INDEXES = "select indexdef, '', '', '', '' from pg_indexes where schemaname = 'public'"


@pytest.fixture
def path(both: str, tmp_path: Path) -> Iterator[Path]:
    """Of no database yet."""
    databases.Chosen.path = tmp_path / "sala.db"
    empty()
    yield tmp_path / "sala.db"
    empty()


def empty() -> None:
    if databases.Chosen.address:
        databases.drop(databases.Chosen.address)


def made(path: Path, version: int) -> None:
    """A database as Sala of that version made it, with an event that waits."""
    digest = VAULT.digest("event", b"line", b"old")
    body = VAULT.seal(f"inbox.body|{digest.hex()}", b"old")
    if databases.Chosen.address:
        with psycopg.connect(databases.Chosen.address) as pg:
            for statement in statements(0, version):
                pg.execute(statement)
            pg.execute("insert into sala values (%s)", (version,))
            pg.execute(
                "insert into conversation(id, channel, waits) values (%s, 'line', 1)", (ANN,)
            )
            pg.execute(
                "insert into inbox(event, conversation, body, at) values (%s, %s, %s, 0)",
                (digest, ANN, body),
            )
        return
    older = sqlite3.connect(path, isolation_level=None)
    steps = [one.name for one in MIGRATIONS.pending(Database(older))]
    MIGRATIONS.apply(Database(older), stop_before=steps[version])
    older.execute("insert into conversation(id, channel, waits) values (?, 'line', 1)", (ANN,))
    older.execute("insert into inbox values (1, ?, ?, ?, 0, 0)", (digest, ANN, body))
    older.execute(f"pragma user_version = {version}")
    older.close()


def shape(path: Path) -> set[tuple[object, ...]]:
    """Tables and indexes, whatever order their columns were added in."""
    if databases.Chosen.address:
        return {*databases.ran(databases.Chosen.address, f"{COLUMNS} union all {INDEXES}")}
    db = sqlite3.connect(path)
    tables = [name for (name,) in db.execute("select name from sqlite_master where type='table'")]
    columns = {(t, *c[1:]) for t in tables for c in db.execute(f"pragma table_xinfo({t})")}
    indexes = {*db.execute("select sql, '' from sqlite_master where type = 'index'")}
    db.close()
    return columns | indexes


async def nothing(path: Path) -> None:
    async with opened(path):
        pass


@pytest.mark.parametrize("version", OLDER)
def test_an_older_database_becomes_as_a_new_one_and_keeps_what_it_held(
    path: Path, version: int
) -> None:
    async def goes_on() -> None:
        async with opened(path) as store:
            claimed = await the_claim(store)
            assert [one.body for one in claimed.waiting] == [b"old"]
            assert await store.commit(claimed, Turn(b"s")) is not None
            assert await lived_in(store)

    asyncio.run(nothing(path))
    new = shape(path)
    path.unlink(missing_ok=True)
    empty()
    made(path, version)
    assert shape(path) != new
    asyncio.run(goes_on())
    assert shape(path) == new


def test_a_newer_one_is_refused_and_left_as_it_is(path: Path) -> None:
    asyncio.run(nothing(path))
    newer = VERSION + 1
    if databases.Chosen.address:
        databases.ran(databases.Chosen.address, f"update sala set version = {newer}")
    else:
        db = sqlite3.connect(path)
        db.execute(f"pragma user_version = {newer}")
        db.close()
    before = shape(path)
    with pytest.raises(NewerSchema):
        asyncio.run(nothing(path))
    assert shape(path) == before
