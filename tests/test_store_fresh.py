"""What the store hands on without a look at the file is what a look would find."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.store import ConversationId, Planned, Turn
from bot.store.whole import WholeStore
from tests.turns_kept import (
    ANN,
    BOB,
    DOORS,
    NOW,
    answered,
    due_ids,
    effect,
    event,
    opened,
    play,
    the_claim,
)

pytestmark = pytest.mark.usefixtures("both")

# ---------------------------------------------------------------- events


def test_an_event_that_arrived_here_is_handed_on_once_as_a_claim_finds_it(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        for id in ("1", "2"):
            assert await store.receive(event(id))
            [fresh] = store.fresh(DOORS)
            assert store.fresh(DOORS) == []
            assert fresh == await the_claim(store)
            assert await store.commit(fresh, Turn(b"after " + id.encode()))

    play(tmp_path, story)


def test_what_comes_while_another_event_waits_is_left_to_the_claim(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("1"))
        await store.receive(event("2"))
        await store.receive(event("3", BOB))
        assert [one.conversation for one in store.fresh(DOORS)] == [BOB]
        claimed = next(one for one in await store.claim(DOORS, NOW, 9) if one.conversation == ANN)
        assert [one.body for one in claimed.waiting] == [b"1", b"2"]

    play(tmp_path, story)


def test_what_a_claim_found_is_not_handed_on_again(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("1"))
        await the_claim(store)
        assert store.fresh(DOORS) == []

    play(tmp_path, story)


def test_each_channels_worker_gets_its_own(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("1", door="telegram"))
        assert store.fresh(["line"]) == []
        assert len(store.fresh(["telegram"])) == 1

    play(tmp_path, story)


def test_with_a_timer_that_rang_the_event_is_left_to_the_claim(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        turn = Turn(b"s", timers=(("aftercare", NOW),))
        await store.receive(event("1"))
        await store.commit(await the_claim(store), turn)
        await store.receive(event("2"))
        assert store.fresh(DOORS) == []
        claimed = await the_claim(store)
        assert (len(claimed.waiting), claimed.rung) == (1, ("aftercare",))

    play(tmp_path, story)


def test_of_an_event_that_another_process_took_nothing_is_written(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "sala.db"
        async with opened(path) as one, opened(path) as other:
            await one.receive(event("1"))
            [late] = one.fresh(DOORS)
            assert await other.commit(late, Turn(b"s", (effect("a"),)))
            assert await one.commit(late, Turn(b"late", (effect("b"),))) is None
            assert await due_ids(other) == ["a"]

    asyncio.run(story())


def test_a_crowd_that_nobody_works_for_is_not_remembered_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.store.turns._FRESH_MOST", 20)

    async def story(store: WholeStore) -> None:
        people = [ConversationId(n.to_bytes(16, "big")) for n in range(30)]
        await asyncio.gather(*(store.receive(event(str(n), who)) for n, who in enumerate(people)))
        assert len(store.fresh(DOORS)) == 20

    play(tmp_path, story)


# ---------------------------------------------------------------- effects

LATER = NOW + timedelta(hours=1)
DONE = replace(effect("done"), said=False)


@pytest.mark.parametrize(
    "effects",
    [
        (),
        (effect("a"), effect("b")),
        (effect("a"), DONE),
        (effect("a"), effect("held", None), effect("c")),
        (effect("a"), effect("later", LATER), effect("c"), DONE),
        (replace(DONE, due_at=LATER), effect("a")),
    ],
)
def test_a_turn_tells_what_of_it_is_due_as_a_look_would(
    tmp_path: Path, effects: tuple[Planned, ...]
) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("1"))
        planned = await store.commit(await the_claim(store), Turn(b"s", effects))
        assert planned
        due = await store.due(DOORS, NOW, 9)
        assert [planned] == (due or [replace(planned, effects=())])

    play(tmp_path, story)


def test_with_something_older_before_it_a_turn_tells_nothing(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await answered(store, "1", effect("a"))
        await store.receive(event("2"))
        planned = await store.commit(await the_claim(store), Turn(b"s", (effect("b"),)))
        assert planned
        assert planned.effects == ()
        assert await due_ids(store) == ["a", "b"]

    play(tmp_path, story)


def test_to_whom_nobody_can_write_nothing_is_said(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("1"))
        claimed = await the_claim(store)
        await store.forget_address(ANN)
        planned = await store.commit(claimed, Turn(b"s", (effect("a"), DONE)))
        assert planned
        assert (planned.address, [one.id for one in planned.effects]) == (b"", ["done"])

    play(tmp_path, story)
