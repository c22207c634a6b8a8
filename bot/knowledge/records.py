"""The whole shelf as one list: what `sala knowledge` prints and `sala doctor` asks the age of."""

from dataclasses import dataclass
from typing import Any

from bot.knowledge.checked import Checked
from bot.knowledge.laws import all_facts, all_laws
from bot.knowledge.lines import help_lines
from bot.knowledge.pages import official_pages
from bot.knowledge.platforms import platforms


@dataclass(frozen=True, slots=True)
class Record:
    """One entry. `country` is empty where a fact belongs to none."""

    kind: str
    country: str
    name: str
    value: str
    papers: Checked

    def plain(self) -> dict[str, Any]:
        """It as JSON would have it."""
        papers = self.papers
        return {
            "kind": self.kind,
            "country": self.country,
            "name": self.name,
            "value": self.value,
            "sources": list(papers.sources),
            "checked": papers.checked.isoformat(),
            "reviewer": papers.reviewer,
            "sure": papers.sure,
            "doubts": papers.doubts,
            "settle": papers.settle,
        }


def records() -> tuple[Record, ...]:
    """Every entry of the shelf, sure or not."""
    return (*_lines(), *_pages(), *_platforms(), *_laws())


def _lines() -> list[Record]:
    return [
        Record(one.kind, one.country, one.name, one.number or one.sms or one.url, one)
        for one in help_lines()
    ]


def _pages() -> list[Record]:
    return [Record("page", "", one.name, one.url["en"], one) for one in official_pages()]


def _platforms() -> list[Record]:
    return [
        Record("platform", "", f"{card.name} · {name}", _said(part), part)
        for card in platforms()
        for name, part in card.parts()
    ]


def _said(part: Checked) -> str:
    for field in ("answer", "mail"):
        if said := getattr(part, field, ""):
            return str(said)
    return str(getattr(part, "url", {}).get("en", ""))


def _laws() -> list[Record]:
    laws = [Record("law", one.country, one.id, _values(one.values), one) for one in all_laws()]
    facts = [Record("fact", "", one.id, _values(one.values), one) for one in all_facts()]
    return [*laws, *facts]


def _values(values: Any) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
