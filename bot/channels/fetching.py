"""Fetching what a person sent: for the one picture or video that was asked for and agreed to, into
memory, never more than a limit (C16)."""

from collections.abc import AsyncIterable
from datetime import UTC, datetime
from typing import Final, Literal

from bot.cases.hashes import Media
from bot.conversation.picture import Content

_PATIENCE_FOR: Final = 10_000_000


class NotFetched(Exception):
    """It did not come: not there (any more), not to be had now, or more than the limit."""

    def __init__(self, problem: Literal["gone", "size"]) -> None:
        super().__init__(problem)
        self.problem: Literal["gone", "size"] = problem


def content(
    file: str, milliseconds: int, size: int | None = None, media: Media = "image"
) -> Content | None:
    """What is noted of one that was sent at a time; None when that is no time."""
    try:
        return Content(file, datetime.fromtimestamp(milliseconds / 1000, UTC), size, media)
    except (ValueError, OverflowError, OSError):
        return None


def patience(seconds: float, most: int) -> float:
    """How long so many bytes may take, where an answer, or a picture, has so many seconds."""
    return seconds * max(1, most // _PATIENCE_FOR)


async def at_most(pieces: AsyncIterable[bytes], most: int) -> bytes:
    """All bytes of a stream; NotFetched as soon as they are more than `most`."""
    data = bytearray()
    async for piece in pieces:
        data += piece
        if len(data) > most:
            raise NotFetched("size")
    return bytes(data)
