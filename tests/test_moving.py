"""What Sala keeps moves from one database to another and is the same there."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.cases.hashes import Hash, Item
from bot.store import Submitted, Turn
from bot.store.listing import hash_id
from bot.store.moving import TABLES, Unmovable
from bot.store.upward import Raisable
from bot.store.whole import WholeStore
from bot.vault import Vault
from tests import databases
from tests.cases_kept import (
    ANN,
    BOB,
    NOW,
    VAULT,
    A,
    B,
    C,
    fed,
    picture,
    platform,
    registered,
    ticket,
    wrong,
)
from tests.turns_kept import answered, due_ids, effect, event

OTHER_TABLES = {"proof", "sqlite_sequence", "_sqlite_migrations"}


@pytest.fixture
def elsewhere(postgres: str) -> Iterator[Callable[[str | None], None]]:
    """Stores are opened in PostgreSQL from now on, or in files again."""

    def choose(address: str | None) -> None:
        databases.Chosen.address = address

    databases.Chosen.address = databases.Chosen.path = None
    yield lambda there: choose(postgres if there else None)
    databases.Chosen.address = databases.Chosen.path = None


def with_store(
    path: Path, use: Callable[[WholeStore], Awaitable[str]], vault: Vault = VAULT
) -> str:
    async def told() -> str:
        store = databases.open_store(path, vault, lambda: NOW)
        try:
            return await use(store)
        finally:
            await store.close()

    return asyncio.run(told())


async def lived_in(store: WholeStore) -> str:
    """Something of every table; the digest of it."""
    await answered(store, "1", effect("a"), effect("held", None))
    await store.attempt(ANN, [effect("a").id], b"by token")
    await store.receive(event("2", BOB))
    [claimed] = [one for one in await store.claim(["line"], NOW, 9) if one.waiting]
    await store.commit(claimed, Turn(b"s", timers=(("aftercare", NOW + timedelta(days=1)),)))
    await store.receive(event("bad", BOB))
    await store.park((await store.claim(["line"], NOW, 9))[0])
    partner = await platform(store)
    await store.rotate("Chirp", NOW)
    case = await registered(store, A, B)
    item = Item("image", (Hash("pdq", "512", C, 90),), "f0" * 8)
    await store.register_sent(replace(ticket("s"), number=case.number), [item], NOW)
    await store.follow(case.number, ANN, on=True)
    await store.check_pin(case.number, wrong(case), NOW, ANN)
    await fed(store, partner)
    await fed(store, partner)
    await store.give_feedback(partner, [(A, "Blocked", ("“ö”",))], NOW)
    await store.deny([picture("d" * 64)], NOW)
    await store.submit(partner, "adults", [Submitted("ImagePDQ", "e" * 64, "Blocked")], NOW)
    await store.serve("ncmec", "Take It Down", "adults", "https://there.example", "0", "us", NOW)
    id = hash_id(store.vault, "adults", "ImagePDQ", A)
    await store.has_raised("ncmec", [Raisable(id, "ImagePDQ", A, gone=False, change=1, entry="e")])
    return await store.write_out(None)


async def written(store: WholeStore) -> str:
    out = io.StringIO()
    await store.write_out(out)
    return out.getvalue()


def reading(text: str) -> Callable[[WholeStore], Awaitable[str]]:
    async def read(store: WholeStore) -> str:
        await store.read_in(io.StringIO(text))
        return await store.write_out(None)

    return read


def test_everything_moves_to_postgresql_and_back_and_is_the_same(
    tmp_path: Path, elsewhere: Callable[[bool], None]
) -> None:
    first = with_store(tmp_path / "a.db", lived_in)
    held = databases.dump(tmp_path / "a.db")
    assert held.keys() - OTHER_TABLES == TABLES.keys()
    assert all(held[name] for name in TABLES)
    text = with_store(tmp_path / "a.db", written)
    elsewhere(True)
    assert with_store(tmp_path / "b.db", reading(text)) == first
    assert with_store(tmp_path / "b.db", written) == text
    elsewhere(False)
    assert with_store(tmp_path / "c.db", reading(text)) == first
    again = databases.dump(tmp_path / "c.db")
    assert all(sorted(again[name], key=repr) == sorted(held[name], key=repr) for name in TABLES)


@pytest.mark.usefixtures("both")
def test_what_was_moved_goes_on_where_it_was(tmp_path: Path) -> None:
    async def goes_on(store: WholeStore) -> str:
        await store.read_in(io.StringIO(text))
        assert not await store.receive(event("1"))
        await answered(store, "3", effect("c"))
        assert await due_ids(store) == ["a", "held", "c"]
        await store.add_partner("Plaza", ["adults"], NOW)
        assert await store.deny([picture("f" * 64)], NOW) == 1
        return ""

    with_store(tmp_path / "a.db", lived_in)
    text = with_store(tmp_path / "a.db", written)
    with_store(tmp_path / "b.db", goes_on)


def changed(text: str) -> Iterator[str]:
    lines = text.splitlines(keepends=True)
    yield ""
    yield "no JSON\n"
    yield lines[0]
    yield "".join(lines[:-1])
    yield "".join((lines[0], *lines[2:]))
    yield "".join((lines[0], '["proof", 1]\n', *lines[1:]))
    yield "".join((lines[0], "{}\n", *lines[1:]))
    yield json.dumps(json.loads(lines[0]) | {"sala": 999}) + "".join(["\n", *lines[1:]])


@pytest.mark.usefixtures("both")
def test_a_file_that_is_not_whole_leaves_the_database_empty(tmp_path: Path) -> None:
    async def refused(store: WholeStore) -> str:
        empty = await store.write_out(None)
        for other in changed(text):
            with pytest.raises(Unmovable):
                await store.read_in(io.StringIO(other))
            assert await store.write_out(None) == empty
        return ""

    with_store(tmp_path / "a.db", lived_in)
    text = with_store(tmp_path / "a.db", written)
    with_store(tmp_path / "b.db", refused)


def test_a_file_of_other_keys_or_into_a_full_database_is_refused(tmp_path: Path) -> None:
    with_store(tmp_path / "a.db", lived_in)
    text = with_store(tmp_path / "a.db", written)
    with pytest.raises(Unmovable, match="other keys"):
        with_store(tmp_path / "b.db", reading(text), Vault.generate())
    with pytest.raises(Unmovable, match="empty"):
        with_store(tmp_path / "a.db", reading(text))
