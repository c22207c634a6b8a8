"""A picture or video file becomes an `Item` on the person's own machine (`sala hash`, `sala talk`)
or in the jail. Errors: `bot.hashing.errors`."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final, cast

import numpy as np
import pillow_heif
from PIL import AvifImagePlugin, Image, ImageOps

from bot.cases.hashes import Hash, Item, Media
from bot.hashing.errors import Empty, ImageError, NotAnImage, TooLarge, TooPlain
from bot.hashing.forms import forms_of
from bot.hashing.kinds import digests, is_video
from bot.hashing.pdq import distance
from bot.hashing.sample import Read, Rgb, samples

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "HEIF", "AVIF")
MAX_PIXELS: Final = 100_000_000
MAX_IMAGE_BYTES: Final = 100_000_000
MAX_VIDEO_BYTES: Final = 4_000_000_000
CHUNK: Final = 1_000_000
LEAST_SCALED: Final = 1024
"""Pixels a side that a scaled JPEG keeps at the least."""
RESTLESS: Final = 10
"""Bits between the hashes of one picture at 512 and at 640; above it shrinking moved one by 44."""
ORIENTATION: Final = 0x0112

Image.MAX_IMAGE_PIXELS = MAX_PIXELS
pillow_heif.register_heif_opener(thumbnails=False)
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # in the jail none can be started


Mark = Callable[[Image.Image], str]


def hash_file(
    path: Path, *, turned: bool = False, scaled: bool = False, mark: Mark | None = None
) -> Item:
    """The hashes of a picture or video file, opened in this process. ImageError."""
    file, media = opened(path)
    with file:
        return hash_open(file, media, turned=turned, scaled=scaled, mark=mark)


def opened(path: Path) -> tuple[BinaryIO, Media]:
    """A file at its beginning, not buffered, and what it is. ImageError."""
    try:
        file = path.open("rb", buffering=0)
        try:
            media: Media = "video" if is_video(file.read(12)) else "image"
            size = os.fstat(file.fileno()).st_size
            _refuse_size(size, MAX_VIDEO_BYTES if media == "video" else MAX_IMAGE_BYTES)
            file.seek(0)
        except BaseException:
            file.close()
            raise
    except OSError:
        raise NotAnImage from None  # its text would name the file
    return cast(BinaryIO, file), media


def hash_open(
    file: BinaryIO, media: Media, *,
    turned: bool = False, scaled: bool = False, mark: Mark | None = None,
) -> Item:  # fmt: skip
    """The hashes of a file from where it stands; a video is read in pieces. ImageError.

    A video whose pictures cannot be seen keeps the digests of its file, as in the page. `scaled`
    is the server's way: also for a video, of which without a still there is nothing.
    """
    try:
        if media == "video" and not scaled:
            return _video(file)
        data = file.read(MAX_IMAGE_BYTES + 1)
    except OSError:
        raise NotAnImage from None
    if media == "video":
        from bot.hashing import filmed  # noqa: PLC0415  # 20 MB that pictures do without

        _refuse_size(len(data), filmed.MOST)
        return filmed.hashed(data)
    return hash_bytes(data, "image", turned=turned, scaled=scaled, mark=mark)


def hash_bytes(
    data: bytes, media: Media, *, turned: bool = False, scaled: bool = False,
    mark: Mark | None = None,
) -> Item:  # fmt: skip
    """The PDQ hashes of a picture's `forms` or a video's stills; MD5 and SHA-256. ImageError.

    `scaled` lets the decoder shrink a large JPEG: many times cheaper, and a few bits off. `mark`
    makes the pHash, of the picture at 640.
    """
    _refuse_size(len(data), MAX_VIDEO_BYTES if media == "video" else MAX_IMAGE_BYTES)
    if media == "video":
        if not is_video(data[:12]):
            raise NotAnImage
        return _video(BytesIO(data))
    pdqs, sample = _pdqs(data, turned, LEAST_SCALED if scaled else None)
    return Item(media, (*pdqs, *digests([data])), mark(sample) if mark else None)


def _video(file: BinaryIO) -> Item:
    from bot.hashing.video import stills  # noqa: PLC0415  # 20 MB that pictures do without

    file.seek(0)
    exact = digests(iter(lambda: file.read(CHUNK), b""))
    try:
        return Item("video", (*stills(file), *exact))
    except ImageError:
        return Item("video", exact)


def _pdqs(data: bytes, turned: bool, least: int | None) -> tuple[tuple[Hash, ...], Image.Image]:
    """Its PDQ hashes, and the picture at 640."""
    with _reading():
        picture, orientation, is_smaller = _opened(data, least)
        grids = samples(_rows(picture), picture.height, picture.width)
    try:
        found = forms_of(grids, orientation, turned=turned)
        is_right = not (is_smaller and _is_restless(found))
    except TooPlain:
        if not is_smaller:
            raise
        is_right = False
    if not is_right:
        return _pdqs(data, turned, least=MAX_PIXELS)
    seen = grids["640"]
    return found, Image.fromarray(seen if seen.shape[2] == 3 else seen[:, :, 0])


def _is_restless(found: Iterable[Hash]) -> bool:
    """Whether its fineness decides a picture's hash: then one shrunk by the decoder is too far."""
    of = {one.variant: one.value for one in found}
    return "512" in of and "640" in of and distance(of["512"], of["640"]) > RESTLESS


def open_picture(data: bytes) -> Image.Image:
    """The first frame in RGB: turned as its EXIF says, on white paper where it is see-through."""
    with _reading():
        return _on_white(_opened(data)[0]).convert("RGB")


@contextmanager
def _reading() -> Iterator[None]:
    """Whatever a decoder raises is an ImageError; damaged metadata is passed over, as in browsers.

    A decoder given a broken file raises nearly anything.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        except ImageError:
            raise
        except (Image.DecompressionBombWarning, Image.DecompressionBombError, MemoryError):
            raise TooLarge from None
        except Exception:
            raise NotAnImage from None


def _opened(data: bytes, least: int | None = None) -> tuple[Image.Image, int, bool]:
    """The picture as it stands upright; by which EXIF orientation a JPEG was turned (1: none);
    whether it was shrunk.

    With `least` a JPEG comes in grey, which is what PDQ looks at, and smaller where at least so
    many pixels a side are left.
    """
    _refuse_size(len(data), MAX_IMAGE_BYTES)
    with Image.open(BytesIO(data), formats=FORMATS) as picture:
        is_jpeg, size = picture.format in {"JPEG", "MPO"}, picture.size
        if least and is_jpeg:
            picture.draft("L", (least, least))
        is_smaller = picture.size != size
        orientation = picture.getexif().get(ORIENTATION) if is_jpeg else 1
        ImageOps.exif_transpose(picture, in_place=True)
        picture.load()
        return picture, orientation if type(orientation) is int else 1, is_smaller


def _rows(picture: Image.Image) -> Read:
    """Its rows as pixels, a strip at a time: a picture of 100 megapixels is not copied whole."""

    def rows(top: int, bottom: int) -> Rgb:
        strip = np.asarray(_on_white(picture.crop((0, top, picture.width, bottom))))
        return strip.reshape(*strip.shape[:2], -1)

    return rows


def _on_white(picture: Image.Image) -> Image.Image:
    """RGB, or one grey, which hashes as the same RGB does."""
    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if not picture.has_transparency_data:
        return picture if picture.mode in {"RGB", "L"} else picture.convert("RGB")
    paper = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(paper, picture.convert("RGBA")).convert("RGB")


def _refuse_size(size: int, limit: int) -> None:
    if size == 0:
        raise Empty
    if size > limit:
        raise TooLarge
