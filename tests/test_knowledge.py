"""The shelf: every fact has its sources and its day, and a wrong one is rather left out."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import get_args

import pytest

from bot.cases.eligibility import List
from bot.channels import Message
from bot.conversation.engine import step
from bot.conversation.flows import TABLE
from bot.conversation.model import (
    LANGUAGES,
    Alarm,
    AlarmSign,
    Country,
    Language,
    Meaning,
    MessageId,
    NodeId,
    Said,
    Send,
    State,
)
from bot.conversation.shows import PLATFORMS, Age, Platform, Show
from bot.conversation.table import Ask
from bot.helplines import HelpLines
from bot.knowledge import (
    AGING,
    LIKELY,
    STALE,
    HelpLine,
    Need,
    Record,
    all_facts,
    all_laws,
    choose,
    emergency,
    facts,
    help_lines,
    laws,
    official_page,
    platform,
    platforms,
    records,
)
from bot.knowledge.lines import Hours
from bot.shelf import Shelf
from bot.store import ConversationId, EffectId
from bot.store.sqlite import SqliteStore
from bot.text import load_texts
from bot.voice import Asked, Operator, Voice
from tests.talking import HOME, VAULT


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


CHECKED = max(one.papers.checked for one in records())
TODAY = noon(CHECKED + timedelta(days=1))
LATER = noon(CHECKED + STALE + timedelta(days=1))
_ASK = TABLE[NodeId("ask.country")]
assert isinstance(_ASK, Ask)
OFFERED = [option.value for option in _ASK.options if option.value != "ZZ"]
EVERYWHERE: tuple[Country, ...] = get_args(Country)
NEEDS: tuple[Need, ...] = get_args(Need)
AGES: tuple[Age | None, ...] = (None, *get_args(Age))


def chosen(
    country: Country, need: Need, at: datetime, age: Age | None = None, language: Language = "es"
) -> tuple[HelpLine, ...]:
    return choose(country, language, need, age, at)


# ---------------------------------------------------------------- C8


@pytest.mark.parametrize("country", OFFERED)
def test_c8_each_country_offered_has_a_sure_emergency_number_of_two_sources(country: Country):
    line = emergency(country, "en", TODAY)
    assert line is not None
    assert line.sure
    assert len(line.sources) >= 2
    assert re.fullmatch(r"[0-9]{3}", line.number)


@pytest.mark.parametrize("country", OFFERED)
def test_c8_an_emergency_number_is_never_dropped_for_its_age(country: Country) -> None:
    much_later = TODAY + timedelta(days=5_000)
    assert emergency(country, "en", much_later) == emergency(country, "en", TODAY)


def test_c8_where_a_language_is_likely_spoken_is_among_the_countries_offered() -> None:
    assert {country for language in LANGUAGES for country in LIKELY[language]} <= {*OFFERED}


@pytest.mark.parametrize("language", LANGUAGES)
def test_c8_the_card_names_one_number_a_likely_country(language: Language) -> None:
    card = HelpLines(load_texts(), language, None, LATER).emergency_numbers().lines
    numbers = [line.number for c in LIKELY[language] if (line := emergency(c, language, LATER))]
    assert len(card) == len(numbers) == len(LIKELY[language])
    assert all(number in line for number, line in zip(numbers, card, strict=True))


def test_c8_everywhere_else_the_international_directory_serves() -> None:
    assert any(line.url for line in chosen("ZZ", "crisis", LATER))


# ---------------------------------------------------------------- choosing


def shown(at: datetime) -> list[HelpLine]:
    return [
        line
        for place in EVERYWHERE
        for need in NEEDS
        for age in AGES
        for line in chosen(place, need, at, age)
    ]


def test_what_is_not_sure_is_never_shown() -> None:
    assert any(not line.sure for line in help_lines())
    assert all(line.sure for line in shown(TODAY))


def test_after_half_a_year_all_is_still_shown_and_after_a_year_only_crisis_numbers() -> None:
    aged = noon(CHECKED + AGING + timedelta(days=1))
    assert shown(aged) == shown(TODAY)
    assert {line.kind for line in shown(LATER)} == {"emergency", "suicide"}


def test_the_most_urgent_kind_comes_first() -> None:
    for country in OFFERED:
        kinds = [line.kind for line in chosen(country, "crisis", TODAY)]
        assert kinds == sorted(kinds, key=("emergency", "suicide").index)


def test_for_under_18_the_child_line_comes_before_all_that_is_open() -> None:
    for country in ("TH", "ES", "CO", "AR", "CL", "US", "GB"):
        assert chosen(country, "people", TODAY, "under18")[0].kind == "child"


def test_an_adult_is_shown_no_line_for_children_and_who_was_young_then_keeps_the_adults_line() -> (
    None
):
    for country in OFFERED:
        assert all(line.ages != "under18" for line in chosen(country, "people", TODAY, "adult"))
    last = chosen("GB", "people", TODAY, "under18")[-1]
    assert (last.name, last.ages) == ("Revenge Porn Helpline", "adult")


def test_a_line_that_is_closed_at_this_hour_comes_after_the_open_ones() -> None:
    monday = datetime(2026, 11, 30, tzinfo=UTC)
    by_day = chosen("PE", "people", monday.replace(hour=17), "under18")
    by_night = chosen("PE", "people", monday.replace(hour=4), "under18")
    assert by_day[0].number == by_night[-1].number == "1810"


def test_hours_are_read_by_the_clock_of_the_country() -> None:
    line = next(one for one in help_lines() if one.number == "017")
    assert line.open(datetime(2026, 7, 1, 6, 30, tzinfo=UTC))  # half past eight in Madrid
    assert not line.open(datetime(2026, 1, 1, 6, 30, tzinfo=UTC))  # half past seven
    weekdays = Hours(10, 16, 5)
    assert weekdays.open(datetime(2026, 11, 27, 10, tzinfo=UTC))
    assert not weekdays.open(datetime(2026, 11, 28, 10, tzinfo=UTC))


def test_a_line_that_speaks_the_language_comes_first_within_its_kind() -> None:
    speaks = [line.speaks() for line in chosen("US", "crisis", TODAY, language="es")]
    assert [one for one in speaks if "es" in one] == speaks[1:]


@pytest.mark.parametrize(
    ("first", "said"), [(True, "8:00–23:00"), (False, "closed now, open 8:00–23:00")]
)
def test_hours_and_a_foreign_language_are_said_before_anyone_calls(first: bool, said: str) -> None:
    at = TODAY.replace(hour=12 if first else 2)
    card = HelpLines(load_texts(), "en", "ES", at).card("people")
    (line,) = [one for one in card.lines if ": 017 / WhatsApp" in one]
    assert f"in Spanish · {said}:" in line


def test_that_somebody_answers_at_night_is_said_only_where_it_is_known() -> None:
    at_night = TODAY.replace(hour=20)
    said = HelpLines(load_texts(), "th", "TH", at_night).card("crisis").lines
    assert any(one.endswith("24 ชั่วโมง: 1323") for one in said)
    doubted = [one for one in help_lines() if one.hours.startswith("24 h not")]
    assert doubted
    assert not any(one.always() for one in doubted)


# ---------------------------------------------------------------- every entry


def named(one: Record) -> str:
    return f"{one.kind} {one.country} {one.name}"


@pytest.mark.parametrize("one", records(), ids=named)
def test_every_entry_is_dated_sourced_and_sure_only_with_two_sources_or_its_own_page(
    one: Record,
) -> None:
    papers = one.papers
    assert date(2026, 1, 1) <= papers.checked <= datetime.now(UTC).date()
    assert papers.sources
    assert all(source.strip() for source in papers.sources)
    enough = len({*papers.sources}) >= 2
    assert not papers.sure or enough or "own" in papers.sources[0]


@pytest.mark.parametrize("one", records(), ids=named)
def test_what_is_not_sure_says_why_and_what_would_settle_it(one: Record) -> None:
    assert one.papers.sure == (not one.papers.settle)
    assert one.papers.sure or one.papers.doubts


@pytest.mark.parametrize("line", help_lines(), ids=lambda line: f"{line.country} {line.name}")
def test_every_line_can_be_dialled_or_opened_and_is_sure_only_with_two_sources(
    line: HelpLine,
) -> None:
    assert line.number or line.sms or line.chat or line.url
    assert re.fullmatch(r"[0-9*()+ -]*", line.number)
    assert re.fullmatch(r"(https://[a-z0-9./-]+)?", line.url)
    assert line.country in {*EVERYWHERE, "EU"}
    assert line.for_whom
    assert line.hours
    assert line.languages
    assert not line.sure or len({*line.sources}) >= 2


@pytest.mark.parametrize("name", get_args(List))
def test_every_official_page_is_in_every_language(name: List) -> None:
    page = official_page(name)
    assert {*page.url} == {*LANGUAGES}
    assert all(url.startswith("https://") for url in page.url.values())


DOMAINS: dict[Platform, str] = {
    "x": "x.com", "google": "google.com", "youtube": "google.com", "bing": "microsoft.com",
    "line": "line.me", "snapchat": "snap.com", "messenger": "facebook.com",
}  # fmt: skip
"""Where a platform's own pages lie, when not at its own name."""


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_platforms_page_lies_on_its_own_domain(name: Platform) -> None:
    form = platform(name).form
    own = DOMAINS.get(name, f"{name}.com")
    for url in {*form.url.values()} - {""} if form else ():
        assert re.fullmatch(rf"https://([a-z]+\.)*{re.escape(own)}/[\w/?=.-]+", url)


