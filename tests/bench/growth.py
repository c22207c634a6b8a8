"""Whether Sala keeps its pace as it fills: the same work with ten thousand, a million and (on
PostgreSQL) ten million cases, in turns.

Run: make bench-large. SALA_BENCH_FOLDER names a folder to fill once and keep.
"""

import asyncio
import os
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from bot.cases.hashes import Hash, Item
from bot.exchange import stopncii
from bot.store import (
    TICKET_LIVES,
    Arrival,
    Claimed,
    ConversationId,
    EffectId,
    Partner,
    Planned,
    Ticket,
    Turn,
)
from bot.store.postgres import PostgresStore
from bot.store.sqlite import SqliteStore
from bot.store.whole import WholeStore
from bot.vault import load_or_make
from tests import databases
from tests.bench import grown
from tests.bench.grown import ADDRESS, NOW, PAGE, Town

MOST = int(os.environ.get("SALA_BENCH_CASES", "10000000"))
FILES = tuple(n for n in (10_000, 1_000_000) if n <= MOST)
SERVED = tuple(n for n in (10_000, 1_000_000, 10_000_000) if n <= MOST)
ROUNDS, CROWD, HOUR = 30, 50, 200
SERVING = ("shared_buffers=1GB", "effective_cache_size=8GB")
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


# ---------------------------------------------------------------- measured in turns


@dataclass
class Place:
    """A filled store, and what each kind of work took there, in milliseconds."""

    town: Town
    store: WholeStore
    reader: Partner
    chance: Random
    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    serial: int = 0

    @asynccontextmanager
    async def timed(self, what: str, each: int = 1) -> AsyncIterator[None]:
        began = time.perf_counter()
        yield
        self.took[what].append((time.perf_counter() - began) * 1000 / each)

    async def first(self) -> None:
        """What the round uses is read once: pages of the feed are told apart from those again."""
        for after in self.town.windows:
            await self.reads(after, ", first read")
        for start in range(0, HOUR, CROWD):
            await self.crowd(self.town.recent[-HOUR:][start : start + CROWD], ", first")
        for n in self.town.recent[-HOUR:]:
            await self.store.standing(str(n))

    async def round(self) -> None:
        """Each kind of work, for people of the last hour and for anybody, long ago."""
        for whose, cases in (("", self.town.recent[-HOUR:]), (", anybody's", self.town.anywhere)):
            sample = self.chance.sample(cases, CROWD)
            async with self.timed(f"a turn{whose}"):
                await self.arrives(self.town.conversation(sample[0]))
                await self.answer(await self.store.claim(["line"], NOW, CROWD))
            await self.crowd(sample, whose)
            for n in self.chance.sample(cases, min(10, CROWD)):
                async with self.timed(f"the standing of a case{whose}"):
                    standing = await self.store.standing(str(n))
                assert standing
        await self.reads(self.chance.choice(self.town.windows))
        await self.registers()
        async with self.timed("looking for what is over"):
            await self.store.sweep(NOW)

    async def crowd(self, cases: Sequence[int], whose: str) -> None:
        people = [self.town.conversation(n) for n in cases]
        async with self.timed(f"a turn of {CROWD} at once{whose}", len(people)):
            await asyncio.gather(*(self.arrives(one) for one in people))
            async with self.timed(f"claiming {CROWD}{whose}"):
                claims = await self.store.claim(["line"], NOW, len(people))
            await self.answer(claims)
        assert len(claims) == len(people)

    async def arrives(self, who: ConversationId) -> None:
        self.serial += 1
        id = f"{time.time_ns()}.{self.serial}"
        assert await self.store.receive(Arrival("line", id, who, ADDRESS, b"b" * 200, NOW))

    async def answer(self, claims: Sequence[Claimed]) -> None:
        await asyncio.gather(*(self.turn(one) for one in claims))

    async def turn(self, claimed: Claimed) -> None:
        ids = [EffectId(f"{claimed.version}.{n}") for n in range(2)]
        effects = tuple(Planned(id, b"x" * 100, NOW) for id in ids)
        assert claimed.state == grown.STATE
        assert await self.store.commit(claimed, Turn(grown.STATE, effects))
        await self.store.settle(claimed.conversation, ids)

    async def registers(self) -> None:
        """A picture of nine codes becomes a case: all such writes come one after the other."""
        who = self.town.conversation(self.chance.choice(self.town.recent))
        values = [f"{self.chance.getrandbits(256):064x}" for _ in range(9)]
        codes = [Hash("pdq", f"self-{n}", one, 90) for n, one in enumerate(values)]
        digest = os.urandom(32)
        await self.store.issue(Ticket(digest, who, "adults", NOW + TICKET_LIVES))
        async with self.timed("a picture of nine codes registered"):
            await self.store.register(digest, [Item("image", tuple(codes))], NOW)
        await self.answer(await self.store.claim(["line"], NOW, CROWD))

    async def reads(self, after: int, how: str = "") -> None:
        """A page of FetchHashes, as it is answered."""
        async with self.timed(f"a page of {PAGE} hashes{how}"):
            page = await self.store.feed(self.reader, ["adults"], 0, after, PAGE, NOW)
            query = stopncii.Query(0, PAGE, None, 0)
            stopncii.answer(page, query, partial(self.town.vault.seal, "feed.token"))
        assert len(page.records) == PAGE


async def measured(stores: Sequence[tuple[Town, WholeStore]]) -> list[Place]:
    """All in turns, so that a busy minute hits all."""
    places = []
    for town, store in stores:
        (reader,) = await store.partners()
        places.append(Place(town, store, reader, Random(time.time_ns())))  # no secret
    for one in places:
        await one.first()
    for _ in range(ROUNDS):
        for one in places:
            await one.round()
    for one in places:
        await one.store.close()
    return places


def told(name: str, places: Sequence[Place]) -> None:
    sizes = "".join(f"{one.town.cases:>14,}" for one in places)
    print(f"{name:45}{sizes}   largest / smallest (aim 2)")
    for what in places[0].took:
        medians = [statistics.median(one.took[what]) for one in places]
        values = "".join(f"{value:14.2f}" for value in medians)
        print(f"  {what + ', ms':43}{values}   {medians[-1] / medians[0]:.2f}")


def main(folder: Path) -> None:
    print(f"load {os.getloadavg()[0]:.1f}")
    fill(folder)
    vault = load_or_make(folder / "keys")[0]
    files = [
        (Town(n, vault), SqliteStore.open(file_of(folder, n), vault, lambda: NOW)) for n in FILES
    ]
    told("SQLite", asyncio.run(measured(files)))
    with server(folder, SERVING) as address:
        served = [
            (Town(n, vault), PostgresStore.open(database_of(folder, address, n), vault, lambda: NOW,
                                                here=()))
            for n in SERVED
        ]  # fmt: skip
        told("PostgreSQL", asyncio.run(measured(served)))
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    if kept := os.environ.get("SALA_BENCH_FOLDER"):
        main(Path(kept))
    else:
        with TemporaryDirectory(prefix="sala-growth-") as folder:
            Path(folder).chmod(0o755)
            main(Path(folder))
