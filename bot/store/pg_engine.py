"""A PostgreSQL database: writes in groups, as many processes as wanted beside each other.

What is about a conversation is written by one thread of this process in the order it was asked
for, the group's conversations locked first and in one order, so that no two processes wait for each
other. What is about cases and partners is written by another thread, one process at a time.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, Final, TypeVar

import psycopg
from psycopg import IsolationLevel, errors
from psycopg_pool import ConnectionPool

from bot.metrics import COMMITS
from bot.store.engine import GROUP, Order, Outcome, tell_all
from bot.store.jobs import Alike, Connection, Unwritten, proven
from bot.store.pg_schema import bring_up_to_date, version_of
from bot.store.pg_sql import PgConnection, PgCursor, adapt
from bot.vault import Vault

T = TypeVar("T")
READERS: Final = 2
CASES: Final = 0x53616C61_02
"""The advisory lock of whoever writes about cases and partners."""
OPEN: Final = 0x53616C61_03
"""The advisory lock of every connection, shared; alone is who holds it unshared."""
PATIENCE = "3s"
"""How long who wants to be alone waits for those who are just leaving."""
TRIES: Final = 5
"""How often a write is run again that others were in the way of."""
CONNECT_SECONDS: Final = 10
AWAY_SECONDS: Final = 5.0
"""How long is waited for a server that is away before that is said; and before it is asked anew,
which otherwise happens after twice the time it was away for, up to minutes."""
_SETTINGS: Final = (
    "set statement_timeout = '60s'",
    "set lock_timeout = '10s'",
    "set idle_in_transaction_session_timeout = '60s'",
    # What is acknowledged is on the disk, whatever the server's own default.
    """select set_config('synchronous_commit', 'on', false)
      where current_setting('synchronous_commit') = 'off'""",
)
_HOLD: Final = "select 1 from conversation where id = any(?) order by id for no key update"
_BESIDE_OTHERS: Final = "select pg_advisory_lock_shared(?)"
_ALONE: Final = "select pg_advisory_lock(?)"
_ONE_BY_ONE: Final = "select pg_advisory_xact_lock(?)"
_IN_THE_WAY: Final = (
    errors.DeadlockDetected, errors.LockNotAvailable, errors.SerializationFailure,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _About(Order):
    about: bytes | None = None


class PostgresEngine:
    """Runs jobs on a PostgreSQL database."""

    def __init__(
        self, url: str, vault: Vault, first: Callable[[PgConnection], None] | None = None
    ) -> None:
        """`first` is the first job, done before anything is read."""
        with _told(), _connected(url) as pg:
            db = PgConnection(pg)
            db.execute(_BESIDE_OTHERS, (OPEN,))
            bring_up_to_date(db, vault)
            if first:
                first(db)
        self._pool = ConnectionPool(
            url, min_size=1, max_size=READERS + 2, timeout=AWAY_SECONDS,
            reconnect_timeout=AWAY_SECONDS, configure=partial(_configure_ours, vault=vault),
            open=True, num_workers=1,
        )  # fmt: skip
        self._readers = ThreadPoolExecutor(READERS, "sala-read")
        self._talks = _Lane("sala-write", self._write_group)
        self._cases = _Lane("sala-cases", self._write_group)
        self._closed = False
        self.together: Mapping[str, Callable[[Connection, Sequence[Any]], Sequence[Any]]] = {}
        """How jobs of a kind are run in one go, where that is known."""

    async def write(self, job: Callable[[Connection], T], about: bytes | None = None) -> T:
        """What the job returns or raises, once it is durable; a job that raises leaves no trace."""
        if self._closed:
            raise Unwritten("The store is closed.")
        told: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        lane = self._cases if about is None else self._talks
        lane.orders.put(_About(job, told, about))
        return await told

    async def read(self, job: Callable[[Connection], T]) -> T:
        """What the job makes of one consistent state of the database."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, job)

    async def scrub(self) -> None:
        """Nothing: what was erased goes with the next vacuum, and with the oldest backup."""

    async def close(self) -> None:
        """Write what was asked for, then close."""
        if not self._closed:
            self._closed = True
            for lane in (self._talks, self._cases):
                lane.orders.put(None)
            await asyncio.to_thread(self._finish)

    def _finish(self) -> None:
        for lane in (self._talks, self._cases):
            lane.thread.join()
        self._readers.shutdown()
        self._pool.close()

    def _read(self, job: Callable[[Connection], T]) -> T:
        try:
            with self._pool.connection() as pg:
                pg.isolation_level, pg.read_only = IsolationLevel.REPEATABLE_READ, True
                return job(PgConnection(pg))
        except psycopg.Error as error:
            raise Unwritten(type(error).__name__) from error

    def _write_group(self, orders: Sequence[_About]) -> None:
        """One commit for these; when it fails, one for each by itself."""
        began = monotonic()
        try:
            written = self._written(orders)
            COMMITS.observe(monotonic() - began)
            tell_all(written)
        except Exception as error:
            if len(orders) == 1 or _is_away(error):
                tell_all([(order, None, error) for order in orders])
                return
            for order in orders:
                self._write_group([order])

    def _written(self, orders: Sequence[_About]) -> list[Outcome]:
        """What the jobs came to, which is durable."""
        left = TRIES if len(orders) == 1 else 1
        while True:
            try:
                with self._pool.connection() as pg:
                    pg.isolation_level = pg.read_only = None
                    db = PgConnection(pg)
                    _alone(db, orders)
                    return [one for some in _rounds(orders) for one in self._done(db, some)]
            except psycopg.Error as error:
                left -= 1
                if not left or not isinstance(error, _IN_THE_WAY):
                    raise Unwritten(type(error).__name__) from error

    def _done(self, db: PgConnection, orders: Sequence[_About]) -> Iterator[Outcome]:
        """What came of these, each about another conversation: those of a kind in one go."""
        kinds = defaultdict[str, list[tuple[_About, Any]]](list)
        for order in orders:
            if isinstance(order.job, Alike) and order.job.kind in self.together:
                kinds[order.job.kind].append((order, order.job.value))
            else:
                yield order, _plain(order.job(db)), None
        for kind, some in kinds.items():
            results = self.together[kind](db, [value for _, value in some])
            for (order, _), result in zip(some, results, strict=True):
                yield order, result, None


