"""The self-test: mild changes of a picture, made here to see whether its hash withstands them.

Whole numbers throughout, so that the mini-app's page comes to the same (docs/hashing.md).
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot.hashing.sample import Rgb, boxed

Grey = NDArray[np.uint8]
SIDE: Final = 320
COARSE: Final = 64
REACH: Final = 3
"""Pixels to each side over which the soft one is a mean."""
_PARTS: Final = np.array([299, 587, 114], np.uint32)


def greyed(sample: Rgb) -> Grey:
    """The rounded luma of the 640 sample, at most 320 a side."""
    if sample.shape[2] == 3:
        sample = ((sample @ _PARTS + 500) // 1000).astype(np.uint8)[:, :, None]
    return boxed(sample, SIDE)[:, :, 0]


def changed(grey: Grey) -> Iterator[Grey]:
    """Coarse, soft, brighter, with more contrast, and with an edge of a hundredth cut off."""
    values = grey.astype(np.int32)
    yield boxed(grey[:, :, None], COARSE)[:, :, 0]
    yield _soft(values)
    yield np.minimum(values * 7 // 5, 255).astype(np.uint8)
    yield np.clip(128 + ((values - 128) * 3 >> 1), 0, 255).astype(np.uint8)
    height, width = grey.shape
    y, x = max(1, height // 100), max(1, width // 100)
    yield grey[y : height - y, x : width - x]


def inside(grey: Grey) -> float:
    """The share of the picture that is left without its even margins."""
    height, width = grey.shape
    top, bottom = _even(grey), _even(grey[::-1])
    if top == height:
        return 0.0
    middle = grey[top : height - bottom].T
    left, right = _even(middle), _even(middle[::-1])
    return float((height - top - bottom) * (width - left - right) / (height * width))


EVEN: Final = 16
"""Levels of 256 in which the pixels of a line may differ that is still a margin's."""


def _even(lines: Grey) -> int:
    """How many lines from the first on are each of about one tone."""
    uneven = np.flatnonzero(np.ptp(lines, axis=1) > EVEN)
    return int(uneven[0]) if len(uneven) else len(lines)


def _soft(values: NDArray[np.int32]) -> Grey:
    size = 2 * REACH + 1
    wide = np.pad(values, REACH, mode="edge")
    height, width = values.shape
    down = np.zeros((height, wide.shape[1]), np.int32)
    both = np.zeros_like(values)
    for step in range(size):
        down += wide[step : step + height]
    for step in range(size):
        both += down[:, step : step + width]
    soft: Grey = (both // size**2).astype(np.uint8)
    return soft
