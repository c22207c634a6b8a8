"""The benches of load and growth in small: what they count on holds, whatever the machine."""

import asyncio
from pathlib import Path

import pytest

from bot.store.feed import _PAGE
from bot.store.pg_sql import translated
from bot.store.postgres import PostgresStore
from bot.store.sqlite import SqliteStore
from tests import databases
from tests.bench import grown, growth
from tests.bench.grown import NOW, Town
from tests.bench.load import load

CASES = 3_000


def test_of_many_webhooks_at_once_none_is_lost_and_none_answered_twice(tmp_path: Path) -> None:
    outcome = asyncio.run(load(tmp_path, "", [""], 1.0, rest=0.0))
    assert outcome.crowd.took
    assert (outcome.lost, outcome.twice, dict(outcome.crowd.refused)) == (0, 0, {})
    ((_, rest, after),) = outcome.held
    assert all(0 < shared <= whole for whole, shared in (rest, after))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in (
        (grown, "WINDOWS", 2), (growth, "ROUNDS", 1), (growth, "HOUR", 10), (growth, "CROWD", 5),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)


@pytest.mark.usefixtures("few")
def test_what_is_filled_in_bulk_into_a_file_works_as_what_sala_wrote(tmp_path: Path) -> None:
    path = growth.file_of(tmp_path, CASES)
    vault = growth.load_or_make(tmp_path / "keys")[0]
    store = SqliteStore.open(path, vault, lambda: NOW)
    (place,) = asyncio.run(growth.measured([(Town(CASES, vault), store)]))
    assert all(place.took.values())


@pytest.mark.usefixtures("few")
def test_what_is_filled_in_bulk_into_postgresql_works_as_what_sala_wrote(
    database: str, tmp_path: Path
) -> None:
    address = growth.database_of(tmp_path, database, CASES)
    vault = growth.load_or_make(tmp_path / "keys")[0]
    store = PostgresStore.open(address, vault, lambda: NOW, here=())
    (place,) = asyncio.run(growth.measured([(Town(CASES, vault), store)]))
    assert all(place.took.values())
    databases.ran(database, f"drop database town_{CASES}")


def test_a_page_looks_up_what_belongs_to_each_hash_however_much_was_answered() -> None:
    query, _ = translated(_PAGE)
    assert query.count(b"left join lateral") == 2
