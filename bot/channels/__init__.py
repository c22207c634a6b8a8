"""Doors. A channel verifies and parses what comes in, renders (pure) and sends what goes out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bot.channels.fetching import NotFetched
from bot.conversation.model import Language
from bot.conversation.shows import Opens
from bot.store import EffectId


@dataclass(frozen=True, slots=True)
class Choice:
    """A button that answers: label in the person's language, callback data up to 64 bytes."""

    label: str
    data: str


@dataclass(frozen=True, slots=True)
class Link:
    """A button that opens an address. `app` marks the mini-app, `opens` what it is opened for."""

    label: str
    url: str = field(repr=False)
    app: bool = False
    opens: Opens = "hashes"


@dataclass(frozen=True, slots=True)
class Message:
    """One outgoing message in words, the same for every channel.

    `preview` is what a lock screen or a chat list may show; it is neutral.
    """

    id: EffectId
    text: str = field(repr=False)
    preview: str
    choices: tuple[Choice, ...] = ()
    links: tuple[Link, ...] = ()
    calls: tuple[Link, ...] = ()
    """`tel:` links of help lines, for doors that can dial; the numbers stand in the text too."""
    alone: bool = False
    """What was said before should leave the screen, where the door can do that (C9)."""
    urgent: bool = False
    """Whom to call when a life is in danger (C8): rather twice than perhaps never."""
    language: Language = "en"


class SendError(Exception):
    """A message did not go out.

    SendError > TryAgain (at a time, or held), Unreachable (stop sending).

    `sent` counts the messages of the call that did go out before it.
    """

    def __init__(self, sent: int = 0) -> None:
        super().__init__(type(self).__name__)
        self.sent = sent


class TryAgain(SendError):
    """Not now. `again_at` None: hold until the next inbound event."""

    def __init__(self, sent: int = 0, again_at: datetime | None = None) -> None:
        super().__init__(sent)
        self.again_at = again_at


class Unreachable(SendError):
    """Blocked or gone: forget the address."""


class Channel(Protocol):
    """What every door does. Parsing and rendering are each channel's own and pure."""

    @property
    def name(self) -> str:
        """The channel's name, as conversations are kept under it."""
        ...

    @property
    def wakes(self) -> bool:
        """Whether a message can ring a phone nobody is looking at (then C15's hours hold)."""
        ...

    @property
    def together(self) -> bool:
        """Whether a burst may be repeated whole without anybody seeing it twice."""
        ...

    def way(self, address: bytes, now: datetime) -> bytes | None:
        """How messages would go out now, where a repeat must go the same way; else None."""
        ...

    async def send(
        self, address: bytes, messages: Sequence[Message], way: bytes | None = None
    ) -> None:
        """Send in order. SendError tells how many went out before it and whether to try again.

        `way` is what `way()` said before the first try of just these messages.
        """
        ...

    async def remove(self, address: bytes, ref: str) -> None:
        """Take a message of the person's out of the chat, where the platform allows it."""
        ...

    async def speak(self, address: bytes, language: Language) -> None:
        """Menus and commands of this chat in this language, where the platform has any."""
        ...

    @property
    def fetches(self) -> bool:
        """Whether a picture or video sent into its chats can be fetched at all (C16)."""
        ...

    async def fetch(self, address: bytes, file: str, most: int) -> bytes:
        """The bytes of a picture or video that was asked for, at most so many; else NotFetched."""
        ...


class Plain:
    """What a door does that has no menus, removes nothing and fetches nothing."""

    together: bool = True
    fetches: bool = False

    def way(self, address: bytes, now: datetime) -> bytes | None:
        """Nothing to keep."""
        return None

    async def remove(self, address: bytes, ref: str) -> None:
        """Nothing can be removed."""

    async def speak(self, address: bytes, language: Language) -> None:
        """There are no menus."""

    async def fetch(self, address: bytes, file: str, most: int) -> bytes:
        """Nothing can be fetched."""
        raise NotFetched("gone")
