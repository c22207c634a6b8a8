"""The two smaller grids of a picture that are hashed, by the same rules as the mini-app's page.

512 is the rule of Meta's own tool; 640 moves a PDQ hash least from that of all pixels
(docs/hashing.md). Neither keeps the aspect.
"""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Size = Literal["512", "640"]
Rgb = NDArray[np.uint8]

SIZES: Final[tuple[Size, ...]] = ("512", "640")


def sample(rgb: Rgb, size: Size) -> Rgb:
    """The picture at `size`: at most so many pixels a side."""
    return nearest(rgb, 512) if size == "512" else boxed(rgb, 640)


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
    tops, lefts = _starts(height, min(height, side)), _starts(width, min(width, side))
    bands = np.add.reduceat(rgb, tops, axis=0, dtype=np.uint32)
    sums = np.add.reduceat(bands, lefts, axis=1, dtype=np.uint32)
    pixels = np.outer(np.diff(tops, append=height), np.diff(lefts, append=width))[:, :, None]
    means: Rgb = ((2 * sums + pixels) // (2 * pixels)).astype(np.uint8)
    return means


def _starts(length: int, cells: int) -> NDArray[np.intp]:
    starts: NDArray[np.intp] = np.arange(cells) * length // cells
    return starts
