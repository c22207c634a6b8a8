"""What every fact carries: where it is from, when and by whom it was checked, how sure it is."""

import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files
from typing import Any, Final

AGING: Final = timedelta(days=183)
"""Older than this, a fact is to be checked again."""
STALE: Final = timedelta(days=366)
"""Older than this, it is not shown any more, but for emergency and crisis numbers (C8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A fact's papers. `reviewer` is empty until a practitioner confirmed it.

    `settle` is what would make an unsure fact sure.
    """

    sources: tuple[str, ...]
    checked: date
    sure: bool
    reviewer: str = ""
    doubts: str = ""
    settle: str = ""

    def aging(self, today: date) -> bool:
        """Whether it is to be checked again."""
        return today - self.checked > AGING

    def shown(self, today: date) -> bool:
        """Whether a person may see it: sure, and not too old."""
        return self.sure and today - self.checked <= STALE


def papers(entry: dict[str, Any]) -> dict[str, Any]:
    """The papers of an entry, as keywords. Raises KeyError without sources, day or `sure`."""
    return {
        "sources": tuple(entry["sources"]),
        "checked": date.fromisoformat(entry["checked"]),
        "sure": entry["sure"],
        "reviewer": entry.get("reviewer", ""),
        "doubts": entry.get("doubts", ""),
        "settle": entry.get("settle", ""),
    }


def load(name: str) -> dict[str, Any]:
    """A table of this room by its file's name. Raises OSError or tomllib.TOMLDecodeError."""
    return tomllib.loads((files("bot.knowledge") / name).read_text("utf-8"))
