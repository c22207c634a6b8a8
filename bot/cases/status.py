"""What a person is told about their hashes: a pure fold of what partners answered, never stored.

Rule C13: only feedback that came after this case's own registration is told, so that nobody with
the same file learns that someone else asked for help.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

HashStatus = Literal["Received", "Active", "Withdrawn", "Deleted"]
FeedbackValue = Literal[
    "Unknown",
    "None",
    "QualityUnknown",
    "PendingReview",
    "Blocked",
    "NotBlocked",
    "Withdrawn",
    "Deleted",
]
Answer = FeedbackValue | Literal["Met"]
"""What is kept of somebody's answer: a word of partners' protocol, or a vote elsewhere (NCMEC) by
somebody who has met the picture and says nothing of what was done about it."""
Outcome = Literal[
    "shared", "found", "looking", "blocked", "not_blocked",
    "stop_unseen",  # the case is withdrawn, and the platform has not fetched that yet
    "stop_seen",
]  # fmt: skip

TOLD: Final[dict[Answer, Outcome]] = {
    "Met": "found",
    "PendingReview": "looking",
    "Blocked": "blocked",
    "NotBlocked": "not_blocked",
}
_GONE: Final = ("Withdrawn", "Deleted")
_ORDER: Final[tuple[Outcome, ...]] = (
    "stop_seen", "stop_unseen", "shared", "not_blocked", "found", "looking", "blocked",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Feedback:
    """A partner's latest word on one hash."""

    partner: str
    value: Answer
    at: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """One hash as one case holds it: when it was registered, who has fetched it, what came back,
    and who has fetched its withdrawal."""

    registered_at: datetime
    status: HashStatus
    readers: tuple[str, ...]
    feedback: tuple[Feedback, ...]
    stopped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """What may be said of one platform."""

    partner: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Standing:
    """A case as its person may know it."""

    status: HashStatus
    images: int
    told: tuple[Told, ...]
    leaving: bool = False
    """A withdrawal is planned and can still be undone."""
    opened: datetime | None = None
    """Since when the case is there."""


def fold(status: HashStatus, images: int, claims: Iterable[Claim]) -> Standing:
    """One line per platform: the furthest outcome of all its hashes.

    blocked > looking > found > not blocked > shared. A platform that has fetched the list without
    answering is `shared`; one that has not is absent. Of a case that is withdrawn, each platform
    that had a hash has fetched the withdrawal of all of them (`stop_seen`) or not (`stop_unseen`);
    whether another case holds the same hash cannot be told from it (C13).
    """
    best: dict[str, Outcome] = {}
    withdrawn = status in _GONE
    for claim in claims:
        if withdrawn:
            _raise_all(best, _withdrawn(claim))
        elif claim.status not in _GONE:
            _raise_all(best, _held(claim))
    told = tuple(Told(name, best[name]) for name in sorted(best))
    return Standing(status, images, told)


def _held(claim: Claim) -> Iterator[Told]:
    for partner in claim.readers:
        yield Told(partner, "shared")
    for word in claim.feedback:
        outcome = TOLD.get(word.value)
        if outcome and word.at > claim.registered_at:
            yield Told(word.partner, outcome)


def _withdrawn(claim: Claim) -> Iterator[Told]:
    for partner in {told.partner for told in _held(claim)}:
        yield Told(partner, "stop_seen" if partner in claim.stopped else "stop_unseen")


def _raise_all(best: dict[str, Outcome], told: Iterable[Told]) -> None:
    for one in told:
        old = best.get(one.partner, one.outcome)
        best[one.partner] = max(old, one.outcome, key=_ORDER.index)
