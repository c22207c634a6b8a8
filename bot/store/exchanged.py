"""What partners are, read and say, as the registry gives and takes it."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from bot.cases.eligibility import List
from bot.cases.status import FeedbackValue, HashStatus


@dataclass(frozen=True, slots=True)
class Partner:
    """A platform that may read lists and answer."""

    id: int
    name: str
    lists: tuple[List, ...]
    a_minute: int = 60
    """Requests it may make a minute."""
    revoked: bool = False


Scope = Literal["fetch", "feedback", "submit"]


@dataclass(frozen=True, slots=True)
class PartnerKeys:
    """A partner's keys, shown once; only their digests are kept. No `submit_key` unless its
    agreement says that it may add hashes."""

    fetch_key: str = field(repr=False)
    subscription_key: str = field(repr=False)
    feedback_key: str = field(repr=False)
    submit_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Submitted:
    """A hash that a partner submits, and its word on it."""

    signal: Literal["ImagePDQ", "VideoMD5"]
    value: str = field(repr=False)
    feedback: FeedbackValue
    tags: tuple[str, ...] = ()


class Record(NamedTuple):
    """One hash of the feed in its whole current state. `signal` is StopNCII's signal type.

    A tuple, because a page makes 800 of them.
    """

    modified: int
    signal: Literal["ImagePDQ", "VideoMD5"]
    value: str
    status: HashStatus
    cases: tuple[tuple[str, HashStatus], ...]
    """Opaque case ids (UUID, not the case number) and their status."""
    feedback: tuple[tuple[str, FeedbackValue, tuple[str, ...]], ...]
    """(partner name, value, tags)."""

    def __repr__(self) -> str:
        return f"Record({self.modified}, {self.signal}, {self.status})"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the feed. `checkpoint` is the newest `modified` served (or the start asked for),
    at the end of the list the second after it, which no older change can bear any more; it never
    goes back. `cursor` continues after the last record; None at the end."""

    records: tuple[Record, ...]
    checkpoint: int
    cursor: int | None
