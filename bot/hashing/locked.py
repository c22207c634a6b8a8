"""The prisoner: its decoders are loaded (by `bot.hashing.guard`, or alone with `python -I -m
bot.hashing.locked`), it raises the walls, and only then reads one picture from standard input and
answers with its hashes, one JSON object.

`{"item": …, "phash": …}`, the item as the mini-app posts it; `{"refused": problem}`; or nothing
when there are no walls.
"""

import json
import mmap
import os
import socket
import sys
import warnings
from collections.abc import Callable
from io import BytesIO
from typing import Any, Final

import numpy as np
from PIL import Image

from bot.conversation.picture import Problem
from bot.hashing import walls
from bot.hashing.errors import Empty, Framed, ImageError, NotAnImage, TooLarge, TooPlain
from bot.hashing.image import FORMATS, hash_bytes
from bot.hashing.likeness import phash

MOST: Final = 10_000_000
"""Bytes of a picture."""
PIXELS: Final = 100_000_000
"""Of a picture; so many take 400 MB for some seconds, a JPEG a tenth of it."""
_CHUNK: Final = 1 << 16
_PROBLEMS: Final[dict[type[ImageError], Problem]] = {
    TooLarge: "size",
    TooPlain: "plain",
    Framed: "plain",
    NotAnImage: "kind",
    Empty: "kind",
}


def main(attempt: str = "") -> None:
    """Loads, then serves."""
    warm()
    serve(attempt)


def serve(attempt: str = "") -> None:
    """One picture, one answer. With an `attempt` it tries that instead, which must be its end."""
    try:
        walls.raise_them()
    except walls.NoWalls:
        os._exit(walls.NO_WALLS)
    if attempt:
        _ATTEMPTS[attempt]()
        os._exit(0)
    _write(json.dumps(answer(_read())).encode())
    os._exit(0)  # Python's own way out would look for files


def answer(data: bytes) -> dict[str, Any]:
    """The hashes of a picture, or why there are none."""
    if len(data) > MOST:
        return {"refused": "size"}
    try:
        item = hash_bytes(data, "image", scaled=True, mark=phash)
    except ImageError as error:
        return {"refused": _PROBLEMS[type(error)]}
    except MemoryError:
        return {"refused": "size"}
    hashes = [
        {"kind": one.kind, "variant": one.variant, "value": one.value}
        | ({} if one.quality is None else {"quality": one.quality})
        for one in item.hashes
    ]
    return {"item": {"media": item.media, "hashes": hashes}, "phash": item.phash}


def warm() -> None:
    """Load whatever is loaded when it is first needed: behind the walls no file can be opened."""
    warnings.simplefilter("ignore")
    Image.init()
    noise = np.random.default_rng(1).integers(0, 256, (96, 96, 3), np.uint8)
    picture = Image.fromarray(noise)
    deep = Image.fromarray(noise[:, :, 0].astype(np.uint16) << 8)
    samples = [(picture, kind) for kind in FORMATS if kind != "HEIF"]  # its encoder keeps threads
    samples += [(picture.convert("RGBA"), "PNG"), (deep, "PNG"), (picture.convert("CMYK"), "JPEG")]
    for one, kind in samples:
        file = BytesIO()
        one.save(file, kind, exif=_turned())
        answer(file.getvalue())
    for bad in (b"", b"no picture", file.getvalue()[:200]):
        answer(bad)
    Image.MAX_IMAGE_PIXELS = PIXELS


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def _read() -> bytes:
    """Standard input to its end, or one byte more than a picture may have."""
    data = bytearray()
    while len(data) <= MOST and (part := os.read(0, _CHUNK)):
        data += part
    return bytes(data)


def _write(said: bytes) -> None:
    while said:
        said = said[os.write(1, said) :]


_ATTEMPTS: Final[dict[str, Callable[[], object]]] = {
    "open": lambda: os.open("/dev/null", os.O_WRONLY),
    "connect": socket.socket,
    "fork": os.fork,
    "become": lambda: os.execv(sys.executable, [sys.executable, "-V"]),  # noqa: S606  # to be refused
    "signal": lambda: os.kill(os.getppid(), 0),
    "run": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC),
}
"""What a prisoner must not live to tell of (`Jail.prove`)."""


if __name__ == "__main__":
    main(*sys.argv[1:])
