"""The tables in PostgreSQL: those of schema.py, and what a database of many processes needs.

`held_by` and `held_until` say which process works for a conversation, so that no two do.
"""

from typing import Final

from psycopg.errors import LockNotAvailable

from bot.store import NewerSchema
from bot.store.jobs import Connection, prove
from bot.store.pg_sql import PgConnection, table
from bot.store.schema import STEPS, VERSION
from bot.store.turns import SEEN_DAYS
from bot.vault import Vault

OPENING: Final = 0x53616C61_01
"""The advisory lock of whoever creates or migrates the tables."""

# SQLite's max and min of two values are greatest and least here.
_FIRST: Final = (
    "create table sala (version bigint not null)",
    """create function max(bigint, bigint) returns bigint language sql immutable
      as 'select greatest($1, $2)'""",
    """create function min(bigint, bigint) returns bigint language sql immutable
      as 'select least($1, $2)'""",
)
# Rows of these tables come and go with every message: room to change in place, and a vacuum that
# comes long before a fifth of the table is dead.
_QUEUES: Final = tuple(
    f"""alter table {name} set (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01,
      autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0)"""
    for name in ("conversation", "inbox", "outbox", "timer")
)
DAYS: Final = 8
"""Tables of remembered events, used in turn: what is over is emptied whole, which leaves nothing
dead behind; four days are remembered, and the next may have begun elsewhere."""
_SEEN: Final = (
    "drop table seen",
    f"""create table seen (digest bytea not null, day bigint not null)
      partition by list ((day % {DAYS}))""",
    *(
        statement
        for slot in range(DAYS)
        for statement in (
            f"create table seen_{slot} partition of seen for values in ({slot})",
            f"create unique index seen_{slot}_digest on seen_{slot}(digest)",
        )
    ),
)
_MANY: Final = (
    "alter table conversation add column held_by bigint",
    "alter table conversation add column held_until timestamptz",
    *_QUEUES,
    *_SEEN,
)


def bring_up_to_date(db: PgConnection, vault: Vault) -> None:
    """Create or migrate the tables within the transaction that is open, one process at a time.

    NewerSchema when a newer Sala wrote them; Unreadable when they were sealed with other keys.
    """
    db.execute("select pg_advisory_xact_lock(?)", (OPENING,))
    found = version_of(db)
    if found > VERSION:
        raise NewerSchema("The database was written by a newer Sala: install that one.")
    if found < VERSION:
        for statement in statements(found):
            db.execute(statement)
        db.execute("delete from sala")
        db.execute("insert into sala values (?)", (VERSION,))
    prove(db, vault)


def forget_seen(db: Connection, today: int) -> None:
    """Empty the tables of days that are over.

    One that is being read, by a backup for instance, is left for the next time: whoever waits to
    empty it keeps waiting all who remember an event.
    """
    remembered = {day % DAYS for day in range(today - SEEN_DAYS, today + 2)}
    for slot in {*range(DAYS)} - remembered:
        if db.execute(f"select 1 from seen_{slot} limit 1").fetchone():  # noqa: S608  # ours
            _empty(db, f"seen_{slot}")


def _empty(db: Connection, name: str) -> None:
    db.execute("savepoint emptying")
    db.execute("set local lock_timeout = '200ms'")
    try:
        db.execute(f"truncate {name}")
    except LockNotAvailable:
        db.execute("rollback to savepoint emptying")
    db.execute("set local lock_timeout = '10s'")
    db.execute("release savepoint emptying")


def version_of(db: PgConnection) -> int:
    """The version of the tables; 0 when there are none yet."""
    if db.execute("select to_regclass('sala')").fetchone() == (None,):
        return 0
    row = db.execute("select version from sala").fetchone()
    return int(row[0]) if row else 0


def statements(found: int, wanted: int = VERSION) -> list[str]:
    """What makes tables of the version that is wanted of those that were found (0: none)."""
    steps = [table(one) for step in STEPS[found:wanted] for one in step]
    return steps if found else [*_FIRST, *steps, *_MANY]
