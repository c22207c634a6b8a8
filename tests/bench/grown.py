"""Databases of many cases, filled by statements that both understand.

Each case has two codes and a claim of each; three in five have a conversation (who came by the
browser page has none any more), one in three of those is followed; one code in a hundred was
answered. All has the size of what Sala writes; what is opened while measuring (a sample of
conversations and cases, some pages of the feed) is sealed as it should be, the rest is a copy.
"""

import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from hashlib import md5
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlite_utils.utils import sqlite3

from bot.conversation.codec import encode_state
from bot.conversation.model import NodeId, Slot, State
from bot.store import ConversationId
from bot.store.moving import TABLES
from bot.store.schema import micros
from bot.vault import Vault
from tests import databases

NOW: Final = datetime(2026, 11, 26, 12, tzinfo=UTC)
SPAN: Final = timedelta(days=700)
PAGE: Final = 800
WINDOWS: Final = 8
RECENT: Final = 2_000
ANYWHERE: Final = 4_000

_ANSWERED: Final[tuple[Slot, ...]] = (
    "age", "consent", "country", "image", "phone", "situation", "who",
)  # fmt: skip
STATE: Final = encode_state(
    State(
        node=NodeId("after"), language="th", trail=(NodeId("ask.phone"), NodeId("ask.who")),
        answers=tuple((slot, "adult") for slot in _ANSWERED), number="K7Q-2XH-DPM", images=1,
    )
)  # fmt: skip
ADDRESS: Final = b'{"user":"U%s","at":"2026-11-26T12:00:00+00:00","token":"%s"}' % (
    b"a" * 32, b"b" * 32,
)  # fmt: skip


