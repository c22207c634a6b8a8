"""The terminal door: a talk on standard input and output, on the person's own machine."""

import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from bot.channels import Link, Message, Plain
from bot.conversation.model import Language
from bot.text import Texts

MAX_LINE: Final = 20_000
_HASH: Final = "/hash"


def files_in(line: str) -> list[Path] | None:
    """The pictures named by a line `/hash PATH…`; None when the line is words."""
    if not line.startswith(_HASH):
        return None
    try:
        return [Path(word).expanduser() for word in shlex.split(line.removeprefix(_HASH))]
    except ValueError:
        return []


def render(message: Message, texts: Texts) -> str:
    """A message as text: what is said, links below it, choices numbered."""
    lines = [message.text]
    for link in message.links:
        lines.append(f"   → {link.label}: {link.url}")
        if link.app:
            lines.append("   → " + texts.say("terminal.link", message.language))
    lines += [f"   {n}. {choice.label}" for n, choice in enumerate(message.choices, 1)]
    return "\n".join(lines) + "\n"


class TerminalChannel(Plain):
    """Prints. Keeps the last ticket it was given, for `/hash`."""

    name: Final = "terminal"
    wakes: Final = False

    def __init__(self, texts: Texts, write: Callable[[str], object]) -> None:
        self._texts = texts
        self._write = write
        self.ticket: str | None = None
        self.language: Language | None = None

    async def send(
        self, address: bytes, messages: Sequence[Message], way: bytes | None = None
    ) -> None:
        """Print each message."""
        for message in messages:
            self.ticket = next(map(_ticket, filter(_app, message.links)), self.ticket)
            self.language = message.language
            self._write(render(message, self._texts))


def address() -> bytes:
    """The address of the one person at this terminal."""
    return json.dumps({"terminal": 1}).encode()


def _app(link: Link) -> bool:
    return link.app


def _ticket(link: Link) -> str:
    return link.url.partition("#")[2]
