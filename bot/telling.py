"""A case's standing in words, and the next step that it teaches: a platform's own form where
nothing came or nothing was taken down, and what to do about a new copy where something was blocked.

No platform's form was found that takes words from a link, so what may be filled in beforehand are
words to copy. They name no case, and none says more than that the person did not agree.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from bot.cases.status import Outcome, Standing
from bot.channels import Link
from bot.helplines import Card
from bot.shelf import Shelf

QUIET_AFTER: Final = timedelta(days=3)
"""How long a case waits for a first answer before its person is shown another way."""
_FORMS: Final = 3
"""Forms beside one message: more buttons than that are not read."""


def tell_case(shelf: Shelf, number: str, standing: Standing) -> Card:
    """What the case's person is told, neutral and without a count of copies (C15)."""
    say = shelf.say
    head = say("show.status.head", number=number, images=str(standing.images))
    told = [say(f"show.status.{one.outcome}", partner=one.partner) for one in standing.told]
    if standing.status in {"Withdrawn", "Deleted"}:
        return Card((head, say("show.status.withdrawn"), *told))
    leaving = (say("show.status.leaving"),) if standing.leaving else ()
    nothing = () if told else (say("show.status.none"),)
    steps = _next(shelf, standing)
    lines = (head, *leaving, *told, *nothing, *steps, say("show.status.support"))
    return Card(lines, links=tuple(_forms(shelf, standing)))


def _next(shelf: Shelf, standing: Standing) -> Iterator[str]:
    outcomes = {one.outcome for one in standing.told}
    if _is_quiet(shelf, standing):
        yield shelf.say("show.status.quiet", button=shelf.say("home.apps"))
    if _is_quiet(shelf, standing) or "not_blocked" in outcomes:
        yield shelf.say("show.status.words")
        yield from shelf.deadline()
    if "blocked" in outcomes:
        yield shelf.say(f"show.status.copy.{shelf.list or 'minors'}")


def _is_quiet(shelf: Shelf, standing: Standing) -> bool:
    if standing.opened is None or shelf.lines.now - standing.opened < QUIET_AFTER:
        return False
    return all(one.outcome == "shared" for one in standing.told)


def _forms(shelf: Shelf, standing: Standing) -> Iterator[Link]:
    wanted: set[Outcome] = {"not_blocked"}
    if _is_quiet(shelf, standing):
        wanted.add("shared")
    named = [one.partner for one in standing.told if one.outcome in wanted]
    forms = [form for name in named for form in shelf.form_of(name)]
    yield from forms[:_FORMS]
