"""Whether a picture or video is in its case already, so that it is not added twice.

A pHash is kept sealed inside its case alone: nobody exchanges it, and it is never listed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from bot.cases.hashes import Item, Media

SAME_PHASH: Final = 10
"""Bits of 64 in which two copies of one picture may differ; no two of the test set came so near."""
SAME_PDQ: Final = 16
"""Bits of 256 within which a copy needs no hash of its own: partners match at 31."""
_UPRIGHT: Final = frozenset(("512", "640", "256"))


@dataclass(frozen=True, slots=True)
class Held:
    """A picture or video of a case: its upright PDQ hashes or those of its stills, and the pHash of
    a picture where one was made."""

    pdqs: tuple[str, ...] = field(repr=False)
    phash: str | None = field(default=None, repr=False)
    media: Media = "image"


def upright(item: Item) -> tuple[str, ...]:
    """The PDQ hashes of it as it lies, without mirrored and changed copies."""
    return tuple(one.value for one in item.hashes if is_upright(one.kind, one.variant))


def is_upright(kind: str, variant: str) -> bool:
    """Whether a hash is of the picture, or of a video's still, as it lies."""
    return kind == "pdq" and (variant in _UPRIGHT or is_still(variant))


def is_still(variant: str) -> bool:
    """Whether it is of a video."""
    return variant.startswith("frame-")


def is_same(one: str, other: str) -> bool:
    """Whether two pHashes are of copies of one picture."""
    return _apart(one, other) <= SAME_PHASH


def is_held(item: Item, held: Iterable[Held]) -> bool:
    """Whether a case holds this picture: near in PDQ, and in pHash where both have one; or this
    video: all its stills are near those of one.

    Two that only resemble each other would lose one's hashes, so all must agree.
    """
    return any(_is_one(item, one) for one in held)


def _is_one(item: Item, held: Held) -> bool:
    if item.media != held.media:
        return False
    near = [any(_apart(one, other) <= SAME_PDQ for other in held.pdqs) for one in upright(item)]
    if not any(near) or (item.media == "video" and not all(near)):
        return False
    return item.phash is None or held.phash is None or is_same(item.phash, held.phash)


def _apart(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()
