"""What LINE posts to the webhook, parsed: who did what, and how to answer.

Only one-to-one chats are heard. Event kinds, message kinds and fields that are not known are
passed over: LINE adds some without notice.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal

from bot.channels.fetching import content
from bot.conversation.model import (
    Chose,
    Gone,
    Inbound,
    Media,
    NodeId,
    Opened,
    TooLong,
    Typed,
    Unsent,
)
from bot.conversation.picture import Content

LONGEST: Final = 5_000
_CHOICE: Final = re.compile(r"([a-z0-9_.]{1,40})=([A-Za-z0-9_.-]{1,20})")
_ID: Final = re.compile("[^\ud800-\udfff]{1,200}")
_MEDIA: Final[
    dict[str, Literal["image", "video", "file", "voice", "sticker", "location"]]
] = {
    "image": "image",
    "video": "video",
    "audio": "voice",
    "file": "file",
    "sticker": "sticker",
    "location": "location",
}  # fmt: skip


class Malformed(ValueError):
    """A body that LINE would not have sent. Never carries the body."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One event of one person. `id` is LINE's own, the same when it is delivered again."""

    id: str
    user: str = field(repr=False)
    token: str | None = field(repr=False)
    event: Inbound


def parse_webhook(body: bytes, now: datetime, *, takes: bool = False) -> tuple[Heard, ...]:
    """The events to keep, in the order in which they happened; Malformed otherwise.

    `now` becomes the time of the events: a redelivered one may carry a time long past. `takes`
    notes by what a picture or video could be fetched.
    """
    try:
        plain = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed from None
    events = plain.get("events") if isinstance(plain, dict) else None
    if not isinstance(events, list):
        raise Malformed
    known = [event for event in events if isinstance(event, dict)]
    heard = [_heard(event, now, takes) for event in sorted(known, key=_happened)]
    return tuple(one for one in heard if one)


def _happened(event: Mapping[str, Any]) -> int:
    at = event.get("timestamp")
    return at if isinstance(at, int) else 0


def _heard(plain: Mapping[str, Any], now: datetime, takes: bool) -> Heard | None:
    match plain:
        case {
            "mode": "active",
            "source": {"type": "user", "userId": str(user)},
            "webhookEventId": str(id),
        } if _is_id(user) and _is_id(id):
            event = _event(plain, now)
            if takes and isinstance(event, Media):
                event = replace(event, content=_content(plain))
            return Heard(id, user, _token(plain), event) if event else None
        case _:
            return None


def _event(plain: Mapping[str, Any], at: datetime) -> Inbound | None:
    match plain:
        case {"type": "message", "message": {"id": str(id)} as message} if _is_id(id):
            return _message(message, id, at)
        case {"type": "unsend", "unsend": {"messageId": str(id)}} if _is_id(id):
            return Unsent(at, id)
        case {"type": "postback", "postback": {"data": str(data)}}:
            return _chose(data, at)
        case {"type": "follow"}:
            return Opened(at)
        case {"type": "unfollow"}:
            return Gone(at)
        case _:
            return None


def _message(message: Mapping[str, Any], id: str, at: datetime) -> Inbound | None:
    match message:
        case {"type": "text", "text": str(text)}:
            return _typed(text, id, at)
        case {"type": str(kind)} if kind in _MEDIA:
            return Media(at, _MEDIA[kind], id, _album(message))
        case _:
            return None


def _typed(text: str, id: str, at: datetime) -> Typed | TooLong:
    if len(text) > LONGEST:
        return TooLong(at)
    # Half an emoji is valid JSON and no valid text.
    return Typed(at, text.encode("utf-8", "replace").decode(), id)


def _content(plain: Mapping[str, Any]) -> Content | None:
    """One that LINE itself keeps; the id of its message is what it is fetched by."""
    match plain:
        case {
            "timestamp": int(at),
            "message": {
                "type": "image" | "video" as media,
                "id": str(id),
                "contentProvider": {"type": "line"},
            },
        }:
            return content(id, at, media=media)
        case _:
            return None


def _album(message: Mapping[str, Any]) -> str | None:
    match message:
        case {"imageSet": {"id": str(id)}} if _is_id(id):
            return id
        case _:
            return None


def _chose(data: str, at: datetime) -> Chose | None:
    parts = _CHOICE.fullmatch(data)
    return Chose(at, NodeId(parts[1]), parts[2]) if parts else None


def _token(plain: Mapping[str, Any]) -> str | None:
    token = plain.get("replyToken")
    return token if isinstance(token, str) and _is_id(token) else None


def _is_id(value: str) -> bool:
    return _ID.fullmatch(value) is not None
