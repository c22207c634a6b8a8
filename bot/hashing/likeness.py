"""The 64-bit pHash of a picture, used only within one case (bot/cases/likeness.py).

It is never listed for partners, who exchange PDQ (docs/hashing.md).
"""

from typing import Final

import imagehash
import numpy as np
from PIL import Image

from bot.cases.likeness import is_same
from bot.hashing.image import open_picture

_SIDE, _LOW = 32, 8
_COSINES: Final = np.cos(np.pi / (2 * _SIDE) * np.outer(np.arange(_LOW), 2 * np.arange(_SIDE) + 1))


def phash(picture: Image.Image) -> str:
    """The pHash of a photograph as `imagehash.phash` makes it, 16 hex digits.

    Its SciPy takes longer to load than a picture to hash, so the 64 waves are summed up here.
    """
    grey = picture.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    waves = _COSINES @ np.asarray(grey, np.float64) @ _COSINES.T
    return str(imagehash.ImageHash(waves > np.median(waves)))


def alike(one: bytes, other: bytes) -> bool:
    """Whether two picture files show the same picture. ImageError."""
    return is_same(phash(open_picture(one)), phash(open_picture(other)))
