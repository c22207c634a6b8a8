"""What LINE and Telegram would never send, correctly signed: it is passed over or refused, and the
next person is heard. `SALA_FUZZ=300` makes so many."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.grammar import CANARY, bounded, changed, values, written
from tests.fuzz.site import Running, Site
from tests.peers.line_talk import sign

USER = "U" + "5a" * 16
CHAT = 5_550_123_456


# ---------------------------------------------------------------- LINE


def line_event(kind: str, **more: Any) -> dict[str, Any]:
    """As https://developers.line.biz/en/reference/messaging-api/#webhook-event-objects says."""
    return {
        "type": kind, "mode": "active", "timestamp": 1_790_000_000_000,
        "source": {"type": "user", "userId": USER}, "webhookEventId": "01FZ74A0TDDPYRVKNK77XKC3ZR",
        "deliveryContext": {"isRedelivery": False}, "replyToken": "nHuyWiB7yP5Zw52FIkcQobQuGDXCTA",
        **more,
    }  # fmt: skip


def line_message(kind: str, **more: Any) -> dict[str, Any]:
    message = {"id": "444573844083572737", "type": kind, "quoteToken": "q3Plxr4AgKd", **more}
    return line_event("message", message=message)


LINE = [
    line_message("text", text=CANARY, emojis=[{"index": 0, "length": 6, "productId": "5ac1"}]),
    line_message("text", text="เขาขู่จะปล่อยรูป ช่วยด้วย"),
    line_message("image", contentProvider={"type": "line"},
                 imageSet={"id": "E005D41A7288F41B65593ED38FF6E9834B046AB36A37921A5", "index": 1}),
    line_message("video", duration=60_000,
                 contentProvider={"type": "external", "originalContentUrl": CANARY}),
    line_message("sticker", packageId="1", stickerId="1", keywords=["Sad", "Sharp"]),
    line_message("location", title=CANARY, address="Bangkok", latitude=13.7, longitude=100.5),
    line_message("file", fileName=CANARY, fileSize=2138),
    line_event("unsend", unsend={"messageId": "325708"}),
    line_event("postback", postback={"data": "ask.phone=own", "params": {"datetime": "2026"}}),
    line_event("postback", postback={"data": "ask.delete=pictures"}),
    line_event("follow", follow={"isUnblocked": False}),
    line_event("unfollow"),
    line_event("accountLink", link={"result": "ok", "nonce": "xxx"}),
    line_event("join", source={"type": "group", "groupId": "Ca56f94637c", "userId": USER}),
]  # fmt: skip
BODIES = [{"destination": "xxxxxxxxxx", "events": [event]} for event in LINE]


async def posts_to_line(site: Site, body: bytes) -> int:
    return (await site.ask("/line", body, x_line_signature=sign(body).decode())).status_code


async def is_heard_on_line(site: Site) -> None:
    """Somebody new."""
    before, number = site.said(), site.number()
    event = line_event("postback", postback={"data": "ask.phone=own"}) | {
        "webhookEventId": f"good {number}", "source": {"type": "user", "userId": f"U{number}"},
    }  # fmt: skip
    assert await posts_to_line(site, json.dumps({"events": [event]}).encode()) == 200
    await site.works()
    assert site.said() > before


def fresh(site: Site, event: Any) -> Any:
    """Under an id of its own where it has one, so that it is heard."""
    if isinstance(event, dict) and isinstance(event.get("webhookEventId"), str):
        return event | {"webhookEventId": f"{event['webhookEventId'][:50]}{site.number()}"}
    return event


@bounded(12)
@given(st.lists(changed(LINE) | st.sampled_from(LINE), min_size=1, max_size=3))
def test_events_of_line_gone_wrong_are_passed_over(site: Running, events: list[Any]) -> None:
    async def story() -> None:
        new = [fresh(site.site, event) for event in events]
        assert await posts_to_line(site.site, json.dumps({"events": new}).encode()) in {200, 400}
        await is_heard_on_line(site.site)

    site.do(story())


