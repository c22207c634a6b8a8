"""A message as letter sequences: sparse, hashed, cheap, and the same on every machine.

One to five letters in a row, across word ends, so that Thai needs no word cutting, and typos and
endings cost little. Hashing (CRC-32) spares a vocabulary.
"""

from collections import Counter
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
    found: Counter[int] = Counter()
    for text in texts:
        padded = f" {text[:READ]} "
        for length in range(1, LONGEST + 1):
            ends = range(length, len(padded) + 1)
            found.update(crc32(padded[end - length : end].encode()) % BUCKETS for end in ends)
    places = sorted(found)
    often = np.array([found[place] for place in places], np.float32)
    return np.array(places, np.int64), 1 + np.log(often)
