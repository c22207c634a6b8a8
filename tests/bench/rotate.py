"""What `sala rotate` costs while Sala runs: its time and memory, and how long others wait for an
acknowledgement meanwhile.

Run: python -m tests.bench.rotate [sqlite] [postgres]. SALA_BENCH_CASES (200000) makes it smaller.
"""

import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
from anyio.from_thread import start_blocking_portal
from sqlite_utils.utils import sqlite3

from bot.store.postgres import PostgresStore
from bot.store.resealing import SEALED, Sealed
from bot.store.sqlite import SqliteStore
from bot.vault import Vault, load_or_make
from tests import databases
from tests.bench import grown
from tests.bench.grown import ADDRESS, NOW, STATE, Town
from tests.bench.growth import FILLING, _begin
from tests.crashed import Line
from tests.peers.line_api import CHANNEL_TOKEN
from tests.peers.line_talk import SECRET, sign
from tests.serving import SALA, Served, served

CASES: Final = int(os.environ.get("SALA_BENCH_CASES", "200000"))
EVERY, BEFORE = 0.05, 20.0
"""Seconds between two who write, and for how long they do before the key is changed."""
PLAIN: Final = {"state": STATE, "address": ADDRESS, "value": b"5a" * 32, "number": b"K7Q-2XH-DPM"}
IDS = count()


# ---------------------------------------------------------------- filled, each value sealed


def sealed(one: Sealed, vault: Vault, keys: list[Any]) -> Iterator[tuple[Any, ...]]:
    for key in keys:
        yield vault.seal(one.place(tuple(key)), PLAIN.get(one.column, b"p" * 48)), *key


def seal_all(db: Any, vault: Vault, mark: str) -> int:
    """Every value of the tables that `grown` fills; how many."""
    done = 0
    for one in SEALED:
        if one.table not in {"conversation", "cases", "hash"}:
            continue
        keys = db.execute(f"select {', '.join(one.key)} from {one.table}").fetchall()
        which = " and ".join(f"{name} = {mark}" for name in one.key)
        update = f"update {one.table} set {one.column} = {mark} where {which}"
        db.cursor().executemany(update, sealed(one, vault, keys))
        done += len(keys)
    return done


def fill_file(folder: Path, vault: Vault) -> int:
    path = folder / "sala.db"
    asyncio.run(_begin(SqliteStore.open(path, vault, lambda: NOW)))
    grown.fill_file(path, Town(CASES, vault))
    db = sqlite3.connect(path)
    done = seal_all(db, vault, "?")
    db.commit()
    db.close()
    return done


def fill_server(address: str, vault: Vault) -> int:
    asyncio.run(_begin(PostgresStore.open(address, vault, lambda: NOW)))
    grown.fill_server(address, Town(CASES, vault))
    with psycopg.connect(address) as pg:
        return seal_all(pg, vault, "%s")


# ---------------------------------------------------------------- those who write meanwhile


class Writers:
    """Somebody new writes on LINE every so often; `took` is until the acknowledgement, in ms."""

    def __init__(self, sala: Served, line: Line) -> None:
        self.sala, self.line = sala, line
        self.over = Event()
        self.took: list[float] = []
        self.refused = 0

    def write(self) -> None:
        user = f"U{next(IDS):032x}"
        event = {
            "type": "follow", "mode": "active", "webhookEventId": f"01{next(IDS):024X}",
            "timestamp": int(datetime.now(UTC).timestamp() * 1000),
            "follow": {"isUnblocked": False}, "deliveryContext": {"isRedelivery": False},
            "source": {"type": "user", "userId": user}, "replyToken": self.line.token(user),
        }  # fmt: skip
        body = json.dumps({"destination": "U" + "0" * 32, "events": [event]}).encode()
        began = time.perf_counter()
        connection = HTTPConnection(urlsplit(self.sala.url).netloc, timeout=60)
        connection.request("POST", "/line", body, {"X-Line-Signature": sign(body).decode()})
        self.refused += connection.getresponse().status != 200
        connection.close()
        self.took.append((time.perf_counter() - began) * 1000)

    def run(self) -> None:
        while not self.over.wait(EVERY):
            self.write()

    @contextmanager
    def writing(self, when: str) -> Iterator[None]:
        self.over.clear()
        self.took, self.refused = [], 0
        thread = Thread(target=self.run)
        thread.start()
        try:
            yield
        finally:
            self.over.set()
            thread.join()
        took = sorted(self.took)
        print(
            f"  {when}: {len(took)} wrote, {self.refused} refused; acknowledged in ms: median "
            f"{statistics.median(took):.0f}, 99 % {took[len(took) * 99 // 100]:.0f}, "
            f"longest {took[-1]:.0f}"
        )


def rotated(environment: dict[str, str], *more: str) -> None:
    began, peak = time.perf_counter(), 0
    command = [*SALA, "rotate", *more]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    status = Path(f"/proc/{process.pid}/status")
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        peak = max(peak, _most(status))
        time.sleep(0.2)
    said = process.communicate()[0]
    assert process.returncode == 0, said
    took = time.perf_counter() - began
    print(f"  {' '.join(command[2:])}: {took:.1f} s, {peak} MB at most: {said.splitlines()[-1]}")


def _most(status: Path) -> int:
    """The most memory that a process had so far, in MB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
    return int(found[1]) // 1024 if found else 0


def measure(folder: Path, database: str) -> None:
    with start_blocking_portal() as portal:
        fake = Line(lambda: datetime.now(UTC), limit=None)
        with portal.wrap_async_context_manager(fake.served()) as line:
            settings = {
                "SALA_LINE_SECRET": SECRET, "SALA_LINE_TOKEN": CHANNEL_TOKEN,
                "SALA_LINE_API": line.url, "SALA_TRANSIENT": "off", "DATABASE_URL": database,
            }  # fmt: skip
            with served(folder, **settings) as sala:
                writers = Writers(sala, line)
                with writers.writing("before"):
                    time.sleep(BEFORE)
                with writers.writing("while the key is changed"):
                    rotated(sala.environment, *(["--running"] if database else []))
                print(f"  answered: {len(line.chats)} of {next(IDS) // 2}")
            rotated(sala.environment)


def main(chosen: list[str]) -> None:
    for name in chosen or ["sqlite", "postgres"]:
        with TemporaryDirectory() as place:
            folder = Path(place)
            vault, _ = load_or_make(folder / "keys")
            if name == "sqlite":
                print(f"SQLite, {CASES} cases, {fill_file(folder, vault)} values:", flush=True)
                measure(folder, "")
            else:
                with databases.server(FILLING[-2:]) as address:
                    values = fill_server(address, vault)
                    print(f"PostgreSQL, {CASES} cases, {values} values:", flush=True)
                    measure(folder, address)


if __name__ == "__main__":
    main(sys.argv[1:])
