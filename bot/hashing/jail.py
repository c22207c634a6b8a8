"""The jail: a picture's bytes go into a locked process of its own, only hashes come out (C16).

Nothing is decoded in the bot's own process, and what comes out is read as a stranger's post.

JailError > Refused (no hashes of this picture; `problem` says why), Broken (no working jail)
"""

import asyncio
import hashlib
import json
import re
import signal
import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from bot.cases.hashes import BadSubmission, Item, parse_items
from bot.conversation.picture import Problem
from bot.hashing.prisoners import Broken, Gone, Guard, JailError, run_alone
from bot.hashing.walls import NO_WALLS

__all__ = ["Broken", "Jail", "JailError", "Refused"]

PRISONER: Final = ("-I", "-B", "-m", "bot.hashing.locked")
GUARD: Final = ("-I", "-B", "-m", "bot.hashing.guard")
ATTEMPTS: Final = ("open", "connect", "fork", "signal", "run", "become")
WITHIN: Final = 30.0
"""Seconds from start to answer, decoders loaded and all."""
AT_ONCE: Final = 1
"""Pictures open at the same time: the rest of a small server's memory is for the bot."""
_WHY: Final = {NO_WALLS: "the system has no libseccomp2, or its kernel refuses seccomp"}
_PHASH: Final = re.compile(r"[0-9a-f]{16}")
_PROBLEMS: Final[tuple[Problem, ...]] = ("size", "kind", "plain")


class Refused(JailError):
    """No hashes can be made of this picture."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem: Problem = problem


class Jail:
    """Hashes pictures, each in a process that is locked before it gets the first byte."""

    def __init__(
        self,
        within: float = WITHIN,
        prisoner: Sequence[str] = PRISONER,
        guard: Sequence[str] = GUARD,
    ) -> None:
        """`guard` forks the prisoners; where there is none, or it dies, each starts by itself."""
        self._within = within
        self._prisoner = tuple(prisoner)
        self._guarded = tuple(guard)
        self.guard: Guard | None = None
        self._places = asyncio.Semaphore(AT_ONCE)

    async def hash(self, picture: bytes) -> Item:
        """The picture's hashes, as the mini-app makes them. Refused, or Broken."""
        async with self._places:
            ended, said = await self._run(picture)
        if ended < 0:  # the picture killed the decoder, took it over, or kept it too long
            raise Refused("kind")
        if ended != 0:
            raise Broken(_WHY.get(ended, f"the process ended with {ended}"))
        return _item(said)

    async def prove(self) -> None:
        """Broken unless a picture gets its right hashes and no attempt to get out is survived."""
        picture = _test_picture()
        try:
            item = await self.hash(picture)
        except Refused as refused:
            raise Broken(f"a good picture was refused: {refused.problem}") from None
        digest = hashlib.sha256(picture).hexdigest()
        if digest not in {one.value for one in item.hashes}:
            raise Broken("the hashes of a picture were wrong")
        for attempt in ATTEMPTS:
            ended, _ = await self._run(b"", attempt)
            if ended != -signal.SIGSYS:
                raise Broken(f"the attempt to {attempt} was survived")

    async def _run(self, picture: bytes, *attempt: str) -> tuple[int, bytes]:
        """How the prisoner ended, and what it said until then, at most a post's length."""
        if self._guarded:
            if self.guard is None or not self.guard.is_there:
                self.guard = Guard(self._guarded)
            with suppress(Gone):
                return await self.guard.run(picture, self._within, *attempt)
        return await run_alone(self._prisoner, picture, self._within, *attempt)


def _item(said: bytes) -> Item:
    """One picture's hashes in the form of a post, and no other: the prisoner may be taken over."""
    try:
        match json.loads(said):
            case {"item": dict(posted), "phash": str(phash), **rest} if not rest:
                (item,) = parse_items([posted])
                item = replace(item, phash=_PHASH.fullmatch(phash) and phash)
            case {"refused": problem, **rest} if not rest and problem in _PROBLEMS:
                raise Refused(problem)
            case _:
                raise Refused("kind")
    except (ValueError, RecursionError, BadSubmission):
        raise Refused("kind") from None
    if item.media != "image" or item.phash is None:
        raise Refused("kind")
    return item


def _test_picture() -> bytes:
    """A PNG with detail, made without a decoder: 64 rows of 64 grey values."""
    rows = (hashlib.shake_128(bytes([row // 8])).digest(8) for row in range(64))
    lines = b"".join(b"\0" + bytes(grey for grey in row for _ in range(8)) for row in rows)
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )
