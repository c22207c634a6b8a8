"""The smaller grids of a picture that are hashed, by the same rules as the mini-app's page.

512 is the rule of Meta's own tool; 640 moves a PDQ hash least from that of all pixels; 256 is what
thumbnails are hashed from (docs/hashing.md). None keeps the aspect.
"""

from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

Size = Literal["512", "640", "256"]
Rgb = NDArray[np.uint8]
Places = NDArray[np.intp]
Sums = NDArray[np.unsignedinteger[Any]]

FIT: Final = 257
"""So many bytes have a sum of at most 16 bits."""
SIZES: Final[tuple[Size, ...]] = ("512", "640", "256")


def sample(rgb: Rgb, size: Size) -> Rgb:
    """The picture at `size`: at most so many pixels a side."""
    return nearest(rgb, 512) if size == "512" else boxed(rgb, int(size))


def nearest(rgb: Rgb, side: int) -> Rgb:
    """With a side over `side`, exactly side x side: pixel k is floor(k * length / side)."""
    height, width = rgb.shape[:2]
    if max(height, width) <= side:
        return rgb
    return rgb[np.ix_(_starts(height, side), _starts(width, side))]


def boxed(rgb: Rgb, side: int) -> Rgb:
    """Each side at most `side`, never enlarged: means of whole cells, a half rounds up.

    Cell k begins at floor(k * length / side).
    """
    height, width = rgb.shape[:2]
    if max(height, width) <= side:
        return rgb
    tops, lefts = _starts(height, min(height, side)), _starts(width, min(width, side))
    bands = _summed(rgb.reshape(height, -1), tops).reshape(len(tops), width, -1)
    sums = _summed(bands.transpose(1, 0, 2), lefts).transpose(1, 0, 2)
    pixels = np.outer(np.diff(tops, append=height), np.diff(lefts, append=width))
    twice = (2 * pixels[:, :, None]).astype(np.uint32)
    means: Rgb = ((2 * sums + twice // 2) // twice).astype(np.uint8)
    return means


def _summed(lines: NDArray[np.uint8] | Sums, starts: Places) -> Sums:
    """The sums of each cell's lines; far quicker here than `np.add.reduceat`."""
    lengths = np.diff(starts, append=len(lines))
    is_small = lines.dtype == np.uint8 and lengths.max() <= FIT
    total: Sums = lines[starts].astype(np.uint16 if is_small else np.uint32)
    for step in range(1, lengths.max()):
        longer = np.flatnonzero(lengths > step)
        if len(longer) == len(starts):
            total += lines[starts + step]
        else:
            total[longer] += lines[starts[longer] + step]
    return total


def _starts(length: int, cells: int) -> Places:
    starts: Places = np.arange(cells) * length // cells
    return starts
