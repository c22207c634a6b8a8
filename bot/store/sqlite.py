"""The store and the registry in one SQLite file: what runs when nothing else is set up."""

from pathlib import Path
from typing import Self

from bot.store.ended import Ended
from bot.store.engine import Engine
from bot.store.jobs import Clock
from bot.store.retention import end_again
from bot.store.whole import WholeStore, utc_now
from bot.vault import Vault


class SqliteStore(WholeStore):
    """`Store` and `Registry` over one SQLite file (docs/architecture.md)."""

    @classmethod
    def open(
        cls, path: Path, vault: Vault, clock: Clock = utc_now, retention_months: int = 24
    ) -> Self:
        """The store in this file, made (mode 0600) or brought up to date as needed.

        What is kept is kept for so many months at most (`sweep`). An older copy that was put there
        forgets what had ended since.
        NewerSchema when a newer Sala wrote it; Unreadable when it was sealed with other keys.
        """
        ended, now = Ended(path), clock()
        ended.drop_old(now)
        engine = Engine(path, vault, lambda db: end_again(db, ended, now))
        store = cls(engine, vault, clock, retention_months)
        store._ended = ended
        return store
