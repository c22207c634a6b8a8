"""The worker and the case: PIN, withdrawal, news, and the hours in which news may ring."""

from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cases.eligibility import List
from bot.cases.number import make_number
from bot.conversation.codec import decode_inbound, encode_effect
from bot.conversation.model import CaseChecked, CheckCase, Gone
from bot.store import (
    ConversationId,
    EffectId,
    Planned,
    Registered,
    Ticket,
    TicketRefused,
    Turn,
)
from bot.worker import next_daytime
from tests.talking import BANGKOK, TO_APP, Door, Talk, play, until, working

BERLIN = ZoneInfo("Europe/Berlin")
SANTIAGO = ZoneInfo("America/Santiago")
NIGHT = datetime(2026, 3, 1, 22, tzinfo=BANGKOK)
MORNING = datetime(2026, 3, 2, 9, tzinfo=BANGKOK)
MINORS: List = "minors"
BOB = ConversationId(b"b" * 16)


def wrong(case: Registered) -> str:
    return f"{(int(case.pin or 0) + 1) % 10**6:06d}"


# ---------------------------------------------------------------- C15: the hours


TIMES = st.integers(1_700_000_000, 1_900_000_000).map(partial(datetime.fromtimestamp, tz=UTC))
ZONES = st.sampled_from([BANGKOK, BERLIN, SANTIAGO])


@given(TIMES, ZONES)
def test_c15_a_push_waits_for_the_next_daytime_and_never_longer(at: datetime, zone: ZoneInfo):
    due = next_daytime(at, zone)
    assert time(9) <= due.astimezone(zone).time() < time(20)
    assert timedelta(0) <= due - at <= timedelta(hours=14)
    assert next_daytime(due, zone) == due


@given(TIMES, ZONES)
def test_c15_in_the_daytime_nothing_waits(at: datetime, zone: ZoneInfo):
    daytime = time(9) <= at.astimezone(zone).time() < time(20)
    assert (next_daytime(at, zone) == at) == daytime


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
def test_c15_nine_is_nine_on_the_day_the_clocks_change(day: date) -> None:
    midnight = datetime.combine(day, time(0), BERLIN).astimezone(UTC)
    due = next_daytime(midnight, BERLIN).astimezone(BERLIN)
    assert (due.date(), due.time()) == (day, time(9))


# ---------------------------------------------------------------- news


async def follows(talk: Talk, choice: str = "yes") -> Registered:
    case = await talk.makes_a_case()
    await talk.presses(f"ask.updates={choice}", "ask.aftercare=no")
    return case


