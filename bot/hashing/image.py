"""A picture or video file becomes an `Item` on the person's own machine (`sala hash`, `sala talk`).

Errors: ImageError > NotAnImage, Empty, TooLarge, TooPlain. None carries anything of the file, nor
its name.
"""

import hashlib
import warnings
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageOps

from bot.cases.hashes import FILE_VARIANT, MIN_QUALITY, Hash, Item, Media
from bot.hashing.pdq import MIN_SIDE, Rgb, pdq
from bot.hashing.sample import SIZES, sample

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
MAX_PIXELS: Final = 100_000_000
MAX_IMAGE_BYTES: Final = 100_000_000
MAX_VIDEO_BYTES: Final = 4_000_000_000
CHUNK: Final = 1_000_000

_STILL_BRANDS: Final = frozenset(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis")
)
_MOVIE_ATOMS: Final = frozenset((b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"))
_MATROSKA: Final = b"\x1aE\xdf\xa3"

Image.MAX_IMAGE_PIXELS = MAX_PIXELS


class ImageError(Exception):
    """The file gives no hashes."""


class NotAnImage(ImageError):
    """Not readable, or neither a picture in FORMATS nor a video in MP4, MOV or WebM."""


class Empty(ImageError):
    """The file has no bytes."""


class TooLarge(ImageError):
    """More bytes or pixels than are read."""


class TooPlain(ImageError):
    """Too little detail (PDQ quality under 50) or a side under 5 pixels: never matched."""


def hash_file(path: Path) -> Item:
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
    return hash_bytes(data, "image")


def hash_bytes(data: bytes, media: Media) -> Item:
    """PDQ at 512 and 640 (of a picture), MD5 and SHA-256 of a file's bytes. ImageError."""
    _refuse_size(len(data), MAX_VIDEO_BYTES if media == "video" else MAX_IMAGE_BYTES)
    if media == "video":
        if not is_video(data[:12]):
            raise NotAnImage
        return Item(media, _digests([data]))
    return Item(media, (*_pdqs(open_picture(data)), *_digests([data])))


def open_picture(data: bytes) -> Image.Image:
    """The first frame in RGB: turned as its EXIF says, on white paper where it is see-through."""
    _refuse_size(len(data), MAX_IMAGE_BYTES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # damaged metadata, which browsers pass over too
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(BytesIO(data), formats=FORMATS) as picture:
                return _on_white(ImageOps.exif_transpose(picture))
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
        return picture.convert("RGB")
    paper = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(paper, picture.convert("RGBA")).convert("RGB")


def _pdqs(picture: Image.Image) -> tuple[Hash, ...]:
    if min(picture.size) < MIN_SIDE:
        raise TooPlain
    rgb: Rgb = np.asarray(picture)
    found: dict[str, Hash] = {}
    for size in SIZES:
        one = pdq(sample(rgb, size))
        if one.quality >= MIN_QUALITY:
            found.setdefault(one.hex, Hash("pdq", size, one.hex, one.quality))
    if not found:
        raise TooPlain
    return tuple(found.values())


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
