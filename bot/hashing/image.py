"""A picture or video file becomes an `Item` on the person's own machine (`sala hash`, `sala talk`)
or in the jail. Errors: `bot.hashing.errors`."""

import hashlib
import warnings
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageOps

from bot.cases.hashes import FILE_VARIANT, Hash, Item, Media
from bot.hashing.errors import Empty, NotAnImage, TooLarge
from bot.hashing.forms import forms

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
MAX_PIXELS: Final = 100_000_000
MAX_IMAGE_BYTES: Final = 100_000_000
MAX_VIDEO_BYTES: Final = 4_000_000_000
CHUNK: Final = 1_000_000
LEAST_SCALED: Final = 1024
"""Pixels a side that a scaled JPEG keeps at the least."""
ORIENTATION: Final = 0x0112

_STILL_BRANDS: Final = frozenset(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis")
)
_MOVIE_ATOMS: Final = frozenset((b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"))
_MATROSKA: Final = b"\x1aE\xdf\xa3"

Image.MAX_IMAGE_PIXELS = MAX_PIXELS


def hash_file(path: Path, *, turned: bool = False) -> Item:
    """The hashes of a picture or video file; a video is read in pieces. ImageError."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
            size = path.stat().st_size
            if is_video(head):
                _refuse_size(size, MAX_VIDEO_BYTES)
                file.seek(0)
                return Item("video", _digests(iter(lambda: file.read(CHUNK), b"")))
            _refuse_size(size, MAX_IMAGE_BYTES)
            data = head + file.read(MAX_IMAGE_BYTES)
    except OSError:
        raise NotAnImage from None  # its text would name the file
    return hash_bytes(data, "image", turned=turned)


def hash_bytes(
    data: bytes, media: Media, *, turned: bool = False, scaled: bool = False,
    mark: Callable[[Image.Image], str] | None = None,
) -> Item:  # fmt: skip
    """The PDQ hashes of a picture's `forms`, MD5 and SHA-256 of a file's bytes. ImageError.

    `scaled` lets the decoder shrink a large JPEG: many times cheaper, and a few bits off. `mark`
    makes the picture's pHash.
    """
    _refuse_size(len(data), MAX_VIDEO_BYTES if media == "video" else MAX_IMAGE_BYTES)
    if media == "video":
        if not is_video(data[:12]):
            raise NotAnImage
        return Item(media, _digests([data]))
    picture, orientation = _opened(data, scaled)
    pdqs = forms(np.asarray(picture), orientation, turned=turned)
    return Item(media, (*pdqs, *_digests([data])), mark(picture) if mark else None)


def open_picture(data: bytes) -> Image.Image:
    """The first frame in RGB: turned as its EXIF says, on white paper where it is see-through."""
    return _opened(data, scaled=False)[0]


def _opened(data: bytes, scaled: bool) -> tuple[Image.Image, int]:
    """The picture, and by which EXIF orientation a JPEG was turned (1: it was not)."""
    _refuse_size(len(data), MAX_IMAGE_BYTES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # damaged metadata, which browsers pass over too
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(BytesIO(data), formats=FORMATS) as picture:
                is_jpeg = picture.format in {"JPEG", "MPO"}
                if scaled and is_jpeg:
                    picture.draft(None, (LEAST_SCALED, LEAST_SCALED))
                orientation = picture.getexif().get(ORIENTATION) if is_jpeg else 1
                ImageOps.exif_transpose(picture, in_place=True)
                picture.load()
                return _on_white(picture), orientation if type(orientation) is int else 1
        except (Image.DecompressionBombWarning, Image.DecompressionBombError, MemoryError):
            raise TooLarge from None
        except Exception:  # a decoder given a broken file raises nearly anything
            raise NotAnImage from None


def is_video(head: bytes) -> bool:
    """Whether a file's first 12 bytes are those of MP4, MOV, 3GP, WebM or Matroska."""
    if head.startswith(_MATROSKA):
        return True
    atom, brand = head[4:8], head[8:12]
    return atom in _MOVIE_ATOMS or (atom == b"ftyp" and brand not in _STILL_BRANDS)


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    if not picture.has_transparency_data:
        return picture if picture.mode == "RGB" else picture.convert("RGB")
    paper = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(paper, picture.convert("RGBA")).convert("RGB")


def _digests(pieces: Iterable[bytes]) -> tuple[Hash, ...]:
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    for piece in pieces:
        md5.update(piece)
        sha256.update(piece)
    return (
        Hash("md5", FILE_VARIANT, md5.hexdigest()),
        Hash("sha256", FILE_VARIANT, sha256.hexdigest()),
    )


def _refuse_size(size: int, limit: int) -> None:
    if size == 0:
        raise Empty
    if size > limit:
        raise TooLarge
