"""What all prisoners have in common: the walls are raised, and only then one file is read from
standard input and answered with its hashes, one JSON object.

`{"item": …, "phash": …}`, the item as the mini-app posts it; `{"refused": problem}`; or nothing
when there are no walls.
"""

import json
import mmap
import os
import socket
import sys
from collections.abc import Callable
from typing import Any, Final

from bot.cases.hashes import Item
from bot.conversation.picture import Problem
from bot.hashing import walls
from bot.hashing.errors import Empty, Framed, ImageError, NotAnImage, TooLarge, TooPlain

_CHUNK: Final = 1 << 16
_PROBLEMS: Final[dict[type[ImageError], Problem]] = {
    TooLarge: "size",
    TooPlain: "plain",
    Framed: "plain",
    NotAnImage: "kind",
    Empty: "kind",
}


def serve(attempt: str, hashed: Callable[[bytes], Item], most: int, seconds: int) -> None:
    """One file of at most so many bytes, one answer, within so many seconds of computing.

    With an `attempt` it tries that instead, which must be its end.
    """
    try:
        walls.raise_them(seconds)
    except walls.NoWalls:
        os._exit(walls.NO_WALLS)
    if attempt:
        _ATTEMPTS[attempt]()
        os._exit(0)
    _write(json.dumps(answer(_read(most), hashed, most)).encode())
    os._exit(0)  # Python's own way out would look for files


def answer(data: bytes, hashed: Callable[[bytes], Item], most: int) -> dict[str, Any]:
    """The hashes of a file, or why there are none."""
    if len(data) > most:
        return {"refused": "size"}
    try:
        item = hashed(data)
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


def _read(most: int) -> bytes:
    """Standard input to its end, or one byte more than a file may have."""
    data = bytearray()
    while len(data) <= most and (part := os.read(0, _CHUNK)):
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