@dataclass(frozen=True)
class Town:
    """So many cases, in the order in which they came."""

    cases: int
    vault: Vault

    @cached_property
    def recent(self) -> list[int]:
        """Cases with a conversation, of the last ones."""
        return [n for n in range(self.cases - RECENT, self.cases) if _talks(n)]

    @cached_property
    def anywhere(self) -> list[int]:
        """Cases with a conversation, far apart."""
        step = max(1, self.cases // ANYWHERE)
        return [n for n in range(0, self.cases - RECENT, step) if _talks(n)]

    @property
    def windows(self) -> list[int]:
        """Places in the feed that a page can be read after."""
        return [2 * self.cases * number // (WINDOWS + 1) for number in range(1, WINDOWS + 1)]

    def conversation(self, n: int) -> ConversationId:
        return ConversationId(_key("conversation", n))

    def samples(self) -> Iterator[tuple[int, bytes, bytes, bytes]]:
        """(case, what it is looked up by, state, address), as they should be."""
        for n in sorted({*self.recent, *self.anywhere}):
            id, digest = self.conversation(n), self.vault.digest("number", str(n).encode())
            state = self.vault.seal(f"conversation.state|{id.hex()}", STATE)
            yield n, digest, state, self.vault.seal(f"conversation.address|{id.hex()}", ADDRESS)

    def values(self) -> Iterator[tuple[int, bytes]]:
        """(change, value) of the hashes in the windows, as they should be."""
        wide = PAGE + PAGE // 4
        for change in sorted({at + n for at in self.windows for n in range(1, wide)}):
            id = _key("hash", change)
            yield change, self.vault.seal(f"hash.value|{id.hex()}", id.hex().encode() * 2)

    def model(self) -> tuple[bytes, ...]:
        """(state, address, value, pin, number): what all others are copies of."""
        sizes = (len(STATE), len(ADDRESS), 64, 48, 11)
        return tuple(self.vault.seal("copied", bytes(size)) for size in sizes)

    @property
    def edge(self) -> tuple[int, int]:
        return 2 * self.cases, int(NOW.timestamp())

    @property
    def step(self) -> int:
        """Microseconds from one case to the next."""
        return int(SPAN / self.cases / timedelta(microseconds=1))


def _talks(n: int) -> bool:
    return n % 5 in {0, 2, 4}


def _key(kind: str, n: int) -> bytes:
    return md5(f"{kind}{n}".encode()).digest()  # as good as chance


# ---------------------------------------------------------------- the statements

_BEGIN: Final = micros(NOW - SPAN)
_SAMPLES: Final = (
    "create table real_case (n bigint primary key, digest blob, state blob, address blob)",
    "create table real_value (n bigint primary key, value blob)",
    "create table model (state blob, address blob, value blob, pin blob, number blob)",
)
_INTO: Final = {"real_case": 4, "real_value": 2, "model": 5}
_LIST: Final = "case when {} % 10 = 0 then 'minors' else 'adults' end"
_MADE: Final = {
    "hash": f"""select key('hash', n), {_LIST.format("((n - 1) / 2)")}, 'pdq', 'ImagePDQ',
      coalesce(real_value.value, model.value), 90, 'Active',
      ({_BEGIN} + (n - 1) / 2 * :step) / 1000000, n
      from series cross join model left join real_value using (n)""",
    "conversation": f"""select key('conversation', n), 'line', 12, coalesce(real_case.state,
      model.state), coalesce(real_case.address, model.address), null, null, null,
      {_BEGIN} + n * :step, 0
      from series cross join model left join real_case using (n) where n % 5 in (0, 2, 4)""",
    "claim": f"""select key('case', (n - 1) / 2), key('hash', n), 1, '512',
      {_BEGIN} + (n - 1) / 2 * :step, 'Active', n, {_BEGIN} + (n - 1) / 2 * :step, null,
      {_BEGIN} + (n - 1) / 2 * :step from series""",
    "cases": f"""select key('case', n), coalesce(digest, key('number', n)), number,
      {_LIST.format("n")}, 'Active', {_BEGIN} + n * :step, pin,
      case when n % 15 in (0, 2, 4) then key('conversation', n) end, 1, null, 0, 0
      from series cross join model left join real_case using (n)""",
    "origin": "select key('origin', n), key('case', n) from series",
    "feedback": f"""select key('hash', n), 1, 'NotBlocked', '[]', {_BEGIN} + n / 2 * :step
      from series where n % 100 = 1""",
}  # fmt: skip


def _statement(table: str, town: Town) -> tuple[str, int, int]:
    """The rows of a table, and the first and last number of the series."""
    made = _MADE[table].replace(":step", str(town.step))
    doubled = table in {"hash", "claim", "feedback"}
    return made, int(doubled), 2 * town.cases if doubled else town.cases - 1


# ---------------------------------------------------------------- SQLite


def fill_file(path: Path, town: Town) -> None:
    """Fill a file whose tables and one partner are there."""
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in ("synchronous = off", "cache_size = -1500000", "temp_store = memory"):
        db.execute(f"pragma {pragma}")
    db.create_function("key", 2, _key, deterministic=True)
    db.execute("begin immediate")
    indexes = db.execute(
        "select name, sql from sqlite_master where type = 'index' and sql is not null"
    ).fetchall()
    for name, _ in indexes:
        db.execute(f"drop index {name}")
    _fill_samples(db, town)
    for table in _MADE:
        made, first, last = _statement(table, town)
        columns = ", ".join(f'"{one}"' for one in TABLES[table][1])
        db.execute(f"""insert into {table}({columns}) with recursive series(n) as (
          select {first} union all select n + 1 from series where n < {last}) {made}""")
    for _, statement in indexes:
        db.execute(statement)
    db.execute("update edge set change = ?, modified = ?", town.edge)
    for table in _INTO:
        db.execute(f"drop table {table}")
    db.execute("commit")
    db.execute("analyze")
    db.close()


def _fill_samples(db: sqlite3.Connection, town: Town) -> None:
    for statement in _SAMPLES:
        db.execute(statement)
    for table, rows in _sampled(town):
        db.executemany(f"insert into {table} values ({', '.join('?' * _INTO[table])})", rows)


def _sampled(town: Town) -> list[tuple[str, Iterable[tuple[Any, ...]]]]:
    return [
        ("real_case", town.samples()), ("real_value", town.values()), ("model", [town.model()]),
    ]  # fmt: skip


# ---------------------------------------------------------------- PostgreSQL

_KEY: Final = """create function key(text, bigint) returns bytea language sql immutable
  parallel safe as 'select decode(md5($1 || $2), ''hex'')'"""
_BOUND: Final = """select conrelid::regclass::text, conname, pg_get_constraintdef(oid)
  from pg_constraint where contype in ('f', 'p', 'u')
    and (conrelid = any(%(all)s::regclass[]) or confrelid = any(%(all)s::regclass[]))
  order by contype = 'f'"""
_INDEXES: Final = """select indexname, indexdef from pg_indexes where schemaname = 'public'
  and tablename = any(%s) and indexname not in (select conname from pg_constraint)
  order by indexname = 'hash_feed' desc"""
_KINDS: Final = """select column_name, data_type from information_schema.columns
  where table_name = %s"""


def fill_server(address: str, town: Town) -> None:
    """Fill a database whose tables and one partner are there: rows first, then the indexes."""
    tables = list(_MADE)
    with psycopg.connect(address, autocommit=True) as pg:
        _run(pg, "set maintenance_work_mem = '1GB'")
        bound = pg.execute(_BOUND, {"all": tables}).fetchall()
        indexes = pg.execute(_INDEXES, (tables,)).fetchall()
        for table, name, _ in reversed(bound):
            _run(pg, f"alter table {table} drop constraint {name}")
        for name, _ in indexes:
            _run(pg, f"drop index {name}")
        _run(pg, _KEY)
        for statement in _SAMPLES:
            _run(pg, statement.replace("blob", "bytea"))
        for table, rows in _sampled(town):
            places = ", ".join(["%s"] * _INTO[table])
            pg.cursor().executemany(f"insert into {table} values ({places})".encode(), rows)
        with ThreadPoolExecutor(2) as two:
            list(two.map(partial(_copy, address, town), tables))
        for _, statement in indexes:
            _run(pg, statement)
        for table, name, definition in bound:
            _run(pg, f"alter table {table} add constraint {name} {definition}")
        pg.execute("update edge set change = %s, modified = %s", town.edge)
        for table in _INTO:
            _run(pg, f"drop table {table}")
        _run(pg, "analyze")


def _copy(address: str, town: Town, table: str) -> None:
    """From one of the server's processes to another: frozen at once, and without a log."""
    made, first, last = _statement(table, town)
    columns = [f'"{one}"' for one in TABLES[table][1]]
    with psycopg.connect(address) as pg:
        kinds: dict[str, str] = dict(pg.execute(_KINDS, (table,)).fetchall())
        cast = ", ".join(f"{one}::{kinds[one.strip(chr(34))]}" for one in columns)
        names = ", ".join(columns)
        query = f"""copy (select {cast} from (with series(n) as (
          select generate_series({first}::bigint, {last}::bigint)) {made}) as made({names}))
          to stdout (format binary)"""
        psql = [databases.program("psql"), "-q", "-d", address, "-c", query]
        into = f"copy {table}({names}) from stdin (format binary, freeze)"
        _run(pg, f"truncate {table}")  # in the transaction of the copy
        with (
            subprocess.Popen(psql, stdout=subprocess.PIPE) as rows,
            pg.cursor().copy(into.encode()) as copy,
        ):
            assert rows.stdout
            while block := rows.stdout.read(1 << 20):
                copy.write(block)
        assert rows.returncode == 0


def _run(pg: psycopg.Connection[Any], statement: str) -> None:
    pg.execute(statement.encode())
