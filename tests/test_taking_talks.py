"""Golden talks with pictures (C16), as in a chat app: what a lawyer or counsellor can read.

Lines that begin with `> ` are the person's; `> [a picture]`, `> [a copy of it]`, `> [a film]` and
`> [a voice]` are sent into the chat, `> [the page with the PIN]` opens the last page that was
offered, and `> [number and PIN]` are typed. Lines in brackets say what was done. `SALA_UPDATE=1`
writes what Sala says now.
"""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bot.channels import Message
from bot.channels.fetching import NotFetched
from bot.conversation.model import Media, Opened, Typed
from bot.conversation.picture import Content
from bot.hashing.kinds import PROOF
from bot.store import TicketRefused
from bot.voice import ticket_digest
from tests.talking import VAULT, Door, Talk, play, taking
from tests.test_transcripts import language_of, same_each_time

TALKS = sorted((Path(__file__).parent / "transcripts" / "chat").glob("*.txt"))


def picture(file: str) -> bytes:
    """A picture by its seed, or a smaller JPEG of it; or a film."""
    if file == "film":
        return PROOF.read_bytes()
    seed, _, copy = file.partition(" ")
    chance = np.random.default_rng(int(seed))
    small = Image.fromarray(chance.integers(0, 256, (9, 12, 3), np.uint8))
    whole = small.resize((320, 240), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    if copy:
        whole.resize((240, 180)).save(out, "JPEG", quality=70)
    else:
        whole.save(out, "PNG")
    return out.getvalue()


class ChatApp(Door):
    """Hands pictures over, and takes messages out of the chat."""

    fetches = True

    def __init__(self) -> None:
        super().__init__(wakes=True)
        self.said: list[str] = []
        self.last = ""
        self.page = ""
        self.keys = ""

    async def send(self, address, messages, way=None) -> None:  # type: ignore[no-untyped-def]
        self.said += [shown(one) for one in messages]
        links = (link for one in messages for link in one.links if link.opens == "pin")
        self.page = next((link.url.partition("#")[2] for link in links), self.page)

    async def fetch(self, address: bytes, file: str, most: int) -> bytes:
        self.said.append(f"(the {'film' if file == 'film' else 'picture'} is fetched)\n")
        if len(picture(file)) > most:
            raise NotFetched("size")
        return picture(file)

    async def remove(self, address: bytes, ref: str) -> None:
        self.said.append("(it is removed from the chat)\n")


def shown(message: Message) -> str:
    lines = [message.text, *(f"   → {one.label}: {one.url}" for one in message.links)]
    lines += [f"   {n}. {choice.label}" for n, choice in enumerate(message.choices, 1)]
    return "\n".join(lines) + "\n"


def sent(talk: Talk, file: str, n: int) -> Media:
    return Media(talk.now, "image", str(n), None, Content(file, talk.now))


async def opens_the_page(talk: Talk, door: ChatApp) -> None:
    try:
        digest = ticket_digest(VAULT, door.page)
        made = await talk.store.show_pin(digest, talk.now)
    except TicketRefused as refused:
        door.said.append(f"(the page shows no PIN: {refused.reason})\n")
    else:
        door.keys = f"{made.number} {made.pin}"
        door.said.append("(the page shows number and PIN)\n")


async def says(talk: Talk, door: ChatApp, line: str, n: int) -> None:
    match line:
        case "[a picture]":
            door.last = str(n)
            await talk.arrives(sent(talk, door.last, n))
        case "[a copy of it]":
            await talk.arrives(sent(talk, f"{door.last} copy", n))
        case "[the page with the PIN]":
            await opens_the_page(talk, door)
        case "[number and PIN]":
            await talk.arrives(Typed(talk.now, door.keys))
        case "[a film]":
            film = Content("film", talk.now, media="video")
            await talk.arrives(Media(talk.now, "video", str(n), None, film))
        case "[a voice]":
            await talk.arrives(Media(talk.now, "voice", str(n)))
        case words:
            await talk.arrives(Typed(talk.now, words))
    await talk.work()


def talked(path: Path, lines: list[str], folder: Path) -> str:
    door = ChatApp()

    async def story(talk: Talk) -> None:
        talk.worker.taking = talk.worker.outbox.taking = taking(talk.store, lambda: talk.now)
        await talk.arrives(Opened(talk.now, language_of(path)))
        await talk.work()
        for n, line in enumerate(lines):
            door.said.append(f"> {line}")
            await says(talk, door, line, n)

    play(folder, story, door)
    return same_each_time("\n".join(door.said) + "\n")


@pytest.mark.parametrize("path", TALKS, ids=lambda path: path.stem)
def test_c16_a_talk_with_pictures_goes_as_it_was_reviewed(path: Path, tmp_path: Path) -> None:
    reviewed = path.read_text("utf-8")
    lines = [line[2:] for line in reviewed.splitlines() if line.startswith("> ")]
    said = talked(path, lines, tmp_path)
    if os.environ.get("SALA_UPDATE"):
        path.write_text(said, "utf-8")
    assert said == reviewed
