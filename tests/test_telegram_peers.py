"""The whole bot before a strict Telegram: what is sent, what is lost, what is deleted."""

import random
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bot.cases.number import make_number
from bot.channels import Message
from bot.channels.telegram_wire import address_of
from bot.conversation.model import Media, Opened, Typed
from bot.store import EffectId
from tests.peers.telegram_api import private
from tests.peers.telegram_document import document
from tests.talking import TO_APP
from tests.telegram_town import ANN, BOB, PREVIEW, Town, live

MEANT = {
    "text", "photo", "video", "animation", "video_note", "document", "voice", "audio", "sticker",
    "location", "contact",
}  # fmt: skip


def said(town: Town, id: str) -> int:
    return sum(town.texts.say(id, "en") in text for text in town.texts_in())


# ---------------------------------------------------------------- a talk


def test_start_is_answered_in_the_persons_language_with_buttons(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins()
        assert town.kept == [Opened(town.kept[0].at, "en")]
        last = town.api.said(ANN)[-1]
        data = [row[0]["callback_data"] for row in last["reply_markup"]["inline_keyboard"]]
        assert data == ["ask.phone=own", "ask.phone=shared"]

    live(tmp_path, story)


def test_every_message_begins_neutral_is_silent_and_opens_no_address_c14(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins()
        await town.presses(*TO_APP)
        sent = town.api.asked("sendMessage")
        assert len(sent) > 6
        assert {one["text"].split("\n\n")[0] for one in sent} == {PREVIEW}
        assert all(one["disable_notification"] for one in sent)
        assert all(one["link_preview_options"] == {"is_disabled": True} for one in sent)

    live(tmp_path, story)


def test_news_rings_and_what_shows_a_case_number_cannot_be_passed_on(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        town.api.text(ANN, "/start")
        words = (town.texts.say("news", "en"), f"Your number: {make_number(bytes(8))}")
        await town.channel.send(
            address_of(ANN), [Message(EffectId(one), one, PREVIEW) for one in words]
        )
        news, case = town.api.asked("sendMessage")
        assert (news["disable_notification"], case["disable_notification"]) == (False, True)
        assert (news["protect_content"], case["protect_content"]) == (False, True)

    live(tmp_path, story)


def test_the_webhooks_own_answer_says_that_a_press_was_heard_even_below_a_lost_message(
    tmp_path: Path,
) -> None:
    async def story(town: Town) -> None:
        await town.begins()
        calls = len(town.api.calls)
        await town.presses("ask.phone=own")
        assert town.api.queries == set()
        made = [call.method for call in town.api.calls[calls:]]
        assert made == ["answerCallbackQuery", "sendMessage"]
        assert said(town, "ask.situation") == 1

    live(tmp_path, story)


def test_a_press_that_could_not_be_kept_is_not_acknowledged(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        town.full = 1
        assert await town.post(town.api.presses(ANN, "ask.phone=own")) == 503
        assert len(town.api.queries) == 1

    live(tmp_path, story)


def test_a_burst_keeps_the_pace_of_one_chat(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins()
        await town.presses("ask.phone=own", "ask.situation=money")
        dates = [one["date"] for one in town.api.said(ANN)]
        assert len(dates) > 4
        assert all(later - date >= 1 for date, later in pairwise(dates))

    live(tmp_path, story)


def test_the_chats_menu_speaks_the_chosen_language(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins()
        await town.hears(town.api.text(ANN, "español"))
        kept = town.api.told[f"Commands{ANN}", ""]
        assert kept[1]["description"] == town.texts.say("telegram.command.stop", "es")
        assert town.api.told["MenuButton", str(ANN)] == {"menu_button": {"type": "commands"}}

    live(tmp_path, story)


def test_the_page_opens_inside_telegram_and_in_a_browser(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins()
        await town.presses(*TO_APP)
        rows = town.api.said(ANN)[-1]["reply_markup"]["inline_keyboard"]
        assert rows[0][0]["web_app"] == {"url": "https://sala.example/telegram/app?l=en"}
        assert rows[1][0]["url"].startswith("https://sala.example/app#en-")

    live(tmp_path, story)


def test_where_there_is_no_https_the_page_opens_by_its_link_alone(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins()
        await town.presses(*TO_APP)
        rows = town.api.said(ANN)[-1]["reply_markup"]["inline_keyboard"]
        assert [row[0].get("url", "")[:27] for row in rows][:1] == ["http://127.0.0.1:8080/app#e"]
        assert not any("web_app" in row[0] for row in rows)

    live(tmp_path, story, "http://127.0.0.1:8080")


def test_an_address_that_telegram_takes_no_button_for_stands_in_the_text(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins()
        await town.presses(*TO_APP)
        last = town.api.said(ANN)[-1]
        assert "http://localhost:8080/app#en-" in last["text"]
        assert last["reply_markup"]["inline_keyboard"]

    live(tmp_path, story, "http://localhost:8080")


# ---------------------------------------------------------------- what is no text


@pytest.mark.parametrize("kind", sorted(MEANT - {"text"}))
def test_what_is_no_text_is_deleted_at_once_and_never_fetched(kind: str, tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins()
        town.api.calls.clear()
        update = town.api.sends(ANN, kind)
        await town.hears(update)
        assert town.api.calls[0].method == "deleteMessage"
        assert update["message"]["message_id"] not in town.api.chats[ANN]
        assert {call.method for call in town.api.calls} == {"deleteMessage", "sendMessage"}
        assert said(town, "media") == 1

    live(tmp_path, story)


def test_a_picture_put_into_a_message_afterwards_is_deleted_too(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins()
        first = town.api.text(ANN, "hi")
        await town.hears(first)
        await town.hears(town.api.edits(ANN, first["message"]["message_id"], "photo"))
        assert first["message"]["message_id"] not in town.api.chats[ANN]
        assert said(town, "media") == 1

    live(tmp_path, story)


def test_an_album_is_deleted_whole_and_answered_once(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins()
        await town.hears(*(town.api.sends(ANN, "photo", media_group_id="9") for _ in range(3)))
        assert len(town.api.asked("deleteMessage")) == 3
        assert said(town, "media") == 1

    live(tmp_path, story)


def test_words_below_a_picture_are_heard(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins()
        await town.hears(town.api.sends(ANN, "photo", caption="I want to kill myself"))
        assert [type(one) for one in town.kept] == [Opened, Media, Typed]
        assert "findahelpline" in "".join(town.texts_in())

    live(tmp_path, story)


def test_a_message_that_telegram_no_longer_deletes_is_done_with(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins()
        old, gone = town.api.sends(ANN, "photo"), town.api.sends(ANN, "photo")
        del town.api.chats[ANN][gone["message"]["message_id"]]
        town.now = town.now.replace(day=8)
        await town.hears(old, gone)
        await town.works_later(hours=1)
        assert len(town.api.asked("deleteMessage")) == 2

    live(tmp_path, story)


def bland(town: Town) -> Message:
    return Message(EffectId("1"), town.texts.say("bland", "en"), PREVIEW, alone=True)


def test_when_someone_looks_the_chat_is_empty_but_for_one_bland_line_c9(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins()
        await town.hears(town.api.text(ANN, "he is reading this"), town.api.text(BOB, "hi"))
        await town.channel.send(address_of(ANN), [bland(town)])
        assert [one["text"] for one in town.api.chats[ANN].values()] == [bland(town).text]
        assert len(town.api.chats[BOB]) > 1

    live(tmp_path, story)


def test_what_cannot_be_cleared_does_not_hold_the_bland_line_back(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins()
        town.now += timedelta(hours=47, minutes=30)
        await town.hears(town.api.text(ANN, "hi"))
        town.api.troubles["deleteMessages"].append("500")
        await town.channel.send(address_of(ANN), [bland(town)])
        assert town.texts_in()[-1] == bland(town).text
        (cleared,) = town.api.asked("deleteMessages")
        assert 0 < len(cleared["message_ids"]) < len(town.api.chats[ANN]) - 2

    live(tmp_path, story)


# ---------------------------------------------------------------- faults


def test_a_webhook_told_five_times_and_out_of_order_is_answered_once(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins()
        before = len(town.api.said(ANN))
        one, two = town.api.presses(ANN, "ask.phone=own"), town.api.text(BOB, "/start")
        await town.hears(two, one, two, one, one, two, one, one, two, two)
        assert said(town, "ask.situation") == 1
        assert len(town.api.said(ANN)) == before + 1
        assert len(town.kept) == 3

    live(tmp_path, story)


@pytest.mark.parametrize("trouble", ["500", "401", "400"])
def test_a_message_that_failed_goes_out_once_telegram_is_well(trouble: Any, tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        town.api.troubles["sendMessage"] += [trouble] * 3
        await town.begins()
        for _ in range(5):
            await town.works_later(minutes=1)
        assert said(town, "ask.phone") == 1
        assert len(set(town.texts_in())) == len(town.texts_in())

    live(tmp_path, story)


def test_what_went_out_before_a_failure_is_not_said_again(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins()
        town.api.troubles["sendMessage"] += ["none", "none", "500"]
        await town.presses("ask.phone=own", "ask.situation=money")
        await town.works_later(minutes=1)
        texts = town.texts_in()
        assert len(texts) > 4
        assert len(set(texts)) == len(texts)

    live(tmp_path, story)


@pytest.mark.parametrize("trouble", ["lost", "hangs", "not json"])
def test_a_message_whose_answer_was_lost_is_repeated_once_and_alone(
    trouble: Any, tmp_path: Path
) -> None:
    async def story(town: Town) -> None:
        town.http._answer_within = 1.0
        town.api.troubles["sendMessage"].append(trouble)
        await town.begins()
        await town.works_later(minutes=1)
        texts = town.texts_in()
        assert len(texts) - len(set(texts)) == 1
        assert texts[0] == texts[1]

    live(tmp_path, story)


def test_too_fast_in_one_chat_delays_that_chat_alone(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins()
        town.api.troubles["sendMessage"].append("flood")
        await town.presses("ask.phone=own")
        await town.begins(BOB)
        assert said(town, "ask.situation") == 0
        assert town.api.said(BOB)
        await town.works_later(seconds=20)
        assert said(town, "ask.situation") == 0
        await town.works_later(seconds=15)
        assert said(town, "ask.situation") == 1

    live(tmp_path, story)


def test_one_who_blocked_is_written_to_no_more_until_they_come_back(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins()
        town.api.blocked.add(ANN)
        await town.presses("ask.phone=own")
        tried = len(town.api.asked("sendMessage"))
        await town.works_later(days=1)
        assert len(town.api.asked("sendMessage")) == tried
        await town.hears(town.api.becomes(ANN, "member"))
        assert said(town, "ask.situation") == 1

    live(tmp_path, story)


def test_who_blocks_ends_the_messages_and_a_deleted_chat_too(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins()
        await town.hears(town.api.becomes(ANN, "kicked"), town.api.text(BOB, "/start"))
        tried = len(town.api.asked("sendMessage"))
        del town.api.chats[BOB]
        update = town.api.presses(BOB, "ask.phone=own")
        del town.api.chats[BOB]
        await town.hears(update)
        await town.works_later(days=1)
        assert len(town.api.asked("sendMessage")) == tried + 1

    live(tmp_path, story)


# ---------------------------------------------------------------- every update there is


def updates(chance: random.Random) -> list[dict[str, Any]]:
    """Valid updates: every kind of update, and every field of a message in a private chat."""
    fields = [one for one in document().fields("Update") if one["name"] != "update_id"]
    kinds = [{one["name"]: document().invent_field(one, chance)} for one in fields * 20]
    parts = [one for one in document().fields("Message") if not one["required"]]
    must = {"message_id": 5, "date": 1, "chat": private(BOB)}
    whole = [
        {"message": {**must, one["name"]: document().invent_field(one, chance)}}
        for one in parts * 2
    ]
    return [{"update_id": n, **one} for n, one in enumerate(kinds + whole)]


def means_something(update: dict[str, Any]) -> bool:
    message = update.get("message", {})
    if message.get("chat", {}).get("type") != "private":
        return False
    held = {name for name in MEANT & message.keys() if message[name] != ""}
    return bool(held) and (held != {"text"} or bool(message["text"].strip()))


@pytest.mark.parametrize("takes", [False, True])
def test_every_update_of_the_document_is_taken_and_none_that_means_something_is_lost(
    tmp_path: Path, takes: bool
) -> None:
    async def story(town: Town) -> None:
        invented = updates(random.Random(10))
        assert len(invented) > 700
        lost = []
        for update in invented:
            assert document().problem(["Update"], update) is None
            before = len(town.kept)
            assert await town.post(update) == 200
            lost += [update] if means_something(update) and len(town.kept) == before else []
        assert lost == []
        assert sum(map(means_something, invented)) > 25
        await town.worker.drain()
        assert await town.store.parked() == 0
        assert not town.api.asked("getFile")

    live(tmp_path, story, takes=takes)
