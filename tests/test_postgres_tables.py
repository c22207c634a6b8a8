"""PostgreSQL's tables: made once, proved, refused when newer, sealed, vacuumed early."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.store import (
    Arrival,
    EffectId,
    NewerSchema,
    Planned,
    StoreError,
    Turn,
)
from bot.store.jobs import Unreadable
from bot.store.postgres import PostgresStore
from bot.vault import Vault
from tests import databases
from tests.databases import ran
from tests.test_store_postgres import Many, play
from tests.turns_kept import ANN, DOORS, NOW, VAULT


def test_it_is_made_once_by_however_many_open_it_at_once(database: str) -> None:
    databases.drop(database)
    with ThreadPoolExecutor(3) as opening:
        opened = [opening.submit(PostgresStore.open, database, VAULT) for _ in range(3)]
        stores = [one.result() for one in opened]
    for store in stores:
        asyncio.run(store.close())
    assert ran(database, "select count(*) from sala") == [(1,)]


def test_a_newer_database_is_refused_and_left_alone(database: str) -> None:
    play(database, nothing, 1)
    ran(database, "update sala set version = version + 900")
    with pytest.raises(NewerSchema):
        PostgresStore.open(database, VAULT)
    ran(database, "update sala set version = version - 900")


async def nothing(stores: Many) -> None:
    """Opening is all."""


def test_keys_of_another_database_are_noticed_at_opening(database: str) -> None:
    play(database, nothing, 1)
    with pytest.raises(Unreadable):
        PostgresStore.open(database, Vault.generate())


def test_a_server_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    address = f"postgresql://sala:hunter2@/sala?host={tmp_path}"
    with pytest.raises(StoreError, match="cannot be used") as refused:
        PostgresStore.open(address, VAULT)
    assert "hunter2" not in str(refused.value)


def test_the_tables_that_messages_pass_through_are_vacuumed_early(database: str) -> None:
    play(database, nothing, 1)
    wanted = "array['fillfactor=70', 'autovacuum_vacuum_scale_factor=0.01']"
    rows = ran(database, f"select relname from pg_class where reloptions @> {wanted}")
    assert {name for (name,) in rows} >= {"conversation", "inbox", "outbox", "timer"}


def test_nothing_a_person_wrote_or_is_called_can_be_read_in_the_database(database: str) -> None:
    canaries = [f"canary-{name}".encode() for name in ("address", "body", "state", "effect")]

    async def story(stores: Many) -> None:
        (store,) = stores
        await store.receive(Arrival("line", "canary-event", ANN, canaries[0], canaries[1], NOW))
        [claimed] = await store.claim(DOORS, NOW, 9)
        await store.commit(claimed, Turn(canaries[2], (Planned(EffectId("a"), canaries[3], NOW),)))
        await store.receive(Arrival("line", "2", ANN, canaries[0], canaries[1], NOW))
        kept = repr(databases.dump(Path()))
        assert "canary" not in kept
        assert "line" in kept

    play(database, story, 1)
