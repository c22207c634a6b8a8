"""Limits, for each person and for all together: whoever is over one, or waits because of others, is
shown the help card in their own language, on every door, and nobody else notices."""

import asyncio
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from bot.app import Sala
from bot.channels import Message
from bot.channels.crowd import MOST, WITHIN, Cards, Crowd
from bot.channels.line_address import key_of as line_key
from bot.channels.telegram_wire import key_of as telegram_key
from bot.conversation.model import LANGUAGES, Language
from bot.settings import read_settings
from bot.store.sqlite import SqliteStore
from bot.text import load_texts
from tests.peers.line_talk import ANN, Account, play
from tests.talking import DAY, VAULT
from tests.telegram_town import ANN as CHAT
from tests.telegram_town import BOB, Town, live, until

OTHER = "U" + "b" * 32
AT_ONCE = 0.0
"""Seconds after which an answer counts as late."""


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> Cards:
    """Those of the running Sala."""
    folder = tmp_path_factory.mktemp("cards")
    settings = read_settings({"SALA_DATA_DIR": str(folder)}, folder / ".env")
    store = SqliteStore.open(folder / "sala.db", VAULT, lambda: DAY)
    made = Sala(settings, VAULT, load_texts(), store, lambda: DAY).ground().cards
    asyncio.run(store.close())
    return made


def card_in(said: list[str], cards: Cards, language: Language) -> int:
    """How often the card of this language was shown."""
    return sum(cards[language].text.split("\n\n")[0] in one for one in said)


def shown(said: list[str], cards: Cards) -> dict[Language, int]:
    return {one: card_in(said, cards, one) for one in LANGUAGES}


def once(language: Language) -> dict[Language, int]:
    return {one: int(one == language) for one in LANGUAGES}


def writes_too_much(crowd: Crowd, key: bytes, now: datetime) -> None:
    while crowd.hears(key, now):
        pass


def test_so_many_messages_of_one_person_are_heard_and_then_none_for_a_while() -> None:
    crowd, now = Crowd(), DAY
    assert [crowd.hears(b"ann", now) for _ in range(MOST + 2)] == [True] * MOST + [False] * 2
    assert crowd.hears(b"bob", now)
    assert crowd.hears(b"ann", now + WITHIN)


def none_waits(crowd: Crowd) -> None:
    """No card for lateness in this story."""
    crowd.late = None


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_card_names_emergency_numbers_and_its_preview_says_nothing(
    cards: Cards, language: Language
) -> None:
    card = cards[language]
    assert any(letter.isdigit() for letter in card.text)
    assert card.calls
    assert card.preview == load_texts().say("preview", language)


# ---------------------------------------------------------------- one person who writes too much


@pytest.mark.parametrize("language", LANGUAGES)
def test_on_line_who_writes_too_much_is_shown_the_card_once_and_is_heard_again_later(
    tmp_path: Path, cards: Cards, language: Language
) -> None:
    async def story(sala: Account) -> None:
        open_doors(sala, cards)
        none_waits(sala.channel.crowd)
        await sala.hears(sala.event("follow", follow={"isUnblocked": False}))
        await sala.says(load_texts().say("door.language_name", language))
        sala.line.chats.clear()
        writes_too_much(sala.channel.crowd, line_key(ANN), sala.now)
        await sala.hears(*(sala.text("hello") for _ in range(5)))
        await settled(sala)
        assert shown(sala.line.said(ANN), cards) == once(language)
        assert len(sala.line.chats[ANN]) == 1, "nothing else is answered"
        await sala.hears(sala.event("follow", OTHER, follow={"isUnblocked": False}))
        assert sala.line.chats[OTHER], "somebody else is answered meanwhile"
        sala.now += WITHIN
        await sala.says("hello")
        assert len(sala.line.chats[ANN]) > 1

    play(tmp_path, story)


async def settled(sala: Account) -> None:
    """What is shown beside the worker is out."""
    await asyncio.gather(*sala.channel._showing)


def open_doors(sala: Account, cards: Cards) -> None:
    sala.door = replace(sala.door, cards=cards)
    sala.serve()


def test_on_line_who_said_nothing_yet_is_shown_the_card_in_every_language(
    tmp_path: Path, cards: Cards
) -> None:
    async def story(sala: Account) -> None:
        open_doors(sala, cards)
        none_waits(sala.channel.crowd)
        writes_too_much(sala.channel.crowd, line_key(ANN), sala.now)
        await sala.post(sala.text("hello"))
        await settled(sala)
        assert shown(sala.line.said(ANN), cards) == dict.fromkeys(LANGUAGES, 1)
        assert sala.line.used == 0, "it costs no push"

    play(tmp_path, story)