def test_line_and_telegram_are_on_neither_list() -> None:
    for name in ("line", "telegram"):
        assert {*platform(name).takes_part(TODAY.date()).values()} == {"no"}


def test_of_a_list_that_may_not_be_shown_nothing_is_claimed() -> None:
    assert platform("reddit").takes_part(TODAY.date()) == {"minors": "unknown", "adults": "yes"}
    assert {*platform("tiktok").takes_part(LATER.date()).values()} == {"unknown"}


def ids(country: Country, age: Age | None) -> list[str]:
    return [one.id for one in laws(country, age, TODAY.date())]


def test_laws_for_adults_only_are_not_told_to_someone_under_18() -> None:
    assert ids("MX", None) == ["mx.olimpia"]
    assert ids("MX", "under18") == []
    assert {*ids("TH", "adult")} == {*ids("TH", None)} - {"th.child"}


def test_after_a_year_no_law_and_no_fact_is_told() -> None:
    assert laws("TH", None, TODAY.date())
    assert facts("instagram", None, TODAY.date())
    assert laws("TH", None, LATER.date()) == ()
    assert facts("instagram", None, LATER.date()) == ()


# ---------------------------------------------------------------- what a person is shown


def shelf(
    language: Language, country: Country | None, at: datetime = TODAY, age: Age | None = None
):
    return Shelf(HelpLines(load_texts(), language, country, at, age), "minors")


