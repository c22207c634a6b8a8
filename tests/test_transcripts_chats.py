"""The golden talks, word for word, through LINE's and Telegram's own payloads.

What a person types goes in as the platform's event, a number as a tap on that button; what comes
out is read from what the platform was sent. `/hash` is the terminal's way: here its codes are
posted as the mini-app posts them, and what the terminal itself says of files is not said.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import httpx2
import pytest
from starlette.applications import Starlette

from bot.channels.terminal import files_in
from bot.conversation.model import LANGUAGES, Language
from bot.hashing.errors import ImageError
from bot.hashing.image import hash_file
from bot.miniapp.routes import MiniApp, routes
from bot.store.sqlite import SqliteStore
from bot.text import load_texts
from bot.voice import ticket_digest
from bot.worker import Worker
from tests.peers.line_api import actions, words
from tests.peers.line_talk import ANN, Account, play
from tests.peers.telegram_api import person
from tests.talking import VAULT
from tests.telegram_town import ANN as TELEGRAM_ANN
from tests.telegram_town import Town, live
from tests.test_transcripts import (
    REVIEWED,
    TALKS,
    everyday_picture,
    language_of,
    same_each_time,
)

TEXTS = load_texts()
PREVIEWS = {TEXTS.say("preview", language) for language in LANGUAGES}
HOME = "http://127.0.0.1:8080"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """A message as a person sees it: its words, its links and what its buttons send."""

    text: str
    links: tuple[tuple[str, str], ...]
    choices: tuple[tuple[str, str], ...]

    def as_in_terminal(self, language: Language) -> str:
        """The same, written as the terminal writes it."""
        lines = [self.text]
        for label, url in self.links:
            lines.append(f"   → {label}: {url}")
            if "/app#" in url:
                lines.append("   → " + TEXTS.say("terminal.link", language))
        lines += [f"   {n}. {label}" for n, (label, _) in enumerate(self.choices, 1)]
        return "\n".join(lines) + "\n"


class Chat(Protocol):
    """A person's chat on a platform, with Sala behind it."""

    store: SqliteStore
    worker: Worker

    async def begins(self) -> None: ...
    async def types(self, text: str) -> None: ...
    async def taps(self, data: str) -> None: ...
    def shown(self) -> list[tuple[object, Told]]:
        """What stands in the chat of the bot's, each with what it is known by."""
        ...


# ---------------------------------------------------------------- the two platforms


@dataclass
class OnLine:
    """Follows, writes and taps on LINE, where the page opens in LIFF first."""

    sala: Account
    language: Language

    def __post_init__(self) -> None:
        self.store, self.worker = self.sala.store, self.sala.worker
        self.sala.line.languages[ANN] = self.language

    async def begins(self) -> None:
        await self.sala.hears(self.sala.event("follow", follow={"isUnblocked": False}))

    async def types(self, text: str) -> None:
        await self.sala.says(text)

    async def taps(self, data: str) -> None:
        await self.sala.presses(data)

    def shown(self) -> list[tuple[object, Told]]:
        return list(enumerate(map(_face, self.sala.line.chats[ANN])))


def _face(face: Json) -> Told:
    done = actions(face)
    taps = [one for one in done if one["type"] == "postback"]
    quick = [one["action"] for one in face.get("quickReply", {}).get("items", ())]
    assert [one["data"] for one in quick] == [one["data"] for one in taps][:13]
    choices = tuple((one["displayText"], one["data"]) for one in taps)
    assert all(one["label"] == one["displayText"] for one in (*taps, *quick))
    return Told(words(face), tuple(_links(done)), choices)


def _links(done: list[Json]) -> Iterator[tuple[str, str]]:
    """The page's link stands twice: in LINE by what it is called, then in the phone's browser."""
    named = ""
    for one in done:
        if one["type"] != "uri":
            continue
        if one["uri"].startswith("https://liff.line.me/"):
            named = one["label"]
            continue
        yield named or one["label"], one["uri"].replace("?openExternalBrowser=1", "")
        named = ""


@dataclass
class OnTelegram:
    """Starts, writes and presses on Telegram."""

    town: Town
    language: Language

    def __post_init__(self) -> None:
        self.store, self.worker = self.town.store, self.town.worker

    async def begins(self) -> None:
        await self.types("/start")

    async def types(self, text: str) -> None:
        sender = person(TELEGRAM_ANN, self.language)
        await self.town.hears(self.town.api.text(TELEGRAM_ANN, text, **{"from": sender}))

    async def taps(self, data: str) -> None:
        await self.town.presses(data, chat=TELEGRAM_ANN)

    def shown(self) -> list[tuple[object, Told]]:
        said = self.town.api.said(TELEGRAM_ANN)
        return [(one["message_id"], _message(one)) for one in said]