def test_news_comes_to_the_talk_that_wanted_it_once_until_it_is_read(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        await follows(talk)
        await talk.answers(await talk.partner("Chirp"))
        await talk.answers(await talk.partner("Plaza"))
        assert talk.heard("news") == 1
        assert talk.heard("show.status.blocked", partner="Chirp") == 0
        await talk.presses("news=show")
        assert talk.heard("show.status.blocked", partner="Chirp") == 1
        assert talk.heard("show.status.blocked", partner="Plaza") == 1
        await talk.answers(await talk.partner("Third"))
        assert talk.heard("news") == 2

    play(tmp_path, story)


def test_who_wanted_no_news_hears_none(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        await follows(talk, "no")
        await talk.answers(await talk.partner())
        assert talk.heard("news") == 0

    play(tmp_path, story)


def test_c2_a_phone_that_others_read_gets_no_news(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        await talk.opens()
        await talk.presses("ask.phone=shared", "ask.situation=money", "ask.who=self")
        await talk.presses("ask.age=adult", "ask.image=here", "ask.consent=yes")
        case = await talk.register()
        await talk.store.follow(case.number, talk.conversation, True)
        await talk.answers(await talk.partner())
        assert talk.heard("news") == 0

    play(tmp_path, story)


@pytest.mark.parametrize("words", ["stop", "he is looking at my phone right now"])
def test_after_stop_and_after_an_alarm_no_news_comes(tmp_path: Path, words: str) -> None:
    async def story(talk: Talk) -> None:
        await follows(talk)
        await talk.says(words)
        await talk.answers(await talk.partner())
        assert talk.heard("news") == 0

    play(tmp_path, story)


def test_c15_news_that_would_ring_at_night_waits_for_the_morning(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        await follows(talk)
        talk.now = NIGHT
        await talk.answers(await talk.partner())
        assert talk.heard("news") == 0
        talk.now = MORNING - timedelta(seconds=1)
        await talk.work()
        assert talk.heard("news") == 0
        talk.now = MORNING
        await talk.work()
        assert talk.heard("news") == 1

    play(tmp_path, story, Door(wakes=True))


def test_c15_at_night_an_answer_to_the_person_does_not_wait(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        talk.now = NIGHT
        await talk.opens()
        assert talk.heard("hello") == 1

    play(tmp_path, story, Door(wakes=True))


def test_c15_where_nothing_rings_news_comes_at_once(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        await follows(talk)
        talk.now = NIGHT
        await talk.answers(await talk.partner())
        assert talk.heard("news") == 1

    play(tmp_path, story)


# ---------------------------------------------------------------- number and PIN


def test_the_right_pin_withdraws_at_once(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        case = await talk.makes_a_case()
        await talk.presses("home=withdraw")
        await talk.says(str(case.pin))
        assert talk.heard("withdrawn") == 1
        assert await talk.status(case.number) == "Withdrawn"

    play(tmp_path, story)


def test_a_wrong_pin_withdraws_nothing_and_says_so(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        case = await talk.makes_a_case()
        await talk.presses("home=withdraw")
        await talk.says(wrong(case))
        assert talk.heard("case.wrong") == 1
        await talk.works_later(days=9)
        assert await talk.status(case.number) == "Active"

    play(tmp_path, story)


def test_after_three_wrong_pins_even_the_right_one_waits(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        case = await talk.makes_a_case()
        await talk.presses("home=withdraw")
        for _ in range(3):
            await talk.says(wrong(case))
        assert talk.heard("case.wait", minutes="1") == 1
        await talk.says(str(case.pin))
        assert talk.heard("case.wait", minutes="1") == 2
        await talk.works_later(seconds=60)
        await talk.says(str(case.pin))
        assert talk.heard("withdrawn") == 1

    play(tmp_path, story)


def test_a_case_that_is_not_there_sounds_like_a_wrong_pin(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        await talk.makes_a_case()
        await talk.presses("home=withdraw")
        await talk.says(f"{make_number(bytes(8))} 123456")
        assert (talk.heard("case.wrong"), talk.heard("withdrawn")) == (1, 0)

    play(tmp_path, story)


def test_who_guesses_in_another_chat_does_not_keep_the_cases_person_waiting(
    tmp_path: Path,
) -> None:
    async def story(talk: Talk) -> None:
        case = await talk.makes_a_case()
        for _ in range(3):
            await talk.store.check_pin(case.number, wrong(case), talk.now, BOB)
        await talk.presses("home=withdraw")
        await talk.says(f"{case.number} {case.pin}")
        assert talk.heard("withdrawn") == 1

    play(tmp_path, story)


# ---------------------------------------------------------------- C16: the latch


def test_c16_a_link_given_before_a_sign_of_under_18_opens_nothing_after_it(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        await talk.opens()
        await talk.presses(*TO_APP)
        given = talk.door.sent[-1]
        await talk.says("i'm 15")
        talk.door.sent.append(given)
        with pytest.raises(TicketRefused, match="used"):
            await talk.register()

    play(tmp_path, story)


def test_c16_a_case_made_before_a_sign_of_under_18_leaves_the_adults_list(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        await talk.makes_a_case()
        await talk.says("i'm 15")
        adults = await talk.partner()
        page = await talk.store.feed(adults, ["adults"], 0, None, 100, talk.now)
        assert [one.status for one in page.records] == ["Withdrawn"]

    play(tmp_path, story)


# ---------------------------------------------------------------- C12: withdrawing


def test_c12_with_number_and_pin_a_planned_withdrawal_is_known_in_any_chat(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        case = await leaves(talk)
        assert [one.leaving for one in await checked(talk, case)] == [True]
        await talk.store.keep(case.number)
        assert [one.leaving for one in await checked(talk, case)] == [False]

    play(tmp_path, story)


async def checked(talk: Talk, case: Registered) -> list[CaseChecked]:
    """What the conversation is told when number and PIN are compared now."""
    await talk.arrives(Gone(talk.now))
    [claim] = await talk.store.claim(["door"], talk.now, 9)
    check = CheckCase("status", case.number, case.pin or "")
    id = EffectId(f"check {next(talk.ids)}")
    planned = Planned(id, encode_effect(check), talk.now, said=False)
    await talk.store.commit(claim, Turn(claim.state or b"", (planned,)))
    await talk.worker.outbox.start()
    await talk.worker.outbox.finish()
    [claim] = await talk.store.claim(["door"], talk.now, 9)
    heard = [decode_inbound(one.body) for one in claim.waiting]
    await talk.work()
    return [one for one in heard if isinstance(one, CaseChecked)]


async def leaves(talk: Talk) -> Registered:
    case = await talk.makes_a_case()
    await talk.presses("home=withdraw", "ask.keys=lost")
    return case


async def goes_round(talk: Talk) -> None:
    """Until the worker's own sweep has been: it forgets a ticket that has expired."""
    digest = b"s" * 16
    await talk.store.issue(Ticket(digest, talk.conversation, MINORS, talk.now))

    async def swept() -> bool:
        try:
            await talk.store.look(digest, talk.now)
        except TicketRefused as refused:
            return refused.reason == "unknown"
        return False

    async with working(talk):
        await until(swept)


def test_c12_without_the_pin_it_takes_effect_after_48_hours_by_itself(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        case = await leaves(talk)
        assert talk.heard("leave.waiting") == 1
        talk.now += timedelta(hours=47, minutes=59)
        await goes_round(talk)
        assert await talk.status(case.number) == "Active"
        talk.now += timedelta(minutes=1)
        await goes_round(talk)
        assert await talk.status(case.number) == "Withdrawn"

    play(tmp_path, story)


def test_c12_until_then_it_can_be_undone(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        case = await leaves(talk)
        await talk.works_later(hours=47)
        await talk.presses("leave.waiting=undo")
        assert talk.heard("kept") == 1
        talk.now += timedelta(days=9)
        await goes_round(talk)
        assert await talk.status(case.number) == "Active"

    play(tmp_path, story)


def test_c12_stop_and_clearing_the_chat_withdraw_nothing(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        case = await talk.makes_a_case()
        await talk.presses("ask.delete=chat")
        await talk.says("stop")
        talk.now += timedelta(days=9)
        await goes_round(talk)
        assert await talk.status(case.number) == "Active"

    play(tmp_path, story)


def test_erasing_with_the_pin_leaves_no_case(tmp_path: Path) -> None:
    async def story(talk: Talk) -> None:
        case = await talk.makes_a_case()
        await talk.presses("ask.delete=case")
        await talk.says(str(case.pin))
        assert talk.heard("erased") == 1
        assert await talk.status(case.number) == "gone"

    play(tmp_path, story)
