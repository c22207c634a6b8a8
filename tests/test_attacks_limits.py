"""Limits, for each person and for all together: whoever is over one, or waits because of others, is
shown the help card in their own language, on every door, and nobody else notices."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette

from bot.app import Sala
from bot.channels.browser import routes as browser_routes
from bot.channels.browser_stream import visit_by
from bot.channels.crowd import MOST, WITHIN, Crowd
from bot.channels.line_address import Address, Token, read_address, without, write_address
from bot.channels.line_address import key_of as line_key
from bot.channels.line_faces import render
from bot.channels.lookout import PATIENCE, Cards, Lookout
from bot.channels.telegram_pace import SPARE
from bot.channels.telegram_wire import Manner
from bot.channels.telegram_wire import key_of as telegram_key
from bot.channels.telegram_wire import render as telegram_render
from bot.conversation.model import LANGUAGES, Language
from bot.settings import read_settings
from bot.store import Claimed, StoreError
from bot.store.sqlite import SqliteStore
from bot.text import load_texts
from tests.peers.line_talk import ANN, Account, play
from tests.talking import DAY, VAULT
from tests.telegram_town import ANN as CHAT
from tests.telegram_town import BOB, Town, live
from tests.test_browser_door import HOME, Peer
from tests.test_texts import NEVER

OTHER = "U" + "b" * 32
LATE = timedelta(seconds=15)


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> Cards:
    """Those of the running Sala."""
    folder = tmp_path_factory.mktemp("cards")
    settings = read_settings({"SALA_DATA_DIR": str(folder)}, folder / ".env")
    store = SqliteStore.open(folder / "sala.db", VAULT, lambda: DAY)
    made = Sala(settings, VAULT, load_texts(), store, lambda: DAY).cards("door.late")
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


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("why", ["door.late", "door.unheard"])
def test_what_is_said_below_the_card_blames_and_promises_nothing(
    language: Language, why: str
) -> None:
    said = load_texts().say(why, language)
    assert [one for one in NEVER[language] if re.search(one, said)] == []
    assert len(said) < 120


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_card_names_emergency_numbers_and_its_preview_says_nothing(
    cards: Cards, language: Language
) -> None:
    card = cards[language]
    assert any(letter.isdigit() for letter in card.text)
    assert card.calls
    assert card.preview == load_texts().say("preview", language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_at_a_glance_the_card_says_nothing_and_in_line_each_number_is_one_tap_away(
    cards: Cards, language: Language
) -> None:
    card, texts = cards[language], load_texts()
    face = render(card, texts)
    assert face["altText"] == texts.say("preview", language)
    dials = [one.split('"')[0] for one in json.dumps(face).split('"uri": "')[1:]]
    assert dials == [one.url for one in card.calls]
    [part] = telegram_render(card, Manner(texts, None))
    assert part.text.splitlines()[0] == texts.say("preview", language)
    assert all(one.label in part.text for one in card.calls)


# ---------------------------------------------------------------- one person who writes too much


@pytest.mark.parametrize("language", LANGUAGES)
def test_on_line_who_writes_too_much_is_shown_the_card_once_and_is_heard_again_later(
    tmp_path: Path, cards: Cards, language: Language
) -> None:
    async def story(sala: Account) -> None:
        open_doors(sala, cards)
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


async def settled(sala: Account | Town) -> None:
    """What is shown beside the worker is out."""
    assert sala.door.lookout
    await sala.door.lookout.look()
    channel = sala.channel
    await asyncio.gather(*(channel._asides if isinstance(sala, Town) else channel._showing))


def open_doors(sala: Account | Town, cards: Cards) -> None:
    lookout = Lookout(sala.store, cards, lambda: sala.now, LATE.total_seconds())
    sala.door = replace(sala.door, lookout=lookout)
    sala.serve()


def test_on_line_who_said_nothing_yet_is_shown_the_card_in_every_language(
    tmp_path: Path, cards: Cards
) -> None:
    async def story(sala: Account) -> None:
        open_doors(sala, cards)
        await sala.post(sala.text("hello"))
        writes_too_much(sala.channel.crowd, line_key(ANN), sala.now)
        await sala.post(sala.text("hello"))
        await settled(sala)
        assert shown(sala.line.said(ANN), cards) == dict.fromkeys(LANGUAGES, 1)
        assert sala.line.used == 0, "it costs no push"

    play(tmp_path, story)


def test_c9_after_someone_is_looking_no_card_is_shown(tmp_path: Path, cards: Cards) -> None:
    async def story(sala: Account) -> None:
        open_doors(sala, cards)
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
        open_doors(sala, cards)
        await sala.begins()
        await sala.hears(sala.api.text(CHAT, load_texts().say("door.language_name", language)))
        writes_too_much(sala.channel.crowd, telegram_key(CHAT), sala.now)
        before, kept = len(sala.api.said(CHAT)), len(sala.kept)
        for _ in range(5):
            await sala.post(sala.api.text(CHAT, "hello"))
        await settled(sala)
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


async def late(sala: Account | Town) -> None:
    sala.now += LATE
    await settled(sala)


def on_line(folder: Path, cards: Cards, story: Callable[[Account], Awaitable[None]]) -> None:
    async def told(sala: Account) -> None:
        open_doors(sala, cards)
        await story(sala)

    play(folder, told)


def test_on_line_who_is_not_answered_in_time_is_shown_the_card(
    tmp_path: Path, cards: Cards
) -> None:
    async def story(sala: Account) -> None:
        await sala.post(sala.text("hello"))  # and the worker has others to turn
        await settled(sala)
        assert not sala.line.chats[ANN], "there is time yet"
        await late(sala)
        assert shown(sala.line.said(ANN), cards) == dict.fromkeys(LANGUAGES, 1)
        await late(sala)
        assert len(sala.line.chats[ANN]) == len(LANGUAGES), "once"
        await sala.work()
        assert len(sala.line.chats[ANN]) > len(LANGUAGES), "the answer comes all the same"

    on_line(tmp_path, cards, story)


def test_who_writes_on_and_on_unanswered_is_shown_the_card_once_a_minute(
    tmp_path: Path, cards: Cards
) -> None:
    async def story(sala: Account) -> None:
        await sala.hears(sala.event("follow", follow={"isUnblocked": False}))
        await sala.says("English")
        sala.line.chats.clear()
        for _ in range(2):
            for _ in range(4):
                await sala.post(sala.text("please"))
                await late(sala)
        assert shown(sala.line.said(ANN), cards) == {**once("en"), "en": 2}

    on_line(tmp_path, cards, story)


def test_who_was_answered_waits_no_more(tmp_path: Path, cards: Cards) -> None:
    async def story(sala: Account) -> None:
        await sala.says("hello")
        before = len(sala.line.chats[ANN])
        await late(sala)
        assert len(sala.line.chats[ANN]) == before

    on_line(tmp_path, cards, story)


@pytest.mark.parametrize("words", ["he is looking at my phone", "แฟนอ่านแชทนี้อยู่"])
def test_c9_who_wrote_that_somebody_is_looking_is_not_shown_the_card_before_the_answer(
    tmp_path: Path, cards: Cards, words: str
) -> None:
    async def story(sala: Account) -> None:
        await sala.post(sala.text("hello"))
        await sala.post(sala.text(words))
        await late(sala)
        assert not sala.line.chats[ANN]

    on_line(tmp_path, cards, story)


def test_c9_a_process_that_began_after_the_silence_knows_of_it(
    tmp_path: Path, cards: Cards
) -> None:
    async def story(sala: Account) -> None:
        await sala.says("he is looking at my phone")
        await sala.channel.close()
        sala.restart()
        open_doors(sala, cards)
        sala.line.chats.clear()
        await sala.post(sala.text("hello"))
        await late(sala)
        assert not sala.line.chats[ANN]

    on_line(tmp_path, cards, story)


def test_who_took_the_words_back_or_left_is_shown_nothing(tmp_path: Path, cards: Cards) -> None:
    async def story(sala: Account) -> None:
        await sala.post(sala.text("hello", id="7"))
        await sala.post(sala.event("unsend", unsend={"messageId": "7"}))
        await late(sala)
        assert not sala.line.chats[ANN]

    on_line(tmp_path, cards, story)


def test_who_wrote_long_ago_is_left_to_the_answer(tmp_path: Path, cards: Cards) -> None:
    async def story(sala: Account) -> None:
        await sala.post(sala.text("hello"))
        sala.now += PATIENCE
        await late(sala)
        assert not sala.line.chats[ANN]

    on_line(tmp_path, cards, story)


def test_of_a_message_that_can_never_be_answered_the_card_comes(
    tmp_path: Path, cards: Cards
) -> None:
    async def story(sala: Account) -> None:
        await sala.post(sala.text("hello"))
        [claim] = await sala.store.claim({"line"}, sala.now, 10)
        await sala.store.park(claim)
        await late(sala)
        assert shown(sala.line.said(ANN), cards) == dict.fromkeys(LANGUAGES, 1)

    on_line(tmp_path, cards, story)


def test_what_the_store_cannot_say_now_is_asked_again(tmp_path: Path, cards: Cards) -> None:
    async def story(sala: Account) -> None:
        class Away:
            async def unanswered(self, waits: object, now: object) -> list[Claimed]:
                raise StoreError

            show_card = sala.store.show_card

        lookout = Lookout(Away(), cards, lambda: sala.now, LATE.total_seconds())
        sala.door = replace(sala.door, lookout=lookout)
        sala.serve()
        await sala.post(sala.text("hello"))
        await late(sala)
        assert not sala.line.chats[ANN]
        lookout._store = sala.store
        await late(sala)
        assert shown(sala.line.said(ANN), cards) == dict.fromkeys(LANGUAGES, 1)

    on_line(tmp_path, cards, story)


def test_a_full_disk_hinders_no_card_where_one_process_does_all(
    tmp_path: Path, cards: Cards
) -> None:
    async def story(sala: Account) -> None:
        class Full:
            unanswered = sala.store.unanswered

            async def show_card(self, *_: object, **__: object) -> bool | None:
                raise StoreError

        lookout = Lookout(Full(), cards, lambda: sala.now, LATE.total_seconds())
        sala.door = replace(sala.door, lookout=lookout)
        sala.serve()
        await sala.post(sala.text("hello"))
        await late(sala)
        assert shown(sala.line.said(ANN), cards) == dict.fromkeys(LANGUAGES, 1)

    on_line(tmp_path, cards, story)


def test_the_reply_token_that_a_card_used_is_in_the_address_no_more_and_a_newer_one_is() -> None:
    kept = write_address(Address(ANN, DAY, Token("one", DAY)))
    assert read_address(without(kept, "one")) == Address(ANN, DAY)
    assert without(kept, "an older one") == kept
    assert without(without(kept, "one"), "one") == without(kept, "one")


def test_on_telegram_who_is_not_answered_in_time_is_shown_the_card(
    tmp_path: Path, cards: Cards
) -> None:
    async def story(sala: Town) -> None:
        open_doors(sala, cards)
        await sala.post(sala.api.text(CHAT, "hola"))
        await late(sala)
        assert shown(sala.texts_in(), cards) == once("en"), "in the language of the app"
        await sala.worker.drain()
        assert len(sala.texts_in()) > 1, "the answer comes all the same"

    live(tmp_path, story)


def test_on_telegram_the_cards_of_a_crowd_leave_the_answers_their_pace(
    tmp_path: Path, cards: Cards
) -> None:
    async def story(sala: Town) -> None:
        open_doors(sala, cards)
        for chat in range(100, 109):
            await sala.post(sala.api.text(chat, "hola"))
        began = sala.now + LATE
        await late(sala)
        assert all(sala.texts_in(chat) for chat in range(100, 109))
        assert (sala.now - began).total_seconds() >= 8 * SPARE

    live(tmp_path, story)


def test_taking_words_back_is_never_too_much(tmp_path: Path, cards: Cards) -> None:
    async def story(sala: Account) -> None:
        writes_too_much(sala.channel.crowd, line_key(ANN), sala.now)
        await sala.post(sala.event("unsend", unsend={"messageId": "1"}))
        [claim] = await sala.store.claim({"line"}, sala.now, 10)
        assert len(claim.waiting) == 1

    on_line(tmp_path, cards, story)


def test_on_the_page_who_is_not_answered_in_time_is_shown_the_card(
    tmp_path: Path, cards: Cards
) -> None:
    async def story() -> None:
        peer = Peer(tmp_path / "sala.db")
        door = replace(peer.door, lookout=Lookout(peer.store, cards, lambda: peer.now, 15))
        app = httpx2.ASGITransport(Starlette(routes=browser_routes(door)))
        async with httpx2.AsyncClient(transport=app, base_url=HOME) as person:
            await person.post("/chat/visit", json={})
            visit = visit_by(person.cookies["v"])
            live = door.channel.connect(visit)
            assert live
            post = {"id": "0" * 8 + "-0000-0000-0000-" + "0" * 12, "language": "es"}
            assert (await person.post("/chat/open", json=post)).status_code == 204
            peer.now += LATE
            assert door.lookout
            await door.lookout.look()
            live.end()
            frames = [one async for one in live.frames(60)]
        [shown] = [json.loads(one.split("data: ")[1]) for one in frames if "text" in one]
        assert cards["es"].text == shown["text"]
        assert [one["url"] for one in shown["calls"]] == [one.url for one in cards["es"].calls]
        await peer.store.close()

    asyncio.run(story())
