"""The LINE door against LINE's own documents and rules: nothing is lost, nothing comes twice."""

import asyncio
import json
import logging
import random
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from starlette.applications import Starlette

from bot.channels import line_wire
from bot.channels.line import routes
from bot.channels.line_account import LineAccount
from bot.channels.line_faces import rich_menu
from bot.channels.line_menu import find_font, rich_menu_image
from bot.channels.line_setup import put_liff, put_menu, set_webhook, try_webhook
from bot.conversation.model import LANGUAGES, Language
from tests.peers import specs
from tests.peers.line_api import CHANNEL_TOKEN, Fault, objections
from tests.peers.line_talk import ANN, HOME, SECRET, Account, account, play
from tests.talking import TO_APP

REPLY = "/v2/bot/message/reply"
PUSHED = "/v2/bot/message/push"
LOADING = "/v2/bot/chat/loading/start"
BOB = "U" + "b" * 32
HELLO = ("hello", "ask.phone")
Json = dict[str, Any]


async def opens(sala: Account) -> None:
    await sala.hears(sala.event("follow", follow={"isUnblocked": False}))


def said_once(sala: Account) -> bool:
    return len(sala.line.chats[ANN]) == 2 and all(map(sala.once, HELLO))


# ---------------------------------------------------------------- the judge


def test_the_documents_made_strict_object_to_what_they_mean_to_forbid() -> None:
    good = {"type": "text", "text": "hi"}
    bad = (
        {"type": "text"},
        {"type": "texting", "text": "hi"},
        {"type": "flex", "contents": {"type": "bubble"}},
        {"type": "flex", "altText": "x", "contents": {"type": "bubble", "colour": "red"}},
        {"type": "text", "text": "hi", "quickReply": {"items": [{}] * 14}},
    )

    def judged(message: Json) -> str:
        body = json.dumps({"replyToken": "t", "messages": [message]}).encode()
        return objections("messaging-api", "POST", REPLY, {}, body)

    assert judged(good) == ""
    assert all(judged(message) for message in bad)


# ---------------------------------------------------------------- the everyday


def test_an_answer_goes_out_by_the_reply_token_in_one_call_and_costs_nothing(
    tmp_path: Path,
) -> None:
    async def story(sala: Account) -> None:
        await opens(sala)
        assert said_once(sala)
        assert sala.line.asked(REPLY) == [200]
        assert (sala.line.asked(PUSHED), sala.line.used) == ([], 0)

    play(tmp_path, story)


@pytest.mark.parametrize(
    ("told", "spoken"), [("th", "th"), ("es-419", "es"), ("fr", "en"), (None, "en")]
)
def test_a_newcomer_is_greeted_in_the_language_of_their_app(
    told: str | None, spoken: Language, tmp_path: Path
) -> None:
    async def story(sala: Account) -> None:
        sala.line.languages |= {ANN: told} if told else {}
        await opens(sala)
        assert sala.once("hello", spoken)

    play(tmp_path, story)


@pytest.mark.parametrize("fault", ["500", "rate", "slow after"])
def test_a_profile_that_does_not_come_in_time_holds_no_greeting_back(
    fault: Fault, tmp_path: Path
) -> None:
    async def story(sala: Account) -> None:
        sala.restart(glance=0.1)
        sala.line.languages[ANN] = "th"
        sala.line.faults[f"/v2/bot/profile/{ANN}"] = [fault]
        await opens(sala)
        assert said_once(sala)

    play(tmp_path, story)


