"""Opens the store that settings name: the SQLite file, or a PostgreSQL database."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from platform import node

from bot.log import quieten
from bot.settings import Settings
from bot.store import StoreError, resealing
from bot.store.copying import copy_file
from bot.store.ended import Ended
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
    return PostgresStore.open(
        settings.postgres, vault, clock, settings.retention_months, here, _ended(settings)
    )


def _ended(settings: Settings) -> Ended:
    """What this machine ended in a database that other machines use too."""
    return Ended(settings.database, node() or "machine")


def copy_store(settings: Settings, to: Path) -> None:
    """A copy of one moment in a new file (mode 600), sealed as it is kept; whole or not at all.

    FileExistsError when there is such a file, NotCopied when there is no copy.
    """
    if settings.postgres:
        with _the_extra():
            from bot.store.pg_copying import dump  # noqa: PLC0415  # an extra
        dump(settings.postgres, to)
    else:
        copy_file(settings.database, to)


def begins_alone(settings: Settings, vault: Vault, begin: Callable[[], None]) -> bool:
    """Call `begin` when nobody else has the PostgreSQL database open (pg_resealing.py)."""
    with _the_extra():
        from bot.store import pg_resealing  # noqa: PLC0415  # an extra
    return pg_resealing.begins_alone(settings.postgres, vault, begin)


def ends_alone(settings: Settings, vault: Vault, end: Callable[[], None]) -> bool:
    """Call `end` when nothing kept needs another key than the first, and nobody else has the
    database open nor can open it meanwhile. Whether it was."""
    if not settings.postgres:
        return resealing.ends_alone(settings.database, vault, end)
    with _the_extra():
        from bot.store import pg_resealing  # noqa: PLC0415  # an extra
    return pg_resealing.ends_alone(settings.postgres, vault, end)


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
