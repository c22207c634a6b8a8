"""Copies of a PostgreSQL database, new keys for it, and what is left of what was erased."""

import asyncio
import shutil
import stat
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from bot.store import Arrival, StoreError, Turn, pg_engine
from bot.store.ended import Ended
from bot.store.jobs import Unreadable
from bot.store.pg_copying import named
from bot.store.pg_resealing import begins_alone, ends_alone
from bot.store.postgres import PostgresStore
from bot.store.resealing import SEALED, Sealed
from bot.store.whole import WholeStore
from bot.vault import Unopened, Vault, load_or_make, replace_keys
from tests import databases
from tests.cases_kept import ANN, BOB, NOW, A, B, registered
from tests.databases import ran
from tests.operated import Sala, commands, keys, names, with_store
from tests.serving import SALA, clean_environment
from tests.test_moving import lived_in
from tests.turns_kept import event

pytestmark = pytest.mark.usefixtures("chosen")


@pytest.fixture(scope="module")
def own(postgres: str) -> Iterator[str]:
    """The address of a database that no other test has open."""
    ran(postgres, "create database keeping")
    yield postgres.replace("/postgres?", "/keeping?")
    ran(postgres, "drop database keeping with (force)")


@pytest.fixture
def chosen(own: str) -> Iterator[None]:
    databases.Chosen.address = own
    yield
    databases.Chosen.address = databases.Chosen.path = None