def test_the_police_card_names_the_one_true_site_and_warns_of_false_ones() -> None:
    card = shelf("th", None).police()
    assert "https://thaipoliceonline.go.th" in card.lines[0]
    assert load_texts().say("police.fake", "th") in card.lines
    assert [call.label for call in card.calls] == ["191"]


def test_where_the_police_take_it_at_a_station_only_that_is_said() -> None:
    station = load_texts().say("police.station", "es")
    assert station in shelf("es", "ES").police().text
    assert station in shelf("es", "PE").police().text
    assert station not in shelf("es", "CO").police().text


def test_without_a_country_there_is_an_emergency_number_each_and_no_law() -> None:
    assert len(shelf("es", None).police().calls) == len(LIKELY["es"])
    assert shelf("es", None).law().lines == (load_texts().say("law.where", "es"),)


def test_elsewhere_the_phones_own_emergency_call_is_named_without_digits() -> None:
    card = shelf("en", "ZZ").police()
    assert load_texts().say("show.phone_emergency", "en") in card.text
    assert card.calls == ()
    assert not re.search(r"\d", card.text)


@pytest.mark.parametrize("country", ["AR", "CO", "CL", "ZZ"])
def test_where_no_law_is_sure_none_is_told(country: Country) -> None:
    assert shelf("es", country).law().lines == (load_texts().say("law.none", "es"),)


