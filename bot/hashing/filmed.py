"""The prisoner for a video (`python -I -m bot.hashing.filmed`).

No guard forks it: its decoders take some 20 MB and a third of a second to load, and a video takes
seconds anyway. So whoever gets no video has them not loaded.
"""

import sys
from io import BytesIO
from typing import Final

from bot.cases.hashes import Item
from bot.hashing import cell, walls
from bot.hashing.errors import Empty, TooPlain
from bot.hashing.kinds import PROOF, digests
from bot.hashing.video import stills

MOST: Final = 50_000_000
"""Bytes of a video."""
PIXELS: Final = 3_000_000_000
"""To be decoded of one: 50 seconds of full HD, were each of its pictures needed."""
SECONDS: Final = 40
"""Of computing."""


def main(attempt: str = "") -> None:
    """Loads, then serves one video; or an attempt to get out."""
    walls.no_core()
    for sample in (PROOF.read_bytes(), b"no video"):
        cell.answer(sample, hashed, MOST)
    cell.serve(attempt, hashed, MOST, SECONDS)


def hashed(data: bytes) -> Item:
    """A video's stills and the digests of its file. ImageError, also when there is no still."""
    if not data:
        raise Empty
    found = stills(BytesIO(data), PIXELS)
    if not found:
        raise TooPlain
    return Item("video", (*found, *digests([data])))


if __name__ == "__main__":
    main(*sys.argv[1:])
