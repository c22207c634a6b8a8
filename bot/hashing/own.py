"""Files of whoever sits at this terminal (`sala hash`): opened in the jail wherever the machine has
one, since a picture or video that somebody was sent may be made to take over what decodes it.

The prisoner gets the open file, read-only, and no more (`handed.py`). On a machine without a jail
pictures are opened without one, as any program there opens them, and that is said; videos, whose
decoders are the most and the least mended, only when that is asked for.
"""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from bot.cases.hashes import Item, Media
from bot.hashing import answers, handed
from bot.hashing.errors import Ended, NotHeld
from bot.hashing.image import hash_file, opened
from bot.hashing.jail import ATTEMPTS, GUARD, WHY
from bot.hashing.likeness import phash
from bot.hashing.prisoners import Broken, Gone, Guard

START: Final = 120.0
"""Seconds for a guard to load and be tried."""
SLACK: Final = 2
"""So many times as long by the clock as a prisoner may compute."""
_ENDS: Final = {
    -signal.SIGSYS: "its decoder gave up, or tried what the jail forbids",
    -signal.SIGKILL: "it took too much time or memory, or said too much",
}


class OwnFiles:
    """Hashes files where this process may read them. Where there is no jail, `say` is told once."""

    def __init__(self, say: Callable[[str], object], *, jailed: bool = True) -> None:
        """Without `jailed` all is opened in this process."""
        self._say = say
        self._jailed = jailed
        self._guards: dict[Media, Guard] = {}
        self._why_none = "" if sys.platform == "linux" else "it is not Linux"
        self._is_told = False

    async def hash(
        self, path: Path, *, turned: bool = False, scaled: bool = False, marked: bool = False
    ) -> Item:
        """The hashes of one file as the mini-app's page makes them, or as the server does
        (`scaled`), with a picture's pHash (`marked`). ImageError."""
        file, media = opened(path)
        with file:
            if guard := await self._guard(media):
                named = {"turned": turned, "scaled": scaled, "marked": marked}
                order = " ".join(name for name, is_wished in named.items() if is_wished)
                return await _held(guard, file, media, order)
        if media == "video" and self._jailed:
            raise NotHeld
        mark = phash if marked and media == "image" else None
        return hash_file(path, turned=turned, scaled=scaled, mark=mark)

    async def _guard(self, media: Media) -> Guard | None:
        """One that was seen to hold, or None where there is no jail."""
        if not self._jailed:
            return None
        if not self._why_none:
            try:
                if media not in self._guards or not self._guards[media].is_there:
                    self._guards[media] = await _tried(Guard((*GUARD, media)))
                return self._guards[media]
            except Broken as error:
                self._why_none = str(error)
        if not self._is_told:
            self._is_told = True
            self._say(
                f"No jail on this machine ({self._why_none}): pictures are opened without one, "
                "videos only with --no-jail."
            )
        return None


async def _tried(guard: Guard) -> Guard:
    """The same, whose prisoner did not survive an attempt to get out. Broken."""
    try:
        ended, _ = await guard.run(b"", START, ATTEMPTS[0])
    except Gone:
        raise Broken("its process ended") from None
    if ended != -signal.SIGSYS:
        raise Broken(WHY.get(ended, "it does not hold"))
    return guard


async def _held(guard: Guard, file: BinaryIO, media: Media, order: str) -> Item:
    try:
        ended, said = await guard.run(file, SLACK * handed.SECONDS[media], order)
    except Gone:
        raise Ended("its guard is gone") from None
    if ended != 0:
        raise Ended(_ENDS.get(ended, "its decoder crashed"))
    answer = answers.heard(said, media, marked=media == "image" and "marked" in order)
    if isinstance(answer, Item):
        return answer
    if answer not in handed.ERRORS:
        raise Ended("it answered with no hashes")
    raise handed.ERRORS[answer]
