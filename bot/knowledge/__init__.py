"""The shelf: facts as reviewed data, each with its sources and the day it was checked.

Only entries marked sure are ever shown; those older than half a year wait for a new check, except
emergency and crisis numbers, which are never dropped for age (rule C8).
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal, get_args

from bot.cases.eligibility import List
from bot.conversation.model import Country, Language

Kind = Literal["emergency", "ambulance", "suicide", "child", "social", "women"]
Need = Literal["crisis", "danger", "child", "people"]

FRESH: Final = timedelta(days=183)
_NEVER_DROPPED: Final = frozenset[Kind]({"emergency", "suicide"})
_KINDS: Final[dict[Need, tuple[Kind, ...]]] = {
    "crisis": ("emergency", "suicide"),
    "danger": ("emergency",),
    "child": ("child",),
    "people": ("suicide", "child", "social", "women"),
}
LIKELY: Final[dict[Language, tuple[Country, ...]]] = {
    "th": ("TH",),
    "en": ("US", "GB", "TH"),
    "es": ("ES", "MX", "CO", "AR", "CL", "PE"),
}
"""Where someone who writes in a language most likely is, while the country is unknown."""


@dataclass(frozen=True, slots=True)
class HelpLine:
    """A line where people answer. `country` is ISO 3166, EU, or ZZ for everywhere."""

    country: str
    kind: Kind
    name: str
    number: str
    sms: str
    url: str
    hours: str
    sources: tuple[str, ...]
    checked: date
    sure: bool
    doubts: str


@dataclass(frozen=True, slots=True)
class OfficialPage:
    """A list's official page."""

    name: str
    url: Mapping[Language, str]
    sources: tuple[str, ...]
    checked: date


@cache
def help_lines() -> tuple[HelpLine, ...]:
    """Every line on the shelf, sure or not."""
    return tuple(_line(entry) for entry in _load("lines.toml")["line"])


@cache
def official_page(list: List) -> OfficialPage:
    """The official page for a list."""
    entry = next(one for one in _load("pages.toml")["page"] if one["id"] == list)
    return OfficialPage(
        entry["name"], entry["url"], tuple(entry["sources"]), date.fromisoformat(entry["checked"])
    )


def choose(country: Country, need: Need, today: date) -> tuple[HelpLine, ...]:
    """The sure and fresh lines of a country for a need, the most urgent kind first."""
    kinds = _KINDS[need]
    fit = [one for one in help_lines() if _serves(one, country, kinds) and _shown(one, today)]
    return tuple(sorted(fit, key=lambda one: kinds.index(one.kind)))


def emergency(country: Country, today: date) -> HelpLine | None:
    """A country's emergency number, the first on the shelf."""
    return next(iter(choose(country, "danger", today)), None)


def _load(name: str) -> dict[str, Any]:
    return tomllib.loads((files(__name__) / name).read_text("utf-8"))


def _line(entry: dict[str, Any]) -> HelpLine:
    if entry["kind"] not in get_args(Kind):
        raise ValueError("unknown kind of help line")
    return HelpLine(
        country=entry["country"],
        kind=entry["kind"],
        name=entry["name"],
        number=entry["number"],
        sms=entry["sms"],
        url=entry["url"],
        hours=entry["hours"],
        sources=tuple(entry["sources"]),
        checked=date.fromisoformat(entry["checked"]),
        sure=entry["sure"],
        doubts=entry["doubts"],
    )


def _serves(line: HelpLine, country: Country, kinds: tuple[Kind, ...]) -> bool:
    return line.country == country and line.kind in kinds


def _shown(line: HelpLine, today: date) -> bool:
    fresh = today - line.checked <= FRESH or line.kind in _NEVER_DROPPED
    return line.sure and fresh
