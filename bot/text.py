"""Message ids in words: the reviewed catalogs of locales/, one domain an audience.

Ids are stable and English is the template. A text that is missing in a language is an error, never
another language's text: the tests hold all three complete.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final

from babel.dates import format_date
from babel.messages.mofile import read_mo

from bot.conversation.model import LANGUAGES, Language

DOMAINS: Final = ("chat", "door", "knowledge", "line", "miniapp", "telegram", "terminal")
"""What Sala says in any chat; the words of the shelf, of each door and of the hashing page."""
BUDDHIST: Final = 543
"""Years that the Thai calendar is ahead."""

_JOINER: Final = "\u2060"
_CUT: Final = ("แช|ต", "แค|ป", "อัต|โน|มัติ", "ก|ลับ", "ก|ระ|ดาษ", "ส|ตอ|รี่")
"""Words that browsers break in their midst, there: Thai has no spaces, and their dictionaries lack
these, or take the beginning for the end of the word before."""
_WHOLE: Final = {one.replace("|", ""): one.replace("|", _JOINER) for one in _CUT}
_ANY_CUT: Final = re.compile("|".join(_WHOLE))

_HERE: Final = Path(__file__).resolve().parent
_PLACES: Final = (_HERE / "locales", _HERE.parent / "locales")


class MissingText(LookupError):
    """No text by this id in this language, or no compiled catalogs at all."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Every text of every language, by id."""

    by_language: Mapping[Language, Mapping[str, str]]

    def say(self, id: str, language: Language, **values: str) -> str:
        """The text, with `{name}` filled from values."""
        try:
            text = self.by_language[language][id]
        except KeyError:
            raise MissingText(f"{id} [{language}]") from None
        return text.format(**values) if values else text

    def has(self, id: str) -> bool:
        """Whether English has this id."""
        return id in self.by_language["en"]

    def group(self, prefix: str, language: Language) -> dict[str, str]:
        """All texts whose id starts with `prefix.`, by the rest of the id (for a page)."""
        start = prefix + "."
        texts = self.by_language[language].items()
        return {id.removeprefix(start): text for id, text in texts if id.startswith(start)}


def unbroken(page: str) -> str:
    """The same, with an unseen joiner where a browser would end a line within a Thai word."""
    return _ANY_CUT.sub(lambda found: _WHOLE[found[0]], page)


def language_of(tag: object) -> Language | None:
    """One of our languages, from what a platform calls a language (an IETF tag)."""
    if isinstance(tag, str):
        for language in LANGUAGES:
            if re.match(rf"{language}\b", tag.lower()):
                return language
    return None


def year(common: str, language: Language) -> str:
    """A year of the common era; in Thai of the Buddhist era."""
    return str(int(common) + BUDDHIST) if language == "th" else common


def month(day: date, language: Language) -> str:
    """The month of a day in words, with its year."""
    return f"{format_date(day, 'LLLL', locale=language)} {year(str(day.year), language)}"


@cache
def load_texts() -> Texts:
    """Texts from the compiled catalogs (.mo) in the wheel, else beside the package."""
    return Texts({language: _read(language) for language in LANGUAGES})


def _read(language: Language) -> dict[str, str]:
    found: dict[str, str] = {}
    for domain in DOMAINS:
        with _catalog(language, domain).open("rb") as file:
            found |= {str(m.id): str(m.string) for m in read_mo(file) if m.id}
    return found


def _catalog(language: Language, domain: str) -> Path:
    for place in _PLACES:
        path = place / language / "LC_MESSAGES" / f"{domain}.mo"
        if path.exists():
            return path
    raise MissingText(f"catalog {language}/{domain}.mo is not compiled: run `make catalogs`")
