"""PDQ of all pixels, clean-room in NumPy and equal to Meta's C++ bit for bit.

Exists because the reference has no wheel. The order of every float32 operation is the C++ one: the
sums run row by row, so that what is vectorised is only what is independent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

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


Way = Literal[
    "",
    "mirror",
    "turn90",
    "turn180",
    "turn270",
    "turn90-mirror",
    "turn180-mirror",
    "turn270-mirror",
]
"""How a copy lies to the picture: turned clockwise by so many degrees, then mirrored."""
WAYS: Final[tuple[Way, ...]] = get_args(Way)


@dataclass(frozen=True, slots=True)
class Waves:
    """The lowest waves of a picture: its hash, and those of its turned and mirrored copies."""

    low: Floats
    quality: int

    def hex(self, way: Way = "") -> str:
        """The hash of the picture as it lies `way`; but for upright it may be 2 bits off."""
        if not self.low.any():
            return ZERO
        low = self.low
        if way.startswith("turn90"):
            low = (low * _SIGNS[:, None]).T
        elif way.startswith("turn180"):
            low = low * _SIGNS[:, None] * _SIGNS
        elif way.startswith("turn270"):
            low = (low * _SIGNS).T
        return _hex(low * _SIGNS if way.endswith("mirror") else low)


def pdq(rgb: Rgb) -> Pdq:
    """The PDQ hash of an RGB array (height, width, 3), without resizing or turning it."""
    found = waves(luma(rgb))
    return Pdq(found.hex(), found.quality)


def waves(grey: Floats) -> Waves:
    """What PDQ sees in an array of luma (height, width)."""
    return waves_of([grey])[0]


def waves_of(greys: Sequence[Floats]) -> list[Waves]:
    """The same for several arrays of one shape at once, which costs little more than for one."""
    if min(greys[0].shape) < MIN_SIDE:
        return [Waves(np.zeros((LOW, LOW), np.float32), 0)] * len(greys)
    return [Waves(_dct(grid), _quality(grid)) for grid in _grids(np.stack(greys))]


def distance(one: str, other: str) -> int:
    """In how many of 256 bits two hashes differ; partners match at 31 and under."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def luma(rgb: Rgb) -> Floats:
    """0.299 R + 0.587 G + 0.114 B, in double and rounded once, as the Python binding does it.

    A single channel stands for all three.
    """
    red, green, blue = (rgb[:, :, at % rgb.shape[2]] for at in range(3))
    grey: Floats = (red * 0.299 + green * 0.587 + blue * 0.114).astype(np.float32)
    return grey


def _grids(greys: Floats) -> Floats:
    """Their 64x64 maps: two passes of the box filter along both sides, then every n-th pixel."""
    _, rows, columns = greys.shape
    if (rows, columns) == (GRID, GRID):
        return greys
    steps = 2 * np.arange(GRID) + 1
    across = np.ascontiguousarray(greys.transpose(2, 0, 1))
    for _ in range(PASSES - 1):
        down = np.ascontiguousarray(_box(across).transpose(2, 1, 0))
        across = np.ascontiguousarray(_box(down).transpose(2, 1, 0))
    few = _box(across)[steps * columns // (2 * GRID)]  # the last columns' mean needs no others
    picked = _box(np.ascontiguousarray(few.transpose(2, 1, 0)))[steps * rows // (2 * GRID)]
    return np.ascontiguousarray(picked.transpose(1, 0, 2))


def _box(lines: Floats) -> Floats:
    """The mean over a window along the first axis; at the ends over what of it is inside."""
    length = len(lines)
    window = -(-length // (2 * GRID))
    ahead = (window + 2) // 2 - 1
    behind = window - ahead
    total = np.zeros(lines.shape[1:], np.float32)
    sums = np.empty_like(lines)
    for line in lines[:ahead]:
        total += line
    for at in range(length):
        if at + ahead < length:
            total += lines[at + ahead]
        if at >= behind:
            total -= lines[at - behind]
        sums[at] = total
    places = np.arange(length)
    inside = np.minimum(places + ahead, length - 1) - np.maximum(places - behind, -1)
    sums /= inside.astype(np.float32)[:, None, None]
    return sums


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
_SIGNS: Final = np.where(np.arange(LOW) % 2, 1, -1).astype(np.float32)
"""Seen from its other end a wave of odd length (the first of them, too) is upside down."""


def _hex(low: Floats) -> str:
    values = low.ravel()
    median = np.sort(values)[127]
    return np.packbits((values > median)[::-1]).tobytes().hex()
