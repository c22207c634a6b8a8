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

from bot.store import Arrival, ConversationId, EffectId, Planned, Turn
from bot.store.sqlite import SqliteStore
from bot.vault import load_or_make

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANN = ConversationId(b"a" * 16)
KILL_AFTER = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233)
"""Lines read before the kill: each round goes on in the file the last one left."""


def arrival(number: int) -> Arrival:
    return Arrival("line", str(number), ANN, b"address", str(number).encode(), NOW)


def turn(state: list[int], numbers: list[int]) -> Turn:
    effects = tuple(Planned(EffectId(str(n)), str(n).encode(), NOW) for n in numbers)
    return Turn(json.dumps(state).encode(), effects)


# ---------------------------------------------------------------- the process to be killed


def say(word: str, *numbers: int | str) -> None:
    print(word, *numbers, flush=True)


async def keep_receiving(store: SqliteStore, start: int) -> None:
    for number in count(start):
        await store.receive(arrival(number))
        say("received", number)


async def keep_turning(store: SqliteStore) -> None:
    while True:
        for claimed in await store.claim(["line"], NOW, 1):
            numbers = [int(one.body) for one in claimed.waiting]
            state = [*json.loads(claimed.state or "[]"), *numbers]
            await store.commit(claimed, turn(state, numbers))
            say("committed", *numbers)


async def keep_sending(store: SqliteStore) -> None:
    while True:
        for bundle in await store.due(["line"], NOW, 1):
            ids = [one.id for one in bundle.effects[:3]]
            say("settling", *ids)
            await store.settle(ANN, ids)
            say("settled", *ids)


async def live(folder: Path, start: int) -> None:
    vault, _ = load_or_make(folder / "sala.keys")
    store = SqliteStore.open(folder / "sala.db", vault, lambda: NOW)
    await asyncio.gather(keep_receiving(store, start), keep_turning(store), keep_sending(store))


# ---------------------------------------------------------------- who kills it and looks


def killed_after(lines: int, folder: Path, start: int) -> list[str]:
    """All that the process said until it was killed, after this many lines were read."""
    command = [sys.executable, __file__, str(folder), str(start)]
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
    vault, _ = load_or_make(folder / "sala.keys")
    store = SqliteStore.open(folder / "sala.db", vault, lambda: NOW)
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


async def all_turned(store: SqliteStore, told: Told) -> list[int]:
    """The state after all turns. One more event, numbered -1, makes sure that there is one."""
    await store.receive(replace(arrival(-1), event_id=f"look {len(told['settled'])}"))
    (claimed,) = await store.claim(["line"], NOW, 1)
    taken = json.loads(claimed.state or "[]")
    assert told["committed"] <= set(taken)
    numbers = [number for one in claimed.waiting if (number := int(one.body)) >= 0]
    assert await store.commit(claimed, turn([*taken, *numbers], numbers))
    return [*taken, *numbers]


async def all_sent(store: SqliteStore) -> list[int]:
    sent: list[int] = []
    while bundles := await store.due(["line"], NOW, 1):
        sent += [int(one.id) for one in bundles[0].effects]
        await store.settle(ANN, [one.id for one in bundles[0].effects])
    return sent


def test_killed_at_any_point_what_was_acknowledged_is_there_once(tmp_path: Path) -> None:
    told: Told = {word: set() for word in ("received", "committed", "settling", "settled")}
    start = 0
    for lines in KILL_AFTER:
        hear(told, killed_after(lines, tmp_path, start))
        start = asyncio.run(look(tmp_path, told))
    assert len(told["committed"]) > len(KILL_AFTER)


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), int(sys.argv[2])))
