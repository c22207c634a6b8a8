"""The smaller grids of a picture that are hashed, by the same rules as the mini-app's page.

512 is the rule of Meta's own tool; 640 moves a PDQ hash least from that of all pixels; 256 is what
thumbnails are hashed from (docs/hashing.md). None keeps the aspect. Pixels are RGB or one grey.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

Size = Literal["512", "640", "256"]
Rgb = NDArray[np.uint8]
Places = NDArray[np.intp]
Sums = NDArray[np.unsignedinteger[Any]]
Read = Callable[[int, int], Rgb]
"""A picture's rows from one up to, not including, another."""

FIT: Final = 257
"""So many bytes have a sum of at most 16 bits."""
SIZES: Final[tuple[Size, ...]] = ("512", "640", "256")
STRIP: Final = 2_000_000
"""Pixels read at a time, as far as strips of whole cells allow."""


def samples(read: Read, height: int, width: int) -> dict[Size, Rgb]:
    """The picture at every size, read in strips: only so much of it lies in memory at once."""
    grids = {size: _grid(size, height, width) for size in SIZES}
    parts: dict[Size, list[Rgb]] = {size: [] for size in SIZES}
    for top, bottom in pairwise(_cuts(height, width)):
        strip = read(top, bottom)
        for size, (tops, lefts) in grids.items():
            inside = tops[(tops >= top) & (tops < bottom)] - top
            pick = _picked if size == "512" else _means
            parts[size].append(pick(strip, inside, lefts))
    return {size: np.concatenate(part) for size, part in parts.items()}


def sample(rgb: Rgb, size: Size) -> Rgb:
    """The picture at `size`: at most so many pixels a side."""
    return nearest(rgb, 512) if size == "512" else boxed(rgb, int(size))


def nearest(rgb: Rgb, side: int) -> Rgb:
    """With a side over `side`, exactly side x side: pixel k is floor(k * length / side)."""
    height, width = rgb.shape[:2]
    if max(height, width) <= side:
        return rgb
    return _picked(rgb, _starts(height, side), _starts(width, side))


def boxed(rgb: Rgb, side: int) -> Rgb:
    """Each side at most `side`, never enlarged: means of whole cells, a half rounds up.

    Cell k begins at floor(k * length / side).
    """
    height, width = rgb.shape[:2]
    if max(height, width) <= side:
        return rgb
    return _means(rgb, _starts(height, min(height, side)), _starts(width, min(width, side)))


def _grid(size: Size, height: int, width: int) -> tuple[Places, Places]:
    """Where the cells of a size begin."""
    side = int(size)
    if size == "512" and max(height, width) > side:
        return _starts(height, side), _starts(width, side)
    return _starts(height, min(height, side)), _starts(width, min(width, side))


def _cuts(height: int, width: int) -> list[int]:
    """Rows between strips: at the 128th parts of the height a cell of every size begins."""
    strips = 1
    while height >= 256 and strips < 128 and height * width > strips * STRIP:
        strips *= 2
    return [strip * height // strips for strip in range(strips + 1)]


def _picked(rgb: Rgb, tops: Places, lefts: Places) -> Rgb:
    return rgb[tops[:, None], lefts]


def _means(rgb: Rgb, tops: Places, lefts: Places) -> Rgb:
    height, width = rgb.shape[:2]
    bands = _summed(rgb.reshape(height, -1), tops, 0).reshape(len(tops), width, -1)
    sums = _summed(bands, lefts, 1)
    pixels = np.outer(np.diff(tops, append=height), np.diff(lefts, append=width))
    twice = (2 * pixels[:, :, None]).astype(np.uint32)
    means: Rgb = ((2 * sums.astype(np.uint32) + twice // 2) // twice).astype(np.uint8)
    return means


def _summed(lines: NDArray[np.uint8] | Sums, starts: Places, axis: Literal[0, 1]) -> Sums:
    """The sums of each cell's lines; far quicker here than `np.add.reduceat`."""
    lengths = np.diff(starts, append=lines.shape[axis])
    is_small = lines.dtype == np.uint8 and lengths.max() <= FIT
    total: Sums = np.take(lines, starts, axis).astype(np.uint16 if is_small else np.uint32)
    for step in range(1, lengths.max()):
        longer = np.flatnonzero(lengths > step)
        more = np.take(lines, starts[longer] + step, axis)
        if len(longer) == len(starts):
            total += more
        elif axis == 0:
            total[longer] += more
        else:
            total[:, longer] += more
    return total


def _starts(length: int, cells: int) -> Places:
    starts: Places = np.arange(cells) * length // cells
    return starts