@pytest.fixture
def sala(chosen: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sala:
    monkeypatch.chdir(tmp_path)
    return commands(tmp_path)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine takes its time to end what was closed."""
    monkeypatch.setattr(pg_engine, "PATIENCE", "60s")


@pytest.fixture
def impatient(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is not alone is told so at once."""
    monkeypatch.setattr(pg_engine, "PATIENCE", "50ms")


def address() -> str:
    assert databases.Chosen.address
    return databases.Chosen.address


async def full(store: WholeStore) -> None:
    await lived_in(store)


def values(one: Sealed) -> list[tuple[tuple[object, ...], bytes]]:
    """The sealed values of a column, in the order of their rows."""
    columns = ", ".join((one.column, *one.key))
    rows = ran(address(), f"select {columns} from {one.table} order by {', '.join(one.key)}")
    return [
        (tuple(key), b64decode(str(value)) if one.shown else value)
        for value, *key in rows
        if value and not str(value).startswith("[")
    ]


def heads() -> set[bytes]:
    """The names of the keys that seal what is kept."""
    return {value[:5] for one in SEALED for _, value in values(one)}


def opened(vault: Vault) -> list[bytes]:
    found = [(one, values(one)) for one in SEALED]
    assert all(rows for _, rows in found)
    return [vault.open(one.place(key), value) for one, rows in found for key, value in rows]


# ---------------------------------------------------------------- rotate


def test_while_sala_stands_all_is_sealed_anew_and_the_former_key_goes(
    sala: Sala, tmp_path: Path
) -> None:
    with_store(tmp_path, full)
    old, before = keys(tmp_path), opened(keys(tmp_path))
    assert heads() == {old.head}
    done = sala("rotate")
    assert done.exit_code == 0, done.output
    assert "Copy that file offline again" in done.stdout
    assert "The former key is gone" in done.stdout
    new = keys(tmp_path)
    assert heads() == {new.head} != {old.head}
    assert not new.former
    assert opened(new) == before
    assert names(tmp_path) == {"keys"}


@pytest.mark.usefixtures("impatient")
def test_beside_others_it_is_refused_and_says_what_to_do(sala: Sala, tmp_path: Path) -> None:
    """Another machine has a key file of its own, which knows nothing of the new key."""

    async def story(store: WholeStore) -> None:
        await registered(store, A)
        before = (tmp_path / "keys").read_bytes(), heads()
        done = await asyncio.to_thread(sala, "rotate")
        assert (done.exit_code, done.stdout) == (1, "")
        assert "stop Sala on every machine" in done.stderr
        assert "sala rotate --running" in done.stderr
        assert ((tmp_path / "keys").read_bytes(), heads()) == before

    with_store(tmp_path, story)


@pytest.mark.usefixtures("impatient")
def test_who_reads_the_same_key_file_goes_on_with_the_new_key(sala: Sala, tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("1"))
        case = await registered(store, A)
        done = await asyncio.to_thread(sala, "rotate", "--running")
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
    assert heads() == {keys(tmp_path).head}


def test_killed_midway_it_goes_on_where_it_was(sala: Sala, tmp_path: Path) -> None:
    with_store(tmp_path, full)
    before, old = opened(keys(tmp_path)), keys(tmp_path).head
    words, there = [*SALA, "rotate"], clean_environment(tmp_path, DATABASE_URL=address())
    with subprocess.Popen(words, env=there, cwd=tmp_path, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline()
        process.kill()
    assert old != keys(tmp_path).head
    assert opened(keys(tmp_path)) == before
    assert sala("rotate").exit_code == 0
    assert heads() == {keys(tmp_path).head}
    assert not keys(tmp_path).former
    assert opened(keys(tmp_path)) == before


def test_ended_after_some_groups_all_is_readable_and_it_goes_on(sala: Sala, tmp_path: Path) -> None:
    async def some(store: WholeStore) -> None:
        async with aclosing(store.reseal()) as each:
            for _ in range(4):
                await anext(each)

    with_store(tmp_path, full)
    before = opened(keys(tmp_path))
    replace_keys(tmp_path / "keys", keys(tmp_path).with_new_key())
    with_store(tmp_path, some)
    assert len(heads()) == 2
    assert opened(keys(tmp_path)) == before
    assert "Goes on with the new key" in sala("rotate").stdout
    assert heads() == {keys(tmp_path).head}
    assert opened(keys(tmp_path)) == before


def test_what_another_writes_meanwhile_is_never_overwritten(sala: Sala, tmp_path: Path) -> None:
    async def all_of(store: WholeStore) -> int:
        return sum([count async for count in store.reseal()])

    async def story(store: WholeStore) -> None:
        await store.receive(event("1", BOB))
        (claimed,) = await store.claim(["line"], NOW, 9)
        await store.commit(claimed, Turn(b"s"))
        replace_keys(tmp_path / "keys", keys(tmp_path).with_new_key())
        rotating = PostgresStore.open(address(), keys(tmp_path), lambda: NOW)
        state = store.vault.seal(f"conversation.state|{BOB.hex()}", b"later")
        with psycopg.connect(address()) as other:
            other.execute("update conversation set state = %s, address = null", (state,))
            await all_of(rotating)
        assert await store.state(BOB) == b"later"
        assert len(heads()) == 2
        await all_of(rotating)
        assert await rotating.state(BOB) == b"later"
        assert heads() == {keys(tmp_path).head}
        await rotating.close()

    with_store(tmp_path, story)


def test_who_has_the_key_file_of_before_is_refused_once_the_new_key_is_first(
    sala: Sala, tmp_path: Path
) -> None:
    """As a second machine has, where nobody copied the new one."""
    with_store(tmp_path, full)
    shutil.copy(tmp_path / "keys", tmp_path / "elsewhere")
    new = keys(tmp_path).with_new_key()
    assert begins_alone(address(), new, lambda: replace_keys(tmp_path / "keys", new))
    with pytest.raises(Unreadable):
        PostgresStore.open(address(), load_or_make(tmp_path / "elsewhere")[0])
    with_store(tmp_path, full_again)
    assert sala("rotate").exit_code == 0


async def full_again(store: WholeStore) -> None:
    assert await store.state(ANN) == b"s"


def test_who_lost_the_line_while_keys_changed_writes_nothing_with_the_former_one(
    sala: Sala, tmp_path: Path
) -> None:
    sala("migrate")
    shutil.copy(tmp_path / "keys", tmp_path / "elsewhere")
    new = keys(tmp_path).with_new_key()

    async def story() -> None:
        vault, _ = load_or_make(tmp_path / "elsewhere")
        store = PostgresStore.open(address(), vault, lambda: NOW)
        try:
            assert await store.parked() == 0  # its line is there
            store._engine._pool.timeout = 1  # who waits for a line gives up soon
            ran(
                address(),
                """select pg_terminate_backend(pid, 60000) from pg_stat_activity
                where datname = current_database() and pid != pg_backend_pid()""",
            )
            assert begins_alone(address(), new, lambda: replace_keys(tmp_path / "keys", new))
            for _ in range(2):  # with the line that broke, and with a new one
                with pytest.raises(StoreError):
                    await store.receive(event("1"))
        finally:
            await store.close()

    asyncio.run(story())
    assert heads() == {new.head}


def test_who_opens_while_keys_change_is_told_to_come_again(
    sala: Sala, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sala("migrate")
    with pg_engine.alone(address()) as mine:
        assert mine is not None
        quick = [one.replace("10s", "50ms") for one in pg_engine._SETTINGS]
        monkeypatch.setattr(pg_engine, "_SETTINGS", quick)
        done = sala("case")
    assert done.exit_code == 1
    assert "cannot be used now" in done.stderr
    assert sala("case").exit_code == 0


def test_a_former_key_stays_while_a_single_value_needs_it(sala: Sala, tmp_path: Path) -> None:
    with_store(tmp_path, full)
    vault = keys(tmp_path)
    new = vault.with_new_key().without_former()
    assert ends_alone(address(), vault, lambda: None)
    for one in SEALED:
        key, value = values(one)[-1]
        put(one, key, new.seal(one.place(key), vault.open(one.place(key), value)))
        assert not ends_alone(address(), vault, lambda: None), one
        put(one, key, value)


def put(one: Sealed, key: tuple[object, ...], sealed: bytes) -> None:
    kept = b64encode(sealed).decode() if one.shown else sealed
    which = " and ".join(f"{name} = %s" for name in one.key)
    with psycopg.connect(address()) as pg:
        done = pg.execute(f"update {one.table} set {one.column} = %s where {which}", (kept, *key))
        assert done.rowcount == 1


# ---------------------------------------------------------------- backup


def test_a_copy_made_while_sala_runs_restores_to_the_same(sala: Sala, tmp_path: Path) -> None:
    digests = []

    async def story(store: WholeStore) -> None:
        digests.append(await lived_in(store))
        done = await asyncio.to_thread(sala, "backup", "copy")
        assert (done.exit_code, done.output) == (0, "")
        await store.receive(event("later"))

    async def restored(store: WholeStore) -> None:
        assert await store.write_out(None) == digests[0]
        assert await store.receive(event("later"))

    with_store(tmp_path, story)
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
    assert names(tmp_path) == {"keys", "copy"}
    databases.put_back(tmp_path / "copy", tmp_path / "sala.db")
    with_store(tmp_path, restored)


def test_a_copy_is_written_over_nothing_and_left_in_no_part(sala: Sala, tmp_path: Path) -> None:
    sala("migrate")
    (tmp_path / "copy").write_text("mine")
    done = sala("backup", "copy")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "was left as it is" in done.stderr
    nowhere = f"postgresql://sala:hunter2@/none?host={tmp_path}"
    refused = sala("backup", "other", DATABASE_URL=nowhere)
    assert refused.exit_code == 1
    assert "pg_dump gave up" in refused.stderr
    assert "hunter2" not in refused.output
    assert names(tmp_path) == {"keys", "copy"}
    assert (tmp_path / "copy").read_text() == "mine"


def test_without_postgresqls_programs_it_says_what_to_install(sala: Sala, tmp_path: Path) -> None:
    sala("migrate")
    done = sala("backup", "copy", PATH=str(tmp_path))
    assert done.exit_code == 1
    assert "postgresql-client" in done.stderr
    assert names(tmp_path) == {"keys"}


def test_the_password_is_on_no_command_line() -> None:
    found = named("postgresql://ann:hunter2@db.example:6432/sala?sslmode=verify-full")
    assert found == {
        "PGUSER": "ann", "PGPASSWORD": "hunter2", "PGHOST": "db.example", "PGPORT": "6432",
        "PGDATABASE": "sala", "PGSSLMODE": "verify-full",
    }  # fmt: skip


def test_a_copy_being_made_holds_up_no_event_when_a_day_is_over(tmp_path: Path) -> None:
    """It reads the table of remembered events that is to be emptied."""
    later = NOW + timedelta(days=6)

    async def story(store: WholeStore) -> None:
        await store.receive(event("1"))
        with psycopg.connect(address()) as copying:
            copying.execute("lock table seen in access share mode")
            await store.sweep(later)
            assert await store.receive(event("2"))
            assert len(ran(address(), "select 1 from seen")) == 2
        await store.sweep(later)
        assert ran(address(), "select 1 from seen") == []

    with_store(tmp_path, story)


# ---------------------------------------------------------------- restored, of many machines


def a_store(folder: Path, ended: Ended) -> PostgresStore:
    return PostgresStore.open(address(), keys(folder), lambda: NOW, ended=ended)


def test_what_each_machine_ended_is_forgotten_again_whichever_opens_first(
    sala: Sala, tmp_path: Path
) -> None:
    """The first to open puts the feed past what the second had written down."""
    machines = [Ended(tmp_path / name / "sala.db", name) for name in ("web.1", "web.2")]
    cases = []

    async def begins(store: WholeStore) -> None:
        for name, value, who in (("t", A, ANN), ("u", B, BOB)):
            cases.append((await registered(store, value, name=name, who=who)).number)
        await asyncio.to_thread(sala, "backup", "copy")

    async def erased(case: str, ended: Ended) -> None:
        store = a_store(tmp_path, ended)
        await store.withdraw(case, NOW, erase=True)
        await store.sweep(NOW)
        await store.close()

    async def gone(ended: Ended) -> list[bool]:
        store = a_store(tmp_path, ended)
        found = [await store.standing(one) is None for one in cases]
        await store.close()
        return found

    for name in ("web.1", "web.2"):
        (tmp_path / name).mkdir()
    with_store(tmp_path, begins)
    for case, machine in zip(cases, machines, strict=True):
        asyncio.run(erased(case, machine))
    databases.put_back(tmp_path / "copy", tmp_path / "sala.db")
    assert asyncio.run(gone(machines[1])) == [False, True]
    assert asyncio.run(gone(machines[0])) == [True, True]
    assert names(tmp_path / "web.1") == {"sala.ended-2026-03.web-1"}


def test_a_machine_whose_clock_is_ahead_takes_nothing_that_was_listed_later(
    sala: Sala, tmp_path: Path
) -> None:
    """What was withdrawn is told from what came after by its place in the feed."""

    async def story(store: WholeStore) -> None:
        case = await registered(store, A)
        await store.withdraw(case.number, NOW, erase=False)
        await store.sweep(NOW + timedelta(seconds=3))
        await registered(store, A, name="u", number=case.number)
        again = a_store(tmp_path, Ended(tmp_path / "sala.db", "here"))
        standing = await again.standing(case.number)
        assert standing
        assert standing.status == "Active"
        await again.close()

    with_store(tmp_path, story)


# ---------------------------------------------------------------- what is left of the bytes


def about(key: tuple[object, ...]) -> list[object]:
    """What the case of this id is looked up by."""
    rows = ran(address(), "select id, number_digest from cases")
    return [digest for id, digest in rows if (id,) == key]


def folders_with(sought: Iterable[bytes]) -> set[str]:
    """In which folders of the server's any of these bytes stand."""
    data = Path(address().partition("?host=")[2]) / "data"
    held = ((path, path.read_bytes()) for path in data.rglob("*") if path.is_file())
    looked = list(sought)
    return {
        path.relative_to(data).parts[0]
        for path, whole in held
        if any(one in whole for one in looked)
    }


def test_what_is_erased_leaves_the_files_and_what_the_log_holds_opens_with_no_key_that_is_kept(
    sala: Sala, tmp_path: Path
) -> None:
    cases = []

    async def story(store: WholeStore) -> None:
        arrival = Arrival("line", "canary-event", ANN, b"canary-address", b"canary-body", NOW)
        await store.receive(arrival)
        cases.append(await registered(store, "c0ffee" * 10 + "beef"))
        await registered(store, A, name="u", who=BOB)

    with_store(tmp_path, story)
    (case,) = cases
    sealed = [
        (one.place(key), value)
        for one in SEALED
        if one.table == "cases"
        for key, value in values(one)
        if keys(tmp_path).digest("number", case.number.encode()) in about(key)
    ]
    assert len(sealed) == 2
    clear = [b"canary", b"c0ffee" * 10, case.number.encode(), (case.pin or "").encode() * 9]
    for statement in ("checkpoint", "select pg_switch_wal()"):
        ran(address(), statement)
    assert folders_with(clear) == set()
    assert folders_with(value for _, value in sealed) == {"base", "pg_wal"}

    done = sala("erase", case.number, said=f"{case.number}\n{case.pin}\n")
    assert done.exit_code == 0, done.output
    for statement in ("vacuum full cases", "checkpoint", "select pg_switch_wal()"):
        ran(address(), statement)
    assert folders_with(clear) == set()
    assert folders_with(value for _, value in sealed) <= {"pg_wal"}

    before = keys(tmp_path)
    assert before.open(*sealed[0]) == case.number.encode()
    assert sala("rotate").exit_code == 0
    for one in sealed:
        with pytest.raises(Unopened):
            keys(tmp_path).open(*one)
