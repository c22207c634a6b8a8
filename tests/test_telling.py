"""What a case teaches the next step: the platform's own form, words for it, and a new copy."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.cases.eligibility import List
from bot.cases.status import Outcome, Standing, Told
from bot.conversation.model import LANGUAGES, Country, Language
from bot.helplines import Card, HelpLines
from bot.knowledge import platform
from bot.shelf import Shelf
from bot.telling import QUIET_AFTER, tell_case
from bot.text import load_texts

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
TEXTS = load_texts()
TIKTOK = platform("tiktok")


def told(
    *outcomes: tuple[str, Outcome], opened: datetime | None = NOW, language: Language = "en",
    country: Country | None = None, list: List | None = "adults",
) -> Card:  # fmt: skip
    shelf = Shelf(HelpLines(TEXTS, language, country, NOW), list)
    lines = tuple(Told(*one) for one in outcomes)
    return tell_case(shelf, "N", Standing("Active", 1, lines, opened=opened))


def says(card: Card, id: str, language: Language = "en", **values: str) -> bool:
    return TEXTS.say(f"show.status.{id}", language, **values) in card.lines


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("outcomes", [(), (("TikTok", "shared"),)])
def test_when_nothing_came_for_some_days_a_form_and_words_for_it_are_shown(
    outcomes: tuple[tuple[str, Outcome], ...], language: Language
) -> None:
    button = TEXTS.say("home.apps", language)
    for ago, shown in ((QUIET_AFTER - timedelta(seconds=1), False), (QUIET_AFTER, True)):
        card = told(*outcomes, opened=NOW - ago, language=language)
        assert says(card, "quiet", language, button=button) is shown
        assert says(card, "words", language) is shown
        assert bool(card.links) is (shown and bool(outcomes))


@pytest.mark.parametrize("outcome", ["found", "looking", "blocked"])
def test_where_something_came_nobody_is_told_that_nothing_came(outcome: Outcome) -> None:
    card = told(("TikTok", outcome), ("Chirp", "shared"), opened=NOW - QUIET_AFTER)
    assert not says(card, "quiet", button=TEXTS.say("home.apps", "en"))
    assert not says(card, "words")
    assert card.links == ()


def test_not_blocked_leads_to_that_platforms_own_form_under_its_name() -> None:
    card = told(("TikTok", "not_blocked"), ("Chirp", "not_blocked"), ("Plaza", "shared"))
    assert TIKTOK.form
    assert [(one.label, one.url) for one in card.links] == [("TikTok", TIKTOK.form.url["en"])]
    assert says(card, "words")


def test_a_form_that_is_not_sure_is_not_shown() -> None:
    assert told(("Facebook", "not_blocked")).links == ()


@pytest.mark.parametrize("list", ["adults", "minors", None])
def test_where_something_was_blocked_it_is_said_what_to_do_about_a_new_copy(
    list: List | None,
) -> None:
    card = told(("TikTok", "blocked"), list=list)
    assert says(card, f"copy.{list or 'minors'}")
    assert not says(card, "words")


@pytest.mark.parametrize("language", LANGUAGES)
def test_c17_under_18_no_copy_is_asked_for_opened_or_added(language: Language) -> None:
    minors = TEXTS.say("show.status.copy.minors", language)
    adults = TEXTS.say("show.status.copy.adults", language)
    for word in ("add it", "เพิ่ม", "añadir"):
        assert word not in minors
    assert any(word in adults for word in ("add it", "เพิ่ม", "añadir"))


@pytest.mark.parametrize(("country", "hours"), [("US", "48"), ("TH", None), (None, None)])
def test_the_48_hour_rule_stands_where_the_law_has_it(
    country: Country | None, hours: str | None
) -> None:
    card = told(("TikTok", "not_blocked"), country=country)
    assert any("48 hours" in line for line in card.lines) is bool(hours)


def test_of_a_case_that_was_withdrawn_no_step_is_next() -> None:
    shelf = Shelf(HelpLines(TEXTS, "en", "US", NOW), "adults")
    gone = Standing("Withdrawn", 1, (Told("TikTok", "stop_seen"),), opened=NOW - QUIET_AFTER)
    card = tell_case(shelf, "N", gone)
    assert len(card.lines) == 3
    assert card.links == ()
