"""Whether Sala keeps its pace as it fills: the same work with ten thousand, a million and (on
PostgreSQL) ten million cases, in turns.

Run: make bench-large. SALA_BENCH_FOLDER names a folder to fill once and keep.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.store.postgres import PostgresStore
from bot.store.sqlite import SqliteStore
from bot.store.whole import WholeStore
from bot.vault import load_or_make
from tests import databases
from tests.bench import grown
from tests.bench.grown import NOW, Town

FILES = (10_000, 1_000_000)
SERVED = (10_000, 1_000_000, 10_000_000)
FILLING = ("fsync=off", "wal_level=minimal", "max_wal_senders=0", "max_wal_size=4GB",
           "shared_buffers=256MB", "autovacuum=off")  # fmt: skip


# ---------------------------------------------------------------- filled once


def file_of(folder: Path, cases: int) -> Path:
    """The SQLite file of so many cases, filled if it is not there."""
    path = folder / f"town-{cases}.db"
    if not path.exists():
        vault, new = load_or_make(folder / "keys"), path.with_suffix(".new")
        store = SqliteStore.open(new, vault[0], lambda: NOW)
        asyncio.run(_begin(store))
        grown.fill_file(new, Town(cases, vault[0]))
        new.rename(path)
    return path


async def _begin(store: WholeStore) -> None:
    await store.add_partner("Chirp", ["adults", "minors"], NOW)
    await store.close()


def database_of(folder: Path, address: str, cases: int) -> str:
    """The database of so many cases in the server there, filled if it is not."""
    own = address.replace("/postgres?", f"/town_{cases}?")
    keys = load_or_make(folder / "keys")[0]
    if databases.ran(address, f"select 1 from pg_database where datname = 'town_{cases}'"):
        return own
    new = address.replace("/postgres?", f"/new_{cases}?")
    databases.ran(address, f"drop database if exists new_{cases}")
    databases.ran(address, f"create database new_{cases}")
    asyncio.run(_begin(PostgresStore.open(new, keys, lambda: NOW)))
    grown.fill_server(new, Town(cases, keys))
    databases.ran(address, f"alter database new_{cases} rename to town_{cases}")
    return own


@contextmanager
def server(folder: Path, settings: tuple[str, ...]) -> Iterator[str]:
    data = folder / "pg"
    if not data.exists():
        data.mkdir()
        databases.make_cluster(data)
    with databases.running(data, settings) as address:
        yield address


def fill(folder: Path) -> None:
    for cases in FILES:
        file_of(folder, cases)
    with server(folder, FILLING) as address:
        for cases in SERVED:
            database_of(folder, address, cases)
        databases.ran(address, "checkpoint")


if __name__ == "__main__":
    fill(Path(sys.argv[1]))
