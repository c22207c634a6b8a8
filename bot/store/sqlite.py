"""The store and the registry in one SQLite file: what runs when nothing else is set up."""

from datetime import UTC, datetime
from pathlib import Path

from bot.store.denials import Denials
from bot.store.deposits import Deposits
from bot.store.engine import Clock, Engine
from bot.store.feed import Feed
from bot.store.figures import Figures
from bot.store.ledger import Ledger
from bot.store.partners import Partners
from bot.store.pins import Pins
from bot.store.retention import Retention
from bot.store.turns import Turns
from bot.store.upward import Upward
from bot.vault import Vault


def _now() -> datetime:
    return datetime.now(UTC)


class SqliteStore(
    Turns, Ledger, Pins, Retention, Partners, Feed, Denials, Deposits, Figures, Upward
):
    """`Store` and `Registry` over one SQLite file (docs/architecture.md)."""

    @classmethod
    def open(
        cls, path: Path, vault: Vault, clock: Clock = _now, retention_months: int = 24
    ) -> "SqliteStore":
        """The store in this file, made (mode 0600) or brought up to date as needed.

        What is kept is kept for so many months at most (`sweep`).
        NewerSchema when a newer Sala wrote it; Unreadable when it was sealed with other keys.
        """
        return cls(Engine(path, vault), vault, clock, retention_months)
