"""The LINE door by itself: what it lets in, what it makes of it, how a message looks."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.channels import Choice, Link, Message
from bot.channels.line import MOST, signed
from bot.channels.line_address import (
    PUSH,
    Address,
    Token,
    read_address,
    read_way,
    write_address,
    write_way,
)
from bot.channels.line_api import outcome_of
from bot.channels.line_events import Malformed, parse_webhook
from bot.channels.line_faces import TILES, _target, cut, graphemes, render, rich_menu, tile
from bot.channels.line_menu import PICTURE_MOST, find_font, rich_menu_image
from bot.conversation.model import (
    LANGUAGES,
    Chose,
    Gone,
    Inbound,
    Language,
    Media,
    NodeId,
    Opened,
    TooLong,
    Typed,
    Unsent,
)
from bot.conversation.picture import Content
from bot.knowledge import help_lines
from bot.store import EffectId
from bot.text import load_texts
from bot.understanding import understand
from tests.peers.line_api import actions, beyond, words
from tests.peers.line_talk import ANN, HOME, SECRET, Account, play, sign
from tests.talking import DAY

TEXTS = load_texts()
TALKS = Path(__file__).parent / "transcripts"
Json = dict[str, Any]


def event(kind: str, **more: Any) -> Json:
    return {
        "type": kind,
        "mode": "active",
        "timestamp": 1_772_348_400_000,
        "webhookEventId": "01",
        "source": {"type": "user", "userId": ANN},
        "deliveryContext": {"isRedelivery": False},
    } | more


def message(**content: Any) -> Json:
    return event("message", message={"id": "7"} | content)


def heard(*events: Json) -> list[Inbound]:
    body = json.dumps({"destination": "U", "events": events}).encode()
    return [one.event for one in parse_webhook(body, DAY)]


# ---------------------------------------------------------------- events


@pytest.mark.parametrize(
    ("sent", "means"),
    [
        (message(type="text", text="hola"), Typed(DAY, "hola", "7")),
        (message(type="text", text="x" * 5_000), Typed(DAY, "x" * 5_000, "7")),
        (message(type="text", text="x" * 5_001), TooLong(DAY)),
        (message(type="text", text="half \ud83d"), Typed(DAY, "half ?", "7")),
        (message(type="image", imageSet={"id": "A", "index": 1}), Media(DAY, "image", "7", "A")),
        (message(type="image"), Media(DAY, "image", "7")),
        (message(type="video"), Media(DAY, "video", "7")),
        (message(type="audio"), Media(DAY, "voice", "7")),
        (message(type="file", fileName="me.jpg"), Media(DAY, "file", "7")),
        (message(type="sticker"), Media(DAY, "sticker", "7")),
        (message(type="location", latitude=1.0), Media(DAY, "location", "7")),
        (event("unsend", unsend={"messageId": "7"}), Unsent(DAY, "7")),
        (event("follow", follow={"isUnblocked": True}), Opened(DAY)),
        (event("unfollow"), Gone(DAY)),
        (event("postback", postback={"data": "ask.age=adult"}),
         Chose(DAY, NodeId("ask.age"), "adult")),
    ],
)  # fmt: skip
def test_an_event_of_line_means(sent: Json, means: Inbound) -> None:
    assert heard(sent) == [means]


LINES = {"type": "image", "contentProvider": {"type": "line"}}


@pytest.mark.parametrize(
    ("sent", "content"),
    [
        (message(**LINES), Content("7", datetime.fromtimestamp(1_772_348_400, UTC))),
        (message(type="image"), None),
        (message(type="image", contentProvider={"type": "external"}), None),
        (
            message(**LINES | {"type": "video"}),
            Content("7", datetime.fromtimestamp(1_772_348_400, UTC), media="video"),
        ),
        (message(**LINES | {"type": "audio"}), None),
        (message(**LINES) | {"timestamp": 2**70}, None),
        (message(**LINES) | {"timestamp": "now"}, None),
    ],
)
def test_c16_by_what_a_picture_could_be_fetched_is_noted_only_where_it_may_be_taken(
    sent: Json, content: Content | None
) -> None:
    body = json.dumps({"events": [sent]}).encode()
    (noted,), (plain,) = parse_webhook(body, DAY, takes=True), parse_webhook(body, DAY)
    assert isinstance(noted.event, Media)
    assert isinstance(plain.event, Media)
    assert noted.event.content == content
    assert plain.event == replace(noted.event, content=None)


@pytest.mark.parametrize(
    "sent",
    [
        event("follow", mode="standby"),
        event("follow", mode="paused"),
        event("follow", source={"type": "group", "groupId": "C", "userId": ANN}),
        event("follow", source={"type": "room", "roomId": "R"}),
        event("follow", source={}),
        event("follow", webhookEventId=""),
        event("membership"),
        event("something new"),
        message(type="something new"),
        message(type="text"),
        event("unsend"),
        event("postback", postback={"data": "<script>"}),
        event("postback", postback={"data": "ask.age=" + "x" * 300}),
        {},
    ],
)
def test_what_is_not_for_us_or_not_known_is_passed_over(sent: Json) -> None:
    assert heard(sent) == []


def test_events_are_put_into_the_order_of_their_times() -> None:
    later = message(type="text", text="2") | {"timestamp": 1_772_348_400_001}
    sooner = message(type="text", text="1")
    assert [one.text for one in heard(later, sooner) if isinstance(one, Typed)] == ["1", "2"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"events": 1}', b"[" * 100_000, b"\xff"])
def test_a_body_that_line_would_not_send_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        parse_webhook(body, DAY)
    assert str(refused.value) == ""


# ---------------------------------------------------------------- the webhook


def test_only_what_line_signed_comes_in(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        body = json.dumps({"destination": "U", "events": [event("follow")]}).encode()
        for wrong in (b"", b"x", sign(body + b" "), sign(body)[:-1], b"\xff\xfe\xe0"):
            assert await sala.post_bytes(body, wrong) == 401
        assert (await sala.http.post("/line", content=body)).status_code == 401
        assert await sala.store.claim({"line"}, sala.now, 10) == []
        assert await sala.post_bytes(body, sign(body)) == 200
        assert len(await sala.store.claim({"line"}, sala.now, 10)) == 1

    play(tmp_path, story)


def test_the_console_may_check_the_webhook_with_nothing_in_it(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        assert await sala.post() == 200

    play(tmp_path, story)


def test_a_body_past_two_megabytes_is_not_read(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        for size, status in ((MOST + 1, 413), (MOST, 400)):
            body = b" " * size
            assert await sala.post_bytes(body, sign(body)) == status

    play(tmp_path, story)


def test_a_signature_is_of_the_bytes() -> None:
    assert signed(SECRET, b"{}", sign(b"{}"))
    assert not signed(SECRET, b"{ }", sign(b"{}"))


# ---------------------------------------------------------------- addresses, ways, answers


def test_an_address_and_a_way_come_back_as_they_were_kept() -> None:
    token = Token("t:o:k", DAY + timedelta(milliseconds=250))
    for one in (Address(ANN, DAY, token), Address(ANN, DAY)):
        assert read_address(write_address(one)) == one
    assert read_way(write_way(token)) == token
    assert read_way(PUSH) is None
    assert ANN not in repr(Address(ANN, DAY, token)) + repr(token)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (409, '{"message": "The retry key is already accepted"}', "done"),
        (400, '{"message": "Invalid reply token"}', "stale"),
        (400, '{"message": "Failed to send messages"}', "gone"),
        (400, '{"message": "The request body has 1 error(s)"}', "refused"),
        (429, '{"message": "You have reached your monthly limit."}', "month"),
        (429, '{"message": "The API rate limit has been exceeded. Try again later."}', "busy"),
        (429, None, "busy"),
        (403, '{"message": "Access to this API is not available for your account"}', "refused"),
        (404, "<html>", "refused"),
        (400, "[]", "refused"),
        (502, "", "unclear"),
    ],
)
def test_an_answer_of_line_says_what_is_to_be_done(
    status: int, body: str | None, outcome: str
) -> None:
    assert outcome_of(status, body) == outcome


# ---------------------------------------------------------------- faces


def a_message(text: str = "hello", *choices: Choice, links: tuple[Link, ...] = ()) -> Message:
    return Message(EffectId("id"), text, "You have a message", choices, links)


def test_a_lock_screen_shows_the_preview_alone() -> None:
    face = render(a_message("They blocked your picture in case A2B-CDE-FGH."), TEXTS)
    assert face["altText"] == "You have a message"
    assert face["type"] == "flex"


def test_a_text_is_shown_whole() -> None:
    for language in LANGUAGES:
        for text in TEXTS.by_language[language].values():
            assert words(render(a_message(text), TEXTS)) == text
            assert list(beyond(render(a_message(text), TEXTS))) == []


def test_a_choice_is_a_button_that_stays_and_a_quick_reply() -> None:
    face = render(a_message("which?", Choice("Yes, only me", "ask.phone=own")), TEXTS)
    (button,) = actions(face)
    (quick,) = face["quickReply"]["items"]
    assert button == quick["action"]
    assert button == {
        "type": "postback",
        "label": "Yes, only me",
        "data": "ask.phone=own",
        "displayText": "Yes, only me",
    }


def test_more_choices_than_quick_replies_are_all_buttons() -> None:
    choices = [Choice(f"number {n}" * 5, f"n={n}") for n in range(15)]
    face = render(a_message("which?", *choices), TEXTS)
    assert (len(actions(face)), len(face["quickReply"]["items"])) == (15, 13)
    assert list(beyond(face)) == []


def test_the_page_opens_in_line_where_liff_is_set_up_and_always_in_the_browser() -> None:
    link = Link("Open the page", f"{HOME}/app#th-00", app=True)
    browser = f"{HOME}/app?openExternalBrowser=1#th-00"
    said = Message(EffectId("id"), "open", "preview", links=(link,), language="th")
    assert [one["uri"] for one in actions(render(said, TEXTS))] == [browser]
    inside = "https://liff.line.me/16-abc?lang=th"
    assert [one["uri"] for one in actions(render(said, TEXTS, "16-abc"))] == [inside, browser]
    pin = replace(said, links=(replace(link, opens="pin"),))
    assert actions(render(pin, TEXTS, "16-abc"))[0]["uri"] == f"{inside}&opens=pin"


def test_help_lines_and_addresses_can_be_tapped_and_other_numbers_cannot() -> None:
    text = "Near you:\nChildline: 1387 / https://childlinethailand.org\n"
    text += "More: https://findahelpline.com.\nPictures: 300"
    lines = render(a_message(text), TEXTS)["contents"]["body"]["contents"][0]["contents"]
    taps = {line["text"].split(":")[0]: line.get("action", {}).get("uri") for line in lines}
    assert taps == {
        "Near you": None,
        "Childline": "tel:1387",
        "More": "https://findahelpline.com",
        "Pictures": None,
    }


def test_letters_are_counted_as_a_reader_counts_them() -> None:
    assert list(graphemes("กำน้ำ👩‍👧é")) == ["กำ", "น้ำ", "👩‍👧", "é"]
    assert cut("ก" * 20, 20) == "ก" * 20
    assert cut("ก้" * 21, 20) == "ก้" * 19 + "…"


# ---------------------------------------------------------------- the menu


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_menu_says_global_words_that_the_ear_knows(language: Language) -> None:
    menu = rich_menu(TEXTS, language, "name")
    assert len(list(graphemes(menu["chatBarText"]))) <= 14
    for word, area in zip(TILES, menu["areas"], strict=True):
        assert len(list(graphemes(area["action"]["label"]))) <= 20
        assert understand(area["action"]["text"], language).command == word


def test_the_menus_areas_cover_it_without_overlap() -> None:
    sizes = [tile(index)[2] * tile(index)[3] for index in range(len(TILES))]
    assert len({tile(index)[:2] for index in range(len(TILES))}) == len(TILES)
    assert sum(sizes) == 1_200 * 600


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_menus_picture_is_as_line_wants_it(language: Language) -> None:
    picture = rich_menu_image(TEXTS, language, find_font(TEXTS, language))
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < PICTURE_MOST
    assert picture == rich_menu_image(TEXTS, language, find_font(TEXTS, language))


def test_a_tapped_help_line_dials_its_own_number_or_nothing():
    for line in help_lines():
        dialled = _target(f"{line.name}: {line.number}") if line.number else None
        kept = "".join(sign for sign in line.number if sign in "0123456789*+")
        assert dialled in {None, f"tel:{kept}"}
