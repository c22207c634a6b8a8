"""The jail: a picture's or video's bytes go into a locked process of its own, only hashes come out
(C16).

Nothing is decoded in the bot's own process, and what comes out is read as a stranger's post.

JailError > Refused (no hashes of this picture; `problem` says why), Broken (no working jail)
"""

import asyncio
import hashlib
import signal
import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from bot.cases.hashes import Item, Media
from bot.conversation.picture import Problem
from bot.hashing import answers
from bot.hashing.kinds import PROOF, is_video
from bot.hashing.prisoners import Broken, Gone, Guard, JailError, run_alone
from bot.hashing.walls import NO_WALLS

__all__ = ["Broken", "Jail", "JailError", "Refused"]

PRISONER: Final = ("-I", "-B", "-m", "bot.hashing.locked")
GUARD: Final = ("-I", "-B", "-m", "bot.hashing.guard")
FILMED: Final = ("-I", "-B", "-m", "bot.hashing.filmed")
ATTEMPTS: Final = ("open", "connect", "fork", "signal", "run", "become")
WITHIN: Final = 30.0
"""Seconds from start to answer, decoders loaded and all."""
LONGER: Final = 3
"""So many times as long for a video."""
AT_ONCE: Final = 1
"""Pictures or videos open at the same time: the rest of a small server's memory is for the bot."""
WHY: Final = {NO_WALLS: "the system has no libseccomp2, or its kernel refuses seccomp"}
_PROBLEMS: Final[tuple[Problem, ...]] = ("size", "kind", "plain")


class Refused(JailError):
    """No hashes can be made of this picture or video."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem: Problem = problem


class Jail:
    """Hashes pictures and videos, each in a process that is locked before the first byte."""

    def __init__(
        self,
        within: float = WITHIN,
        prisoner: Sequence[str] = PRISONER,
        guard: Sequence[str] = GUARD,
        filmed: Sequence[str] = FILMED,
    ) -> None:
        """`guard` forks the prisoners; where there is none, or it dies, each starts by itself, as
        those for videos (`filmed`) always do."""
        self._within = within
        self._prisoner = tuple(prisoner)
        self._guarded = tuple(guard)
        self._filmed = tuple(filmed)
        self.guard: Guard | None = None
        self._places = asyncio.Semaphore(AT_ONCE)
        self.able = True
        """Whether it worked when it was needed last."""

    async def hash(self, file: bytes) -> Item:
        """Its hashes, as the mini-app makes them. Refused, or Broken."""
        media: Media = "video" if is_video(file[:12]) else "image"
        async with self._places:
            ended, said = await self._run(file, media)
        self.able = ended <= 0
        if ended < 0:  # the file killed the decoder, took it over, or kept it too long
            raise Refused("kind")
        if ended != 0:
            raise Broken(WHY.get(ended, f"the process ended with {ended}"))
        return _item(said, media)

    async def prove(self) -> None:
        """Broken unless a picture and a video get their right hashes and no attempt to get out is
        survived."""
        await self._prove("picture", _test_picture())
        await self._prove("video", await asyncio.to_thread(PROOF.read_bytes))
        for attempt in ATTEMPTS:
            await self._prove_walls("image", attempt)
        await self._prove_walls("video", ATTEMPTS[0])

    async def _prove(self, name: str, file: bytes) -> None:
        try:
            item = await self.hash(file)
        except Refused as refused:
            raise Broken(f"a good {name} was refused: {refused.problem}") from None
        digest = hashlib.sha256(file).hexdigest()
        if digest not in {one.value for one in item.hashes}:
            raise Broken(f"the hashes of a {name} were wrong")

    async def _prove_walls(self, media: Media, attempt: str) -> None:
        ended, _ = await self._run(b"", media, attempt)
        if ended != -signal.SIGSYS:
            raise Broken(f"the attempt to {attempt} was survived")

    async def _run(self, file: bytes, media: Media, *attempt: str) -> tuple[int, bytes]:
        """How the prisoner ended, and what it said until then, at most a post's length."""
        if media == "video":
            return await run_alone(self._filmed, file, LONGER * self._within, *attempt)
        if self._guarded:
            if self.guard is None or not self.guard.is_there:
                self.guard = Guard(self._guarded)
            with suppress(Gone):
                return await self.guard.run(file, self._within, *attempt)
        return await run_alone(self._prisoner, file, self._within, *attempt)


def _item(said: bytes, media: Media) -> Item:
    answer = answers.heard(said, media, marked=media == "image")
    if isinstance(answer, Item):
        return answer
    raise Refused(next((one for one in _PROBLEMS if one == answer), "kind"))


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