def _message(sent: Json) -> Told:
    text = sent["text"]
    for preview in PREVIEWS:
        text = text.removeprefix(f"{preview}\n\n")
    buttons = [one for (one,) in sent.get("reply_markup", {}).get("inline_keyboard", ())]
    links = tuple((one["text"], one["url"]) for one in buttons if "url" in one)
    taps = tuple((one["text"], one["callback_data"]) for one in buttons if "url" not in one)
    return Told(text, links, taps)


# ---------------------------------------------------------------- a talk


def of_the_chat(reviewed: str, language: Language) -> str:
    """A reviewed talk without what the terminal itself says of picture files."""
    given = {"number": "AAA-AAA-AAA", "pin": "000000"}
    for id in TEXTS.group("terminal", language):
        if id != "link":
            own = TEXTS.say(f"terminal.{id}", language, **given)
            reviewed = reviewed.replace(f"{own}\n\n", "")
    return reviewed


async def goes(chat: Chat, reviewed: str, language: Language) -> str:
    """The talk as it went on a platform, written as the terminal writes it."""
    seen: set[object] = set()
    last: list[Told] = []

    def new() -> list[str]:
        fresh = [(id, told) for id, told in chat.shown() if id not in seen]
        seen.update(id for id, _ in fresh)
        last.extend(told for _, told in fresh)
        return [told.as_in_terminal(language) for _, told in fresh]

    await chat.begins()
    written = new()
    for line in re.findall("^> (.*)$", reviewed, re.MULTILINE):
        choices = last[-1].choices
        if (paths := files_in(line)) is not None:
            await hashes(chat, paths, last)
        elif line.isdecimal() and int(line) <= len(choices):
            await chat.taps(choices[int(line) - 1][1])
        else:
            await chat.types(line)
        written += [f"> {line}", *new()]
    return same_each_time("\n".join(written) + "\n")


async def hashes(chat: Chat, paths: list[Path], told: list[Told]) -> None:
    """The codes of what is a picture, posted with the newest link's ticket."""
    items = [one for path in paths if (one := item(path))]
    links = [url for one in told for _, url in one.links if "/app#" in url]
    if not items or not links:
        return
    app = MiniApp(chat.store, partial(ticket_digest, VAULT), lambda: REVIEWED, TEXTS, HOME)
    transport = httpx2.ASGITransport(Starlette(routes=routes(app)))
    async with httpx2.AsyncClient(transport=transport, base_url=HOME) as page:
        posted = {"ticket": links[-1].partition("#")[2], "items": items}
        await page.post("/app/hashes", json=posted)
    await chat.worker.drain()


def item(path: Path) -> Json | None:
    """What the mini-app would post of a file; None when it is no picture."""
    try:
        made = hash_file(path)
    except (ImageError, OSError):
        return None
    hashes = [
        {"kind": one.kind, "variant": one.variant, "value": one.value}
        | ({} if one.quality is None else {"quality": one.quality})
        for one in made.hashes
    ]
    return {"media": made.media, "hashes": hashes}


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    everyday_picture(tmp_path)


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize("path", TALKS, ids=lambda path: path.stem)
def test_a_golden_talk_goes_word_for_word_through_lines_payloads(
    path: Path, tmp_path: Path
) -> None:
    reviewed, language = path.read_text("utf-8"), language_of(path)

    async def story(sala: Account) -> None:
        sala.now = REVIEWED
        said = await goes(OnLine(sala, language), reviewed, language)
        assert said == of_the_chat(reviewed, language)
        assert {face["altText"] for face in sala.line.chats[ANN]} <= PREVIEWS

    play(tmp_path, story, HOME)


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize("path", TALKS, ids=lambda path: path.stem)
def test_a_golden_talk_goes_word_for_word_through_telegrams_payloads(
    path: Path, tmp_path: Path
) -> None:
    reviewed, language = path.read_text("utf-8"), language_of(path)

    async def story(town: Town) -> None:
        town.now = REVIEWED
        said = await goes(OnTelegram(town, language), reviewed, language)
        assert said == of_the_chat(reviewed, language)

    live(tmp_path, story, HOME)
