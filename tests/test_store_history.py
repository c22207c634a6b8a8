"""Any history of a conversation leaves what a plain model of it says."""

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.store import EffectId, Turn
from bot.store.whole import WholeStore
from tests.turns_kept import (
    ANN,
    DOORS,
    NOW,
    due_ids,
    effect,
    event,
    opened,
)


@dataclass
class Model:
    """What one conversation should look like, written as plainly as can be."""

    seen: set[int] = field(default_factory=set)
    waiting: list[int] = field(default_factory=list)
    version: int = 0
    outbox: list[tuple[str, int | None]] = field(default_factory=list)
    reachable: bool = False
    parked: int = 0

    def receive(self, id: int) -> bool:
        if id in self.seen:
            return False
        self.seen.add(id)
        self.waiting.append(id)
        self.outbox = [(name, 0 if due is None else due) for name, due in self.outbox]
        self.reachable = True
        return True

    def commit(self, effects: list[tuple[str, int | None]], *, hush: bool) -> None:
        self.version += 1
        self.waiting = []
        self.outbox = [] if hush else self.outbox
        self.outbox += effects if self.reachable else []

    def due(self, now: int) -> Iterator[str]:
        """What is said waits for the turn of what came in."""
        if self.waiting:
            return
        for name, due in self.outbox:
            if due is None or due > now:
                return
            yield name


ACTS = st.one_of(
    st.tuples(st.just("receive"), st.integers(0, 6)),
    st.tuples(
        st.just("commit"),
        st.tuples(st.lists(st.sampled_from([0, 5, None]), max_size=3), st.booleans()),
    ),
    st.tuples(st.sampled_from(["stale", "park", "forget", "settle", "tick"]), st.none()),
    st.tuples(st.just("retry"), st.sampled_from([3, None])),
)


def tell(acts: list[tuple[str, object]]) -> None:
    async def story(folder: str) -> None:
        async with opened(Path(folder) / "sala.db") as store:
            await lived(store, acts)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(story(folder))


@settings(max_examples=40, deadline=None)
@given(st.lists(ACTS, max_size=14))
def test_any_history_leaves_what_the_model_says(acts: list[tuple[str, object]]) -> None:
    tell(acts)


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("both", ["postgres"], indirect=True)
@settings(max_examples=12, deadline=None)
@given(st.lists(ACTS, max_size=14))
def test_any_history_on_postgresql_leaves_it_too(acts: list[tuple[str, object]]) -> None:
    tell(acts)


async def lived(store: WholeStore, acts: list[tuple[str, object]]) -> None:
    model, now, last = Model(), 0, None
    for act, value in acts:
        claims = await store.claim(DOORS, seconds(now), 10)
        match act, value:
            case "receive", int(id):
                assert await store.receive(event(str(id))) == model.receive(id)
            case "commit", (list(times), bool(hush)) if claims:
                last = claims[0]
                named = [(f"{last.version}-{n}", due) for n, due in enumerate(times)]
                effects = tuple(effect(n, due if due is None else seconds(due)) for n, due in named)
                assert await store.commit(last, Turn(b"s", effects, hush=hush))
                model.commit(named, hush=hush)
            case "stale", _ if last:
                assert not await store.commit(last, Turn(b"stale", (effect("stale"),), hush=True))
            case "park", _ if claims:
                await store.park(claims[0])
                model.waiting.pop(0)
                model.parked += 1
            case "forget", _:
                await store.forget_address(ANN)
                model.outbox, model.reachable = [], False
            case "settle", _ if model.outbox:
                await store.settle(ANN, [EffectId(model.outbox.pop(0)[0])])
            case "retry", at if model.outbox:
                name, _ = model.outbox[0]
                await store.retry(ANN, [EffectId(name)], at if at is None else seconds(at))
                model.outbox[0] = (name, at)
            case "tick", _:
                now += 2
        await same(store, model, now)


async def same(store: WholeStore, model: Model, now: int) -> None:
    claims = await store.claim(DOORS, seconds(now), 10)
    waiting = [int(one.body) for claimed in claims for one in claimed.waiting]
    assert waiting == model.waiting
    assert all(claimed.version == model.version for claimed in claims)
    assert await due_ids(store, seconds(now)) == list(model.due(now))
    assert await store.parked() == model.parked


def seconds(number: int) -> datetime:
    return NOW + timedelta(seconds=number)