@bounded(25)
@given(written(changed(BODIES) | values(["events", "destination"])) | st.binary())
def test_bodies_that_line_would_not_send_are_refused(site: Running, body: bytes) -> None:
    async def story() -> None:
        assert await posts_to_line(site.site, body) in {200, 400, 413}
        await is_heard_on_line(site.site)

    site.do(story())


# ---------------------------------------------------------------- Telegram

PERSON = {"id": CHAT, "is_bot": False, "first_name": CANARY, "language_code": "th"}
PRIVATE = {"id": CHAT, "type": "private", "first_name": CANARY}
PHOTO = [
    {"file_id": f"AgAC{n}", "file_unique_id": "AQAD", "file_size": 900 * n, "width": 90 * n,
     "height": 67 * n} for n in (1, 2, 3)
]  # fmt: skip


def telegram_message(**what: Any) -> dict[str, Any]:
    """As https://core.telegram.org/bots/api#message says."""
    message = {"message_id": 17, "from": PERSON, "chat": PRIVATE, "date": 1_790_000_000}
    return {"update_id": 10_000, "message": message | what}


TELEGRAM = [
    telegram_message(text=CANARY, entities=[{"type": "bold", "offset": 0, "length": 2}]),
    telegram_message(text="/start deep", entities=[{"type": "bot_command", "offset": 0}]),
    telegram_message(text="me está amenazando con publicar mis fotos"),
    telegram_message(photo=PHOTO, caption=CANARY, media_group_id="134"),
    telegram_message(video={"file_id": "BAAC", "mime_type": "video/mp4", "file_size": 1 << 22}),
    telegram_message(document={"file_id": "BQAC", "mime_type": "image/png", "file_name": CANARY}),
    telegram_message(sticker={"file_id": "CAAC", "emoji": "👍", "type": "regular"}),
    telegram_message(venue={"location": {"latitude": 1.0, "longitude": 2.0}, "title": CANARY}),
    {"update_id": 10_001, "edited_message": telegram_message(photo=PHOTO)["message"]},
    {"update_id": 10_002, "callback_query": {
        "id": "4382bfdwdsb323b2d9", "from": PERSON, "data": "ask.phone=own",
        "chat_instance": "-34", "message": telegram_message(text="ok")["message"]}},
    {"update_id": 10_003, "my_chat_member": {
        "chat": PRIVATE, "from": PERSON, "date": 1_790_000_000,
        "old_chat_member": {"status": "member"}, "new_chat_member": {"status": "kicked"}}},
    {"update_id": 10_004, "poll": {"id": "1", "question": CANARY, "options": []}},
]  # fmt: skip


async def posts_to_telegram(site: Site, body: bytes) -> int:
    headers = {"x_telegram_bot_api_secret_token": site.secret}
    return (await site.ask("/telegram", body, **headers)).status_code


async def is_heard_on_telegram(site: Site) -> None:
    """Somebody new."""
    before, number = site.said(), site.number()
    chat = {"id": number + 10**9, "type": "private"}
    update = {"update_id": number + 10**9, "message": {"message_id": 1, "chat": chat}}
    update["message"] |= {"text": "/start"}
    assert await posts_to_telegram(site, json.dumps(update).encode()) == 200
    await site.works()
    assert site.said() > before


@bounded(25)
@given(written(changed(TELEGRAM)), st.booleans())
def test_updates_of_telegram_gone_wrong_are_passed_over(
    site: Running, body: bytes, is_new: bool
) -> None:
    async def story() -> None:
        sent = body
        if is_new:
            sent = body.replace(b'"update_id": 1', b'"update_id": %d1' % site.site.number(), 1)
        assert await posts_to_telegram(site.site, sent) in {200, 400}
        await is_heard_on_telegram(site.site)

    site.do(story())


@bounded(12)
@given(written(values(["update_id", "message", "chat", "callback_query"])) | st.binary())
def test_bodies_that_telegram_would_not_send_are_refused(site: Running, body: bytes) -> None:
    async def story() -> None:
        assert await posts_to_telegram(site.site, body) in {200, 400, 413}
        await is_heard_on_telegram(site.site)

    site.do(story())
