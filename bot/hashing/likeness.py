"""Whether a picture is already in the case: a 64-bit pHash, used only within one case.

It is never listed for partners, who exchange PDQ (docs/hashing.md).
"""

from typing import Final

import imagehash
from PIL import Image

from bot.hashing.image import open_picture

SAME: Final = 10
"""Bits of 64 in which two copies of one picture may differ; no two of the test set came so near."""


def phash(picture: Image.Image) -> str:
    """The pHash of a picture, 16 hex digits."""
    return str(imagehash.phash(picture))


def is_same(one: str, other: str) -> bool:
    """Whether two pHashes are of copies of one picture."""
    return (int(one, 16) ^ int(other, 16)).bit_count() <= SAME


def alike(one: bytes, other: bytes) -> bool:
    """Whether two picture files show the same picture. ImageError."""
    return is_same(phash(open_picture(one)), phash(open_picture(other)))
