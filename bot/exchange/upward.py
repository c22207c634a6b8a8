"""Lists above Sala's own that it may pass codes on to; pure: what goes up, and what comes back.

Each service is for one list alone, so that no code can reach the other one's. A connector writes
requests and reads answers; who carries them is `bot/passing.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

from bot.cases.eligibility import List
from bot.cases.status import Answer
from bot.exchange.partner_name import read_name
from bot.store.upward import Raisable

ServiceName = Literal["stopncii", "ncmec"]
LIST_OF: Final[dict[ServiceName, List]] = {"stopncii": "adults", "ncmec": "minors"}
LABEL: Final[dict[ServiceName, str]] = {"stopncii": "StopNCII.org", "ncmec": "NCMEC"}


SKEW: Final = timedelta(minutes=5)
"""How far a service's clock may be from this one, and how late it may show what it took."""


class BadAnswer(ValueError):
    """A service's answer is not of its protocol; it quotes nothing."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request to a service; without a body it is a GET."""

    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AboveWord:
    """What somebody said of a hash there."""

    signal: Literal["ImagePDQ", "VideoMD5"]
    value: str = field(repr=False)
    source: str
    feedback: Answer


@dataclass(frozen=True, slots=True)
class Heard:
    """A page of what changed at a service.

    `seen` are the hashes (hex) that it named, with or without a word, `active` and `gone` the keys
    (`Connector.key`) of what it lists and has let go. `next` continues the walk; at its end
    `checkpoint` is where the next one begins.
    """

    seen: frozenset[tuple[Literal["ImagePDQ", "VideoMD5"], str]] = field(repr=False)
    words: tuple[AboveWord, ...] = field(repr=False)
    active: frozenset[str] = field(repr=False)
    gone: frozenset[str] = field(repr=False)
    next: str | None
    checkpoint: str


def named(source: str) -> str | None:
    """Who answered, as it can be shown to people; None for what is no name, or Sala's own."""
    try:
        return read_name(source)
    except ValueError:
        return None


class Connector(Protocol):
    """How one service is spoken to."""

    @property
    def name(self) -> ServiceName:
        """Which service it is."""
        ...

    @property
    def address(self) -> str:
        """Where: another address is another service, and has to be tried anew."""
        ...

    def key(self, one: Raisable) -> str:
        """What an answer of the service calls a code that went up."""
        ...

    def raises(self, codes: Sequence[Raisable], now: datetime) -> list[Request]:
        """The requests that bring these codes there to what they are here: listed or let go.
        Sent again they change nothing."""
        ...

    def first(self, now: datetime) -> str:
        """The checkpoint of a service that is looked at from now on."""
        ...

    def look(self, checkpoint: str, next: str | None, now: datetime) -> Request:
        """The request for what changed since a checkpoint, or for the next page of it."""
        ...

    def read(self, body: bytes, checkpoint: str, now: datetime) -> Heard:
        """The answer to it; BadAnswer."""
        ...
