"""Telegram's words: an update as what happened, a message as what is sent. Pure.

Limits are those of Bot API 10.1 (core.telegram.org/bots/api).
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal

from bot.cases.hashes import Media as ContentMedia
from bot.cases.number import find_number
from bot.channels import Link, Message
from bot.channels.fetching import content
from bot.conversation.model import (
    Chose,
    Gone,
    Inbound,
    Language,
    Media,
    NodeId,
    Opened,
    TooLong,
    Typed,
)
from bot.conversation.picture import Content
from bot.text import Texts, language_of

ALLOWED: Final = ("message", "edited_message", "callback_query", "my_chat_member")
"""The updates that are asked for."""
TEXT: Final = 4096
"""The most of a message, counted in UTF-16 units to be sure."""
LONGEST: Final = 5_000
"""The most that is read of a message."""
NEUTRAL: Final = ("news", "ask.how", "bland", "stopped", "ask.talk_now")
"""Texts that a lock screen may show as they are (C9, C14)…"""
PUSHED: Final = ("news", "ask.how")
"""…and those that nobody is waiting for: only these ring."""

_CHOICE: Final = re.compile(r"([a-z0-9_.]{1,40})=([A-Za-z0-9_.-]{1,20})")
_START: Final = re.compile(r"/start(@\w+)?(\s|$)")
_TO_BOT: Final = re.compile(r"(/\w+)@\w+")
_VALID: Final = re.compile("[^\ud800-\udfff]{1,500}")

_KINDS: Final[dict[str, ContentMedia]] = {
    "image/jpeg": "image", "image/png": "image", "image/webp": "image", "image/heic": "image",
    "image/heif": "image", "image/avif": "image", "image/gif": "image", "video/mp4": "video",
    "video/quicktime": "video", "video/webm": "video", "video/x-matroska": "video",
    "video/3gpp": "video",
}  # fmt: skip
"""What a file may say that it is, to be fetched at all; what it is, its bytes say."""

Kind = Literal["image", "video", "file", "voice", "sticker", "location"]
_MEDIA: Final[tuple[tuple[str, Kind], ...]] = (
    ("photo", "image"), ("live_photo", "image"), ("paid_media", "image"), ("video", "video"),
    ("animation", "video"), ("video_note", "video"), ("story", "video"), ("document", "file"),
    ("contact", "file"), ("voice", "voice"), ("audio", "voice"), ("sticker", "sticker"),
    ("dice", "sticker"), ("game", "sticker"), ("venue", "location"), ("location", "location"),
    ("poll", "file"), ("checklist", "file"), ("rich_message", "file"),
)  # fmt: skip
"""What is not text, by its field. (An animation has a `document` too: the order matters.)"""


_PUT_IN: Final = frozenset({"image", "video", "file"})
"""What an edit can put into a message. (A shared place moves by edits.)"""


# ---------------------------------------------------------------- what comes in


@dataclass(frozen=True, slots=True)
class Heard:
    """An update of a private chat: what happened there.

    `message` is the id of what the person sent; `query` a button press that wants an answer.
    """

    id: str
    chat: int
    events: tuple[Inbound, ...]
    message: int | None = None
    query: str | None = field(default=None, repr=False)
    language: Language | None = None
    """Of the person's app."""


def parse(update: object, at: datetime, *, takes: bool = False) -> Heard | None:
    """What an update says; None for what is no private chat's or not asked for. Never raises.

    `takes` notes by what a picture or video could be fetched, and hears the words below it first.
    """
    match update:
        case {"update_id": int(id), "message": {"chat": {"type": "private", "id": int(chat)}} as m}:
            events = tuple(_events(m, at))
            heard = _with_content(events, m) if takes else events
            return Heard(str(id), chat, heard, _id(m), language=_language(m))
        case {
            "update_id": int(id),
            "edited_message": {"chat": {"type": "private", "id": int(chat)}} as m,
        }:
            return _edited(str(id), chat, m, at)
        case {"update_id": int(id), "callback_query": {"id": str(query)} as pressed}:
            return _pressed(str(id), query, pressed, at)
        case {
            "update_id": int(id),
            "my_chat_member": {
                "chat": {"type": "private", "id": int(chat)},
                "new_chat_member": {"status": str(status)},
            } as changed,
        }:
            return Heard(str(id), chat, tuple(_member(status, changed, at)))
        case _:
            return None


