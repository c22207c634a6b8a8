"""What the file promises: durable, sealed, its owner's alone, and written in groups."""

import asyncio
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest
from sqlite_utils import Database
from sqlite_utils.utils import sqlite3

from bot.cases.hashes import Hash, Item
from bot.store import Arrival, EffectId, NewerSchema, Planned, Turn
from bot.store.engine import GROUP, Engine
from bot.store.jobs import Unreadable, Unwritten
from bot.store.schema import MIGRATIONS, micros, moment
from bot.store.sqlite import SqliteStore
from bot.store.whole import WholeStore
from bot.vault import Vault
from tests import cases_kept
from tests.cases_kept import A, C, ticket
from tests.turns_kept import (
    ANN,
    NOW,
    VAULT,
    answered,
    due_ids,
    effect,
    event,
    opened,
    play,
    the_claim,
)

# ---------------------------------------------------------------- the file


def test_what_was_written_is_there_after_opening_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path / "sala.db") as store:
            await answered(store, "1", effect("a"))
        async with opened(tmp_path / "sala.db") as store:
            assert await due_ids(store) == ["a"]
            assert not await store.receive(event("1"))

    asyncio.run(story())


def test_two_processes_may_write_the_same_file(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "sala.db"
        async with opened(path) as one, opened(path) as other:
            await asyncio.gather(
                *(one.receive(event(f"x{n}")) for n in range(60)),
                *(other.receive(event(f"y{n}")) for n in range(60)),
            )
            assert not await other.receive(event("x0"))
            assert len((await the_claim(one)).waiting) == 100

    asyncio.run(story())


def test_nothing_a_person_wrote_or_is_called_can_be_read_in_the_file(tmp_path: Path) -> None:
    canaries = [f"canary-{name}".encode() for name in ("address", "body", "state", "effect")]

    async def story() -> None:
        async with opened(tmp_path / "sala.db") as store:
            arrival = Arrival("line", "canary-event", ANN, canaries[0], canaries[1], NOW)
            await store.receive(arrival)
            turn = Turn(canaries[2], (Planned(EffectId("a"), canaries[3], NOW),))
            await store.commit(await the_claim(store), turn)
            await store.receive(Arrival("line", "2", ANN, canaries[0], canaries[1], NOW))
            kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
            assert not [canary for canary in [*canaries, b"canary"] if canary in kept]
            assert b"aftercare" not in kept

    asyncio.run(story())


def test_the_files_are_their_owners_alone(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        await store.receive(event("1"))
        modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
        assert modes == {0o600}

    play(tmp_path, story)


def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "sala.db"
    newer = sqlite3.connect(path)
    newer.execute("pragma user_version = 999")
    newer.close()
    with pytest.raises(NewerSchema):
        SqliteStore.open(path, VAULT)


def test_an_older_database_is_brought_up_to_date_with_what_it_holds(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        assert [one.body for one in (await the_claim(store)).waiting] == [b"1"]
        await store.sweep(NOW)
        assert (await the_claim(store)).conversation == ANN

    older = sqlite3.connect(tmp_path / "sala.db", isolation_level=None)
    MIGRATIONS.apply(Database(older), stop_before="m002_latch_and_retention")
    event_digest = VAULT.digest("event", b"line", b"1")
    body = VAULT.seal(f"inbox.body|{event_digest.hex()}", b"1")
    older.execute("insert into conversation(id, channel, waits) values (?, 'line', 1)", (ANN,))
    older.execute("insert into inbox values (1, ?, ?, ?, 0, 0)", (event_digest, ANN, body))
    older.execute("pragma user_version = 1")
    older.close()
    play(tmp_path, story)


def test_keys_of_another_database_are_noticed_at_opening(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        await store.receive(event("1"))

    play(tmp_path, story)
    seal, pepper = VAULT.to_keys().splitlines()[1], Vault.generate().to_keys().splitlines()[2]
    for keys in (Vault.generate().to_keys(), f"{seal}\n{pepper}"):
        with pytest.raises(Unreadable):
            SqliteStore.open(tmp_path / "sala.db", Vault.from_keys(keys))


def test_the_database_is_durable_forgetful_and_strict(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        await store.receive(event("1"))

    play(tmp_path, story)
    db = sqlite3.connect(tmp_path / "sala.db")
    assert db.execute("pragma journal_mode").fetchone() == ("wal",)
    assert db.execute("pragma auto_vacuum").fetchone() == (2,)
    loose = "select name from pragma_table_list where strict = 0 and name not like '%sqlite_%'"
    assert db.execute(loose).fetchall() == []
    db.close()


def test_what_is_erased_is_gone_from_the_bytes_of_the_files(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        item = Item("image", (Hash("pdq", "512", A, 90), Hash("sha256", "file", C)))
        await store.issue(one := ticket())
        case = await store.register(one.digest, [item], NOW)
        sealed = sealed_of_case(tmp_path)
        assert all(value in bytes_of(tmp_path) for value in sealed)
        await store.withdraw(case.number, NOW, erase=True)
        assert await store.sweep(NOW) == 1
        assert not any(value in bytes_of(tmp_path) for value in sealed)

    cases_kept.play(tmp_path, story)


def sealed_of_case(folder: Path) -> list[bytes]:
    db = sqlite3.connect(folder / "sala.db")
    row = db.execute("select id, number, pin, number_digest from cases").fetchone()
    unshared = db.execute("select value from hash where signal is null").fetchone()
    db.close()
    return [*row, *unshared]


def bytes_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


def test_a_time_is_kept_to_the_microsecond_and_needs_its_zone() -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 123457, tzinfo=UTC)
    assert moment(micros(at)) == at
    with pytest.raises(TypeError):
        micros(at.replace(tzinfo=None))


# ---------------------------------------------------------------- writing in groups


Job = Callable[[sqlite3.Connection], object]


async def together(engine: Engine, *jobs: Job) -> list[object]:
    """Outcomes of jobs that are all queued before the first of them ends."""
    gate = Event()

    async def open_gate() -> None:
        gate.set()

    asked = [engine.write(lambda _: gate.wait(10)), *(engine.write(job) for job in jobs)]
    outcomes = await asyncio.gather(*asked, open_gate(), return_exceptions=True)
    return outcomes[1:-1]


def noting(digest: bytes) -> Job:
    return lambda db: db.execute("insert into seen values (?, 1)", (digest,)).rowcount


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path / "sala.db", VAULT)
    yield engine
    asyncio.run(engine.close())


async def noted(engine: Engine) -> list[tuple[bytes]]:
    return await engine.read(lambda db: db.execute("select digest from seen").fetchall())


def test_one_failing_write_does_not_undo_the_others_of_its_group(engine: Engine) -> None:
    async def story() -> None:
        def half_done(db: sqlite3.Connection) -> None:
            noting(b"half")(db)
            noting(b"1")(db)

        outcomes = await together(engine, noting(b"1"), half_done, noting(b"2"))
        assert (outcomes[0], outcomes[2]) == (1, 1)
        assert isinstance(outcomes[1], sqlite3.IntegrityError)
        assert await noted(engine) == [(b"1",), (b"2",)]

    asyncio.run(story())


def test_a_group_that_is_lost_is_told_to_all_who_asked(engine: Engine) -> None:
    async def story() -> None:
        first, lost, last = await together(
            engine, noting(b"1"), lambda db: db.rollback(), noting(b"2")
        )
        assert isinstance(lost, Unwritten)
        told = [name for name, told in ((b"1", first), (b"2", last)) if told == 1]
        assert await noted(engine) == [(name,) for name in told]
        assert await engine.write(noting(b"3")) == 1

    asyncio.run(story())


def test_a_crowd_of_writes_shares_commits(engine: Engine) -> None:
    async def story() -> None:
        statements: list[str] = []
        await engine.write(lambda db: db.set_trace_callback(statements.append))
        await together(engine, *(noting(bytes([n])) for n in range(3 * GROUP)))
        assert len(await noted(engine)) == 3 * GROUP
        assert 3 <= statements.count("commit") < GROUP

    asyncio.run(story())


def test_a_cancelled_write_that_has_not_begun_is_not_written(engine: Engine) -> None:
    async def story() -> None:
        gate = Event()
        first = asyncio.create_task(engine.write(lambda _: gate.wait(10)))
        second = asyncio.create_task(engine.write(noting(b"1")))
        await asyncio.wait([first, second], timeout=0)
        second.cancel()
        await asyncio.wait([second])
        gate.set()
        await first
        assert await noted(engine) == []

    asyncio.run(story())


def test_what_was_accepted_before_closing_is_written(tmp_path: Path) -> None:
    async def story() -> None:
        store = SqliteStore.open(tmp_path / "sala.db", VAULT)
        writes = [asyncio.create_task(store.receive(event(str(n)))) for n in range(80)]
        await asyncio.gather(*writes[:1])
        await asyncio.gather(store.close(), *writes[1:])
        with pytest.raises(Unwritten):
            await store.receive(event("late"))
        async with opened(tmp_path / "sala.db") as again:
            assert len((await the_claim(again)).waiting) == 80

    asyncio.run(story())


def test_no_cursor_leaves_the_writing_thread(tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        select = "select 1"
        assert await store._engine.write(lambda db: db.execute(select)) is None
        assert await store._engine.write(lambda db: db.execute(select).fetchone()) == (1,)

    play(tmp_path, story)