def test_c9_after_someone_is_looking_no_card_is_shown(tmp_path: Path, cards: Cards) -> None:
    async def story(sala: Account) -> None:
        open_doors(sala, cards)
        none_waits(sala.channel.crowd)
        await sala.hears(sala.event("follow", follow={"isUnblocked": False}))
        await sala.says("he is looking at my phone")
        sala.line.chats.clear()
        writes_too_much(sala.channel.crowd, line_key(ANN), sala.now)
        await sala.post(sala.text("hello"))
        await settled(sala)
        assert sala.line.said(ANN) == []

    play(tmp_path, story)


@pytest.mark.parametrize("language", LANGUAGES)
def test_on_telegram_who_writes_too_much_is_shown_the_card_once_and_is_heard_again_later(
    tmp_path: Path, cards: Cards, language: Language
) -> None:
    async def story(sala: Town) -> None:
        sala.door = replace(sala.door, cards=cards)
        sala.serve()
        none_waits(sala.channel.crowd)
        await sala.begins()
        await sala.hears(sala.api.text(CHAT, load_texts().say("door.language_name", language)))
        writes_too_much(sala.channel.crowd, telegram_key(CHAT), sala.now)
        before, kept = len(sala.api.said(CHAT)), len(sala.kept)
        for _ in range(5):
            await sala.post(sala.api.text(CHAT, "hello"))
        await until(lambda: len(sala.api.said(CHAT)) > before)
        await sala.worker.drain()
        assert shown(sala.texts_in(), cards) == once(language)
        assert len(sala.api.said(CHAT)) == before + 1
        assert len(sala.kept) == kept, "nothing of it is kept"
        await sala.begins(BOB)
        assert sala.texts_in(BOB)
        sala.now += WITHIN
        await sala.hears(sala.api.text(CHAT, "hello"))
        assert len(sala.api.said(CHAT)) > before + 1

    live(tmp_path, story)


# ---------------------------------------------------------------- a crowd of others


def test_on_line_who_is_not_answered_in_time_is_shown_the_card(
    tmp_path: Path, cards: Cards
) -> None:
    async def story(sala: Account) -> None:
        open_doors(sala, cards)
        sala.channel.crowd.late = AT_ONCE
        await sala.post(sala.text("hello"))  # and the worker has others to turn
        await until(lambda: bool(sala.line.chats[ANN]))
        assert shown(sala.line.said(ANN), cards) == dict.fromkeys(LANGUAGES, 1)
        await sala.work()
        assert len(sala.line.chats[ANN]) > len(LANGUAGES), "the answer comes all the same"

    play(tmp_path, story)


def test_on_telegram_who_is_not_answered_in_time_is_shown_the_card(
    tmp_path: Path, cards: Cards
) -> None:
    async def story(sala: Town) -> None:
        sala.door = replace(sala.door, cards=cards)
        sala.serve()
        sala.channel.crowd.late = AT_ONCE
        await sala.post(sala.api.text(CHAT, "hola"))
        await until(lambda: bool(sala.api.said(CHAT)))
        assert shown(sala.texts_in(), cards) == once("en"), "in the language of the app"
        await sala.worker.drain()
        assert len(sala.texts_in()) > 1, "the answer comes all the same"

    live(tmp_path, story)


def test_taking_words_back_is_never_too_much(tmp_path: Path, cards: Cards) -> None:
    async def story(sala: Account) -> None:
        none_waits(sala.channel.crowd)
        writes_too_much(sala.channel.crowd, line_key(ANN), sala.now)
        await sala.post(sala.event("unsend", unsend={"messageId": "1"}))
        [claim] = await sala.store.claim({"line"}, sala.now, 10)
        assert len(claim.waiting) == 1

    play(tmp_path, story)


def test_who_was_answered_or_took_it_back_waits_no_more() -> None:
    async def story() -> None:
        shown: list[bytes] = []
        crowd = Crowd(late=AT_ONCE)
        for key in (b"answered", b"took it back", b"waits"):
            crowd.waits(key, lambda key=key: shown.append(key))  # type: ignore[misc]
        crowd.answered(b"answered", Message("id", "text", "preview"))  # type: ignore[arg-type]
        crowd.rests(b"took it back")
        await until(lambda: bool(shown))
        assert shown == [b"waits"]

    asyncio.run(story())