def key_of(chat: int) -> bytes:
    """What a conversation is known by; in a private chat, the chat's id is the person's."""
    return b"telegram:%d" % chat


def address_of(chat: int) -> bytes:
    """Where to write to."""
    return json.dumps({"chat": chat}).encode()


def chat_of(address: bytes) -> int:
    """The chat of an address."""
    return int(json.loads(address)["chat"])


def _events(message: Mapping[str, Any], at: datetime) -> Iterator[Inbound]:
    """Something that is not text may have words below it: they are heard as well."""
    id = _id(message)
    ref = None if id is None else str(id)
    kind = next((kind for name, kind in _MEDIA if name in message), None)
    if kind:
        yield Media(at, kind, ref, _text(message.get("media_group_id")))
    words = message.get("caption" if kind else "text")
    if isinstance(words, str) and words.strip():
        yield _typed(words, ref, message, at)


def _with_content(events: tuple[Inbound, ...], message: Mapping[str, Any]) -> tuple[Inbound, ...]:
    """Words below it may say who is in it: they are heard before it is taken (C16)."""
    media, *words = events or (None,)
    if not isinstance(media, Media):
        return events
    return (*words, replace(media, content=_content(message)))


def _content(message: Mapping[str, Any]) -> Content | None:
    """The largest of a photo's sizes, a video, or a document that says it is a picture or video."""
    media: ContentMedia = "image"
    match message:
        case {"date": int(date), "photo": [*sizes]}:
            found = [one for one in map(_file, sizes) if one]
            largest = max(found, key=lambda one: one[2], default=None)
        case {"date": int(date), "video": video} | {"date": int(date), "video_note": video}:
            media, largest = "video", _file(video)
        case {"date": int(date), "document": {"mime_type": str(kind)} as document}:
            media = _KINDS.get(kind, media)
            largest = _file(document) if kind in _KINDS else None
        case _:
            return None
    return content(largest[0], date * 1000, largest[1], media) if largest else None


def _file(plain: object) -> tuple[str, int | None, int] | None:
    """File id, bytes where they are told, and pixels."""
    match plain:
        case {"file_id": str(id), **more} if _text(id):
            size, width, height = (more.get(name) for name in ("file_size", "width", "height"))
            pixels = width * height if isinstance(width, int) and isinstance(height, int) else 0
            return id, size if isinstance(size, int) else None, pixels
        case _:
            return None


def _text(said: object) -> str | None:
    """An id of Telegram's, when it is valid text."""
    return said if isinstance(said, str) and _VALID.fullmatch(said) else None


def _id(message: Mapping[str, Any]) -> int | None:
    id = message.get("message_id")
    return id if isinstance(id, int) else None


def _typed(words: str, ref: str | None, message: Mapping[str, Any], at: datetime) -> Inbound:
    if len(words) > LONGEST:
        return TooLong(at)
    if _START.match(words):
        return Opened(at, _language(message))
    # Half an emoji is valid JSON and no valid text.
    plain = words.encode("utf-8", "replace").decode()
    command = _TO_BOT.fullmatch(plain.strip())
    return Typed(at, command[1] if command else plain, ref)


def _edited(id: str, chat: int, message: Mapping[str, Any], at: datetime) -> Heard | None:
    """A picture put where words were is one that was sent; changed words are not heard again."""
    sent = (one for one in _events(message, at) if isinstance(one, Media) and one.kind in _PUT_IN)
    media = tuple(sent)
    return Heard(id, chat, media, _id(message)) if media else None


def _pressed(id: str, query: str, pressed: Mapping[str, Any], at: datetime) -> Heard | None:
    match pressed:
        case {"message": {"chat": {"type": "private", "id": int(chat)}}}:
            choice = _CHOICE.fullmatch(str(pressed.get("data")))
            chose = (Chose(at, NodeId(choice[1]), choice[2]),) if choice else ()
            return Heard(id, chat, chose, query=query, language=_language(pressed))
        case _:
            return None


