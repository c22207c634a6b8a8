"""The Telegram door: what it hears and says, its pace and its webhook, and the golden talks."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bot.cases.number import make_number
from bot.channels import Choice, Link, Message
from bot.channels.telegram_pace import Pace
from bot.channels.telegram_setup import COMMANDS
from bot.channels.telegram_wire import (
    TEXT,
    Heard,
    Manner,
    Outgoing,
    address_of,
    chat_of,
    key_of,
    parse,
    render,
    split,
    units,
)
from bot.conversation.flows import TABLE
from bot.conversation.model import (
    LANGUAGES,
    Chose,
    Gone,
    Language,
    Media,
    NodeId,
    Opened,
    TooLong,
    Typed,
)
from bot.conversation.picture import Content
from bot.conversation.table import Ask
from bot.store import EffectId
from bot.text import language_of, load_texts
from bot.understanding import understand
from tests.peers.telegram_api import person, private
from tests.telegram_town import ANN, BOB, SECRET, Town, live
from tests.test_texts import NEVER, graphemes

AT = datetime(2026, 3, 1, 7, tzinfo=UTC)
TEXTS = load_texts()
MANNER = Manner(TEXTS, "https://sala.example/telegram/app")
PLAIN = Manner(TEXTS, None)

# ---------------------------------------------------------------- what comes in


def message(**what: Any) -> dict[str, Any]:
    said = {"message_id": 9, "date": 1, "chat": private(BOB), "from": person(BOB, "th"), **what}
    return {"update_id": 3, "message": said}


def pressed(**what: Any) -> dict[str, Any]:
    below = {"message_id": 9, "date": 0, "chat": private(BOB)}
    query = {"id": "q", "from": person(BOB), "chat_instance": "1", "message": below, **what}
    return {"update_id": 3, "callback_query": query}


def member(status: str) -> dict[str, Any]:
    change = {
        "chat": private(BOB),
        "from": person(BOB, "es"),
        "new_chat_member": {"status": status},
    }
    return {"update_id": 3, "my_chat_member": change}


def photo(**more: Any) -> dict[str, Any]:
    return message(photo=[{"file_id": "secret", "file_unique_id": "s"}], **more)


def edited(**what: Any) -> dict[str, Any]:
    return {"update_id": 3, "edited_message": message(**what)["message"]}


HEARD = [
    (message(text="hola"), (Typed(AT, "hola", "9"),)),
    (message(text="/start"), (Opened(AT, "th"),)),
    (message(text="/start from-a-site"), (Opened(AT, "th"),)),
    (message(text="/started"), (Typed(AT, "/started", "9"),)),
    (message(text="/help@SalaBot"), (Typed(AT, "/help", "9"),)),
    (message(text="mail me@home now"), (Typed(AT, "mail me@home now", "9"),)),
    (message(text="half \ud83d"), (Typed(AT, "half ?", "9"),)),
    (message(text="x" * 5_000), (Typed(AT, "x" * 5_000, "9"),)),
    (message(text="x" * 5_001), (TooLong(AT),)),
    (message(text=" \n"), ()),
    (photo(), (Media(AT, "image", "9"),)),
    (photo(media_group_id="7"), (Media(AT, "image", "9", "7"),)),
    (photo(media_group_id="half \ud83d"), (Media(AT, "image", "9"),)),
    (photo(forward_origin={"type": "user"}), (Media(AT, "image", "9"),)),
    (photo(caption="ช่วยด้วย"), (Media(AT, "image", "9"), Typed(AT, "ช่วยด้วย", "9"))),
    (edited(photo=[{}], caption="look"), (Media(AT, "image", "9"),)),
    (edited(document={}), (Media(AT, "file", "9"),)),
    (message(video={}), (Media(AT, "video", "9"),)),
    (message(animation={}, document={}), (Media(AT, "video", "9"),)),
    (message(video_note={}), (Media(AT, "video", "9"),)),
    (message(document={}), (Media(AT, "file", "9"),)),
    (message(voice={}), (Media(AT, "voice", "9"),)),
    (message(audio={}), (Media(AT, "voice", "9"),)),
    (message(sticker={}), (Media(AT, "sticker", "9"),)),
    (message(location={}), (Media(AT, "location", "9"),)),
    (message(contact={}), (Media(AT, "file", "9"),)),
    (message(pinned_message={}), ()),
    (pressed(data="ask.phone=own"), (Chose(AT, NodeId("ask.phone"), "own"),)),
    (pressed(data="ask.phone=own=more"), ()),
    (pressed(data="ask phone"), ()),
    (pressed(), ()),
    (member("kicked"), (Gone(AT),)),
    (member("member"), (Opened(AT, "es"),)),
    (member("restricted"), ()),
]


@pytest.mark.parametrize(("update", "events"), HEARD)
def test_an_update_of_a_private_chat_says_this(update: Any, events: tuple[Any, ...]) -> None:
    query = "q" if "callback_query" in update else None
    id = 9 if {"message", "edited_message"} & update.keys() else None
    heard = parse(update, AT)
    assert heard
    assert replace(heard, language=None) == Heard("3", BOB, events, id, query)


SIZES = [
    {"file_id": "small", "width": 90, "height": 60, "file_size": 900},
    {"file_id": "large", "width": 1280, "height": 900, "file_size": 90_000},
    {"file_id": "middle", "width": 800, "height": 600},
    {"file_id": 7},
    "no size",
]
PNG = {"file_id": "whole", "mime_type": "image/png", "file_size": 5}
MP4 = PNG | {"mime_type": "video/mp4"}
SENT = datetime.fromtimestamp(1, UTC)


@pytest.mark.parametrize(
    ("update", "content"),
    [
        (message(photo=SIZES), Content("large", SENT, 90_000)),
        (message(photo=SIZES[2:3]), Content("middle", SENT)),
        (message(photo=[]), None),
        (message(photo="none"), None),
        (message(photo=SIZES, date="today"), None),
        (message(photo=SIZES, date=2**62), None),
        (message(document=PNG), Content("whole", SENT, 5)),
        (message(document=PNG | {"mime_type": "application/pdf"}), None),
        (message(document=PNG | {"mime_type": "image/heic"}), Content("whole", SENT, 5)),
        (message(document=PNG | {"mime_type": "image/svg+xml"}), None),
        (message(document=PNG | {"file_id": ""}), None),
        (message(document=PNG | {"file_id": "half \ud83d"}), None),
        (message(video=PNG), Content("whole", SENT, 5, "video")),
        (message(video_note=PNG), Content("whole", SENT, 5, "video")),
        (message(animation=PNG, document=MP4), Content("whole", SENT, 5, "video")),
        (message(document=MP4 | {"mime_type": "video/x-flv"}), None),
        (message(video=PNG, date="today"), None),
        (message(video={}), None),
    ],
)
def test_c16_by_what_a_picture_could_be_fetched_is_noted_only_where_it_may_be_taken(
    update: Any, content: Content | None
) -> None:
    said, noted = parse(update, AT), parse(update, AT, takes=True)
    assert said
    assert noted
    assert noted.events == (replace(said.events[0], content=content),)
    assert said.events[0].content is None


def test_c16_words_below_a_picture_that_may_be_taken_are_heard_before_it() -> None:
    heard = parse(photo(caption="I am 16"), AT, takes=True)
    assert heard
    assert [type(one) for one in heard.events] == [Typed, Media]
    heard = parse(message(text="hola"), AT, takes=True)
    assert heard
    assert heard.events == (Typed(AT, "hola", "9"),)


@pytest.mark.parametrize(
    "update",
    [
        None, [], "", 7, {}, {"update_id": "3"}, {"update_id": 3}, {"update_id": 3, "message": []},
        edited(text="hola"), edited(location={}),
        {"update_id": 3, "channel_post": message(text="hola")["message"]},
        message(text="hola", chat={"id": -5, "type": "group"}),
        message(text="hola", chat={"id": "5", "type": "private"}),
        pressed(message={"message_id": 1, "chat": {"id": -5, "type": "supergroup"}}),
        {"update_id": 3, "callback_query": {"id": "q", "data": "a=b"}},
        {"update_id": 3, "my_chat_member": {"chat": {"id": -5, "type": "channel"}}},
    ],
)  # fmt: skip
def test_what_is_no_private_chats_is_passed_over(update: Any) -> None:
    assert parse(update, AT) is None


@pytest.mark.parametrize(
    ("code", "language"),
    [("th", "th"), ("es-419", "es"), ("EN-gb", "en"), ("est", None), ("fr", None), (None, None)],
)
def test_telegrams_language_is_one_of_ours_or_none(code: str, language: Language) -> None:
    assert language_of(code) == language


def test_an_address_leads_back_to_its_chat() -> None:
    assert chat_of(address_of(ANN)) == ANN
    assert key_of(ANN) == b"telegram:5000000001"


# ---------------------------------------------------------------- what goes out


def words(text: str, **more: Any) -> Message:
    return Message(EffectId("1"), text, "You have a message", **more)


def one(said: Message, manner: Manner = MANNER) -> Outgoing:
    (sent,) = render(said, manner)
    return sent


def rows(sent: Outgoing) -> list[Mapping[str, Any]]:
    return list(sent.buttons)


def test_a_message_begins_with_the_neutral_line_and_is_silent() -> None:
    assert one(words("They threaten.")) == Outgoing("You have a message\n\nThey threaten.")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("id", ["bland", "stopped", "ask.talk_now"])
def test_a_bland_line_stays_one_line_c9(id: str, language: Language) -> None:
    text = TEXTS.say(id, language)
    assert one(words(text, language=language)) == Outgoing(text)


@pytest.mark.parametrize("id", ["news", "ask.how"])
def test_only_what_nobody_waits_for_rings_and_it_is_neutral_c15(id: str) -> None:
    assert one(words(TEXTS.say(id, "en"))) == Outgoing(TEXTS.say(id, "en"), silent=False)


def test_a_message_that_shows_a_case_number_cannot_be_passed_on() -> None:
    assert one(words("Case AAA-AAA-AAA: made.")).protected is False
    assert one(words(f"Your number is {make_number(bytes(8))}.")).protected


def test_choices_and_links_stand_one_below_the_other() -> None:
    said = words("?", choices=(Choice("Yes", "a=b"),), links=(Link("Page", "https://a.example"),))
    assert rows(one(said)) == [
        {"text": "Page", "url": "https://a.example"}, {"text": "Yes", "callback_data": "a=b"},
    ]  # fmt: skip


def test_the_mini_app_opens_inside_in_this_language_and_always_in_a_browser_too() -> None:
    said = words("?", links=(Link("Page", "https://s/app#th-1", app=True),), language="th")
    inside, outside = rows(one(said))
    assert inside == {"text": "Page", "web_app": {"url": f"{MANNER.page}?l=th"}}
    assert outside == {"text": TEXTS.say("telegram.browser", "th"), "url": "https://s/app#th-1"}
    assert rows(one(said, PLAIN)) == [{"text": "Page", "url": "https://s/app#th-1"}]
    pin = words("?", links=(Link("Page", "https://s/app#th-pin-1", True, "pin"),), language="th")
    assert rows(one(pin))[0]["web_app"] == {"url": f"{MANNER.page}?l=th&opens=pin"}


@pytest.mark.parametrize("letter", ["word ", "ก", "\U0001f9e1", "line\n", "part\n\n"])
def test_a_long_text_goes_in_parts_that_fit_and_lose_nothing(letter: str) -> None:
    said = words(letter * 6_000, choices=(Choice("Yes", "a=b"),))
    sent = render(said, MANNER)
    assert all(units(part.text) <= TEXT for part in sent)
    assert all(part.text.startswith(said.preview) for part in sent)
    assert [not part.buttons for part in sent] == [*(True for _ in sent[1:]), False]
    whole = "".join(part.text.removeprefix(said.preview) for part in sent)
    assert re.sub(r"\s", "", whole) == re.sub(r"\s", "", said.text)


def test_a_text_is_cut_between_paragraphs_where_it_can_be() -> None:
    assert split("one two.\n\nthree four.", 16) == ["one two.", "three four."]
    assert split("aaaa aaaa", 6) == ["aaaa", "aaaa"]


def test_every_button_of_the_talk_fits_telegrams_64_bytes() -> None:
    asks = [node for node in TABLE.values() if isinstance(node, Ask)]
    data = [f"{node.id}={option.value}" for node in asks for option in node.options]
    assert len(data) > 50
    assert max(len(text.encode()) for text in data) <= 64
    assert all(parse(pressed(data=text), AT).events for text in data)  # type: ignore[union-attr]


# ---------------------------------------------------------------- the pace


def test_a_chat_gets_one_message_a_second_and_all_chats_25() -> None:
    now = 100.0
    times: dict[int, list[float]] = {}

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    async def story() -> None:
        pace = Pace(lambda: now, sleep)
        for turn in range(200):
            await pace.turn(turn % 60)
            times.setdefault(turn % 60, []).append(now)

    asyncio.run(story())
    everything = sorted(at for chat in times.values() for at in chat)
    for chat in times.values():
        assert all(later - at >= 0.999 for at, later in pairwise(chat))
    assert all(b - a >= 0.999 for a, b in zip(everything, everything[25:], strict=False))
    assert everything[-1] - everything[0] < 9


def test_a_chat_that_waits_holds_no_other_back() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.Event().wait()

    async def story() -> None:
        pace = Pace(lambda: 0.0, sleep)
        await pace.turn(ANN)
        waiting = asyncio.create_task(pace.turn(ANN))
        await asyncio.sleep(0)
        assert slept == [1.0]
        other = asyncio.create_task(pace.turn(BOB))
        await asyncio.sleep(0)
        assert slept == [1.0, 0.04]
        waiting.cancel()
        other.cancel()

    asyncio.run(story())


# ---------------------------------------------------------------- the webhook


def test_only_telegram_may_post_and_not_too_much(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        update = message(text="hola")
        for secret in ("", "wrong", SECRET + "x", SECRET.upper()):
            assert await town.post(update, secret) == 403
        assert town.kept == []
        headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
        for body, status in (
            (b"x" * 1_000_001, 413),
            (b"{", 400),
            (b"[" * 9_999, 400),
            (b"1", 200),
        ):
            answer = await town.web.post("/telegram", content=body, headers=headers)
            assert answer.status_code == status
        assert await town.post(update) == 200
        assert len(town.kept) == 1

    live(tmp_path, story)


def test_a_store_that_cannot_keep_it_lets_telegram_ask_again(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.store.close()
        assert await town.post(message(text="hola")) == 503

    live(tmp_path, story)


# ---------------------------------------------------------------- words


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_doors_words_fit_telegram_and_hurt_nobody(language: Language) -> None:
    said = TEXTS.group("telegram", language)
    assert set(said) == set(TEXTS.group("telegram", "en"))
    assert units(said["name"]) <= 64
    assert units(said["description"]) <= 512
    assert units(said["short_description"]) <= 120
    assert graphemes(said["browser"]) <= 20
    assert said["browser"].lower() in said["app.lost"].lower()
    assert [
        text for text in said.values() for word in NEVER[language] if re.search(word, text)
    ] == []


def test_every_command_in_the_menu_is_understood() -> None:
    assert [understand(f"/{name}", None).command for name in COMMANDS] == list(COMMANDS)
