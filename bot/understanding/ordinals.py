"""Hears a choice by its place ("the second one"), and what is asked behind it."""

import re
from typing import Final

from bot.understanding.forms import clean, plain
from bot.understanding.tables import table


def ordinal(text: str) -> tuple[int, str] | None:
    """The place that a message begins with, from 1, and the rest of it; None without a place."""
    said = plain(clean(text))
    for place, patterns in _PLACES:
        if found := next((match for one in patterns if (match := one.match(said))), None):
            return place, _JOINED.sub("", said[found.end() :]).strip()
    return None


def _compiled(latin: str, thai: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    before, after, marked = _TABLE["around_latin"], _TABLE["after_latin"], _TABLE["around_thai"]
    ends = "(?=$| ?[,.;!?]| (?:and|but|y|pero) )"
    return (
        re.compile(rf"(?:{before} )+(?:{latin})(?: {after})?{ends}"),
        re.compile(rf"{marked} ?(?:{thai})(?:ค่ะ|คะ|ครับ|คับ|นะ)*(?=$|[ ,.]|แล้ว|และ|แต่)"),
    )


_TABLE: Final = table("ordinals")
_JOINED: Final = re.compile(r"^[\s,.;!?]*(?:(?:and|but|y|pero) |แล้วก็|แล้ว|และ|แต่)?[\s,]*")
_PLACES: Final = tuple(
    (place, _compiled(latin, thai))
    for place, (latin, thai) in enumerate(zip(_TABLE["latin"], _TABLE["thai"], strict=True), 1)
)
