"""One SQLite file: one writer in its own thread that commits in groups, one reader beside it.

A group is what queued up while the last one was being written to disk: the disk itself is the
waiting time, so that a lone write is never kept waiting for company, and company shares one fsync.
Other processes may write the same file, so nothing read is kept for later.

StoreError > Unwritten (try again), Unreadable (other keys), NewerSchema
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar

from bot.store import StoreError
from bot.store.schema import bring_up_to_date
from bot.vault import Unopened, Vault

if TYPE_CHECKING:
    import sqlite3
else:
    from sqlite_utils.utils import sqlite3  # the SQLite it chose: pysqlite3

GROUP: Final = 50
"""Writes that share one commit at most."""
GROUP_SECONDS: Final = 0.005
"""After this time a group takes no more writes."""
BUSY_MS: Final = 10_000
"""How long a write waits for another process."""

T = TypeVar("T")
Connection = sqlite3.Connection
Clock = Callable[[], datetime]
_Outcome = Callable[[], None]


class Unwritten(StoreError):
    """The disk, or another process, prevented the write: nothing of it was kept."""


class Unreadable(StoreError):
    """The file was sealed with other keys."""


@dataclass(frozen=True, slots=True)
class _Order:
    job: Callable[[Connection], Any]
    future: "Future[Any]"


class Engine:
    """Runs jobs on the file: writes in the order they were asked for, reads beside them."""

    def __init__(self, path: Path, vault: Vault) -> None:
        self._path = path
        self._writing = _open_to_write(path, vault)
        self._reading = _open_to_read(path)
        self._orders: SimpleQueue[_Order | None] = SimpleQueue()
        self._readers = ThreadPoolExecutor(1, "sala-read")
        self._writer = Thread(target=self._write_on, name="sala-write", daemon=True)
        self._writer.start()
        self._closed = False

    async def write(self, job: Callable[[Connection], T]) -> T:
        """What the job returns or raises, once it is durable; a job that raises leaves no trace."""
        if self._closed:
            raise Unwritten("The store is closed.")
        future: Future[T] = Future()
        self._orders.put(_Order(job, future))
        return await asyncio.wrap_future(future)

    async def read(self, job: Callable[[Connection], T]) -> T:
        """What the job makes of one consistent state of the file."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, job)

    async def scrub(self) -> None:
        """Move the log into the file and empty it, so that erased bytes are in neither."""
        await asyncio.to_thread(_scrub, self._path)

    async def close(self) -> None:
        """Write what was asked for, then close."""
        if not self._closed:
            self._closed = True
            self._orders.put(None)
            await asyncio.to_thread(self._finish)

    def _finish(self) -> None:
        self._writer.join()
        self._readers.shutdown()
        self._reading.close()
        self._writing.close()

    def _read(self, job: Callable[[Connection], T]) -> T:
        self._reading.execute("begin")
        try:
            return job(self._reading)
        finally:
            self._reading.execute("rollback")

    def _write_on(self) -> None:
        while (order := self._orders.get()) is not None:
            if order.future.set_running_or_notify_cancel():
                self._write_group(order)

    def _write_group(self, first: _Order) -> None:
        taken = [first]
        try:
            self._writing.execute("begin immediate")
            outcomes = [_attempt(self._writing, first)]
            for order in self._company():
                taken.append(order)
                outcomes.append(_attempt(self._writing, order))
            self._writing.execute("commit")
        except Exception as error:
            self._undo(taken, error)
        else:
            for tell in outcomes:
                tell()

    def _company(self) -> Iterator[_Order]:
        """What else is queued now; nothing is waited for."""
        until = monotonic() + GROUP_SECONDS
        for _ in range(GROUP - 1):
            if self._orders.empty() or monotonic() > until:
                return
            order = self._orders.get()
            if order is None:
                self._orders.put(None)
                return
            if order.future.set_running_or_notify_cancel():
                yield order

    def _undo(self, taken: list[_Order], error: Exception) -> None:
        with suppress(sqlite3.Error):  # whoever asked must hear of it, whatever state it is in
            if self._writing.in_transaction:
                self._writing.execute("rollback")
        for order in taken:
            refusal = Unwritten(type(error).__name__)
            refusal.__cause__ = error
            order.future.set_exception(refusal)


class Part:
    """One room of the store; all rooms share one engine, one vault and one clock."""

    def __init__(self, engine: Engine, vault: Vault, clock: Clock, months: int = 24) -> None:
        self._engine = engine
        self._vault = vault
        self._clock = clock
        self._months = months


def _attempt(db: Connection, order: _Order) -> _Outcome:
    """Run one job; its outcome is told after the commit. An error of its own undoes it alone."""
    db.execute("savepoint job")
    try:
        result = order.job(db)
        if isinstance(result, sqlite3.Cursor):  # it must not be touched in another thread
            result = None
    except Exception as error:
        if not db.in_transaction:  # a full disk ends the whole transaction
            raise sqlite3.OperationalError("the transaction was lost") from error
        db.execute("rollback to job")
        db.execute("release job")
        refusal = error
        return lambda: order.future.set_exception(refusal)
    db.execute("release job")
    return lambda: order.future.set_result(result)


def _open_to_write(path: Path, vault: Vault) -> Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    db = _connect(path, "rw")
    try:
        db.execute("pragma auto_vacuum = incremental")  # before the first table, and before WAL
        for pragma in ("journal_mode = wal", "synchronous = full", "secure_delete = on"):
            db.execute(f"pragma {pragma}").fetchall()
        db.execute("begin immediate")
        bring_up_to_date(db)
        _prove(db, vault)
        db.execute("commit")
    except BaseException:
        db.close()
        raise
    return db


def _open_to_read(path: Path) -> Connection:
    return _connect(path, "ro")


def _connect(path: Path, mode: str) -> Connection:
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True, isolation_level=None, check_same_thread=False,
    )  # fmt: skip
    for pragma in (f"busy_timeout = {BUSY_MS}", "foreign_keys = on", "trusted_schema = off"):
        db.execute(f"pragma {pragma}").fetchall()
    return db


def _prove(db: Connection, vault: Vault) -> None:
    """Unreadable unless this vault's seals and pepper are those the file began with."""
    expected = vault.digest("proof")
    row = db.execute("select sealed from proof").fetchone()
    if row is None:
        sealed = vault.seal("proof.sealed|1", expected)
        db.execute("insert into proof values (1, ?)", (sealed,))
        return
    try:
        ours = vault.same(vault.open("proof.sealed|1", row[0]), expected)
    except Unopened:
        ours = False
    if not ours:
        raise Unreadable("The keys do not belong to this database.")


def _scrub(path: Path) -> None:
    db = _connect(path, "rw")
    try:
        db.execute("pragma wal_checkpoint(truncate)").fetchall()
    finally:
        db.close()
