"""What the chat page posts, parsed: nothing else in it is believed."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bot.conversation.model import (
    LANGUAGES,
    Chose,
    Inbound,
    Language,
    NodeId,
    Opened,
    TooLong,
    Typed,
)
from bot.store import EffectId

_POST_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CHOICE: Final = re.compile(r"([a-z0-9_.]{1,40})=([A-Za-z0-9_.-]{1,20})")
_SEEN_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SEEN_AT_ONCE: Final = 100


class Malformed(ValueError):
    """A post that the page would not have made. Never carries the post."""


@dataclass(frozen=True, slots=True)
class Post:
    """What the page posted: its own id for it, the same in a retry, and what happened."""

    id: str
    event: Inbound


def parse_open(body: bytes, at: datetime) -> Post:
    """`{id, language?}` as Opened; Malformed otherwise."""
    plain = _object(body, {"id", "language"})
    return Post(_post_id(plain), Opened(at, _language(plain.get("language"))))


def parse_say(body: bytes, at: datetime, longest: int) -> Post:
    """`{id, text}` as Typed (TooLong past `longest` characters), `{id, choice}` as Chose."""
    plain = _object(body, {"id", "text", "choice"})
    match plain:
        case {"text": str(text), **others} if "choice" not in others and text.strip():
            return Post(_post_id(plain), _typed(text, at, longest))
        case {"choice": str(choice), **others} if "text" not in others:
            return Post(_post_id(plain), _chose(choice, at))
        case _:
            raise Malformed


def parse_seen(body: bytes) -> tuple[EffectId, ...]:
    """The ids in `{ids: […]}`; Malformed otherwise."""
    ids = _object(body, {"ids"}).get("ids")
    if not isinstance(ids, list) or len(ids) > _SEEN_AT_ONCE:
        raise Malformed
    if not all(isinstance(id, str) and _SEEN_ID.fullmatch(id) for id in ids):
        raise Malformed
    return tuple(EffectId(id) for id in ids)


def _object(body: bytes, known: set[str]) -> dict[str, object]:
    try:
        plain = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed from None
    if not isinstance(plain, dict) or not plain.keys() <= known:
        raise Malformed
    return plain


def _post_id(plain: Mapping[str, object]) -> str:
    id = plain.get("id")
    if not isinstance(id, str) or not _POST_ID.fullmatch(id):
        raise Malformed
    return id


def _language(said: object) -> Language | None:
    if said is None:
        return None
    for language in LANGUAGES:
        if said == language:
            return language
    raise Malformed


def _typed(text: str, at: datetime, longest: int) -> Typed | TooLong:
    if len(text) > longest:
        return TooLong(at)
    # Half an emoji, cut while pasting, is valid JSON and no valid text.
    return Typed(at, text.encode("utf-8", "replace").decode())


def _chose(choice: str, at: datetime) -> Chose:
    parts = _CHOICE.fullmatch(choice)
    if parts is None:
        raise Malformed
    return Chose(at, NodeId(parts[1]), parts[2])
