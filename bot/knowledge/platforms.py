"""Platform cards: who takes part in which list, the own form, and what people see done there.

A card is put together of parts, each with papers of its own; a part that may not be shown is left
out and the rest stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Final, Literal, get_args

from bot.cases.eligibility import List
from bot.conversation.model import LANGUAGES, Language
from bot.conversation.shows import PLATFORMS, Platform
from bot.knowledge.checked import Checked, load, papers

Part = Literal["yes", "no", "testing"]
_LISTS: Final[tuple[List, ...]] = get_args(List)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakesPart(Checked):
    """Whether a platform compares with the official list for these pictures."""

    list: List
    answer: Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Form(Checked):
    """A platform's own report page or address for mail."""

    url: Mapping[Language, str]
    mail: str


@dataclass(frozen=True, slots=True)
class Card:
    """A platform. The words of its steps are `platform.<id>` in the catalogs."""

    id: Platform
    name: str
    steps: Checked
    lists: tuple[TakesPart, ...]
    form: Form | None

    def takes_part(self, today: date) -> dict[List, Part | Literal["unknown"]]:
        """Its answer for each list; unknown where it may not be shown."""
        return {one.list: one.answer if one.shown(today) else "unknown" for one in self.lists}

    def parts(self) -> tuple[tuple[str, Checked], ...]:
        """Every part with papers, by name."""
        lists = [(one.list, one) for one in self.lists]
        form = [("form", self.form)] if self.form else []
        return (("steps", self.steps), *lists, *form)


@cache
def platforms() -> tuple[Card, ...]:
    """Every card, in the order of the vocabulary."""
    cards = {one["id"]: _card(one) for one in load("platforms.toml")["platform"]}
    return tuple(cards[id] for id in PLATFORMS)


def platform(id: Platform) -> Card:
    """A platform's card."""
    return next(one for one in platforms() if one.id == id)


def _card(entry: dict[str, Any]) -> Card:
    lists = tuple(
        TakesPart(list=one, answer=entry[one]["takes_part"], **papers(entry[one])) for one in _LISTS
    )
    form = _form(entry["form"]) if "form" in entry else None
    return Card(entry["id"], entry["name"], Checked(**papers(entry["steps"])), lists, form)


def _form(entry: dict[str, Any]) -> Form:
    url = entry.get("url", "")
    by_language = url if isinstance(url, dict) else dict.fromkeys(LANGUAGES, url)
    return Form(url=by_language, mail=entry.get("mail", ""), **papers(entry))