def test_the_thai_court_order_is_told_with_what_is_not_known_of_it() -> None:
    law = shelf("en", "TH").law().text
    assert "284/4" in law
    assert "CIOS" in law
    assert "ThaID, is not known" in law
    assert "24 hours" not in law


def test_thai_years_are_those_of_the_thai_calendar() -> None:
    assert "2569" in shelf("th", "TH").law().text
    assert "2026" not in shelf("th", "TH").law().text
    assert "2026" in shelf("en", "TH").law().text


def test_a_card_says_the_month_it_was_checked_in() -> None:
    assert shelf("en", None).platform("line").lines[-1] == "Checked: November 2026"
    assert "พฤศจิกายน 2569" in shelf("th", None).platform("line").lines[-1]


def test_a_card_too_old_falls_back_to_what_holds_in_any_app() -> None:
    card = shelf("en", None, LATER).platform("discord")
    assert load_texts().say("platform.other", "en") in card.lines[0]
    assert card.links == ()
    assert not any("Checked" in line for line in card.lines)


def test_a_platform_that_takes_part_has_the_lists_own_page_beside_it() -> None:
    links = shelf("th", None).platform("instagram").links
    assert [link.url for link in links] == [official_page("minors").url["th"]]
    assert [link.label for link in shelf("en", None).platform("telegram").links] == []


def test_the_older_rule_of_instagram_is_told_with_what_replaced_it() -> None:
    said = shelf("en", None).facts("instagram").text
    assert "adults over 19" in said
    assert "Since January 2024" in said


@pytest.mark.parametrize("age", [None, "under18"])
def test_how_much_was_found_of_children_is_told_only_where_18_is_known(age: Age | None) -> None:
    assert "over 16 million" not in shelf("en", None, age=age).facts("instagram").text
    assert "over 16 million" in shelf("en", None, age="adult").facts("instagram").text


def test_of_a_platform_without_facts_that_is_said() -> None:
    assert "nothing checked" in shelf("en", None).facts("bing").text


# ---------------------------------------------------------------- in the chat


SHOWS: tuple[Show, ...] = (
    "crisis", "crisis_young", "danger", "emergency_line", "child_lines", "people", "official",
    "readers", "police", "law",
)  # fmt: skip
OF_PLATFORMS: tuple[Show, ...] = ("platform", "platform_facts")
CONTACT = re.compile(r"https?://\S+|\S+@\S+|(?<![\w./-])[*(+]?[0-9][0-9 ()-]*[0-9](?![\w./%-])")


def contacts(text: str) -> set[str]:
    return {found.rstrip(".,)") for found in CONTACT.findall(text)}


def on_the_shelf() -> str:
    lines = [
        f"{one.number} | {one.sms} | {one.chat} | {one.url} | {one.name}" for one in help_lines()
    ]
    hours = [f"{one.opens.first} | {one.opens.last}" for one in help_lines() if one.opens]
    pages = [url for name in get_args(List) for url in official_page(name).url.values()]
    forms = [card.form for card in platforms() if card.form]
    own = [text for form in forms for text in (*form.url.values(), form.mail)]
    values = [" | ".join(one.values.values()) for one in (*all_laws(), *all_facts())]
    dates = [f"{one.papers.checked.year} {one.papers.checked.year + 543}" for one in records()]
    years = [str(int(v) + 543) for one in (*all_laws(), *all_facts()) for v in one.values.values()
             if re.fullmatch("20[0-9]{2}", v)]  # fmt: skip
    return "\n".join([*lines, *hours, *pages, *own, *values, *dates, *years])


