"""The worker: what is committed, sent, repeated, held, dropped and parked, and when."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from bot.channels import Message, TryAgain, Unreachable
from bot.conversation.codec import encode_state
from bot.conversation.model import Gone, Opened, State, Typed
from bot.store import ConversationId, EffectId, Planned, Turn
from tests import databases
from tests.talking import Door, Killed, Talk, play

LOOKING = "he is looking at my phone right now"
BOB = ConversationId(b"b" * 16)


# ---------------------------------------------------------------- turns


def test_a_turn_is_committed_before_anything_of_it_is_sent(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        async def nothing_waits() -> None:
            assert await talk.store.claim(["door"], talk.now, 9) == []

        talk.door.during = nothing_waits
        await talk.opens()
        await talk.presses("ask.phone=own")
        assert talk.heard("ask.situation") == 1

    play(tmp_path, story)


def test_the_same_event_five_times_makes_one_turn(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        fresh = []
        for _ in range(5):
            fresh.append(await talk.arrives(Opened(talk.now, "en"), id="once"))
            await talk.work()
        assert fresh == [True, False, False, False, False]
        assert talk.heard("ask.phone") == 1

    play(tmp_path, story)


def test_what_came_in_together_is_answered_in_its_order(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        await talk.opens()
        for words in ("hello", "1", "1"):
            await talk.arrives(Typed(talk.now, words))
        await talk.work()
        texts = [one.text for one in talk.door.sent]
        assert texts.index(talk.text("ask.situation")) < texts.index(talk.text("firstaid.threat.1"))
        assert talk.heard("ask.who") == 1

    play(tmp_path, story)


def test_of_what_was_said_nothing_is_kept_after_the_turn_not_even_sealed(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        await talk.opens()
        await talk.says("i am Ploy, he wants 5000 baht or he sends my photos to everyone")
        assert talk.heard("ask.phone") == 2
        kept = databases.dump(tmp_path / "sala.db")
        assert (kept["inbox"], kept["outbox"]) == ([], [])
        state = await talk.store.state(talk.conversation)
        assert state
        assert b"threat" in state or b"money" in state
        assert not [word for word in (b"Ploy", b"5000", b"baht", b"everyone") if word in state]

    play(tmp_path, story)


@pytest.mark.parametrize("poison", [b"", b"{", b'{"v":1,"t":"Typed"}', b'{"v":99,"t":"Gone"}'])
def test_a_poison_event_is_set_aside_and_the_rest_goes_on(tmp_path: Path, poison: bytes) -> None:
    async def story(talk: Talk) -> None:
        await talk.arrives(Opened(talk.now, "en"))
        await talk.arrives(poison)
        await talk.arrives(Typed(talk.now, "1"))
        await talk.arrives(Opened(talk.now, "en"), who=BOB)
        await talk.work()
        assert await talk.store.parked() == 1
        assert talk.heard("hello") == 2, "of both people"
        assert talk.heard("ask.situation") == 1, "what came after it"

    play(tmp_path, story)


def test_what_came_before_a_poison_event_and_after_it_makes_its_turn(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        half_an_emoji = b'{"v":1,"t":"Unsent","at":"2026-03-01T07:00:00+00:00","ref":"\\ud83d"}'
        await talk.arrives(Opened(talk.now, "en"))
        await talk.arrives(half_an_emoji)
        await talk.arrives(Typed(talk.now, "1"))
        await talk.worker.turns()
        assert await talk.store.parked() == 1
        assert await talk.store.claim(["door"], talk.now, 9) == []
        await talk.work()
        assert talk.heard("hello") == talk.heard("ask.situation") == 1

    play(tmp_path, story)


def test_where_nothing_can_be_stepped_the_state_is_left_alone(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        await talk.opens()
        await talk.arrives(b"{")
        [before] = await talk.store.claim(["door"], talk.now, 9)
        await talk.worker.turns()
        await talk.arrives(Typed(talk.now, "1"))
        [after] = await talk.store.claim(["door"], talk.now, 9)
        assert (after.version, after.state) == (before.version, before.state)

    play(tmp_path, story)


# ---------------------------------------------------------------- sends


def test_after_a_crash_between_send_and_settle_the_same_ids_are_sent_again(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        talk.door.kills = True
        with pytest.raises(Killed):
            await talk.opens()
        await talk.ends()
        first = list(dict.fromkeys(one.id for one in talk.door.sent))
        talk.door.kills = False
        talk.forget_sent()
        talk.restart()
        await talk.work()
        assert [one.id for one in talk.door.sent] == first
        assert len({*first}) == len(first) == 2

    play(tmp_path, story)


class DatedDoor(Door):
    """Goes another way at every other time, and says which way messages went."""

    def __init__(self) -> None:
        super().__init__()
        self.went: list[tuple[bytes | None, int]] = []

    def way(self, address: bytes, now: datetime) -> bytes:
        return now.isoformat().encode()

    async def send(
        self, address: bytes, messages: Sequence[Message], way: bytes | None = None
    ) -> None:
        self.went.append((way, len(messages)))
        await super().send(address, messages, way)


def test_what_went_out_together_goes_out_again_together_and_in_the_same_way(
    tmp_path: Path,
) -> None:
    door = DatedDoor()

    async def story(talk: Talk) -> None:
        door.kills = True
        with pytest.raises(Killed):
            await talk.opens()
        await talk.ends()
        (first, both), *_ = door.went
        door.went.clear()
        door.kills = False
        talk.restart()
        talk.now += timedelta(minutes=1)
        await talk.presses("ask.phone=own")
        (again, same), (other, one) = door.went
        assert (both, same, one) == (2, 2, 1)
        assert first == again != other

    play(tmp_path, story, door)


def test_ids_differ_between_turns_and_between_people(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        await talk.opens()
        await talk.opens()
        await talk.arrives(Opened(talk.now, "en"), who=BOB)
        await talk.work()
        ids = [one.id for one in talk.door.sent]
        assert len({*ids}) == len(ids) == 5

    play(tmp_path, story)


def test_what_no_page_could_show_is_held_until_the_person_is_back_and_keeps_its_order(
    tmp_path: Path,
) -> None:
    async def story(talk: Talk) -> None:
        talk.door.fails = [TryAgain(1)]
        await talk.opens()
        assert [one.text for one in talk.door.sent] == [talk.text("hello")]
        await talk.works_later(days=30)
        assert len(talk.door.sent) == 1
        await talk.presses("ask.phone=own")
        assert [one.text for one in talk.door.sent[1:]] == [
            talk.text("ask.phone"),
            talk.text("ask.situation"),
        ]

    play(tmp_path, story)


def test_a_message_that_is_to_be_tried_again_waits_for_its_time(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        talk.door.fails = [TryAgain(0, talk.now + timedelta(minutes=5))]
        await talk.opens()
        await talk.works_later(minutes=4, seconds=59)
        assert talk.door.sent == []
        await talk.works_later(seconds=1)
        assert [one.text for one in talk.door.sent] == [talk.text("hello"), talk.text("ask.phone")]

    play(tmp_path, story)


def test_one_person_who_cannot_be_reached_now_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        talk.door.fails = [TryAgain(0, talk.now + timedelta(minutes=5))]
        await talk.opens()
        await talk.arrives(Opened(talk.now, "en"), who=BOB)
        await talk.work()
        assert talk.heard("hello") == 1

    play(tmp_path, story)


def test_who_is_gone_is_sent_nothing_more_but_what_was_planned_is_done(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        case = await talk.makes_a_case()
        await talk.presses("home=withdraw")
        talk.forget_sent()
        talk.door.fails = [Unreachable()]
        await talk.presses("ask.keys=lost")
        await talk.works_later(days=1)
        assert talk.door.sent == []
        standing = await talk.store.standing(case.number)
        assert standing is not None
        assert standing.leaving

    play(tmp_path, story)


def test_a_withdrawal_planned_before_the_person_left_is_carried_out(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        case = await talk.makes_a_case()
        talk.door.fails = [TryAgain(), Unreachable()]
        await talk.presses("home=withdraw")
        await talk.presses("ask.keys=lost")
        await talk.arrives(Gone(talk.now))
        await talk.work()
        assert await talk.store.sweep(talk.now + timedelta(hours=48)) == 1
        assert await talk.status(case.number) == "Withdrawn"

    play(tmp_path, story)


def test_a_send_that_breaks_is_tried_again_later_and_each_time_later(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        async def broken() -> None:
            tries.append(talk.now)
            raise OSError

        tries: list[datetime] = []
        talk.door.during = broken
        await talk.opens()
        for _ in range(100):
            await talk.works_later(seconds=1)
        waits = [(b - a).total_seconds() for a, b in pairwise(tries)]
        assert waits == [2, 4, 8, 16, 32]
        talk.door.during = None
        await talk.works_later(seconds=64)
        assert talk.heard("hello") == 1

    play(tmp_path, story)


def test_an_effect_of_a_newer_sala_is_kept_and_holds_up_nobody_else(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        await talk.arrives(b"by a newer Sala")
        [claim] = await talk.store.claim(["door"], talk.now, 9)
        newer = Planned(EffectId("1"), b'{"v":99,"t":"Send"}', talk.now)
        await talk.store.commit(claim, Turn(encode_state(State()), (newer,)))
        await talk.arrives(Opened(talk.now, "en"), who=BOB)
        await talk.work()
        assert talk.heard("hello") == 1
        [bundle] = await talk.store.due(["door"], talk.now + timedelta(minutes=15), 9)
        assert [one.id for one in bundle.effects] == ["1"]

    play(tmp_path, story)


# ---------------------------------------------------------------- C9: someone is looking


def test_c9_the_bland_line_is_really_sent_and_all_that_waited_is_dropped(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        await talk.opens()
        talk.forget_sent()
        talk.door.fails = [TryAgain()]
        await talk.presses("ask.phone=own")
        await talk.says(LOOKING)
        await talk.works_later(days=30)
        assert [one.text for one in talk.door.sent] == [talk.text("bland")]
        assert talk.door.sent[0].choices == ()

    play(tmp_path, story)


def test_c9_words_that_came_in_together_with_the_alarm_are_not_answered(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        await talk.opens()
        talk.forget_sent()
        await talk.arrives(Typed(talk.now, "1"))
        await talk.arrives(Typed(talk.now, LOOKING))
        await talk.work()
        assert [one.text for one in talk.door.sent] == [talk.text("bland")]

    play(tmp_path, story)


# ---------------------------------------------------------------- timers


def test_a_timer_rings_once(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        await talk.makes_a_case()
        await talk.presses("ask.updates=no", "ask.aftercare=yes")
        await talk.works_later(days=2, hours=23)
        assert talk.heard("ask.how") == 0
        await talk.works_later(hours=1)
        assert talk.heard("ask.how") == 1
        await talk.works_later(days=9)
        assert talk.heard("ask.how") == 1

    play(tmp_path, story)


@pytest.mark.parametrize("words", ["stop", LOOKING])
def test_after_stop_and_after_an_alarm_no_timer_rings(tmp_path: Path, words: str) -> None:
    async def story(talk: Talk) -> None:
        await talk.makes_a_case()
        await talk.presses("ask.updates=yes", "ask.aftercare=yes")
        await talk.says(words)
        talk.forget_sent()
        await talk.works_later(days=9)
        assert talk.door.sent == []

    play(tmp_path, story)
