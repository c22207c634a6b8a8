"""What became of a message can be asked later, and of several doors one shows the card."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from bot.store import Claimed, ConversationId, EffectId, Turn
from bot.store.lateness import SENDING, WITHIN, Wait
from bot.store.whole import WholeStore
from tests.turns_kept import ANN, BOB, NOW, effect, event, play, the_claim

pytestmark = pytest.mark.usefixtures("both")

ONE = Wait("line", ANN, "1")


def same(address: bytes) -> bytes:
    return address


async def owing(store: WholeStore, *waits: Wait, now: datetime = NOW) -> list[ConversationId]:
    found, _ = await store.unanswered(waits or (ONE,), now)
    return [one.conversation for one in found]


async def left(store: WholeStore, wait: Wait = ONE, now: datetime = NOW) -> Claimed:
    (seen,), _ = await store.unanswered([wait], now)
    return seen


def test_an_answer_is_owed_until_it_went_out(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("1"))
        assert await owing(store) == [ANN], "its turn is to come"
        await store.commit(await the_claim(store), Turn(b"s", (effect("hello"),)))
        assert await store.unanswered([ONE], NOW) == ([], [ANN]), "it is being sent"
        assert await owing(store, now=NOW + SENDING) == [ANN], "it was not sent"
        await store.retry(ANN, [EffectId("hello")], NOW + timedelta(hours=1))
        assert await owing(store) == [ANN], "it could not be sent"
        await store.settle(ANN, [EffectId("hello")])
        assert await owing(store) == []

    play(tmp_path, story)


def test_who_was_answered_and_writes_again_does_not_wait_since_then(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("1"))
        await store.commit(await the_claim(store), Turn(b"s", (effect("hello"),)))
        await store.settle(ANN, [EffectId("hello")])
        later = NOW + timedelta(seconds=15)
        await store.receive(event("2", at=later))
        assert await store.unanswered([ONE], later) == ([], [])
        await store.commit(await the_claim(store, later), Turn(b"s", (effect("yes", later),)))
        assert await store.unanswered([ONE], later) == ([], [ANN]), "perhaps this was meant for it"
        await store.settle(ANN, [EffectId("yes")])
        assert await store.unanswered([ONE], later) == ([], [])

    play(tmp_path, story)


def test_what_has_nothing_to_be_said_to_or_waits_for_the_day_owes_nothing(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("1"))
        news = effect("news", NOW + timedelta(hours=9))
        await store.commit(await the_claim(store), Turn(b"s", (news,)))
        assert await owing(store) == []

    play(tmp_path, story)


def test_an_event_that_was_set_aside_is_never_answered(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("1"))
        await store.park(await the_claim(store))
        assert await owing(store) == [ANN]
        assert (await left(store)).waiting == ()

    play(tmp_path, story)


def test_each_conversation_is_found_once_with_all_that_waits_in_it(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        for one in (event("1"), event("2"), event("3", BOB)):
            await store.receive(one)
        waits = (ONE, Wait("line", ANN, "2"), Wait("line", BOB, "3"), Wait("line", BOB, "never"))
        found, _ = await store.unanswered(waits, NOW)
        assert {one.conversation: [e.body for e in one.waiting] for one in found} == {
            ANN: [b"1", b"2"], BOB: [b"3"],
        }  # fmt: skip

    play(tmp_path, story)


def test_who_waits_whatever_became_of_it_is_found_if_they_are_known(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("1"))
        await store.commit(await the_claim(store), Turn(b"state"))
        found, _ = await store.unanswered([Wait("line", ANN), Wait("line", BOB)], NOW)
        assert [(one.conversation, one.state) for one in found] == [(ANN, b"state")]

    play(tmp_path, story)


def test_the_card_is_shown_by_one_door_once_a_minute_also_after_a_crash(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("1"))
        seen = await left(store)
        ticks = range(0, 3 * 60, 15)
        shown = [await store.show_card(seen, same, NOW + timedelta(seconds=s)) for s in ticks]
        times = [second for second, one in zip(ticks, shown, strict=True) if one]
        assert times[0] == 0
        assert times[1:]
        assert all(b - a >= 60 for a, b in pairwise(times))

    play(tmp_path, story)


def test_the_token_that_the_card_used_up_is_the_answers_no_more(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("1"))
        seen = await left(store)
        assert await store.show_card(seen, lambda address: address + b", spent", NOW)
        bundle = await store.commit(await the_claim(store), Turn(b"s", (effect("hello"),)))
        assert bundle
        assert bundle.address == b"address of 1, spent"

    play(tmp_path, story)


async def writes(store: WholeStore) -> None:
    await store.receive(event("2"))


async def is_answered(store: WholeStore) -> None:
    await store.commit(await the_claim(store), Turn(b"s"))


@pytest.mark.parametrize("meanwhile", [writes, is_answered])
def test_what_moved_on_meanwhile_is_looked_at_again(
    tmp_path: Path, meanwhile: Callable[[WholeStore], Awaitable[None]]
) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("1"))
        seen = await left(store)
        await meanwhile(store)
        assert await store.show_card(seen, same, NOW) is None

    play(tmp_path, story)


def test_while_an_answer_is_being_sent_it_is_not_overtaken(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("1"))
        await store.commit(await the_claim(store), Turn(b"s", (effect("hello"),)))
        await store.attempt(ANN, [EffectId("hello")], b"reply:1")
        seen = await left(store, now=NOW + SENDING)
        assert await store.show_card(seen, same, NOW) is None
        who = await left(store, Wait("line", ANN))
        assert await store.show_card(who, same, NOW, owed=False), "but who is not heard is shown it"

    play(tmp_path, story)


def test_who_cannot_be_reached_or_is_gone_is_shown_nothing(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.receive(event("1"))
        await store.forget_address(ANN)
        seen = await left(store)
        assert await store.show_card(seen, same, NOW) is False
        gone = Claimed(BOB, "line", 0, None)
        assert await store.show_card(gone, same, NOW + 2 * WITHIN) is False

    play(tmp_path, story)
