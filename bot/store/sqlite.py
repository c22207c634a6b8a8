"""The store and the registry in one SQLite file: what runs when nothing else is set up."""

from pathlib import Path
from typing import Self

from bot.store.engine import Engine
from bot.store.jobs import Clock
from bot.store.whole import WholeStore, utc_now
from bot.vault import Vault


class SqliteStore(WholeStore):
    """`Store` and `Registry` over one SQLite file (docs/architecture.md)."""

    @classmethod
    def open(
        cls, path: Path, vault: Vault, clock: Clock = utc_now, retention_months: int = 24
    ) -> Self:
        """The store in this file, made (mode 0600) or brought up to date as needed.

        What is kept is kept for so many months at most (`sweep`).
        NewerSchema when a newer Sala wrote it; Unreadable when it was sealed with other keys.
        """
        return cls(Engine(path, vault), vault, clock, retention_months)
