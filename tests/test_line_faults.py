"""What goes wrong between us and LINE: nothing is lost by it, nothing comes twice."""

from datetime import timedelta
from pathlib import Path

import pytest

from bot.channels import Choice, Message, TryAgain
from bot.channels.line_address import PUSH, Address, write_address
from bot.channels.line_api import LineApi
from bot.outbox import MISSED
from bot.store import EffectId
from tests.peers.line_api import Fault
from tests.peers.line_talk import ANN, Account, dies, play

REPLY = "/v2/bot/message/reply"
PUSHED = "/v2/bot/message/push"
HELLO = ("hello", "ask.phone")


async def opens(sala: Account) -> None:
    await sala.hears(sala.event("follow", follow={"isUnblocked": False}))


def said_once(sala: Account) -> bool:
    return len(sala.line.chats[ANN]) == 2 and all(map(sala.once, HELLO))


# ---------------------------------------------------------------- faults


def test_nothing_of_the_environment_leads_a_message_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(sala: Account) -> None:
        await opens(sala)
        assert said_once(sala)

    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    play(tmp_path, story)


@pytest.mark.parametrize("fault", ["500", "500 after", "cut after", "slow after"])
def test_a_reply_without_a_clear_answer_is_asked_again_and_comes_once(
    fault: Fault, tmp_path: Path
) -> None:
    async def story(sala: Account) -> None:
        sala.restart(seconds=0.3)
        sala.line.faults[REPLY] = [fault]
        await opens(sala)
        assert said_once(sala)
        assert sala.line.asked(PUSHED) == []

    play(tmp_path, story)


