"""Cards from the shelf in words: a country's police and law, a platform's own way.

Every number and address in them is put in from the shelf, with the month of its last check.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from bot.cases.eligibility import List
from bot.channels import Link
from bot.conversation.model import Country
from bot.conversation.shows import Platform
from bot.helplines import Card, HelpLines
from bot.knowledge import Checked, Form, choose, facts, laws, official_page, platform, platforms
from bot.text import month, year

_YEAR: Final = re.compile(r"year(_\w+)?").fullmatch
"""Values that are years of the common era."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """The shelf for one person. `list`: the list that their pictures belong to, if it is known."""

    lines: HelpLines
    list: List | None

    def police(self) -> Card:
        """Where a crime is reported, what to beware of, and the number for danger now."""
        country = self._country()
        found = self.lines.card("police", directory=False) if country else Card()
        station = () if self._online(country) else (self.say("police.station"),)
        number = self.lines.emergency_numbers()
        danger = number.lines or (self.say("show.phone_emergency"),)
        lines = (
            "\n".join((*found.lines, *station)),
            self.say("police.fake"),
            "\n".join((self.say("police.danger"), *danger)),
        )
        return Card(tuple(one for one in lines if one), (*found.calls, *number.calls))

    def law(self) -> Card:
        """What the law of the country says, and who can order or ask for removal."""
        country = self._country()
        if country is None:
            return Card((self.say("law.where"),))
        found = laws(country, self.lines.age, self._today)
        if not found:
            return Card((self.say("law.none"),))
        said = "\n".join("• " + self._fact(f"law.{one.id}", one.values) for one in found)
        removal = self.lines.card("removal", directory=False)
        lines = (said, removal.text, self._checked(found))
        return Card(tuple(one for one in lines if one), removal.calls)

    def platform(self, id: Platform) -> Card:
        """How a report goes there, which lists it takes part in, its form."""
        card, today = platform(id), self._today
        steps = card.steps.shown(today)
        form = card.form if card.form and card.form.shown(today) else None
        said = self.say(f"platform.{id}" if steps else "platform.other")
        mail = (self.say("platform.mail", mail=form.mail),) if form and form.mail else ()
        shown = [part for _, part in card.parts() if part.shown(today)]
        lines = (
            f"{card.name}\n{said}",
            *mail,
            self._takes_part(card.name, card.takes_part(today)),
            *((self._checked(shown),) if shown else ()),
        )
        return Card(lines, links=(*self._form(form), *self._official(card.takes_part(today))))

    def facts(self, id: Platform) -> Card:
        """What a platform says it does by itself."""
        found = facts(id, self.lines.age, self._today)
        if not found:
            return Card((self.say("fact.none", name=platform(id).name),))
        said = ("• " + self._fact(f"fact.{one.id}", one.values) for one in found)
        return Card(("\n".join(said), self._checked(found)))

    def form_of(self, name: str) -> tuple[Link, ...]:
        """The report form of the platform of this name, under its name, if it has a sure one."""
        for card in platforms():
            form = card.form
            if card.name == name and form and form.shown(self._today):
                return tuple(Link(name, one.url) for one in self._form(form))
        return ()

    def deadline(self) -> tuple[str, ...]:
        """The law that says within how many hours platforms must act, where the country has one."""
        country = self._country()
        found = laws(country, self.lines.age, self._today) if country else ()
        return tuple(
            self._fact(f"law.{one.id}", one.values) for one in found if "hours" in one.values
        )

    # ------------------------------------------------------------ parts of a card

    def _takes_part(self, name: str, answers: Mapping[List, str]) -> str:
        if {*answers.values()} == {"no"}:
            return self.say("lists.none", name=name)
        return "\n".join(
            self.say(f"lists.{list}.{answer}", name=name, list=official_page(list).name)
            for list, answer in answers.items()
        )

    def _form(self, form: Form | None) -> tuple[Link, ...]:
        url = form.url[self.lines.language] if form else ""
        return (Link(self.say("platform.form"), url),) if url else ()

    def _official(self, answers: Mapping[List, str]) -> tuple[Link, ...]:
        """The page of the list that fits the picture, where the platform takes part in it."""
        if self.list is None or answers.get(self.list) != "yes":
            return ()
        page = official_page(self.list)
        return (Link(page.name, page.url[self.lines.language]),)

    def _checked(self, papers: Iterable[Checked]) -> str:
        oldest = min(one.checked for one in papers)
        return self.say("shelf.checked", month=month(oldest, self.lines.language))

    def _country(self) -> Country | None:
        countries = self.lines.countries()
        return countries[0] if len(countries) == 1 else None

    def _online(self, country: Country | None) -> bool:
        """Whether the police of the country take it elsewhere than at a station."""
        if country is None:
            return False
        found = choose(country, self.lines.language, "police", self.lines.age, self.lines.now)
        return any(one.kind == "police" for one in found)

    @property
    def _today(self) -> date:
        return self.lines.now.date()

    def _fact(self, id: str, values: Mapping[str, str]) -> str:
        """A dated fact; its years are those of the language's calendar."""
        of = self.lines.language
        return self.say(id, **{k: year(v, of) if _YEAR(k) else v for k, v in values.items()})

    def say(self, id: str, **values: str) -> str:
        """A text in the person's language."""
        return self.lines.texts.say(id, self.lines.language, **values)
