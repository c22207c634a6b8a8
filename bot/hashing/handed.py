"""The prisoner on somebody's own terminal (`sala hash`): it is handed the open file, to be read and
no more, so that a video of any length is in memory nowhere.

It gives the hashes that a device makes; their owner has time, so its limits are wider.
"""

import warnings
from io import BytesIO
from typing import Any, BinaryIO, Final, Never, cast

from bot.cases.hashes import Media
from bot.hashing import answers, cell, locked, walls
from bot.hashing.errors import Empty, Framed, ImageError, NotAnImage, TooLarge, TooPlain
from bot.hashing.image import hash_open
from bot.hashing.kinds import PROOF
from bot.hashing.likeness import phash

MEMORY: Final = 2_500_000_000
"""Bytes: a hundred megapixels that are see-through and turned take most of it."""
SECONDS: Final[dict[Media, int]] = {"image": 300, "video": 3_600}
"""Of computing."""
ERRORS: Final = {one.__name__: one for one in (NotAnImage, Empty, TooLarge, TooPlain, Framed)}


def serve(media: Media, order: str) -> Never:
    """Standard input is the file. `order`: "turned" for a picture's turned copies too, "scaled" for
    the server's form, "marked" for a picture's pHash too; or an attempt to get out."""
    with open(0, "rb", buffering=0, closefd=False) as file:
        is_video = media == "video"
        cell.raise_walls(lambda: walls.raise_them(SECONDS[media], MEMORY, seeks=is_video))
        if order in cell.ATTEMPTS:
            cell.try_out(order)
        cell.end_with(answer(cast(BinaryIO, file), media, order))


def answer(file: BinaryIO, media: Media, order: str) -> dict[str, Any]:
    """The hashes of a file, as wished, or the name of the error."""
    wishes = order.split()
    try:
        return answers.said(
            hash_open(
                file,
                media,
                turned="turned" in wishes,
                scaled="scaled" in wishes,
                mark=phash if "marked" in wishes and media == "image" else None,
            )
        )
    except MemoryError:
        return {"refused": TooLarge.__name__}
    except ImageError as error:
        return {"refused": type(error).__name__}


def warm(media: Media) -> None:
    """Load whatever is loaded when it is first needed."""
    warnings.simplefilter("ignore")
    films = (PROOF.read_bytes(), b"no video")
    first, *others = films if media == "video" else locked.samples()
    for sample, order in ((first, "turned scaled"), *((one, "marked") for one in (first, *others))):
        answer(BytesIO(sample), media, order)
