"""The shelf: every fact has its sources and its day, and a wrong one is rather left out."""

import asyncio
import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import get_args

import pytest

from bot.cases.eligibility import List
from bot.conversation.flows import TABLE
from bot.conversation.model import LANGUAGES, Country, Language, MessageId, NodeId, Send, Show
from bot.conversation.table import Ask
from bot.helplines import HelpLines
from bot.knowledge import (
    FRESH,
    LIKELY,
    HelpLine,
    Need,
    choose,
    emergency,
    help_lines,
    official_page,
)
from bot.store import ConversationId, EffectId
from bot.store.sqlite import SqliteStore
from bot.text import load_texts
from bot.voice import Asked, Operator, Voice
from tests.talking import HOME, VAULT

CHECKED = max(line.checked for line in help_lines())
TODAY = CHECKED + timedelta(days=1)
LATER = CHECKED + FRESH + timedelta(days=1)
_ASK = TABLE[NodeId("ask.country")]
assert isinstance(_ASK, Ask)
OFFERED = [option.value for option in _ASK.options if option.value != "ZZ"]
EVERYWHERE: tuple[Country, ...] = get_args(Country)
NEEDS: tuple[Need, ...] = get_args(Need)


# ---------------------------------------------------------------- C8


@pytest.mark.parametrize("country", OFFERED)
def test_c8_each_country_offered_has_a_sure_emergency_number_of_two_sources(country: Country):
    line = emergency(country, TODAY)
    assert line is not None
    assert line.sure
    assert len(line.sources) >= 2
    assert re.fullmatch(r"[0-9]{3}", line.number)


@pytest.mark.parametrize("country", OFFERED)
def test_c8_an_emergency_number_is_never_dropped_for_its_age(country: Country) -> None:
    assert emergency(country, TODAY + timedelta(days=5_000)) == emergency(country, TODAY)


def test_c8_where_a_language_is_likely_spoken_is_among_the_countries_offered() -> None:
    assert {country for language in LANGUAGES for country in LIKELY[language]} <= {*OFFERED}


@pytest.mark.parametrize("language", LANGUAGES)
def test_c8_the_card_names_one_number_a_likely_country(language: Language) -> None:
    card = HelpLines(load_texts(), language, None, LATER).emergency_numbers().lines
    numbers = [line.number for c in LIKELY[language] if (line := emergency(c, LATER))]
    assert len(card) == len(numbers) == len(LIKELY[language])
    assert all(number in line for number, line in zip(numbers, card, strict=True))


def test_c8_everywhere_else_the_international_directory_serves() -> None:
    assert any(line.url for line in choose("ZZ", "crisis", LATER))


# ---------------------------------------------------------------- what is shown at all


def shown(today: date) -> list[HelpLine]:
    return [line for place in EVERYWHERE for need in NEEDS for line in choose(place, need, today)]


def test_what_is_not_sure_is_never_shown() -> None:
    assert any(not line.sure for line in help_lines())
    assert all(line.sure for line in shown(TODAY))


def test_after_half_a_year_only_emergency_and_crisis_numbers_stay() -> None:
    assert {line.kind for line in shown(TODAY)} > {"emergency", "suicide"}
    assert {line.kind for line in shown(LATER)} == {"emergency", "suicide"}


def test_the_most_urgent_kind_comes_first() -> None:
    for country in OFFERED:
        kinds = [line.kind for line in choose(country, "crisis", TODAY)]
        assert kinds == sorted(kinds, key=("emergency", "suicide").index)


# ---------------------------------------------------------------- every entry


@pytest.mark.parametrize("line", help_lines(), ids=lambda line: f"{line.country} {line.name}")
def test_every_line_is_dated_and_sure_only_with_two_sources(line: HelpLine) -> None:
    assert date(2026, 1, 1) <= line.checked <= datetime.now(UTC).date()
    assert line.sources
    assert not line.sure or len({*line.sources}) >= 2
    assert line.sure or line.doubts, "what is not sure says why"


@pytest.mark.parametrize("line", help_lines(), ids=lambda line: f"{line.country} {line.name}")
def test_every_line_can_be_dialled_or_opened(line: HelpLine) -> None:
    assert line.number or line.sms or line.url
    assert re.fullmatch(r"[0-9*()+ -]*", line.number)
    assert re.fullmatch(r"(https://[a-z0-9./-]+)?", line.url)
    assert line.country in {*EVERYWHERE, "EU"}


@pytest.mark.parametrize("name", get_args(List))
def test_every_official_page_is_sourced_and_dated_and_in_every_language(name: List) -> None:
    page = official_page(name)
    assert len(page.sources) >= 2
    assert page.checked <= datetime.now(UTC).date()
    assert {*page.url} == {*LANGUAGES}
    assert all(url.startswith("https://") for url in page.url.values())


# ---------------------------------------------------------------- what the voice shows


SHOWS: tuple[Show, ...] = (
    "crisis", "crisis_young", "danger", "emergency_line", "child_lines", "people", "official",
    "readers",
)  # fmt: skip
CONTACT = re.compile(r"https?://\S+|(?<![\w.])[*(]?[0-9][0-9 ()-]*[0-9](?!\w)")


def contacts(text: str) -> set[str]:
    return {found.rstrip(".,)") for found in CONTACT.findall(text)}


def shelf() -> str:
    lines = [f"{one.number} | {one.sms} | {one.url} | {one.name}" for one in help_lines()]
    pages = [url for name in get_args(List) for url in official_page(name).url.values()]
    return "\n".join([*lines, *pages])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_number_and_address_that_is_shown_stands_on_the_shelf(
    language: Language, tmp_path: Path
) -> None:
    async def all_shown() -> set[str]:
        store = SqliteStore.open(tmp_path / "sala.db", VAULT)
        voice = Voice(load_texts(), store, VAULT, Operator("", "", 24), HOME)
        found: set[str] = set()
        for show in SHOWS:
            for place in (None, *EVERYWHERE):
                send = Send(MessageId("bland"), show=show, language=language, country=place)
                now = datetime.combine(TODAY, time(12), UTC)
                message = await voice.message(
                    Asked(EffectId("e"), send, ConversationId(b"c" * 16), now)
                )
                found |= contacts(message.text) | {link.url for link in message.links}
                found |= {call.label for call in message.calls}
        await store.close()
        return found

    found = asyncio.run(all_shown())
    assert len(found) > 20
    assert {one for one in found if one not in shelf()} == set()
