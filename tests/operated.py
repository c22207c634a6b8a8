"""What an operator's commands are tried on: data in the test's own folder, with keys beside it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from click.testing import CliRunner, Result

from bot.cli import main
from bot.store.whole import WholeStore
from bot.vault import Vault, load_or_make
from tests import databases
from tests.cases_kept import NOW

Sala = Callable[..., Result]


def commands(folder: Path) -> Sala:
    """`sala …` in this process, on the data in the folder, or in PostgreSQL when it is chosen."""
    databases.stand_for(folder / "sala.db")

    def run(*words: str, said: str = "", **settings: str) -> Result:
        address = databases.Chosen.address or ""
        environment = {"SALA_DATA_DIR": str(folder), "DATABASE_URL": address, **settings}
        return CliRunner(env=environment).invoke(main, words, input=said)

    return run


def with_store(folder: Path, use: Callable[[WholeStore], Awaitable[None]]) -> None:
    """A store in the folder, with the keys that are there."""

    async def used() -> None:
        store = databases.open_store(folder / "sala.db", keys(folder), lambda: NOW)
        try:
            await use(store)
        finally:
            await store.close()

    asyncio.run(used())


def keys(folder: Path) -> Vault:
    return load_or_make(folder / "keys")[0]


def bytes_of(folder: Path) -> bytes:
    """The database and what is written beside it; of PostgreSQL, all that can be asked for."""
    if databases.Chosen.address:
        rows = [row for rows in databases.dump(folder / "sala.db").values() for row in rows]
        return b"|".join(cell for row in rows for cell in row if isinstance(cell, bytes))
    return b"".join(path.read_bytes() for path in sorted(folder.glob("sala.db*")))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
