"""What all prisoners have in common: the walls are raised, and only then one file is read from
standard input and answered with its hashes (`answers.py`); with nothing when there are no walls."""

import json
import mmap
import os
import socket
import sys
from collections.abc import Callable
from typing import Any, Final, Never

from bot.cases.hashes import Item
from bot.conversation.picture import Problem
from bot.hashing import answers, walls
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
    raise_walls(lambda: walls.raise_them(seconds))
    if attempt:
        try_out(attempt)
    end_with(answer(_read(most), hashed, most))


def raise_walls(how: Callable[[], None]) -> None:
    """Or the end of this process."""
    try:
        how()
    except walls.NoWalls:
        os._exit(walls.NO_WALLS)


def try_out(attempt: str) -> Never:
    """Who tries this is not to see it done."""
    ATTEMPTS[attempt]()
    os._exit(0)


def end_with(said: dict[str, Any]) -> Never:
    """The answer, and the end: Python's own way out would look for files."""
    left = json.dumps(said).encode()
    while left:
        left = left[os.write(1, left) :]
    os._exit(0)


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
    return answers.said(item)


def _read(most: int) -> bytes:
    """Standard input to its end, or one byte more than a file may have."""
    data = bytearray()
    while len(data) <= most and (part := os.read(0, _CHUNK)):
        data += part
    return bytes(data)


ATTEMPTS: Final[dict[str, Callable[[], object]]] = {
    "open": lambda: os.open("/dev/null", os.O_WRONLY),
    "connect": socket.socket,
    "fork": os.fork,
    "become": lambda: os.execv(sys.executable, [sys.executable, "-V"]),  # noqa: S606  # to be refused
    "signal": lambda: os.kill(os.getppid(), 0),
    "run": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC),
    "overwrite": lambda: os.write(0, b"x"),
    "shorten": lambda: os.ftruncate(0, 0),
    "lend": lambda: os.dup(0),
    "whose": lambda: os.fstat(0),
    "seek": lambda: os.lseek(1, 0, os.SEEK_SET),
}
"""What a prisoner must not live to tell of (`Jail.prove`)."""
