"""The two lists' official pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from bot.cases.eligibility import List
from bot.conversation.model import Language
from bot.knowledge.checked import Checked, load, papers


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialPage(Checked):
    """A list's official page."""

    id: List
    name: str
    url: Mapping[Language, str]


@cache
def official_pages() -> tuple[OfficialPage, ...]:
    """Both pages."""
    return tuple(
        OfficialPage(id=one["id"], name=one["name"], url=one["url"], **papers(one))
        for one in load("pages.toml")["page"]
    )


def official_page(list: List) -> OfficialPage:
    """The official page for a list."""
    return next(one for one in official_pages() if one.id == list)