def _member(status: str, changed: Mapping[str, Any], at: datetime) -> Iterator[Inbound]:
    """Blocked, or unblocked."""
    if status in {"kicked", "left"}:
        yield Gone(at)
    elif status == "member":
        yield Opened(at, _language(changed))


def _language(said: Mapping[str, Any]) -> Language | None:
    sender = said.get("from")
    return language_of(sender.get("language_code")) if isinstance(sender, dict) else None


# ---------------------------------------------------------------- what goes out


@dataclass(frozen=True, slots=True)
class Manner:
    """How messages are put. `page` opens inside Telegram, which takes https addresses alone."""

    texts: Texts
    page: str | None


Button = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One `sendMessage`. `buttons` (Telegram's `InlineKeyboardButton`) stand below, one a row."""

    text: str = field(repr=False)
    buttons: tuple[Button, ...] = field(default=(), repr=False)
    silent: bool = True
    protected: bool = False


def render(message: Message, manner: Manner) -> list[Outgoing]:
    """A message as Telegram takes it, in parts when it is too long; buttons under the last.

    Each part begins with the neutral line that chat lists and lock screens show (C14).
    """
    head = message.text.partition("\n\n")[0]
    plain = head in _said(message, manner, NEUTRAL)
    before = "" if plain else f"{message.preview}\n\n"
    parts = split(message.text, TEXT - units(before))
    silent = head not in _said(message, manner, PUSHED)
    protected = find_number(message.text) is not None
    *first, last = (Outgoing(before + part, (), silent, protected) for part in parts)
    return [*first, replace(last, buttons=tuple(_buttons(message, manner)))]


def sendable(chat: int, part: Outgoing) -> dict[str, Any]:
    """The parameters of `sendMessage`."""
    plain: dict[str, Any] = {
        "chat_id": chat,
        "text": part.text,
        "disable_notification": part.silent,
        "protect_content": part.protected,
        # Nobody's server is to open an address from this chat.
        "link_preview_options": {"is_disabled": True},
    }
    if part.buttons:
        plain["reply_markup"] = {"inline_keyboard": [[one] for one in part.buttons]}
    return plain


def without_links(sent: Outgoing) -> Outgoing | None:
    """The same with its addresses in the text, when Telegram takes no button for them; else None.

    (It takes none for `localhost`, say.)
    """
    choices = tuple(one for one in sent.buttons if "callback_data" in one)
    if choices == sent.buttons:
        return None
    links = [f"{one['text']}: {one['url']}" for one in sent.buttons if "url" in one]
    return replace(sent, text="\n\n".join((sent.text, *links)), buttons=choices)


def units(text: str) -> int:
    """UTF-16 units: an emoji is two."""
    return len(text.encode("utf-16-le")) // 2


def split(text: str, most: int) -> list[str]:
    """The text in parts of at most so many units, cut between paragraphs, lines or words."""
    parts = []
    while units(text) > most:
        cut = _cut(text, most)
        parts.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [*parts, text]


def _cut(text: str, most: int) -> int:
    fits = len(text.encode("utf-16-le")[: most * 2].decode("utf-16-le", "ignore"))
    for gap in ("\n\n", "\n", " "):
        found = text.rfind(gap, fits // 2, fits)
        if found > 0:
            return found
    return fits


def _said(message: Message, manner: Manner, ids: tuple[str, ...]) -> set[str]:
    return {manner.texts.say(id, message.language) for id in ids}


def _buttons(message: Message, manner: Manner) -> Iterator[Button]:
    for link in message.links:
        yield from _link(link, message, manner)
    for choice in message.choices:
        yield {"text": choice.label, "callback_data": choice.data}


def _link(link: Link, message: Message, manner: Manner) -> Iterator[Button]:
    if not link.app or manner.page is None:
        yield {"text": link.label, "url": link.url}
        return
    what = f"?l={message.language}" + ("&opens=pin" if link.opens == "pin" else "")
    page = {"url": f"{manner.page}{what}"}
    yield {"text": link.label, "web_app": page}
    outside = manner.texts.say("telegram.browser", message.language)
    yield {"text": outside, "url": link.url}
