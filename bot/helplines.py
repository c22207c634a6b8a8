"""Lines where people answer, in words: which ones, for whom, and as numbers that can be tapped."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bot.channels import Link
from bot.conversation.model import Country, Language
from bot.conversation.shows import Age
from bot.knowledge import LIKELY, HelpLine, Need, choose, emergency
from bot.text import Texts

_DIALLED: Final = re.compile(r"[*0-9][0-9 *#-]*")
_ANSWERED: Final = frozenset[Need]({"crisis", "child", "people"})
"""Needs for which people answer."""
_THAI_NAME: Final = re.compile(r"\(([^()]*[\u0e01-\u0e4e][^()]*)\)")


@dataclass(frozen=True, slots=True)
class Card:
    """Lines of text, the numbers in them as `tel:` links, and pages as buttons."""

    lines: tuple[str, ...] = ()
    calls: tuple[Link, ...] = ()
    links: tuple[Link, ...] = ()

    @property
    def text(self) -> str:
        """The lines one below the other."""
        return "\n".join(self.lines)


@dataclass(frozen=True, slots=True)
class HelpLines:
    """The shelf's lines in one language. `country` None: where this language is likely spoken."""

    texts: Texts
    language: Language
    country: Country | None
    now: datetime
    age: Age | None = None
    written: bool = False
    """For someone who cannot phone: what can be written to comes first."""

    def card(self, need: Need, *, directory: bool = True) -> Card:
        """A country's lines for a need, the international directory last."""
        found = sorted(self._found(need), key=lambda one: self.written and not one[1].written)
        entries = [self._entry(country, line) for country, line in found]
        calls = tuple(call for _, line in found if (call := _call(line)))
        more = self._directory(need) if directory or self.country == "ZZ" else ()
        return Card((*self._unwritten(need, found), *entries, *more), calls)

    def _unwritten(self, need: Need, found: list[tuple[Country, HelpLine]]) -> list[str]:
        """For who cannot phone: that no line of the country takes written words, and pages that
        do, but not to someone who wants to die."""
        if not self.written or self.country in {None, "ZZ"} or need not in _ANSWERED:
            return []
        others = self._choose(self.country, "people")
        if any(one.written for one in (*others, *(line for _, line in found)) if _people(one)):
            return []
        pages = self._choose(self.country, "police") if need != "crisis" else ()
        entries = [self._entry(self.country, line) for line in pages if line.url]
        say = self.texts.say
        head = [say("show.written.forms", self.language)] if entries else []
        return [say("show.written.none", self.language), *head, *entries, ""]

    def emergency_numbers(self) -> Card:
        """One checked emergency number per likely country, by the country's name (C8)."""
        found = [(one, line) for one in self.countries() if (line := self._emergency(one))]
        entries = [self._line(self._country(one), line) for one, line in found]
        calls = tuple(call for _, line in found if (call := _call(line)))
        return Card(tuple(entries), calls)

    def emergency_alone(self) -> str:
        """The numbers without a word beside them (C9)."""
        found = (self._emergency(one) for one in self.countries())
        return " · ".join(dict.fromkeys(line.number for line in found if line))

    def countries(self) -> Sequence[Country]:
        """The country; while it is not known, those where the language is likely spoken."""
        return (self.country,) if self.country else LIKELY[self.language]

    def _emergency(self, country: Country) -> HelpLine | None:
        return emergency(country, self.language, self.now)

    def _choose(self, country: Country, need: Need) -> tuple[HelpLine, ...]:
        return choose(country, self.language, need, self.age, self.now)

    def _found(self, need: Need) -> list[tuple[Country, HelpLine]]:
        if self.country == "ZZ":
            return []  # what serves everywhere is the directory
        countries = self.countries()
        if need in {"crisis", "danger"} and len(countries) > 1:
            numbers = ((one, self._emergency(one)) for one in countries)
            return [(one, line) for one, line in numbers if line]
        most = 1 if len(countries) > 1 else None
        return [(one, line) for one in countries for line in self._choose(one, need)[:most]]

    def _country(self, country: Country) -> str:
        return self.texts.say(f"country.{country}", self.language)

    def _entry(self, country: Country, line: HelpLine) -> str:
        several = len(self.countries()) > 1
        name = " · ".join((_name(line, self.language), *self._notes(line)))
        return self._line(f"{self._country(country)} · {name}" if several else name, line)

    def _notes(self, line: HelpLine) -> list[str]:
        """What to know before calling: other languages only, and the hours."""
        say, spoken = self.texts.say, line.speaks()
        notes = []
        if spoken and self.language not in spoken and line.kind != "emergency":
            notes.append(", ".join(say(f"tongue.{one}", self.language) for one in sorted(spoken)))
        if hours := line.opens:
            first, last = str(hours.first), str(hours.last)
            open_at = say(f"hours.{hours.days}", self.language, first=first, last=last)
            closed = not line.open(self.now)
            notes.append(say("hours.closed", self.language, hours=open_at) if closed else open_at)
        elif line.always() and line.kind != "emergency":
            notes.append(say("hours.always", self.language, hours="24"))
        return notes

    def _line(self, name: str, line: HelpLine) -> str:
        page = line.url
        if line.chat == "web":
            page = self.texts.say("show.web_chat", self.language, url=line.url)
        return self.texts.say(
            "show.line", self.language, name=name, number=_dial(line, page, self.written)
        )

    def _directory(self, need: Need) -> list[str]:
        found = self._choose("ZZ", need)
        say = self.texts.say
        return [say("show.directory", self.language, url=one.url) for one in found if one.url]


def _name(line: HelpLine, language: Language) -> str:
    thai = _THAI_NAME.search(line.name)
    return thai.group(1) if thai and language == "th" else line.name


def _dial(line: HelpLine, page: str, written: bool) -> str:
    """The ways to reach a line, those in writing first for who cannot phone."""
    said, typed = (line.number,), (f"SMS {line.sms}" if line.sms else "", _app(line))
    ways = (*typed, page, *said) if written else (*said, *typed, page)
    return " / ".join(way for way in ways if way)


def _people(line: HelpLine) -> bool:
    return line.kind != "emergency"


def _app(line: HelpLine) -> str:
    return "" if line.chat == "web" else line.chat


def _call(line: HelpLine) -> Link | None:
    if not _DIALLED.fullmatch(line.number):
        return None
    return Link(line.number, "tel:" + re.sub(r"[ -]", "", line.number))
