"""The operator's commands on PostgreSQL: migrate, export and import, doctor."""

import asyncio
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot.cli import main
from bot.doctor import Place, database
from bot.finding import Finding
from bot.settings import Settings
from bot.store.opening import NotInstalled, open_store
from bot.vault import Vault, load_or_make
from tests import databases
from tests.databases import ran
from tests.turns_kept import NOW, event

Command = Callable[..., Result]


@pytest.fixture
def address(postgres: str) -> Iterator[str]:
    """Of a database that nothing was ever kept in."""
    databases.drop(postgres)
    yield postgres
    databases.drop(postgres)


@pytest.fixture
def sala(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`sala …` in a folder of its own; its database is named first, empty for the file."""
    monkeypatch.chdir(tmp_path)

    def run(database: str, *words: str) -> Result:
        settings = {"DATABASE_URL": database, "SALA_KEY_FILE": str(tmp_path / "keys")}
        return CliRunner().invoke(main, words, env=settings)

    return run


def settings(folder: Path, address: str) -> Settings:
    return Settings(data_dir=folder / "data", key_file=folder / "keys", postgres=address)


def received(folder: Path, address: str, id: str) -> bool:
    """Whether this event is new to that database."""

    async def story() -> bool:
        vault, _ = load_or_make(folder / "keys")
        store = open_store(settings(folder, address), vault, lambda: NOW)
        try:
            return await store.receive(event(id))
        finally:
            await store.close()

    return asyncio.run(story())


def test_all_moves_out_of_the_file_into_postgresql_and_back(
    sala: Command, address: str, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    assert received(tmp_path, "", "1")
    told = sala("", "export", "out")
    assert told.exit_code == 0
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o600
    assert sala(address, "import", "out").output == told.output
    assert sala(address, "export", "again").output == told.output
    (tmp_path / "data" / "sala.db").rename(tmp_path / "old.db")
    assert sala("", "import", "again").output == told.output
    assert not received(tmp_path, "", "1")
    assert not received(tmp_path, address, "1")


def test_nothing_is_written_over(sala: Command, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    assert "out: File exists" in sala("", "export", "out").output
    assert (tmp_path / "out").read_text() == "mine"


def test_migrating_makes_the_tables_and_refuses_newer_ones(sala: Command, address: str) -> None:
    for _ in range(2):
        assert sala(address, "migrate").stdout == "The database is up to date.\n"
    ran(address, "update sala set version = 999")
    refused = sala(address, "migrate")
    assert refused.exit_code == 1
    assert "newer Sala" in refused.output


def test_without_the_extra_postgresql_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "bot.store.postgres", None)
    with pytest.raises(NotInstalled, match=r"sala-bot\[postgres\]"):
        open_store(settings(tmp_path, "postgresql://sala@/sala"), Vault.generate())


# ---------------------------------------------------------------- the doctor


def found(folder: Path, address: str, vault: Vault | None) -> list[Finding]:
    return asyncio.run(database(settings(folder, address), vault, Place()))


def test_the_doctor_says_how_postgresql_is(address: str, tmp_path: Path) -> None:
    vault = Vault.generate()
    assert "no tables yet" in str(found(tmp_path, address, vault)[0])
    open_and_close(settings(tmp_path, address), vault)
    assert [one.grade for one in found(tmp_path, address, None)] == ["wrong"]
    fsync, kept, *partners = found(tmp_path, address, vault)
    assert "fsync" in str(fsync)
    assert (kept.grade, len(partners)) == ("good", 2)
    [other] = found(tmp_path, address, Vault.generate())
    assert "keys do not belong" in str(other)


@pytest.mark.parametrize(("version", "words"), [(999, "newer Sala"), (1, "sala migrate")])
def test_the_doctor_names_tables_of_another_version(
    address: str, tmp_path: Path, version: int, words: str
) -> None:
    vault = Vault.generate()
    open_and_close(settings(tmp_path, address), vault)
    ran(address, f"update sala set version = {version}")
    [one] = found(tmp_path, address, vault)
    assert one.grade == "wrong"
    assert words in str(one)


def open_and_close(chosen: Settings, vault: Vault) -> None:
    asyncio.run(open_store(chosen, vault).close())
