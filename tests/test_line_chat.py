"""What a person on LINE lives through beyond words: pictures, menus, news, leaving."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.cases.hashes import Hash, Item
from bot.channels.line_account import LineAccount
from bot.channels.line_setup import put_menu
from bot.conversation.model import LANGUAGES
from bot.voice import ticket_digest
from tests.peers.line_api import CHANNEL_TOKEN, actions, words
from tests.peers.line_talk import ANN, HOME, Account, play
from tests.talking import PICTURE, TO_APP, VAULT

PUSHED = "/v2/bot/message/push"
LOADING = "/v2/bot/chat/loading/start"
SENT: dict[str, dict[str, Any]] = {
    "image": {"contentProvider": {"type": "line"}},
    "video": {"contentProvider": {"type": "line"}, "duration": 1},
    "audio": {"contentProvider": {"type": "line"}, "duration": 1},
    "file": {"fileName": "IMG_0001.jpg", "fileSize": 1},
    "location": {"latitude": 1.0, "longitude": 2.0},
    "sticker": {"packageId": "1", "stickerId": "2", "stickerResourceType": "STATIC"},
}


async def opens(sala: Account) -> None:
    await sala.hears(sala.event("follow", follow={"isUnblocked": False}))


async def makes_a_case(sala: Account, updates: str = "yes") -> str:
    """A case with a picture's code, made by the link in the chat; its number."""
    await opens(sala)
    await sala.presses(*TO_APP)
    page = f"{HOME}/app?openExternalBrowser=1#"
    uris = [one.get("uri", "") for face in sala.line.chats[ANN] for one in actions(face)]
    ticket = next(uri for uri in reversed(uris) if uri.startswith(page)).removeprefix(page)
    item = Item("image", (Hash("pdq", "512", PICTURE, 90),))
    case = await sala.store.register(ticket_digest(VAULT, ticket), [item], sala.now)
    await sala.work()
    await sala.presses(f"ask.updates={updates}", "ask.aftercare=no")
    return case.number


async def blocks(sala: Account, name: str) -> None:
    """A platform reads the list and says that it blocked the picture."""
    await sala.store.add_partner(name, ["adults"], sala.now)
    partner = next(one for one in await sala.store.partners() if one.name == name)
    await sala.store.feed(partner, ["adults"], 0, None, 100, sala.now)
    sala.now += timedelta(seconds=1)
    await sala.store.give_feedback(partner, [(PICTURE, "Blocked", ())], sala.now)
    await sala.work()


def news(sala: Account) -> int:
    return sum(words(one) == sala.texts.say("news", "en") for one in sala.line.chats[ANN])


# ---------------------------------------------------------------- what is no text


@pytest.mark.parametrize("kind", SENT)
def test_what_is_no_text_is_never_fetched_and_is_answered_with_how_to_take_it_back(
    kind: str, tmp_path: Path
) -> None:
    async def story(sala: Account) -> None:
        await opens(sala)
        sala.line.calls.clear()
        content = {"id": "7", "type": kind, "quoteToken": "q", **SENT[kind]}
        await sala.hears(sala.event("message", message=content))
        assert {path for path, _ in sala.line.calls} <= {"/v2/bot/message/reply", LOADING}
        assert sala.once("media")

    play(tmp_path, story)


def test_pictures_sent_together_are_answered_once(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        await opens(sala)
        for index in (3, 1, 2):
            together = {"id": "A", "index": index, "total": 3}
            content = {"id": f"7{index}", "type": "image", "imageSet": together, **SENT["image"]}
            await sala.hears(sala.event("message", message=content))
        assert sala.once("media")

    play(tmp_path, story)


def test_a_picture_that_is_taken_back_is_not_spoken_of(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        await opens(sala)
        before = len(sala.line.chats[ANN])
        content = {"id": "7", "type": "image", **SENT["image"]}
        unsent = sala.event("unsend", unsend={"messageId": "7"})
        await sala.hears(sala.event("message", message=content), unsent)
        assert len(sala.line.chats[ANN]) == before

    play(tmp_path, story)


# ---------------------------------------------------------------- the menu


def test_the_menu_changes_with_the_language(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        api = LineAccount(CHANNEL_TOKEN, sala.line.url)
        for language in LANGUAGES:
            await put_menu(api, sala.texts, language, language.encode())
        await api.close()
        sala.line.languages[ANN] = "th"
        await opens(sala)
        linked = [sala.line.linked[ANN]]
        for said in ("español", "in english please"):
            await sala.says(said)
            linked.append(sala.line.linked[ANN])
        assert linked == [sala.line.aliases[f"sala-{one}"] for one in ("th", "es", "en")]

    play(tmp_path, story)


def test_what_another_module_answers_is_left_to_it(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        await sala.hears(sala.text("hi") | {"mode": "standby"})
        assert sala.line.calls == []

    play(tmp_path, story)


# ---------------------------------------------------------------- news


def test_several_changes_are_one_silent_neutral_push(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        await makes_a_case(sala)
        sala.now += timedelta(minutes=30)
        sala.line.silent.clear()
        sala.line.calls.clear()
        for name in ("Chirp", "Plaza", "Pixagram"):
            await blocks(sala, name)
        assert (news(sala), sala.line.asked(PUSHED)) == (1, [200])
        assert sala.line.silent == [True]
        assert sala.line.chats[ANN][-1]["altText"] == sala.texts.say("preview", "en")
        await sala.presses("news=show")
        said = "\n".join(sala.line.said(ANN))
        for name in ("Chirp", "Plaza", "Pixagram"):
            assert sala.texts.say("show.status.blocked", "en", partner=name) in said
        assert sala.line.asked(PUSHED) == [200]

    play(tmp_path, story)


def test_who_unfollows_gets_no_push_and_not_even_a_try(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        await makes_a_case(sala)
        await sala.hears(sala.event("unfollow"))
        sala.line.blocked.add(ANN)
        sala.line.calls.clear()
        sala.now += timedelta(minutes=30)
        await blocks(sala, "Chirp")
        await sala.works_later(days=2)
        assert sala.line.calls == []

    play(tmp_path, story)


def test_who_comes_back_finds_the_case_and_asks_for_it(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        number = await makes_a_case(sala)
        await sala.hears(sala.event("unfollow"))
        await blocks(sala, "Chirp")
        sala.line.chats.clear()
        await sala.hears(sala.event("follow", follow={"isUnblocked": True}))
        assert news(sala) == 0
        await sala.says("status")
        said = "\n".join(sala.line.said(ANN))
        assert number in said
        assert sala.texts.say("show.status.blocked", "en", partner="Chirp") in said

    play(tmp_path, story)
