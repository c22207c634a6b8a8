"""Hashes as the device posts them: kinds, variants, limits, and the parser that admits no more.

The closed list of variants and the wire form are described in docs/hashing.md.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

Media = Literal["image", "video"]
Kind = Literal["pdq", "md5", "sha256"]

MAX_ITEMS: Final = 10
MAX_HASHES: Final = 32
MAX_FRAMES: Final = 60
MAX_BODY: Final = 80_000
"""Room for 10 videos of 60 stills each."""
MIN_QUALITY: Final = 50
"""Below this PDQ quality partners do not match (threatexchange 1.2.17); such a hash is refused."""

_DIGITS: Final[dict[Kind, int]] = {"pdq": 64, "md5": 32, "sha256": 64}
_SIZES: Final = ("512", "640", "256")
_TURNS: Final = ("", "-turn90", "-turn180", "-turn270")
_FIXED: Final = frozenset(
    [f"{size}{turn}{mirror}" for size in _SIZES for turn in _TURNS for mirror in ("", "-mirror")]
    + [f"stored-{size}{mirror}" for size in _SIZES for mirror in ("", "-mirror")]
)
_NUMBERED: Final = re.compile(r"self-(?:[1-9]|[12][0-9]|3[0-2])|frame-(?:[1-9]|[1-5][0-9]|60)")
FILE_VARIANT: Final = "file"

Problem = Literal["form", "too_many", "value", "variant", "low_quality", "empty"]


class BadSubmission(ValueError):
    """The posted items are not of the agreed form; `problem` says why, without quoting them."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem: Problem = problem


@dataclass(frozen=True, slots=True)
class Hash:
    """One hash: `value` in lower-case hex; `quality` 0..100, for pdq only."""

    kind: Kind
    variant: str
    value: str
    quality: int | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One picture or video, known only by its hashes."""

    media: Media
    hashes: tuple[Hash, ...]
    phash: str | None = field(default=None, repr=False)
    """Of a picture sent into the chat (16 hex digits): for its own case, never listed or posted."""


def parse_items(posted: object) -> tuple[Item, ...]:
    """The items of a mini-app post, or BadSubmission.

    Refused: unknown fields or variants, wrong lengths, upper case, a PDQ hash of quality under 50,
    more than 10 items, more than 32 hashes an item (60 frames and the two of the file for a video).
    """
    if not isinstance(posted, list):
        raise BadSubmission("form")
    if not posted:
        raise BadSubmission("empty")
    if len(posted) > MAX_ITEMS:
        raise BadSubmission("too_many")
    return tuple(_item(one) for one in posted)


def _item(posted: object) -> Item:
    fields = _fields(posted, {"media", "hashes"})
    media, hashes = fields["media"], fields["hashes"]
    if media not in get_args(Media) or not isinstance(hashes, list):
        raise BadSubmission("form")
    if not hashes:
        raise BadSubmission("empty")
    if len(hashes) > (MAX_HASHES if media == "image" else MAX_FRAMES + 2):
        raise BadSubmission("too_many")
    return Item(media, tuple(_hash(one) for one in hashes))


def _hash(posted: object) -> Hash:
    fields = _fields(posted, {"kind", "variant", "value", "quality"})
    kind, variant, value, quality = (fields[f] for f in ("kind", "variant", "value", "quality"))
    if kind not in get_args(Kind) or not isinstance(variant, str):
        raise BadSubmission("form")
    digits = _DIGITS[kind]
    if not isinstance(value, str) or not re.fullmatch(rf"[0-9a-f]{{{digits}}}", value):
        raise BadSubmission("value")
    if kind != "pdq":
        return _file_hash(kind, variant, value, quality)
    if variant not in _FIXED and not _NUMBERED.fullmatch(variant):
        raise BadSubmission("variant")
    if type(quality) is not int or not 0 <= quality <= 100:
        raise BadSubmission("form")
    if quality < MIN_QUALITY:
        raise BadSubmission("low_quality")
    return Hash(kind, variant, value, quality)


def _file_hash(kind: Kind, variant: str, value: str, quality: object) -> Hash:
    if variant != FILE_VARIANT:
        raise BadSubmission("variant")
    if quality is not None:
        raise BadSubmission("form")
    return Hash(kind, variant, value)


def _fields(posted: object, names: set[str]) -> Mapping[str, Any]:
    if not isinstance(posted, dict) or not posted.keys() <= names:
        raise BadSubmission("form")
    if missing := names - posted.keys():
        if missing != {"quality"}:
            raise BadSubmission("form")
        return {**posted, "quality": None}
    return posted
