"""A store whose process is killed at any point keeps what it acknowledged, once.

Run as a program, this file is that process: it says on its standard output what was acknowledged.
"""

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import psycopg

from bot.store import Arrival, ConversationId, EffectId, Planned, Turn
from bot.store.whole import WholeStore
from bot.vault import load_or_make
from tests import databases

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANN = ConversationId(b"a" * 16)
KILL_AFTER = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233)
"""Lines read before the kill: each round goes on in the file the last one left."""


def arrival(number: int) -> Arrival:
    return Arrival("line", str(number), ANN, b"address", str(number).encode(), NOW)


def turn(state: list[int], numbers: list[int]) -> Turn:
    effects = tuple(Planned(EffectId(str(n)), str(n).encode(), NOW) for n in numbers)
    return Turn(json.dumps(state).encode(), effects)


def opened(folder: Path) -> WholeStore:
    vault, _ = load_or_make(folder / "sala.keys")
    return databases.open_store(folder / "sala.db", vault, lambda: NOW)


# ---------------------------------------------------------------- the process to be killed


def say(word: str, *numbers: int | str) -> None:
    print(word, *numbers, flush=True)


async def keep_receiving(store: WholeStore, start: int) -> None:
    for number in count(start):
        await store.receive(arrival(number))
        say("received", number)


async def keep_turning(store: WholeStore) -> None:
    while True:
        for claimed in await store.claim(["line"], NOW, 1):
            numbers = [int(one.body) for one in claimed.waiting]
            state = [*json.loads(claimed.state or "[]"), *numbers]
            await store.commit(claimed, turn(state, numbers))
            say("committed", *numbers)


async def keep_sending(store: WholeStore) -> None:
    while True:
        for bundle in await store.due(["line"], NOW, 1):
            ids = [one.id for one in bundle.effects[:3]]
            say("settling", *ids)
            await store.settle(ANN, ids)
            say("settled", *ids)


async def live(folder: Path, start: int) -> None:
    store = opened(folder)
    await asyncio.gather(keep_receiving(store, start), keep_turning(store), keep_sending(store))


# ---------------------------------------------------------------- who kills it and looks


def killed_after(lines: int, folder: Path, start: int) -> list[str]:
    """All that the process said until it was killed, after this many lines were read."""
    address = databases.Chosen.address or ""
    command = [sys.executable, "-m", __name__, str(folder), str(start), address]
    root = Path(__file__).parents[1]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        said += child.stdout.readlines()
    return [line for line in said if line.endswith("\n")]


Told = dict[str, set[int]]
"""Numbers by the word they were acknowledged with, over all rounds."""


def hear(told: Told, lines: list[str]) -> None:
    for line in lines:
        word, *numbers = line.split()
        told[word] |= {int(number) for number in numbers}


async def look(folder: Path, told: Told) -> int:
    """Check the file against what was acknowledged, take all its turns and send all its effects.

    Returns the next event's number.
    """
    store = opened(folder)
    events = await all_turned(store, told)
    assert events == list(range(len(events))), "each once, in the order of arrival"
    assert told["received"] <= set(events)
    sent = await all_sent(store)
    assert sent == sorted(set(sent)), "each once, in the order of the turns"
    assert set(events) - told["settling"] <= set(sent) <= set(events) - told["settled"]
    assert not any([await store.receive(arrival(number)) for number in events[-20:]])
    await store.close()
    told["settling"] |= set(sent)
    told["settled"] |= set(sent)
    return len(events)


async def all_turned(store: WholeStore, told: Told) -> list[int]:
    """The state after all turns. One more event, numbered -1, makes sure that there is one."""
    await store.receive(replace(arrival(-1), event_id=f"look {len(told['settled'])}"))
    (claimed,) = await store.claim(["line"], NOW, 1)
    taken = json.loads(claimed.state or "[]")
    assert told["committed"] <= set(taken)
    numbers = [number for one in claimed.waiting if (number := int(one.body)) >= 0]
    assert await store.commit(claimed, turn([*taken, *numbers], numbers))
    return [*taken, *numbers]


async def all_sent(store: WholeStore) -> list[int]:
    sent: list[int] = []
    while bundles := await store.due(["line"], NOW, 1):
        sent += [int(one.id) for one in bundles[0].effects]
        await store.settle(ANN, [one.id for one in bundles[0].effects])
    return sent


def over() -> None:
    """Nothing is under way in PostgreSQL for who was killed, and its half minute is over."""
    others = """select 1 from pg_stat_activity
      where pid != pg_backend_pid() and datname = current_database()"""
    if databases.Chosen.address:
        with psycopg.connect(databases.Chosen.address, autocommit=True) as pg:
            while pg.execute(others).fetchone():
                pass
            pg.execute("update conversation set held_by = null")


def test_killed_at_any_point_what_was_acknowledged_is_there_once(both: str, tmp_path: Path) -> None:
    told: Told = {word: set() for word in ("received", "committed", "settling", "settled")}
    start, rounds = 0, KILL_AFTER if both == "sqlite" else KILL_AFTER[2::4]
    asyncio.run(opened(tmp_path).close())
    for lines in rounds:
        hear(told, killed_after(lines, tmp_path, start))
        over()
        start = asyncio.run(look(tmp_path, told))
    assert len(told["committed"]) > len(rounds)


if __name__ == "__main__":
    its_folder = Path(sys.argv[1])
    databases.Chosen.address, databases.Chosen.path = sys.argv[3] or None, its_folder / "sala.db"
    asyncio.run(live(its_folder, int(sys.argv[2])))
