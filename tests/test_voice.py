"""The voice: what stands under a text, in every language, and what never does."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from bot.cases.hashes import Hash, Item
from bot.cases.status import FeedbackValue, Outcome
from bot.channels import Message
from bot.conversation.engine import step
from bot.conversation.flows import TABLE
from bot.conversation.model import LANGUAGES, Country, Language, MessageId, News, Send, State
from bot.conversation.shows import Show
from bot.conversation.table import Ask, Tell
from bot.conversation.walk import send
from bot.knowledge import LIKELY, emergency, official_page
from bot.store import ConversationId, EffectId, Registered, Ticket, TicketRefused
from bot.store.sqlite import SqliteStore
from bot.text import load_texts
from bot.voice import TICKET_LIVES, Asked, Operator, Voice, ticket_digest
from tests.talking import HOME, PICTURE, VAULT

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
ANN = ConversationId(b"a" * 16)
TEXTS = load_texts()
SHOWS: tuple[Show, ...] = get_args(Show)
COUNTRIES: tuple[Country | None, ...] = (None, *get_args(Country))


@dataclass
class Desk:
    """A voice over a store."""

    store: SqliteStore
    voice: Voice

    async def shows(self, show: Show | None, id: str = "e", **more: object) -> Message:
        fields = {"text": MessageId("bland"), "show": show, "list": "adults", **more}
        now = NOW + timedelta(0)
        return await self.voice.message(Asked(EffectId(id), Send(**fields), ANN, now))

    async def case(self, id: str = "case") -> Registered:
        message = await self.shows("app", id)
        item = Item("image", (Hash("pdq", "512", PICTURE, 90),))
        return await self.store.register(digest_of(message), [item], NOW)

    async def says(self, name: str, word: FeedbackValue) -> None:
        await self.store.add_partner(name, ["adults"], NOW)
        partner = next(one for one in await self.store.partners() if one.name == name)
        await self.store.feed(partner, ["adults"], 0, None, 9, NOW)
        await self.store.give_feedback(partner, [(PICTURE, word, ())], NOW + timedelta(seconds=1))

    async def status(self, case: Registered, language: Language = "en") -> Message:
        return await self.shows("status", language=language, values=(("number", case.number),))


def digest_of(message: Message) -> bytes:
    (link,) = message.links
    return ticket_digest(VAULT, link.url.partition("#")[2])


def play(folder: Path, story: Callable[[Desk], Awaitable[None]], operator: str = "") -> None:
    async def told() -> None:
        store = SqliteStore.open(folder / "sala.db", VAULT, lambda: NOW)
        who = Operator(operator, "help@sala.example", 24)
        try:
            await story(Desk(store, Voice(TEXTS, store, VAULT, who, HOME)))
        finally:
            await store.close()

    asyncio.run(told())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("show", SHOWS)
def test_everything_that_is_shown_has_words_in_every_language_and_country(
    show: Show, language: Language, tmp_path: Path
) -> None:
    async def story(desk: Desk) -> None:
        for country in COUNTRIES:
            message = await desk.shows(show, language=language, country=country)
            text, _, below = message.text.partition("\n\n")
            assert text == TEXTS.say("bland", language)
            nothing = show == "passed" or (show, country) == ("emergency_line", "ZZ")
            assert below or message.links or nothing
            assert message.text == message.text.strip()
            assert "{" not in message.text
            assert message.preview == TEXTS.say("preview", language)

    play(tmp_path, story)


def test_the_preview_is_one_neutral_line_whatever_is_said(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        case = await desk.case()
        previews = {(await desk.shows(show)).preview for show in (None, *SHOWS)}
        assert previews == {(await desk.status(case)).preview} == {"You have a message"}

    play(tmp_path, story)


# ---------------------------------------------------------------- C8, C9: numbers


@pytest.mark.parametrize("language", LANGUAGES)
def test_c8_with_the_country_unknown_one_number_a_likely_country_is_named(
    language: Language, tmp_path: Path
) -> None:
    async def story(desk: Desk) -> None:
        message = await desk.shows("crisis", language=language)
        several = len(LIKELY[language]) > 1
        for country in LIKELY[language]:
            line, name = (
                emergency(country, language, NOW),
                TEXTS.say(f"country.{country}", language),
            )
            assert line is not None
            said = [one for one in message.text.splitlines() if f": {line.number}" in one]
            assert any(one.startswith(name if several else "") for one in said)
            assert f"tel:{line.number}" in {call.url for call in message.calls}

    play(tmp_path, story)


def test_c8_with_the_country_known_no_other_countrys_number_is_named(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        text = (await desk.shows("crisis", language="es", country="CO")).text
        assert "123" in text
        assert "024" not in text, "Spanish does not mean Spain"

    play(tmp_path, story)


def test_c8_elsewhere_the_phones_own_emergency_call_is_named(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        for show in ("crisis", "danger"):
            text = (await desk.shows(show, country="ZZ")).text
            assert TEXTS.say("show.phone_emergency", "en") in text
            assert text.count("https://") == (show == "crisis"), "the directory, once"

    play(tmp_path, story)


@pytest.mark.parametrize("language", LANGUAGES)
def test_c9_beside_the_bland_line_stand_numbers_alone(language: Language, tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        for country in (None, *LIKELY[language]):
            message = await desk.shows("emergency_line", language=language, country=country)
            below = message.text.partition("\n\n")[2]
            assert below
            assert not any(letter.isalpha() for letter in below)

    play(tmp_path, story)


# ---------------------------------------------------------------- C7: who reads the list


@pytest.mark.parametrize("language", LANGUAGES)
def test_c7_with_no_reader_the_official_page_comes_first_as_a_link(
    language: Language, tmp_path: Path
) -> None:
    async def story(desk: Desk) -> None:
        for name in ("minors", "adults"):
            message = await desk.shows("readers", language=language, list=name)
            assert message.links[0].url == official_page(name).url[language]
            assert TEXTS.say("show.readers.none", language) in message.text
            assert TEXTS.say("show.readers.chats", language) in message.text

    play(tmp_path, story)


def test_c7_only_who_reads_this_list_today_is_named(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        await desk.store.add_partner("Chirp", ["adults"], NOW)
        adults, minors = [await desk.shows("readers", list=name) for name in ("adults", "minors")]
        assert "Chirp" in adults.text
        assert adults.links == ()
        assert "Chirp" not in minors.text

    play(tmp_path, story)


def test_c6_who_runs_it_is_named_with_how_long_codes_are_kept(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        text = (await desk.shows("operator")).text
        assert all(word in text for word in ("A charity", "24", "help@sala.example"))

    play(tmp_path, story, "A charity")


# ---------------------------------------------------------------- the mini-app's link


def test_the_links_ticket_is_the_same_for_the_same_effect_and_works_once(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        older, first, again = [await desk.shows("app", id) for id in ("e1", "e2", "e2")]
        assert older.links != first.links == again.links
        assert first.links[0].app
        item = Item("image", (Hash("pdq", "512", PICTURE, 90),))
        with pytest.raises(TicketRefused):
            await desk.store.register(digest_of(older), [item], NOW)
        await desk.store.register(digest_of(first), [item], NOW)
        with pytest.raises(TicketRefused):
            await desk.store.register(digest_of(again), [item], NOW)

    play(tmp_path, story)


def test_the_links_ticket_ends_after_its_hour(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        digest = digest_of(await desk.shows("app"))
        almost = NOW + TICKET_LIVES - timedelta(seconds=1)
        assert (await desk.store.look(digest, almost)).conversation == ANN
        with pytest.raises(TicketRefused):
            await desk.store.look(digest, NOW + TICKET_LIVES)

    play(tmp_path, story)


def test_the_link_to_a_pin_opens_the_page_of_its_case_for_an_hour(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        sent = Ticket(b"s" * 16, ANN, "adults", NOW + TICKET_LIVES)
        item = Item("image", (Hash("pdq", "512", PICTURE, 90),))
        case = await desk.store.register_sent(sent, [item], NOW)
        assert case
        shown = await desk.shows("pin", values=(("number", case.number),))
        (link,) = shown.links
        assert (link.app, link.opens) == (True, "pin")
        assert re.fullmatch(f"{HOME}/app#en-pin-[0-9a-f]{{32}}", link.url)
        with pytest.raises(TicketRefused, match="expired"):
            await desk.store.show_pin(digest_of(shown), NOW + TICKET_LIVES)
        assert (await desk.store.show_pin(digest_of(shown), NOW)).number == case.number

    play(tmp_path, story)


def test_the_token_is_behind_the_hash_sign_where_no_server_log_sees_it(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        (link,) = (await desk.shows("app", language="th")).links
        page, _, token = link.url.partition("#")
        assert page == f"{HOME}/app"
        assert token.startswith("th-")
        assert len(token) == 3 + 32

    play(tmp_path, story)


# ---------------------------------------------------------------- the case


WORDS: dict[Outcome, FeedbackValue] = {
    "shared": "None",
    "looking": "PendingReview",
    "blocked": "Blocked",
    "not_blocked": "NotBlocked",
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("outcome", WORDS)
def test_each_outcome_has_its_line_with_a_support_line_below(
    outcome: Outcome, language: Language, tmp_path: Path
) -> None:
    async def story(desk: Desk) -> None:
        case = await desk.case()
        await desk.says("Chirp", WORDS[outcome])
        text = (await desk.status(case, language)).text
        assert case.number in text
        assert TEXTS.say(f"show.status.{outcome}", language, partner="Chirp") in text
        assert text.endswith(TEXTS.say("show.status.support", language))

    play(tmp_path, story)


def test_a_case_without_an_answer_yet_says_so(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        text = (await desk.status(await desk.case())).text
        assert TEXTS.say("show.status.none", "en") in text

    play(tmp_path, story)


def test_a_withdrawal_that_waits_and_one_that_is_done_are_said(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        case = await desk.case()
        await desk.says("Chirp", "Blocked")
        await desk.store.withdraw(case.number, NOW + timedelta(hours=48), erase=False)
        assert TEXTS.say("show.status.leaving", "en") in (await desk.status(case)).text
        await desk.store.sweep(NOW + timedelta(hours=48))
        text = (await desk.status(case)).text
        assert TEXTS.say("show.status.withdrawn", "en") in text
        assert TEXTS.say("show.status.blocked", "en", partner="Chirp") not in text

    play(tmp_path, story)


def test_a_case_that_is_not_there_and_no_number_at_all_sound_the_same(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        unknown = await desk.shows("status", values=(("number", "AAA-AAA-AAA"),))
        assert unknown.text == (await desk.shows("status")).text

    play(tmp_path, story)


# ---------------------------------------------------------------- C15: pushes


@pytest.mark.parametrize("language", LANGUAGES)
def test_c15_a_push_names_no_platform_no_case_and_no_outcome(
    language: Language, tmp_path: Path
) -> None:
    async def story(desk: Desk) -> None:
        case = await desk.case()
        await desk.says("Chirp", "NotBlocked")
        state = State(language=language, number=case.number, images=1)
        done = step(state.with_answer("phone", "own"), News(NOW, case.number))
        (push,) = [one for one in done.effects if isinstance(one, Send)]
        assert push.daytime
        message = await desk.voice.message(Asked(EffectId("p"), push, ANN, NOW))
        assert "Chirp" not in message.text + message.preview
        assert case.number not in message.text + message.preview
        assert message.links == ()

    play(tmp_path, story)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_line_of_every_flow_can_be_said(language: Language, tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        state = State(language=language, number="AAA-AAA-AAA", images=1)
        for node in TABLE.values():
            for line in node.lines if isinstance(node, Ask | Tell) else ():
                said = send(state, line)
                message = await desk.voice.message(Asked(EffectId(node.id), said, ANN, NOW))
                assert message.text.strip()

    play(tmp_path, story)
