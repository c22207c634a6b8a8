"""A whole talk in a terminal: lines in, turns made, messages printed, pictures hashed right here.

The terminal is the person's own device, so `/hash` is the on-device path: the file is read right
here and only its codes are registered.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final
from uuid import uuid4

import click

from bot.app import Sala
from bot.cases.hashes import Item
from bot.cases.likeness import is_same
from bot.channels.terminal import MAX_LINE, TerminalChannel, address, files_in
from bot.conversation.codec import encode_inbound
from bot.conversation.model import Inbound, Language, Opened, TooLong, Typed
from bot.hashing.errors import Ended, ImageError, NotHeld, told
from bot.hashing.own import OwnFiles
from bot.store import Arrival, TicketRefused, TooManyImages
from bot.worker import Worker

PROMPT: Final = "> "
_beside = partial(click.echo, err=True)
"""What is no part of the talk."""


async def talk(
    sala: Sala, language: Language | None, lines: Iterable[str], write: Callable[[str], object]
) -> None:
    """Talk until the lines end. Each run is a conversation of its own."""
    terminal = _Terminal(sala, language or "en", write)
    await terminal.hear(Opened(sala.clock(), language))
    for line in lines:
        said = line.strip().encode("utf-8", "replace").decode()  # bytes that are no text
        write(PROMPT + said[:200])
        await terminal.read(said)


class _Terminal:
    def __init__(self, sala: Sala, language: Language, write: Callable[[str], object]) -> None:
        self.sala = sala
        self.language = language
        self.write = write
        self.channel = TerminalChannel(sala.texts, write)
        self.files = OwnFiles(_beside)
        self.seen: list[str] = []
        self.worker: Worker = sala.worker(self.channel)
        self.conversation = sala.conversation(self.channel.name, uuid4().bytes)

    async def read(self, line: str) -> None:
        """One line: words, or pictures."""
        paths = files_in(line)
        if paths is not None:
            await self.hash(paths)
        elif len(line) > MAX_LINE:
            await self.hear(TooLong(self.sala.clock()))
        elif line:
            await self.hear(Typed(self.sala.clock(), line))

    async def hear(self, event: Inbound) -> None:
        """Keep an event and work until everything is answered."""
        await self.sala.store.receive(
            Arrival(
                channel=self.channel.name,
                event_id=str(uuid4()),
                conversation=self.conversation,
                address=address(),
                body=encode_inbound(event),
                at=self.sala.clock(),
            )
        )
        await self.worker.drain()

    async def hash(self, paths: list[Path]) -> None:
        """Make codes of these pictures and register them with the ticket last given."""
        items = [item for path in paths if (item := await self._item(path))]
        if items:
            await self._register(items)
        await self.worker.drain()

    async def _item(self, path: Path) -> Item | None:
        try:
            item = await self.files.hash(path, marked=True)
        except (Ended, NotHeld) as error:
            _beside(told(error))
            self.say("terminal.NotAnImage")
        except ImageError as error:
            self.say(f"terminal.{type(error).__name__}")
        else:
            if item.phash:
                self._say_if_alike(item.phash)
            return replace(item, phash=None)
        return None

    def _say_if_alike(self, mark: str) -> None:
        """A picture that looks like one of this talk is named as such, and still added: a cropped
        copy is a picture of its own."""
        if any(is_same(mark, seen) for seen in self.seen):
            self.say("terminal.twice")
        self.seen.append(mark)

    async def _register(self, items: list[Item]) -> None:
        digest = self.sala.ticket_digest(self.channel.ticket or "")
        try:
            made = await self.sala.store.register(digest, items, self.sala.clock())
        except TicketRefused as refused:
            self.say(f"terminal.{refused.reason}")
        except TooManyImages:
            self.say("terminal.too_many")
        else:
            if made.pin:
                self.say("terminal.pin", number=made.number, pin=made.pin)

    def say(self, id: str, **values: str) -> None:
        self.write(self.sala.texts.say(id, self.channel.language or self.language, **values) + "\n")
