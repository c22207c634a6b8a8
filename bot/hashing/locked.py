"""The prisoner for a picture: its decoders are loaded (by `bot.hashing.guard`, or alone with
`python -I -m bot.hashing.locked`), and then it serves in its cell (`cell.py`)."""

import sys
import warnings
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

import numpy as np
from PIL import Image

from bot.cases.hashes import Item
from bot.hashing import cell, walls
from bot.hashing.image import FORMATS, hash_bytes
from bot.hashing.likeness import phash

MOST: Final = 10_000_000
"""Bytes of a picture."""
PIXELS: Final = 100_000_000
"""Of a picture; so many take 400 MB for some seconds, a JPEG a tenth of it."""


def main(attempt: str = "") -> None:
    """Loads, then serves."""
    warm()
    serve(attempt)


def serve(attempt: str = "") -> None:
    """One picture, one answer; or an attempt to get out."""
    cell.serve(attempt, _hashed, MOST, walls.SECONDS)


def answer(data: bytes) -> dict[str, Any]:
    """The hashes of a picture, or why there are none."""
    return cell.answer(data, _hashed, MOST)


def _hashed(data: bytes) -> Item:
    return hash_bytes(data, "image", scaled=True, mark=phash)


def warm() -> None:
    """Load whatever is loaded when it is first needed: behind the walls no file can be opened."""
    warnings.simplefilter("ignore")
    for one in samples():
        answer(one)
    Image.MAX_IMAGE_PIXELS = PIXELS


def samples() -> Iterator[bytes]:
    """Files of each kind that is opened, and some that are not."""
    Image.init()
    noise = np.random.default_rng(1).integers(0, 256, (96, 96, 3), np.uint8)
    picture = Image.fromarray(noise)
    deep = Image.fromarray(noise[:, :, 0].astype(np.uint16) << 8)
    made = [(picture, kind) for kind in FORMATS if kind != "HEIF"]  # its encoder keeps threads
    made += [(picture.convert("RGBA"), "PNG"), (deep, "PNG"), (picture.convert("CMYK"), "JPEG")]
    for one, kind in made:
        file = BytesIO()
        one.save(file, kind, exif=_turned())
        yield file.getvalue()
    yield from (b"", b"no picture", file.getvalue()[:200])


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


if __name__ == "__main__":
    main(*sys.argv[1:])
