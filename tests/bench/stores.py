"""What the store takes a turn (keep, turn, settle) on either database, in one and more processes;
and what commits in groups give, beside commits one by one on the same disk.

Run: python -m tests.bench.stores
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from bot.store import Arrival, Claimed, ConversationId, EffectId, Planned, Turn, engine, pg_engine
from bot.store.whole import WholeStore
from bot.vault import load_or_make
from tests import databases

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TURNS, CROWD, RUNS, AIM = int(os.environ.get("SALA_BENCH_TURNS", "3000")), 50, 3, 3.0
DURABLE = ("shared_buffers=128MB",)


_SERIAL = count()


async def talk(store: WholeStore, process: int, turns: int) -> None:
    """So many turns, by a crowd that writes at the same time."""
    for start in range(0, turns, CROWD):
        await asyncio.gather(*(turn(store, process, start + n) for n in range(CROWD)))


async def turn(store: WholeStore, process: int, number: int) -> None:
    who = ConversationId(bytes([process]) + (number % 1_000).to_bytes(15, "big"))
    serial = next(_SERIAL)
    await store.receive(Arrival("line", f"{process}.{serial}", who, b"a" * 100, b"b" * 200, NOW))
    await asyncio.gather(*(answer(store, claimed) for claimed in store.fresh(["line"])))


async def answer(store: WholeStore, claimed: Claimed) -> None:
    ids = [EffectId(f"{claimed.version}.{n}") for n in range(2)]
    effects = tuple(Planned(id, b"x" * 100, NOW) for id in ids)
    await store.commit(claimed, Turn(b"s" * 400, effects))
    await store.settle(claimed.conversation, ids)


async def one_process(folder: Path, process: int, group: int) -> None:
    engine.GROUP = pg_engine.GROUP = group  # type: ignore[misc]  # what is measured
    vault, _ = load_or_make(folder / "keys")
    store = databases.open_store(folder / "sala.db", vault, lambda: NOW)
    await talk(store, process, CROWD)  # statements are prepared, pages are there
    began, cpu = time.monotonic(), time.process_time()
    await talk(store, process, TURNS)
    print(time.monotonic() - began, time.process_time() - cpu)
    await store.close()


def measured(name: str, address: str, processes: int = 1, group: int = engine.GROUP) -> float:
    """Turns a second."""
    with tempfile.TemporaryDirectory() as folder:
        load_or_make(Path(folder) / "keys")
        databases.Chosen.address, databases.Chosen.path = address or None, None
        if address:
            databases.forget()
        command = [sys.executable, "-m", "tests.bench.stores", folder, address, str(group)]
        running = [
            subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE, text=True)
            for number in range(processes)
        ]
        said = [one.communicate()[0].split() for one in running]
    rate = sum(TURNS / float(seconds) for seconds, _ in said)
    cpu = sum(float(each) for _, each in said) / processes / TURNS * 1e6
    load = os.getloadavg()[0]
    print(f"{name}, {processes}: {rate:,.0f} turns/s, {cpu:,.0f} µs CPU each (load {load:.1f})")
    return rate


def grouped(name: str, address: str) -> None:
    """In turns, so that a busy minute hits both."""
    alone, together = [], []
    for _ in range(RUNS):
        alone.append(measured(f"{name}, one by one", address, 1, 1))
        together.append(measured(f"{name}, in groups", address))
    ratio = statistics.median(together) / statistics.median(alone)
    verdict = "met" if ratio >= AIM else "missed"
    print(f"{name}: groups {ratio:.1f} x one by one (aim {AIM}: {verdict})")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        databases.Chosen.address = sys.argv[2] or None
        databases.Chosen.path = Path(sys.argv[1]) / "sala.db"
        asyncio.run(one_process(Path(sys.argv[1]), int(sys.argv[4]), int(sys.argv[3])))
    else:
        grouped("SQLite", "")
        with databases.server(DURABLE) as address:
            grouped("PostgreSQL", address)
            for processes in (2, 4):
                measured("PostgreSQL", address, processes)
