"""Lines where people answer, and places that take reports: which of them fit whom, and when."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, Final, Literal, get_args
from zoneinfo import ZoneInfo

from bot.conversation.model import LANGUAGES, Country, Language
from bot.conversation.shows import Age
from bot.knowledge.checked import Checked, load, papers

Kind = Literal[
    "emergency", "ambulance", "suicide", "child", "social", "women",
    "police",  # takes complaints about a crime
    "hotline",  # takes reports of pictures of under-18s
    "advice",  # explains what to do, takes no complaints
    "removal",  # asks or orders platforms to take down
]  # fmt: skip
Need = Literal["crisis", "danger", "child", "people", "police", "removal"]

NEVER_DROPPED: Final = frozenset[Kind]({"emergency", "suicide"})
LIKELY: Final[dict[Language, tuple[Country, ...]]] = {
    "th": ("TH",),
    "en": ("US", "GB", "TH"),
    "es": ("ES", "MX", "CO", "AR", "CL", "PE"),
}
"""Where someone who writes in a language most likely is, while the country is unknown."""

_KINDS: Final[dict[Need, tuple[Kind, ...]]] = {
    "crisis": ("emergency", "suicide"),
    "danger": ("emergency",),
    "child": ("child",),
    "people": ("suicide", "child", "advice", "social", "women"),
    "police": ("police", "hotline", "advice"),
    "removal": ("removal",),
}
_CLOCKS: Final[dict[Country, str]] = {
    "TH": "Asia/Bangkok",
    "ES": "Europe/Madrid",
    "MX": "America/Mexico_City",
    "CO": "America/Bogota",
    "AR": "America/Argentina/Buenos_Aires",
    "CL": "America/Santiago",
    "PE": "America/Lima",
    "US": "America/New_York",
    "GB": "Europe/London",
    "ZZ": "UTC",
}
"""The clock that a country's hours are read by."""
_ALWAYS: Final = re.compile(r"24 h(?! not)")
_TONGUES: Final[dict[Language, str]] = {"th": "Thai", "en": "English", "es": "Spanish"}


@dataclass(frozen=True, slots=True)
class Hours:
    """Open from the hour `first` until `last`, on the first `days` days of a week from Monday."""

    first: int
    last: int
    days: int

    def open(self, at: datetime) -> bool:
        """Whether it is open at this local time."""
        return at.weekday() < self.days and self.first <= at.hour < self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpLine(Checked):
    """A line or a place. `country` is ISO 3166, EU, or ZZ for everywhere.

    `opens` is None when it is always open, or when its hours are not known. `ages`: whom it is
    for, None for everybody.
    """

    country: str
    kind: Kind
    name: str
    number: str
    sms: str
    chat: str
    """Where it can be written to beside SMS, or `web`: on its page."""
    url: str
    hours: str
    languages: str
    for_whom: str
    opens: Hours | None
    ages: Age | None

    def shown(self, today: date) -> bool:
        """Whether a person may see it; emergency and crisis numbers never drop for age (C8)."""
        if self.sure and self.kind in NEVER_DROPPED:
            return True
        return Checked.shown(self, today)

    def speaks(self) -> frozenset[Language]:
        """Which of our languages are known to be spoken there; all where many are."""
        if re.search(r"\d", self.languages):
            return frozenset(LANGUAGES)
        return frozenset(one for one in LANGUAGES if _TONGUES[one] in self.languages)

    @property
    def written(self) -> bool:
        """Whether people there answer to written words."""
        return bool(self.sms or self.chat)

    def always(self) -> bool:
        """Whether it is known that someone answers day and night."""
        return bool(_ALWAYS.match(self.hours))

    def open(self, at: datetime) -> bool:
        """Whether someone answers at this moment, as far as is known."""
        if self.opens is None or self.country not in _CLOCKS:
            return True
        return self.opens.open(at.astimezone(ZoneInfo(_CLOCKS[self.country])))


@cache
def help_lines() -> tuple[HelpLine, ...]:
    """Every line on the shelf, sure or not."""
    return tuple(_line(entry) for entry in load("lines.toml")["line"])


def choose(
    country: Country, language: Language, need: Need, age: Age | None, at: datetime
) -> tuple[HelpLine, ...]:
    """The lines of a country that may be shown for a need, in the order they should be read.

    What is open at this moment before what is closed; then the most urgent kind, for under 18 the
    child lines; then what speaks the language. `age` is the person's, None when it is not known:
    for under 18, lines for adults come last; an adult is shown none for children.
    """
    kinds = _order(need, age)
    fit = [one for one in help_lines() if one.country == country and one.kind in kinds]
    shown = [one for one in fit if one.shown(at.date()) and not (age == "adult" and _young(one))]

    def place(line: HelpLine) -> tuple[bool, bool, int, bool]:
        late = age == "under18" and line.ages == "adult"
        return late, not line.open(at), kinds.index(line.kind), language not in line.speaks()

    return tuple(sorted(shown, key=place))


def emergency(country: Country, language: Language, at: datetime) -> HelpLine | None:
    """A country's emergency number, the first on the shelf."""
    return next(iter(choose(country, language, "danger", None, at)), None)


def _order(need: Need, age: Age | None) -> tuple[Kind, ...]:
    kinds = _KINDS[need]
    if age != "under18" or "child" not in kinds:
        return kinds
    return ("child", *(kind for kind in kinds if kind != "child"))


def _young(line: HelpLine) -> bool:
    return line.ages == "under18"


def _line(entry: dict[str, Any]) -> HelpLine:
    if entry["kind"] not in get_args(Kind):
        raise ValueError("unknown kind of help line")
    opens = entry.get("opens")
    return HelpLine(
        country=entry["country"],
        kind=entry["kind"],
        name=entry["name"],
        number=entry["number"],
        sms=entry["sms"],
        chat=entry.get("chat", ""),
        url=entry["url"],
        hours=entry["hours"],
        languages=entry["languages"],
        for_whom=entry["for_whom"],
        opens=Hours(**opens) if opens else None,
        ages=entry.get("ages", "under18" if entry["kind"] == "child" else None),
        **papers(entry),
    )
