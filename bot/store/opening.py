"""Opens the store that settings name: the SQLite file, or a PostgreSQL database."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from bot.log import quieten
from bot.settings import Settings
from bot.store import StoreError
from bot.store.jobs import Clock
from bot.store.sqlite import SqliteStore
from bot.store.whole import WholeStore, utc_now
from bot.vault import Vault


class NotInstalled(StoreError):
    """What speaks to PostgreSQL is an extra, and is not installed."""


def open_store(
    settings: Settings, vault: Vault, clock: Clock = utc_now, here: Collection[str] | None = None
) -> WholeStore:
    """The store, its tables brought up to date. `here` is of PostgreSQL alone, and told there."""
    if not settings.postgres:
        return SqliteStore.open(settings.database, vault, clock, settings.retention_months)
    with _the_extra():
        from bot.store.postgres import PostgresStore  # noqa: PLC0415  # an extra
    quieten("psycopg", "psycopg.pool")
    return PostgresStore.open(settings.postgres, vault, clock, settings.retention_months, here)


def look_at_postgres(address: str) -> tuple[int, bool]:
    """The version of a PostgreSQL database's tables (0: none), and whether it writes durably."""
    with _the_extra():
        from bot.store.pg_engine import look  # noqa: PLC0415  # an extra
    return look(address)


@contextmanager
def _the_extra() -> Iterator[None]:
    try:
        yield
    except ImportError:
        raise NotInstalled(
            "DATABASE_URL names PostgreSQL, which needs: pip install 'sala-bot[postgres]'"
        ) from None
