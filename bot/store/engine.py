"""One SQLite file: one writer in its own thread that commits in groups, one reader beside it.

A group is what queued up while the last one was being written to disk, so that a lone write is
never kept waiting for company, and company shares one fsync. In a crowd commits keep a little
distance, because each costs as much as several writes.
Other processes may write the same file, so nothing read is kept for later.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final, TypeVar

from bot.metrics import COMMITS
from bot.store.jobs import Connection as Database
from bot.store.jobs import Unwritten, prove
from bot.store.schema import bring_up_to_date
from bot.vault import Vault

if TYPE_CHECKING:
    import sqlite3
else:
    from sqlite_utils.utils import sqlite3  # the SQLite it chose: pysqlite3

GROUP: Final = 50
"""Writes that share one commit at most."""
GROUP_SECONDS: Final = 0.02
"""After this time a group takes no more writes."""
APART: Final = 0.02
"""Seconds from the beginning of a commit that was shared to the next: what a tap in a crowd waits
for at most, and what makes its company large."""
BUSY_MS: Final = 10_000
"""How long a write waits for another process."""

sqlite3.register_adapter(bytes, bytes)  # or each bound value costs a long search for one

T = TypeVar("T")
Connection = sqlite3.Connection


@dataclass(frozen=True, slots=True)
class Order:
    """A job, and who is told what came of it."""

    job: Callable[[Database], Any]
    told: "asyncio.Future[Any]"


Outcome = tuple[Order, Any, Exception | None]


class Engine:
    """Runs jobs on the file: writes in the order they were asked for, reads beside them."""

    def __init__(
        self, path: Path, vault: Vault, first: Callable[[Database], bool] | None = None
    ) -> None:
        """`first` is the first job, done before anything is read; whether it erased something."""
        self._path = path
        self._writing, erased = _open_to_write(path, vault, first)
        if erased:
            _scrub(path)
        self._reading = _open_to_read(path)
        self._orders: SimpleQueue[Order | None] = SimpleQueue()
        self._readers = ThreadPoolExecutor(1, "sala-read")
        self._writer = Thread(target=self._write_on, name="sala-write", daemon=True)
        self._writer.start()
        self._closed = False

    async def write(self, job: Callable[[Database], T], about: bytes | None = None) -> T:
        """What the job returns or raises, once it is durable; a job that raises leaves no trace."""
        if self._closed:
            raise Unwritten("The store is closed.")
        told: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._orders.put(Order(job, told))
        return await told

    async def read(self, job: Callable[[Database], T]) -> T:
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

    def _read(self, job: Callable[[Database], T]) -> T:
        self._reading.execute("begin")
        try:
            return job(self._reading)
        finally:
            self._reading.execute("rollback")

    def _write_on(self) -> None:
        not_before = 0.0
        while (order := self._orders.get()) is not None:
            if not order.told.cancelled():
                sleep(max(0.0, not_before - monotonic()))
                group, began = [order], monotonic()
                self._write_group(group)
                not_before = began + APART if len(group) > 1 else 0.0

    def _write_group(self, taken: list[Order], *, alone: bool = False) -> None:
        """One commit for these and all that is queued; when it fails, one for each by itself."""
        began = monotonic()
        try:
            self._run("begin immediate")
            outcomes = [_outcome(self._writing, taken[0])]
            for order in () if alone else self._company():
                taken.append(order)
                outcomes.append(_outcome(self._writing, order))
            self._run("commit")
        except Exception as error:
            self._undo()
            if len(taken) == 1:
                tell_all([(taken[0], None, error)])
                return
            for order in taken:
                self._write_group([order], alone=True)
        else:
            COMMITS.observe(monotonic() - began)
            tell_all(outcomes)

    def _company(self) -> Iterator[Order]:
        """What else is queued now; nothing is waited for."""
        until = monotonic() + GROUP_SECONDS
        for _ in range(GROUP - 1):
            if self._orders.empty() or monotonic() > until:
                return
            order = self._orders.get()
            if order is None:
                self._orders.put(None)
                return
            if not order.told.cancelled():
                yield order

    def _run(self, statement: str) -> None:
        try:
            self._writing.execute(statement)
        except sqlite3.Error as error:
            raise Unwritten(type(error).__name__) from error

    def _undo(self) -> None:
        with suppress(sqlite3.Error):  # whoever asked must hear of it, whatever state it is in
            if self._writing.in_transaction:
                self._writing.execute("rollback")


def _outcome(db: Connection, order: Order) -> Outcome:
    """What the job comes to, told after the commit. Its error undoes the group it is in."""
    lost: Exception | None = None
    try:
        result = order.job(db)
    except Exception as error:
        if db.in_transaction:
            raise
        lost = error
    if not db.in_transaction:  # a full disk ends the whole transaction
        raise Unwritten("The transaction was lost.") from lost
    # A cursor must not be touched in another thread.
    return order, None if isinstance(result, sqlite3.Cursor) else result, None


def tell_all(outcomes: list[Outcome]) -> None:
    """Whoever asked hears of it; each loop is woken once."""
    loops = defaultdict[asyncio.AbstractEventLoop, list[Outcome]](list)
    for outcome in outcomes:
        loops[outcome[0].told.get_loop()].append(outcome)
    for loop, told in loops.items():
        with suppress(RuntimeError):  # a loop that has ended waits for nothing
            loop.call_soon_threadsafe(_settle, told)


def _settle(outcomes: list[Outcome]) -> None:
    for order, result, error in outcomes:
        if order.told.done():
            continue
        if error:
            order.told.set_exception(error)
        else:
            order.told.set_result(result)


def _open_to_write(
    path: Path, vault: Vault, first: Callable[[Database], bool] | None
) -> tuple[Connection, bool]:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    db = _connect(path, "rw")
    try:
        db.execute("pragma auto_vacuum = incremental")  # before the first table, and before WAL
        for pragma in ("journal_mode = wal", "synchronous = full", "secure_delete = on"):
            db.execute(f"pragma {pragma}").fetchall()
        db.execute("begin immediate")
        bring_up_to_date(db)
        prove(db, vault)
        erased = bool(first and first(db))
        db.execute("commit")
    except BaseException:
        db.close()
        raise
    return db, erased


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


def _scrub(path: Path) -> None:
    db = _connect(path, "rw")
    try:
        db.execute("pragma wal_checkpoint(truncate)").fetchall()
    finally:
        db.close()
