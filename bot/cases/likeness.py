"""Whether a picture is in its case already, so that it is not added twice.

A pHash is kept sealed inside its case alone: nobody exchanges it, and it is never listed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from bot.cases.hashes import Item

SAME_PHASH: Final = 10
"""Bits of 64 in which two copies of one picture may differ; no two of the test set came so near."""
SAME_PDQ: Final = 16
"""Bits of 256 within which a copy needs no hash of its own: partners match at 31."""
_UPRIGHT: Final = frozenset(("512", "640", "256"))


@dataclass(frozen=True, slots=True)
class Held:
    """A picture of a case: its upright PDQ hashes, and its pHash where one was made."""

    pdqs: tuple[str, ...] = field(repr=False)
    phash: str | None = field(default=None, repr=False)


def upright(item: Item) -> tuple[str, ...]:
    """The PDQ hashes of the picture as it lies, without its mirrored and changed copies."""
    return tuple(one.value for one in item.hashes if is_upright(one.kind, one.variant))


def is_upright(kind: str, variant: str) -> bool:
    """Whether a hash is of the picture as it lies."""
    return kind == "pdq" and variant in _UPRIGHT


def is_same(one: str, other: str) -> bool:
    """Whether two pHashes are of copies of one picture."""
    return _apart(one, other) <= SAME_PHASH


def is_held(item: Item, held: Iterable[Held]) -> bool:
    """Whether a case holds this picture: near in PDQ, and in pHash where both have one.

    Two pictures that only resemble each other would lose one's hashes, so both must agree.
    """
    return any(_is_one(item, one) for one in held)


def _is_one(item: Item, held: Held) -> bool:
    pairs = ((one, other) for one in upright(item) for other in held.pdqs)
    if not any(_apart(one, other) <= SAME_PDQ for one, other in pairs):
        return False
    return item.phash is None or held.phash is None or is_same(item.phash, held.phash)


def _apart(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()
