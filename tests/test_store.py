"""What the turn engine promises, whichever way events, turns and sending fall together."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.conversation.codec import decode_inbound, decode_state
from bot.store import ConversationId, EffectId, Turn
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


def test_an_event_is_kept_once_however_often_it_comes(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        assert await store.receive(event("1"))
        assert not await store.receive(event("1"))
        assert await store.commit(await the_claim(store), Turn(b"s"))
        assert not await store.receive(event("1"))
        assert await store.claim(DOORS, NOW, 10) == []

    play(tmp_path, story)


def test_the_same_event_id_of_another_channel_is_another_event(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        assert await store.receive(event("1"))
        assert await store.receive(event("1", BOB, door="telegram"))

    play(tmp_path, story)


@pytest.mark.parametrize(("days", "new"), [(3, False), (4, True)])
def test_an_event_is_remembered_for_three_days(tmp_path: Path, days: int, new: bool) -> None:
    async def story() -> None:
        later = NOW + timedelta(days=days)
        async with opened(tmp_path / "sala.db") as store:
            await answered(store, "1")
        async with opened(tmp_path / "sala.db", later) as store:
            await store.receive(event("2", BOB, at=later))
            assert await store.receive(event("1", at=later)) is new

    asyncio.run(story())


def test_an_event_that_still_waits_is_never_kept_twice(tmp_path: Path) -> None:
    async def story() -> None:
        later = NOW + timedelta(days=30)
        async with opened(tmp_path / "sala.db", later) as store:
            await store.receive(event("1"))
            await store.park(await the_claim(store))
            await store.receive(event("2", BOB, at=later))
            assert not await store.receive(event("1", at=later))

    asyncio.run(story())


def test_an_event_from_a_wrong_future_makes_nothing_forgotten(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await answered(store, "1")
        await store.receive(event("2", at=NOW + timedelta(days=3650)))
        assert not await store.receive(event("1"))

    play(tmp_path, story)


def test_events_are_claimed_in_the_order_of_their_arrival(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        for number in range(5):
            await store.receive(event(str(number), at=NOW - timedelta(seconds=number)))
        claimed = await the_claim(store)
        assert [waiting.body for waiting in claimed.waiting] == [b"0", b"1", b"2", b"3", b"4"]
        assert (claimed.state, claimed.version, claimed.channel) == (None, 0, "line")

    play(tmp_path, story)


def test_who_waits_longest_is_claimed_first_over_all_channels(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        for number in range(6):
            who = ConversationId(bytes([255 - number]) * 16)
            await store.receive(event(str(number), who, door=DOORS[number % 2]))
        claims = await store.claim(DOORS, NOW, 4)
        assert [one.waiting[0].body for one in claims] == [b"0", b"1", b"2", b"3"]
        claims = await store.claim(["telegram"], NOW, 4)
        assert [one.waiting[0].body for one in claims] == [b"1", b"3", b"5"]

    play(tmp_path, story)


def test_an_event_that_comes_during_a_turn_waits_for_the_next(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("1"))
        claimed = await the_claim(store)
        await store.receive(event("2"))
        assert await store.commit(claimed, Turn(b"after 1"))
        claimed = await the_claim(store)
        assert [waiting.body for waiting in claimed.waiting] == [b"2"]
        assert (claimed.state, claimed.version) == (b"after 1", 1)

    play(tmp_path, story)


def test_a_crowd_of_events_comes_in_claims_of_a_hundred(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await asyncio.gather(*(store.receive(event(str(n))) for n in range(130)))
        claimed = await the_claim(store)
        assert len(claimed.waiting) == 100
        assert await store.commit(claimed, Turn(b"s"))
        assert len((await the_claim(store)).waiting) == 30

    play(tmp_path, story)


def test_a_parked_event_lets_the_rest_go_on(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("bad"))
        await store.receive(event("good"))
        await store.park(await the_claim(store))
        assert [waiting.body for waiting in (await the_claim(store)).waiting] == [b"good"]
        assert await store.parked() == 1
        assert await store.commit(await the_claim(store), Turn(b"s"))
        assert await store.claim(DOORS, NOW, 10) == []
        assert await store.parked() == 1

    play(tmp_path, story)


def test_the_event_that_is_named_is_set_aside_and_no_other(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        for id in ("1", "bad", "2"):
            await store.receive(event(id))
        claimed = await the_claim(store)
        await store.park(claimed, claimed.waiting[1].seq)
        assert [waiting.body for waiting in (await the_claim(store)).waiting] == [b"1", b"2"]
        assert await store.parked() == 1

    play(tmp_path, story)


def test_a_parked_claim_without_events_drops_the_timer_that_rang(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("1"))
        turn = Turn(b"s", timers=(("aftercare", NOW), ("later", NOW + timedelta(days=1))))
        await store.commit(await the_claim(store), turn)
        await store.park(await the_claim(store))
        assert await store.claim(DOORS, NOW, 10) == []
        assert (await the_claim(store, NOW + timedelta(days=2))).rung == ("later",)

    play(tmp_path, story)


# ---------------------------------------------------------------- turns


def test_a_state_is_that_of_the_last_turn(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        assert await store.state(ANN) is None
        await answered(store, "1")
        assert await store.state(ANN) == b"s"
        await store.receive(event("2"))
        assert await store.commit(await the_claim(store), Turn(b"later"))
        assert await store.state(ANN) == b"later"

    play(tmp_path, story)


def test_of_two_turns_on_one_claim_one_is_written(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("1"))
        claimed = await the_claim(store)
        turns = [Turn(name, (effect(name.decode()),)) for name in (b"x", b"y")]
        won = await asyncio.gather(*(store.commit(claimed, turn) for turn in turns))
        assert sorted(map(bool, won)) == [False, True]
        assert await due_ids(store) == ["x" if won[0] else "y"]

    play(tmp_path, story)


def test_a_timer_rings_when_it_is_due_and_only_once(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        later = NOW + timedelta(hours=1)
        await store.receive(event("1"))
        await store.commit(await the_claim(store), Turn(b"s", timers=(("aftercare", later),)))
        assert await store.claim(DOORS, later - timedelta(microseconds=1), 10) == []
        claimed = await the_claim(store, later)
        assert (claimed.rung, claimed.waiting) == (("aftercare",), ())
        assert await store.commit(claimed, Turn(b"s"))
        assert await store.claim(DOORS, later, 10) == []

    play(tmp_path, story)


def test_cancelling_drops_earlier_timers_and_keeps_this_turns(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        for id, name, cancel in (("1", "old", False), ("2", "new", True)):
            await store.receive(event(id))
            turn = Turn(b"s", timers=((name, NOW + timedelta(hours=1)),), cancel_timers=cancel)
            await store.commit(await the_claim(store), turn)
        assert (await the_claim(store, NOW + timedelta(hours=2))).rung == ("new",)

    play(tmp_path, story)


def test_a_future_timer_never_blocks_a_present_message(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("1"))
        turn = Turn(b"s", timers=(("aftercare", NOW + timedelta(days=9)),))
        await store.commit(await the_claim(store), turn)
        await store.receive(event("2"))
        assert [waiting.body for waiting in (await the_claim(store)).waiting] == [b"2"]

    play(tmp_path, story)


# ---------------------------------------------------------------- effects


def test_effects_are_handed_out_in_order_with_the_newest_address(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await answered(store, "1", effect("a"), effect("b"))
        await answered(store, "2", effect("c"))
        (bundle,) = await store.due(DOORS, NOW, 10)
        assert [(e.id, e.body, e.attempt) for e in bundle.effects] == [
            ("a", b"a", 0), ("b", b"b", 0), ("c", b"c", 0),
        ]  # fmt: skip
        assert (bundle.address, bundle.channel) == (b"address of 2", "line")

    play(tmp_path, story)


def test_a_held_effect_holds_back_the_later_ones_until_a_new_event(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await answered(store, "1", effect("a"), effect("held", None), effect("c"))
        assert await due_ids(store) == ["a"]
        await store.settle(ANN, [EffectId("a")])
        assert await due_ids(store) == []
        assert not await store.receive(event("1"))
        assert await due_ids(store) == []
        await answered(store, "2")
        assert await due_ids(store) == ["held", "c"]

    play(tmp_path, story)


def test_what_is_released_goes_with_the_answer_to_what_released_it(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await answered(store, "1", effect("held", None))
        await store.receive(event("2"))
        assert await due_ids(store) == [], "its turn may hush it"
        await store.commit(await the_claim(store), Turn(b"s", (effect("answer"),)))
        assert await due_ids(store) == ["held", "answer"]

    play(tmp_path, story)


def test_an_event_that_always_fails_keeps_nothing_back(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await answered(store, "1", effect("held", None))
        await store.receive(event("2"))
        await store.park(await the_claim(store))
        assert await due_ids(store) == ["held"]

    play(tmp_path, story)


def test_a_held_conversation_does_not_hold_back_another(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await answered(store, "1", effect("held", None))
        await store.receive(event("2", BOB))
        await store.commit(await the_claim(store), Turn(b"s", (effect("b"),)))
        assert await due_ids(store) == ["b"]

    play(tmp_path, story)


def test_a_failed_effect_comes_again_at_its_time_with_its_count(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await answered(store, "1", effect("a"), effect("b"))
        later = NOW + timedelta(minutes=1)
        await store.retry(ANN, [EffectId("a")], later)
        assert await due_ids(store) == []
        (bundle,) = await store.due(DOORS, later, 10)
        assert [(e.id, e.attempt) for e in bundle.effects] == [("a", 1), ("b", 0)]

    play(tmp_path, story)


def test_an_effect_held_after_failing_is_released_by_a_new_event(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await answered(store, "1", effect("a"))
        await store.retry(ANN, [EffectId("a")], None)
        assert await due_ids(store, NOW + timedelta(days=9)) == []
        await answered(store, "2")
        assert await due_ids(store) == ["a"]

    play(tmp_path, story)


def test_hush_drops_what_earlier_turns_planned_and_keeps_this_turns(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await answered(store, "1", effect("a"), effect("b", None))
        await answered(store, "2", effect("bland"), hush=True)
        assert await due_ids(store) == ["bland"]

    play(tmp_path, story)


def test_a_forgotten_address_leaves_nothing_to_send_and_plans_nothing(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        turn = Turn(b"s", (effect("a"),), (("aftercare", NOW),))
        await store.receive(event("1"))
        await store.commit(await the_claim(store), turn)
        await store.forget_address(ANN)
        assert await due_ids(store) == []
        assert await store.commit(await the_claim(store), Turn(b"s", (effect("b"),)))
        await answered(store, "2", effect("c"))
        assert await due_ids(store) == ["c"]

    play(tmp_path, story)


def test_at_most_as_many_conversations_as_asked_are_handed_out(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        for number in range(4):
            who = ConversationId(bytes([number]) * 16)
            await store.receive(event(str(number), who, door=DOORS[number % 2]))
        for claimed in await store.claim(DOORS, NOW, 10):
            at = NOW - timedelta(seconds=claimed.conversation[0])
            await store.commit(claimed, Turn(b"s", (effect(str(claimed.conversation[0]), at),)))
        bundles = await store.due(DOORS, NOW, 3)
        assert [bundle.effects[0].id for bundle in bundles] == ["3", "2", "1"]

    play(tmp_path, story)


def test_what_is_done_is_neither_held_back_nor_dropped_by_messages(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        done = replace(effect("withdraw"), said=False)
        await answered(store, "1", effect("held", due_at=None), done)
        assert await due_ids(store) == ["withdraw"]
        await answered(store, "2", hush=True)
        assert await due_ids(store) == ["withdraw"]
        await store.forget_address(ANN)
        assert await due_ids(store) == ["withdraw"]
        await store.settle(ANN, [EffectId("withdraw")])
        assert await due_ids(store) == []

    play(tmp_path, story)


def test_messages_tried_together_come_back_with_their_way(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await answered(store, "1", effect("a"), effect("b"))
        await store.attempt(ANN, [EffectId("a"), EffectId("b")], b"by token")
        await answered(store, "2", effect("c"))
        (bundle,) = await store.due(DOORS, NOW, 10)
        assert [one.way for one in bundle.effects] == [b"by token", b"by token", None]
        await store.retry(ANN, [EffectId("a"), EffectId("b")], None)
        await answered(store, "3")
        (bundle,) = await store.due(DOORS, NOW, 10)
        assert [one.way for one in bundle.effects] == [None, None, None]

    play(tmp_path, story)


@pytest.mark.parametrize(("came", "free"), [(1, True), (-1, False)])
def test_what_came_while_a_message_was_tried_releases_it(
    tmp_path: Path, came: int, free: bool
) -> None:
    async def story(store: WholeStore) -> None:
        began = NOW - timedelta(seconds=came)
        await answered(store, "1", effect("a"))
        await store.retry(ANN, [EffectId("a")], None, began)
        assert bool(await due_ids(store)) is free

    play(tmp_path, story)


# ---------------------------------------------------------------- a damaged row


DAMAGE = {
    "event": "update inbox set body = ? where conversation = ?",
    "state": "update conversation set state = ? where id = ?",
    "message": "update outbox set body = ? where conversation = ?",
    "address": "update conversation set address = ? where id = ?",
}


@pytest.mark.parametrize("part", DAMAGE)
def test_a_damaged_row_holds_up_nobody_else(tmp_path: Path, part: str) -> None:
    async def story(store: WholeStore) -> None:
        await answered(store, "1", effect("e1"))
        await store.receive(event("2"))
        await store.receive(event("3", BOB))
        await store._engine.write(lambda db: db.execute(DAMAGE[part], (b"damaged", ANN)).rowcount)
        claims = {one.conversation: one for one in await store.claim(DOORS, NOW, 10)}
        assert [one.body for one in claims[BOB].waiting] == [b"3"]
        assert await store.commit(claims[BOB], Turn(b"s", (effect("e2"),)))
        damaged = claims[ANN]
        if part in {"event", "state"}:
            body = damaged.waiting[0].body if part == "event" else damaged.state
            with pytest.raises(ValueError, match="Expecting value"):
                (decode_inbound if part == "event" else decode_state)(body or b"")
        await store.park(damaged, damaged.waiting[0].seq)
        assert {"e2"} <= {*await due_ids(store)}

    play(tmp_path, story)
