"""The part of the vocabulary that is about a picture or video in the chat (C16): what is noted of
it, that it is awaited, that it is to be taken, and that it was not."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from bot.cases.hashes import Media

Problem = Literal["gone", "size", "kind", "plain", "full", "already", "busy", "not_taken"]
"""Why a picture or video gave no hashes: not there (any more) · too large · none that can be read ·
too plain to be found · the case is full · the case holds it already · it cannot be done
now · it is on the denylist."""


@dataclass(frozen=True, slots=True)
class Content:
    """By what a picture or video could be fetched, its size in bytes where that is known, and when
    the platform says it was sent. Noted only where the transient path is open (C16)."""

    file: str = field(repr=False)
    sent_at: datetime
    size: int | None = None
    media: Media = "image"


@dataclass(frozen=True, slots=True)
class Awaited:
    """What the person agreed to send into the chat: asked for at `since`, until a time, so many
    more. `ref` is the message of the one that is being taken now."""

    since: datetime
    until: datetime
    left: int
    ref: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Fetch:
    """Take this one picture or video, which was asked for and agreed to (C16): fetched into memory,
    hashed in the jail, registered for the adults' list; the message then leaves the chat, where
    the platform allows it. Comes back as `Hashed` or `NotTaken`."""

    ref: str = field(repr=False)
    file: str = field(repr=False)
    number: str | None = None
    media: Media = "image"


@dataclass(frozen=True, slots=True)
class NotTaken:
    """Nothing was registered of one that was to be taken; nothing of it is kept."""

    at: datetime
    ref: str = field(repr=False)
    problem: Problem


@dataclass(frozen=True, slots=True)
class PinShown:
    """The page showed the PIN of a case that was made in this chat."""

    at: datetime
    number: str