def said(
    folder: Path, ask: Callable[[Callable[[Send, datetime], Awaitable[Message]]], Awaitable[None]]
) -> None:
    """Put sends into words with a voice over a store of its own."""

    async def whole() -> None:
        store = SqliteStore.open(folder / "sala.db", VAULT)
        voice = Voice(load_texts(), store, VAULT, Operator("", "", 24), HOME)

        async def message(send: Send, at: datetime) -> Message:
            return await voice.message(Asked(EffectId("e"), send, ConversationId(b"c" * 16), at))

        try:
            await ask(message)
        finally:
            await store.close()

    asyncio.run(whole())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_number_and_address_that_is_shown_stands_on_the_shelf(
    language: Language, tmp_path: Path
) -> None:
    found: set[str] = set()
    of_country = [
        Send(MessageId("bland"), show=show, language=language, country=place, age=age)
        for show in SHOWS
        for place in (None, *EVERYWHERE)
        for age in AGES
    ]
    of_platform = [
        Send(MessageId("bland"), show=show, language=language, platform=name, list="minors")
        for show in OF_PLATFORMS
        for name in PLATFORMS
    ]

    async def ask(message: Callable[[Send, datetime], Awaitable[Message]]) -> None:
        for send in (*of_country, *of_platform):
            shown = await message(send, TODAY)
            found.update(contacts(shown.text), (link.url for link in shown.links))
            found.update(call.label for call in shown.calls)

    said(tmp_path, ask)
    assert len(found) > 60
    shelf_text = on_the_shelf()
    assert {one for one in found if one not in shelf_text} - {"18", "(18"} == set()


ALARMS: tuple[tuple[Alarm, bool], ...] = (
    ("self_harm", False), ("immediate_danger", False), ("abuser_present", True),
    ("under_13", False),
)  # fmt: skip
"""Each alarm; someone who reads along with danger named beside it (C9)."""


@pytest.mark.parametrize("at", [TODAY, LATER], ids=["fresh", "stale"])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("alarm", "danger"), ALARMS)
def test_no_alarm_in_any_country_and_language_is_answered_without_something_to_do(
    alarm: Alarm, danger: bool, language: Language, at: datetime, tmp_path: Path
) -> None:
    texts = load_texts()
    also = ("immediate_danger",) if danger else ()
    heard = Meaning(
        language=language, alarm=AlarmSign(alarm, "hard"), intent=alarm, confidence=0.95, also=also,
        own_age=11 if alarm == "under_13" else None,
    )  # fmt: skip
    without: list[Country | None] = []

    async def ask(message: Callable[[Send, datetime], Awaitable[Message]]) -> None:
        for country in (None, *EVERYWHERE):
            state = State(node=NodeId("ask.who"), language=language, chosen_language=True)
            state = state.with_answer("phone", "own")
            state = state.with_answer("country", country) if country else state
            done = step(state, Said(at, heard))
            sends = [one for one in done.effects if isinstance(one, Send)]
            messages = [await message(one, at) for one in sends]
            words = "\n".join(one.text for one in messages)
            phone = texts.say("show.phone_emergency", language) in words
            none = texts.say("show.people.none", language) in words
            number = any(one.calls for one in messages) or re.search(r"\b\d{3}\b", words)
            if not (number or phone or none or "https://" in words or quiet(done.state)):
                without.append(country)

    def quiet(state: State) -> bool:
        """C9 in a country without a number of its own: the bland line, and nothing else."""
        return state.silent and state.answer("country") == "ZZ"

    said(tmp_path, ask)
    assert without == []
