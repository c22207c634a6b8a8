"""Sala in processes that kill themselves with SIGKILL at a point that was named beforehand.

Run as a program this file is a nursery: it loads everything once, and for each line on its standard
input forks a process that is `sala run` to the last byte, but counts its points: right before and
right after each SQL statement and each call to a platform. A statement that only reads is one
point, and none when it was read since the last write or call already: nothing can have changed.
"""

import asyncio
import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

import psycopg
import uvicorn
from sqlite_utils.utils import sqlite3
from uvicorn.loops.auto import auto_loop_factory

from bot.app import open_sala
from bot.channels import telegram_pace
from bot.channels.calls import Calls
from bot.cli import _serve
from bot.settings import read_settings
from bot.store import postgres  # noqa: F401  # as above
from bot.understanding.tables import Patterns

READS = ("select", "begin", "rollback", "set ", "pragma", "show")


class Points:
    """Counts, and kills this process when the count is reached. Of many threads."""

    def __init__(self) -> None:
        self.at = 0
        self.count = 0
        self._read: set[str] = set()
        self._lock = Lock()

    @contextmanager
    def around(self, what: str) -> Iterator[None]:
        """A point before the block and one after it."""
        if what.startswith(READS):
            self._reads(what)
            yield
            return
        self._point(f"before {what}")
        yield
        self._point(f"after {what}")

    def between(self, what: str, rows: Iterable[Any]) -> Iterator[Any]:
        """A point before each row of a statement that is run for many."""
        for row in rows:
            self._point(f"before {what}")
            yield row

    def _reads(self, what: str) -> None:
        if what not in self._read:
            self._count(f"at {what}")
            self._read.add(what)

    def _point(self, where: str) -> None:
        self._read.clear()
        self._count(where)

    def _count(self, where: str) -> None:
        with self._lock:
            self.count += 1
            if self.count == self.at:
                tell("killed", " ".join(where.split())[:60])
                os.kill(os.getpid(), signal.SIGKILL)


POINTS = Points()


def tell(*words: object) -> None:
    """A line to whoever keeps the nursery, whole whatever comes after it."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


# ---------------------------------------------------------------- where the points are


class Watched(sqlite3.Connection):  # type: ignore[misc]  # pysqlite3 has no types
    """An SQLite connection with points."""

    def execute(self, sql: str, *given: Any) -> Any:
        with POINTS.around(sql):
            return super().execute(sql, *given)

    def executemany(self, sql: str, rows: Iterable[Any]) -> Any:
        with POINTS.around(sql):
            return super().executemany(sql, POINTS.between(sql, rows))


def watch_sqlite() -> None:
    plain = sqlite3.connect
    sqlite3.connect = lambda *given, **named: plain(*given, factory=Watched, **named)


def watch_postgres() -> None:
    """Statements, and what begins and ends transactions, on the wire to the server."""
    execute, many = psycopg.Cursor.execute, psycopg.Cursor.executemany
    command = psycopg.Connection._exec_command

    def executing(self: Any, sql: Any, *given: Any, **named: Any) -> Any:
        with POINTS.around(plain(sql)):
            return execute(self, sql, *given, **named)

    def executing_many(self: Any, sql: Any, rows: Iterable[Any], **named: Any) -> Any:
        with POINTS.around(plain(sql)):
            return many(self, sql, POINTS.between(plain(sql), rows), **named)

    def commanding(self: Any, sql: Any, *given: Any, **named: Any) -> Any:
        with POINTS.around(plain(sql).lower()):
            return (yield from command(self, sql, *given, **named))

    psycopg.Cursor.execute = executing  # type: ignore[method-assign]
    psycopg.Cursor.executemany = executing_many  # type: ignore[method-assign]
    psycopg.Connection._exec_command = commanding  # type: ignore[method-assign]


def plain(sql: str | bytes) -> str:
    return sql.decode() if isinstance(sql, bytes) else sql


def watch_calls() -> None:
    """What goes out to a platform and waits for its answer."""
    post = Calls.post

    async def posting(self: Calls, url: str, *given: Any) -> tuple[int, bytes]:
        with POINTS.around(f"call {url.rpartition('/')[2]}"):
            return await post(self, url, *given)

    Calls.post = posting  # type: ignore[method-assign]


# ---------------------------------------------------------------- a life, and the nursery


def live(at: int, shift: float, environment: dict[str, str]) -> None:
    """`sala run` with these settings, killed at a point; the clock is `shift` seconds ahead."""
    POINTS.at = at
    settings = read_settings(environment)

    async def work() -> None:
        def clock() -> datetime:
            return datetime.now(UTC) + timedelta(seconds=shift)

        async with open_sala(settings, clock) as sala:
            await _serve(sala)

    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(work())
    tell("points", POINTS.count)


def keep(lives: Iterable[str], child: Callable[..., None]) -> None:
    """A process for each line, one after the other; how each ended."""
    for line in lives:
        pid = os.fork()
        if not pid:
            try:
                child(**json.loads(line))
            finally:
                os._exit(0)
        tell("born", pid)
        _, status = os.waitpid(pid, 0)
        tell("ended", os.waitstatus_to_exitcode(status))


async def rehearse(folder: str) -> None:
    """Load and read all that a life needs, so that no life needs to."""
    chats = {"SALA_LINE_SECRET": "s", "SALA_LINE_TOKEN": "t", "SALA_TELEGRAM_TOKEN": "1:a"}
    async with open_sala(read_settings({"SALA_DATA_DIR": folder, **chats})) as sala:
        uvicorn.Config(sala.site()).load()
    for read in (one for one in gc.get_objects() if isinstance(one, Patterns)):
        tuple(read)


def main() -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(rehearse(folder))
    watch_sqlite()
    watch_postgres()
    watch_calls()
    telegram_pace.CHAT = 0.0  # type: ignore[misc]  # a second between messages, of the whole run
    gc.freeze()
    tell("ready", len(os.listdir("/proc/self/task")))
    keep(sys.stdin, live)


if __name__ == "__main__":
    main()