def test_a_reply_that_stays_without_answer_waits_and_is_the_same_again(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        sala.line.faults[REPLY] = ["500", "500 after", "500"]
        await opens(sala)
        await sala.works_later(seconds=3)
        assert said_once(sala)
        assert sala.line.asked(PUSHED) == []

    play(tmp_path, story)


def test_line_that_takes_nothing_is_in_trouble_until_it_does(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        sala.line.faults[REPLY] = ["500"] * 20
        await opens(sala)
        assert sala.worker.outbox.troubled() == [], "one try says little"
        for _ in range(MISSED):
            await sala.works_later(seconds=10)
        assert sala.worker.outbox.troubled() == ["line"]
        sala.line.faults.clear()
        await sala.works_later(minutes=1)
        assert sala.worker.outbox.troubled() == []

    play(tmp_path, story)


@pytest.mark.parametrize("fault", ["500", "500 after", "cut after", "slow after"])
def test_a_push_without_a_clear_answer_is_repeated_with_its_key(
    fault: Fault, tmp_path: Path
) -> None:
    async def story(sala: Account) -> None:
        sala.restart(seconds=0.3)
        await sala.post(sala.event("follow", follow={"isUnblocked": False}))
        sala.line.faults[PUSHED] = [fault]
        await sala.works_later(seconds=46)
        await sala.works_later(seconds=5)
        assert said_once(sala)
        assert (len(sala.line.asked(PUSHED)), sala.line.used) == (2, 1)

    play(tmp_path, story)


@pytest.mark.parametrize("path", [REPLY, PUSHED])
@pytest.mark.parametrize("fault", ["rate", "concurrent"])
def test_what_is_too_much_at_once_comes_a_little_later(
    fault: Fault, path: str, tmp_path: Path
) -> None:
    async def story(sala: Account) -> None:
        sala.line.faults[path] = [fault]
        await sala.post(sala.event("follow", follow={"isUnblocked": False}))
        await sala.works_later(seconds=46 if path == PUSHED else 0)
        assert sala.line.said(ANN) == []
        await sala.works_later(seconds=4)
        assert said_once(sala)

    play(tmp_path, story)


def test_past_the_months_pushes_an_answer_waits_for_the_next_reply_token(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        sala.line.used = 300
        await sala.post(sala.event("follow", follow={"isUnblocked": False}))
        await sala.works_later(seconds=46)
        assert sala.line.said(ANN) == []
        await sala.works_later(hours=2)
        assert sala.line.asked(PUSHED) == [429]
        await sala.says("hi")
        assert all(map(sala.once, HELLO[:1]))
        assert sala.line.used == 300

    play(tmp_path, story)


def test_a_reply_token_that_line_refuses_at_once_is_answered_by_push(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        await sala.post(sala.event("follow", follow={"isUnblocked": False}))
        sala.line.tokens.clear()
        await sala.work()
        assert said_once(sala)
        assert (sala.line.asked(REPLY), sala.line.asked(PUSHED)) == ([400], [200])

    play(tmp_path, story)


def test_a_reply_token_is_not_tried_when_it_is_old(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        await sala.post(sala.event("follow", follow={"isUnblocked": False}))
        await sala.works_later(seconds=46)
        assert (sala.line.asked(REPLY), sala.line.asked(PUSHED)) == ([], [200])

    play(tmp_path, story)


def test_somebody_who_blocked_us_gets_nothing_and_nothing_is_tried_for_ever(
    tmp_path: Path,
) -> None:
    async def story(sala: Account) -> None:
        sala.line.blocked.add(ANN)
        await sala.post(sala.event("follow", follow={"isUnblocked": False}))
        await sala.works_later(seconds=46)
        await sala.works_later(days=1)
        assert (sala.line.asked(PUSHED), sala.line.used) == ([200], 0)

    play(tmp_path, story)


def test_somebody_who_is_not_there_is_forgotten(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        sala.line.unknown.add(ANN)
        await sala.post(sala.event("follow", follow={"isUnblocked": False}))
        await sala.works_later(seconds=46)
        await sala.works_later(days=1)
        assert sala.line.asked(PUSHED) == [400]

    play(tmp_path, story)


def test_a_wrong_access_token_loses_nothing(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        sala.restart(api=LineApi("not the token", sala.line.url))
        await opens(sala)
        assert sala.line.said(ANN) == []
        await sala.close()
        sala.restart()
        await sala.works_later(seconds=3)
        assert said_once(sala)

    play(tmp_path, story)


# ---------------------------------------------------------------- crashes


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("later", [1, 20, 50])
def test_a_crash_around_a_reply_loses_nothing_and_repeats_nothing(
    later: int, before: bool, tmp_path: Path
) -> None:
    async def story(sala: Account) -> None:
        await sala.post(sala.event("follow", follow={"isUnblocked": False}))
        await dies(sala, "reply", before=before)
        await sala.works_later(seconds=later)
        assert said_once(sala)

    play(tmp_path, story)


@pytest.mark.parametrize("before", [True, False])
def test_who_is_in_danger_gets_the_card_once_more_rather_than_perhaps_never(
    before: bool, tmp_path: Path
) -> None:
    """LINE refuses a token that was used, and nobody can say that it refuses no other."""

    async def story(sala: Account) -> None:
        await opens(sala)
        sala.line.chats.clear()
        await sala.post(sala.text("I want to kill myself"))
        await dies(sala, "reply", before=before)
        sala.line.tokens.clear()
        await sala.works_later(seconds=1)
        await sala.works_later(hours=1)
        card = sala.texts.say("alarm.self_harm", "en")
        assert sum(card in said for said in sala.line.said(ANN)) == (1 if before else 2)
        assert sala.line.asked(PUSHED) == [200]

    play(tmp_path, story)


@pytest.mark.parametrize("before", [True, False])
def test_a_crash_around_a_push_loses_nothing_and_repeats_nothing(
    before: bool, tmp_path: Path
) -> None:
    async def story(sala: Account) -> None:
        await sala.post(sala.event("follow", follow={"isUnblocked": False}))
        sala.now += timedelta(seconds=46)
        await dies(sala, "push", before=before)
        await sala.works_later(hours=3)
        assert said_once(sala)

    play(tmp_path, story)


QUESTIONS = {
    "is it free?": "answer.is_it_free",
    "how long does it take?": "answer.how_long",
    "is it anonymous?": "answer.private",
    "is it a video, does that work too?": "answer.video_instead",
}


@pytest.mark.parametrize("end", ["push", "reply", None])
@pytest.mark.parametrize("before", [True, False])
def test_more_than_a_reply_holds_comes_whole_in_order_and_once(
    end: str | None, before: bool, tmp_path: Path
) -> None:
    async def story(sala: Account) -> None:
        await opens(sala)
        sala.line.chats.clear()
        await sala.post(*(sala.text(question) for question in QUESTIONS))
        if end:
            await dies(sala, end, before=before)
        await sala.works_later(seconds=1)
        said = "\n".join(sala.line.said(ANN))
        places = [said.find(sala.texts.say(id, "en")) for id in QUESTIONS.values()]
        assert len(sala.line.said(ANN)) > 5
        assert -1 not in places
        assert places == sorted(places)
        assert all(map(sala.once, QUESTIONS.values()))

    play(tmp_path, story)


def test_past_the_months_pushes_the_first_five_still_come_by_reply(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        await opens(sala)
        sala.line.chats.clear()
        sala.line.used = 300
        await sala.hears(*(sala.text(question) for question in QUESTIONS))
        assert len(sala.line.said(ANN)) == 5
        sala.line.used = 0
        await sala.says("ok")
        assert all(map(sala.once, QUESTIONS.values()))

    play(tmp_path, story)


# ---------------------------------------------------------------- the month's pushes


def news(text: str = "There is news.") -> Message:
    id = EffectId("11111111-2222-5333-8444-555555555555")
    return Message(id, text, "You have a message", (Choice("Later", "app=later"),))


@pytest.mark.parametrize(
    ("used", "limit", "quiet", "goes"),
    [(200, 300, 60, True), (250, 300, 60, False), (250, 300, 5, True), (9_000, None, 60, True)],
)
def test_the_last_fifth_of_the_months_pushes_is_kept_for_who_is_writing_now(
    used: int, limit: int | None, quiet: int, goes: bool, tmp_path: Path
) -> None:
    async def story(sala: Account) -> None:
        sala.line.used, sala.line.limit = used, limit
        heard_at = sala.now - timedelta(minutes=quiet)
        sending = sala.channel.send(write_address(Address(ANN, heard_at)), [news()], PUSH)
        if goes:
            await sending
        else:
            with pytest.raises(TryAgain) as held:
                await sending
            assert held.value.again_at is None
        assert len(sala.line.said(ANN)) == int(goes)

    play(tmp_path, story)
