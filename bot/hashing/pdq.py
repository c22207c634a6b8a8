"""PDQ of all pixels, clean-room in NumPy and equal to Meta's C++ bit for bit.

Exists because the reference has no wheel. The order of every float32 operation is the C++ one: the
sums run row by row, so that what is vectorised is only what is independent.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Rgb = NDArray[np.uint8]

MIN_SIDE: Final = 5
"""A picture with a shorter side has the zero hash and quality 0 in every implementation."""
GRID: Final = 64
LOW: Final = 16
PASSES: Final = 2
ZERO: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class Pdq:
    """`hex`: 64 lower-case digits, bit 255 first; `quality`: 0..100, under 50 is not matched."""

    hex: str
    quality: int


def pdq(rgb: Rgb) -> Pdq:
    """The PDQ hash of an RGB array (height, width, 3), without resizing or turning it."""
    height, width = rgb.shape[:2]
    if min(height, width) < MIN_SIDE:
        return Pdq(ZERO, 0)
    grid = _grid(_luma(rgb))
    return Pdq(_hex(_dct(grid)), _quality(grid))


def distance(one: str, other: str) -> int:
    """In how many of 256 bits two hashes differ; partners match at 31 and under."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def _luma(rgb: Rgb) -> Floats:
    # in double and rounded once, as the Python binding does it
    red, green, blue = rgb[:, :, 0], rgb[:, :, 1], rgb[:, :, 2]
    luma: Floats = (red * 0.299 + green * 0.587 + blue * 0.114).astype(np.float32)
    return luma


def _grid(luma: Floats) -> Floats:
    """The 64x64 map: two passes of the box filter along both sides, then every n-th pixel."""
    rows, columns = luma.shape
    if (rows, columns) == (GRID, GRID):
        return luma
    across = np.ascontiguousarray(luma.T)
    for _ in range(PASSES):
        down = np.ascontiguousarray(_box(across).T)
        across = np.ascontiguousarray(_box(down).T)
    steps = 2 * np.arange(GRID) + 1
    return across.T[np.ix_(steps * rows // (2 * GRID), steps * columns // (2 * GRID))]


def _box(lines: Floats) -> Floats:
    """The mean over a window along the first axis; at the ends over what of it is inside."""
    length = len(lines)
    window = -(-length // (2 * GRID))
    ahead = (window + 2) // 2 - 1
    behind = window - ahead
    total = np.zeros(lines.shape[1], np.float32)
    means = np.empty_like(lines)
    for line in lines[:ahead]:
        total += line
    for at in range(length):
        if at + ahead < length:
            total += lines[at + ahead]
        if at >= behind:
            total -= lines[at - behind]
        inside = min(at + ahead, length - 1) - max(at - behind, -1)
        np.divide(total, np.float32(inside), out=means[at])
    return means


def _quality(grid: Floats) -> int:
    slopes = (np.diff(grid, axis=0), np.diff(grid, axis=1))
    hundredths = (np.float32(100) * slope / np.float32(255) for slope in slopes)
    return min(100, sum(int(np.abs(np.trunc(h)).sum(dtype=np.float64)) for h in hundredths) // 90)


def _dct(grid: Floats) -> Floats:
    """The 16x16 low frequencies without the constant one, summed in the C++ order."""
    half = np.zeros((LOW, GRID), np.float32)
    low = np.zeros((LOW, LOW), np.float32)
    for k in range(GRID):
        half += _WAVES[:, k, None] * grid[k]
    for k in range(GRID):
        low += half[:, k, None] * _WAVES[:, k]
    return low


def _waves() -> Floats:
    i, j = np.arange(LOW)[:, None], np.arange(GRID)
    scale = np.float64(np.float32(np.sqrt(2 / GRID)))
    waves: Floats = (scale * np.cos(np.pi / 2 / GRID * (i + 1) * (2 * j + 1))).astype(np.float32)
    return waves


_WAVES: Final = _waves()


def _hex(low: Floats) -> str:
    values = low.ravel()
    median = np.sort(values)[127]
    return np.packbits((values > median)[::-1]).tobytes().hex()
