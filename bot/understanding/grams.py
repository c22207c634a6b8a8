"""A message as letter sequences: sparse, hashed, cheap, and the same on every machine.

One to five letters in a row, across word ends, so that Thai needs no word cutting, and typos and
endings cost little. Hashing (CRC-32) spares a vocabulary.
"""

from collections.abc import Iterable
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

BUCKETS: Final = 1 << 15
LONGEST: Final = 5
READ: Final = 1_000
"""Characters of a text that are read."""


def counted(texts: Iterable[str]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Buckets, ascending, and 1 + ln(how often), of all letter sequences of the texts."""
    found = list[int]()
    for text in texts:
        letters = [letter.encode() for letter in f" {text[:READ]} "]
        sums = [0] * len(letters)
        for length in range(LONGEST):  # each sum goes on from that of a sequence one shorter
            sums = list(map(crc32, letters[length:], sums))
            found += sums
    often = np.bincount(np.array(found, np.int64) % BUCKETS, minlength=BUCKETS)
    places = np.flatnonzero(often)
    return places, 1 + np.log(often[places].astype(np.float32))