def _rounds(orders: Sequence[_About]) -> list[list[_About]]:
    """What is about one conversation keeps its order: in each round are jobs of different ones."""
    rounds: list[list[_About]] = []
    before = Counter[bytes | None]()
    for order in orders:
        if before[order.about] == len(rounds):
            rounds.append([])
        rounds[before[order.about]].append(order)
        before[order.about] += 1
    return rounds


def _alone(db: PgConnection, orders: Sequence[_About]) -> None:
    """Wait until nobody else writes about what these are about."""
    if orders[0].about is None:
        one_by_one(db)
    elif ids := sorted({order.about for order in orders if order.about}):
        db.execute(_HOLD, (ids,))


def one_by_one(db: PgConnection) -> None:
    """Until the transaction ends nobody else writes about cases and partners."""
    db.execute(_ONE_BY_ONE, (CASES,))


def _is_away(error: Exception) -> bool:
    """The server cannot be used now: nothing is gained by asking it once for each."""
    cause = error.__cause__
    return isinstance(cause, psycopg.OperationalError) and not isinstance(cause, _IN_THE_WAY)


def _plain(result: object) -> object:
    """A cursor must not be touched in another thread."""
    return None if isinstance(result, PgCursor) else result


class _Lane:
    """A thread that writes what queued up while it wrote before; nothing is waited for."""

    def __init__(self, name: str, write: Callable[[Sequence[_About]], None]) -> None:
        self.orders: SimpleQueue[_About | None] = SimpleQueue()
        self._write = write
        self.thread = Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while (first := self.orders.get()) is not None:
            group = [one for one in (first, *self._company()) if not one.told.cancelled()]
            if group:
                self._write(group)

    def _company(self) -> Iterator[_About]:
        for _ in range(GROUP - 1):
            try:
                order = self.orders.get_nowait()
            except Empty:
                return
            if order is None:
                self.orders.put(None)
                return
            yield order


def look(url: str) -> tuple[int, bool]:
    """The version of its tables, and whether the server writes to the disk what it acknowledges.

    Nothing is changed. Unwritten when it cannot be reached.
    """
    with _connected(url) as pg:
        db = PgConnection(pg)
        (fsync,) = db.execute("show fsync").fetchone() or ("off",)
        return version_of(db), fsync == "on"


@contextmanager
def _told() -> Iterator[None]:
    """Whatever the server says against it is one of the store's own errors."""
    try:
        yield
    except psycopg.Error as error:
        raise Unwritten(f"PostgreSQL cannot be used now: {type(error).__name__}.") from error


@contextmanager
def alone(url: str) -> Iterator[PgConnection | None]:
    """A connection, while nobody else has the database open nor can open it; None when somebody
    has. What is done with it is kept at the end."""
    with _told(), _connected(url) as pg:
        db = PgConnection(pg)
        db.execute("set statement_timeout = 0")
        db.execute("select set_config('lock_timeout', ?, false)", (PATIENCE,))
        pg.commit()
        try:
            db.execute(_ALONE, (OPEN,))
        except errors.LockNotAvailable:
            pg.rollback()
            yield None
        else:
            yield db


def _connected(url: str) -> psycopg.Connection[Any]:
    try:
        pg = psycopg.connect(url, connect_timeout=CONNECT_SECONDS)
    except psycopg.Error as error:
        reason = str(error).partition("\n")[0]
        raise Unwritten(f"The PostgreSQL server cannot be used: {reason}") from None
    _configure(pg)
    return pg


def _configure_ours(pg: psycopg.Connection[Any], vault: Vault) -> None:
    """Who lost all its connections meanwhile learns of new keys here, or may not write."""
    _configure(pg)
    db = PgConnection(pg)
    db.execute(_BESIDE_OTHERS, (OPEN,))
    proven(db, vault)
    pg.commit()


def _configure(pg: psycopg.Connection[Any]) -> None:
    adapt(pg)
    for setting in _SETTINGS:
        pg.execute(setting)
    pg.commit()
