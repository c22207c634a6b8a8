"""Short dated facts: what a country's law says, and what a platform does by itself.

The words are `law.<id>` and `fact.<id>` in the catalogs; every number in them stands here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from bot.conversation.model import Country
from bot.conversation.shows import Age, Platform
from bot.knowledge.checked import Checked, load, papers


@dataclass(frozen=True, slots=True, kw_only=True)
class Law(Checked):
    """A law or a right. `ages`: whose pictures it speaks of, None for all."""

    id: str
    country: Country
    ages: Age | None
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact(Checked):
    """What platforms say they do by themselves. `of`: the platforms it is told with; `ages`: whom
    it is told, None for all."""

    id: str
    of: tuple[Platform, ...]
    ages: Age | None
    values: Mapping[str, str]


@cache
def all_laws() -> tuple[Law, ...]:
    """Every law on the shelf, sure or not."""
    return tuple(
        Law(id=one["id"], country=one["country"], ages=one.get("ages"), **_rest(one))
        for one in load("laws.toml")["law"]
    )


@cache
def all_facts() -> tuple[Fact, ...]:
    """Every fact about platforms, sure or not."""
    return tuple(
        Fact(id=one["id"], of=tuple(one["of"]), ages=one.get("ages"), **_rest(one))
        for one in load("laws.toml")["fact"]
    )


def laws(country: Country, age: Age | None, today: date) -> tuple[Law, ...]:
    """The laws of a country that may be shown; for under 18 none that is for adults only."""
    return tuple(
        one
        for one in all_laws()
        if one.country == country and one.shown(today) and one.ages in {None, age or one.ages}
    )


def facts(of: Platform, age: Age | None, today: date) -> tuple[Fact, ...]:
    """The facts about a platform that may be shown; one for adults only where 18 is known."""
    return tuple(
        one for one in all_facts() if of in one.of and one.shown(today) and one.ages in {None, age}
    )


def _rest(entry: dict[str, Any]) -> dict[str, Any]:
    return {"values": entry.get("values", {}), **papers(entry)}