def test_the_way_to_the_page_is_talked_by_buttons_and_every_call_is_right(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        await opens(sala)
        await sala.presses(*TO_APP)
        await sala.says("how long does it take?")
        uris = [one["uri"] for one in _actions(sala) if one["type"] == "uri"]
        assert any(uri.startswith("https://liff.line.me/") for uri in uris)
        assert any(uri.startswith(f"{HOME}/app?openExternalBrowser=1#en-") for uri in uris)
        assert set(sala.line.asked(REPLY)) == {200}
        assert all(sala.line.silent)

    play(tmp_path, story)


def _actions(sala: Account) -> list[Json]:
    footers = [face["contents"].get("footer", {}) for face in sala.line.chats[ANN]]
    return [one["action"] for footer in footers for one in footer.get("contents", ())]


def test_a_chat_shows_that_an_answer_is_coming_but_not_to_those_who_left(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        await sala.post(sala.text("hi"), sala.event("unfollow", BOB))
        while not sala.line.asked(LOADING):
            await asyncio.sleep(0)
        assert sala.line.asked(LOADING) == [202]

    play(tmp_path, story)


def test_a_door_that_leaves_the_answer_to_others_shows_nobody_that_it_comes(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        sala.door = replace(sala.door, answers=False)
        app = Starlette(routes=routes(sala.door))
        sala.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=HOME)
        await sala.hears(sala.text("hi"))
        await sala.hears(sala.text("hello"))
        assert sala.line.asked(LOADING) == []

    play(tmp_path, story)


def test_in_a_crowd_few_are_shown_that_an_answer_is_coming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_wire, "MOST_SHOWN", 1)

    async def story(sala: Account) -> None:
        await sala.post(sala.text("hi"), sala.text("hi", BOB), sala.text("hi", "U" + "c" * 32))
        while not sala.line.asked(LOADING):
            await asyncio.sleep(0)
        assert sala.line.asked(LOADING) == [202]

    play(tmp_path, story)


def test_people_in_one_request_each_get_their_own_answer(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        await sala.hears(sala.text("hola, ayuda"), sala.text("hello there", BOB))
        assert sala.line.said(ANN)[-1] == sala.texts.say("ask.phone", "es")
        assert sala.line.said(BOB)[-1] == sala.texts.say("ask.phone", "en")

    play(tmp_path, story)


def test_an_event_that_is_delivered_again_is_answered_once(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        event = sala.event("follow", follow={"isUnblocked": False})
        await sala.hears(event)
        await sala.hears(event | {"deliveryContext": {"isRedelivery": True}})
        assert said_once(sala)

    play(tmp_path, story)


def test_events_of_one_request_are_heard_in_the_order_in_which_they_happened(
    tmp_path: Path,
) -> None:
    async def story(sala: Account) -> None:
        await opens(sala)
        events = [sala.press(choice) for choice in TO_APP[:4]]
        random.Random(7).shuffle(events)
        await sala.hears(*events)
        assert sala.once("ask.image")

    play(tmp_path, story)


def test_five_deliveries_out_of_order_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        await opens(sala)
        events = [sala.text("is it free?"), sala.text("how long does it take?")]
        events += [sala.text("is it anonymous?"), events[0], events[1]]
        for event in reversed(events):
            assert await sala.post(event) == 200
        await sala.work()
        for answer in ("answer.is_it_free", "answer.how_long", "answer.private"):
            assert sala.once(answer)

    play(tmp_path, story)


def test_what_is_taken_back_is_not_answered_even_when_that_is_heard_first(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        await opens(sala)
        await sala.hears(sala.event("unsend", unsend={"messageId": "77"}))
        before = len(sala.line.chats[ANN])
        await sala.hears(sala.text("is it free?", id="77"))
        assert len(sala.line.chats[ANN]) == before

    play(tmp_path, story)


def test_an_event_without_a_token_leaves_the_newest_token_to_the_answer(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        await sala.hears(sala.text("hi", id="1"), sala.event("unsend", unsend={"messageId": "99"}))
        assert sala.line.asked(REPLY) == [200]
        assert sala.line.asked(PUSHED) == []

    play(tmp_path, story)


# ---------------------------------------------------------------- what LINE may send


def each_message() -> Json:
    """LINE's document with a message event for each kind of message, so that none is rare."""
    document = deepcopy(specs.line("webhook"))
    schemas = document["components"]["schemas"]
    events: list[Json] = schemas["Event"]["oneOf"]
    whole = schemas["MessageEvent"]
    events.remove({"$ref": "#/components/schemas/MessageEvent"})
    for number, kind in enumerate(schemas["MessageContent"]["oneOf"]):
        schemas[f"Message{number}"] = whole | {
            "properties": whole["properties"] | {"message": kind}
        }
        events.append({"$ref": f"#/components/schemas/Message{number}"})
    return document


def made_webhooks(examples: int) -> list[Json]:
    """Requests made from LINE's document of the webhook."""
    operation = schemathesis.openapi.from_dict(each_message())["/callback"]["POST"]
    made: list[Json] = []

    @settings(
        max_examples=examples, derandomize=True, database=None, deadline=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(operation.as_strategy())
    def collect(case: Any) -> None:
        if isinstance(case.body, dict):
            made.append(case.body)

    collect()
    return made


def as_line_names(events: list[Json]) -> None:
    """Ids as LINE makes them, which its document only calls strings; half in chats of two."""
    for number, event in enumerate(events):
        event["webhookEventId"] = f"01{number:024X}"
        if number % 5:
            event |= {"mode": "active", "source": {"type": "user", "userId": ""}}
        if event.get("source", {}).get("type") == "user":
            event["source"]["userId"] = f"U{number:032x}"
        if "message" in event:
            event["message"]["id"] = str(number)
        if "unsend" in event:
            event["unsend"]["messageId"] = str(number)

        if "postback" in event:
            event["postback"]["data"] = "ask.phone=own"


def is_heard(event: Json) -> bool:
    ours = event["mode"] == "active" and event.get("source", {}).get("type") == "user"
    return ours and event["type"] in {"message", "unsend", "follow", "unfollow", "postback"}


def kinds(events: list[Json]) -> set[str]:
    """Of events, and of messages in them."""
    of_messages = {one["message"]["type"] for one in events if one["type"] == "message"}
    return {one["type"] for one in events} | of_messages


def document_kinds() -> set[str]:
    """All that LINE's document of the webhook names."""
    families = specs.tags("webhook", "Event"), specs.tags("webhook", "MessageContent")
    return {tag for family in families for tag in family}


def test_no_event_of_lines_document_crashes_the_door_or_is_lost(tmp_path: Path) -> None:
    requests = made_webhooks(300)
    events = [event for request in requests for event in request["events"]]
    as_line_names(events)
    heard = sum(map(is_heard, events))
    assert len(events) >= 500
    assert heard >= 200
    assert document_kinds() - kinds(events) == set()

    async def story() -> None:
        async with account(tmp_path) as sala:
            assert {await sala.post(*request["events"]) for request in requests} == {200}
            claims = await sala.store.claim({"line"}, sala.now, 10_000)
            assert sum(len(one.waiting) for one in claims) == heard
            while await sala.worker.turns():
                pass
            assert await sala.store.parked() == 0

    asyncio.run(story())


# ---------------------------------------------------------------- setting up


def test_setting_up_twice_changes_nothing(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        api = LineAccount(CHANNEL_TOKEN, sala.line.url)
        await set_webhook(api, f"{HOME}/line")
        assert (await try_webhook(api)).good
        for again in (True, False):
            for language in LANGUAGES:
                font = find_font(sala.texts, language)
                picture = rich_menu_image(sala.texts, language, font)
                default = language == "th"
                made = await put_menu(api, sala.texts, language, picture, default=default)
                assert made is again
        assert sorted(sala.line.aliases) == ["sala-en", "sala-es", "sala-th"]
        assert sala.line.everybody == sala.line.aliases["sala-th"]
        assert len(sala.line.menus) == 3
        ids = {await put_liff(api, f"{HOME}/line/app") for _ in range(2)}
        assert list(ids) == list(sala.line.liff_apps)
        assert sala.line.liff_apps[ids.pop()]["view"]["type"] == "tall"
        await api.close()

    play(tmp_path, story)


def test_a_menu_that_was_begun_or_replaced_is_cleared_away(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        plain = rich_menu(sala.texts, "en", "sala-en-0")
        sala.line.menus |= {"begun": plain, "theirs": plain | {"name": "spring sale"}}
        api = LineAccount(CHANNEL_TOKEN, sala.line.url)
        for picture in (b"one", b"two"):
            assert await put_menu(api, sala.texts, "en", picture)
        await api.close()
        assert set(sala.line.menus) == {"theirs", sala.line.aliases["sala-en"]}

    play(tmp_path, story)


# ---------------------------------------------------------------- logs


def test_no_log_says_who_wrote_what(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    faults: list[Fault] = ["500", "cut after", "rate"]
    tokens: list[str] = []

    async def story(sala: Account) -> None:
        sala.line.faults[REPLY] = list(faults)
        for _ in range(3):
            event = sala.text("my secret canary")
            tokens.append(event["replyToken"])
            await sala.hears(event)
            await sala.works_later(seconds=50)
        await sala.post_bytes(b'{"events": [my secret canary', b"\xff\xfe canary")

    play(tmp_path, story)
    loud = "\n".join(one.getMessage() for one in caplog.records if one.name != "aiohttp.access")
    loud += "".join(capsys.readouterr())
    assert '"send_failed"' in loud
    for canary in ("canary", ANN, SECRET, CHANNEL_TOKEN, *tokens):
        assert canary not in loud
