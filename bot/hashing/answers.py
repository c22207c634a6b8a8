"""What a prisoner says of a file, one JSON object, and how it is heard: as a stranger's post, since
whoever says it may have been taken over.

`{"item": …, "phash": …}`, the item as the mini-app posts it; or `{"refused": why}`.
"""

import json
import re
from dataclasses import replace
from typing import Any, Final

from bot.cases.hashes import BadSubmission, Item, Media, parse_items

_PHASH: Final = re.compile(r"[0-9a-f]{16}")


def said(item: Item) -> dict[str, Any]:
    """The answer for a file that has hashes."""
    return {"item": {"media": item.media, "hashes": posted(item)}, "phash": item.phash}


def posted(item: Item) -> list[dict[str, Any]]:
    """Its hashes as the mini-app posts them."""
    return [
        {"kind": one.kind, "variant": one.variant, "value": one.value}
        | ({} if one.quality is None else {"quality": one.quality})
        for one in item.hashes
    ]


def heard(answer: bytes, media: Media, *, marked: bool) -> Item | str:
    """The item; or why there is none, "" when the answer is not of this form and no other.

    `marked`: whether it has a pHash.
    """
    try:
        match json.loads(answer):
            case {"item": dict(posted), "phash": str() | None as phash, **rest} if not rest:
                (item,) = parse_items([posted])
            case {"refused": str(why), **rest} if not rest:
                return why
            case _:
                return ""
    except (ValueError, RecursionError, BadSubmission):
        return ""
    is_marked = phash is not None and _PHASH.fullmatch(phash) is not None
    if item.media != media or is_marked != marked:
        return ""
    return replace(item, phash=phash)
