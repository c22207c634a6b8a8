"""What a person is told about their hashes: a pure fold of what partners answered, never stored.

Rule C13: only feedback that came after this case's own registration is told, so that nobody with
the same file learns that someone else asked for help.
"""

from collections.abc import Iterable
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
Outcome = Literal["shared", "looking", "blocked", "not_blocked"]

TOLD: Final[dict[FeedbackValue, Outcome]] = {
    "PendingReview": "looking",
    "Blocked": "blocked",
    "NotBlocked": "not_blocked",
}
_ORDER: Final[tuple[Outcome, ...]] = ("shared", "not_blocked", "looking", "blocked")


@dataclass(frozen=True, slots=True)
class Feedback:
    """A partner's latest word on one hash."""

    partner: str
    value: FeedbackValue
    at: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """One hash as one case holds it: when it was registered, who has fetched it, what came back."""

    registered_at: datetime
    status: HashStatus
    readers: tuple[str, ...]
    feedback: tuple[Feedback, ...]


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


def fold(status: HashStatus, images: int, claims: Iterable[Claim]) -> Standing:
    """One line per platform: the furthest outcome of all its hashes.

    blocked > looking > not blocked > shared. A platform that has fetched the list without
    answering is `shared`; one that has not is absent.
    """
    best: dict[str, Outcome] = {}
    for claim in claims:
        if claim.status in {"Withdrawn", "Deleted"}:
            continue
        for partner in claim.readers:
            _raise_to(best, partner, "shared")
        for word in claim.feedback:
            outcome = TOLD.get(word.value)
            if outcome and word.at > claim.registered_at:
                _raise_to(best, word.partner, outcome)
    told = tuple(Told(name, best[name]) for name in sorted(best))
    return Standing(status, images, told)


def _raise_to(best: dict[str, Outcome], partner: str, outcome: Outcome) -> None:
    if _ORDER.index(outcome) >= _ORDER.index(best.get(partner, "shared")):
        best[partner] = outcome
