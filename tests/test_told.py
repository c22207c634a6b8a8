"""Every way that feedback can come, and what the person is told of it: golden in docs/told.md.

SALA_UPDATE=1 writes the table anew.
"""

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations_with_replacement, product
from pathlib import Path
from typing import get_args

from bot.cases.hashes import Hash, Item
from bot.cases.status import FeedbackValue
from bot.conversation.model import LANGUAGES, Language, MessageId, Send
from bot.store import ConversationId, EffectId, Ticket
from bot.store.sqlite import SqliteStore
from bot.text import load_texts
from bot.voice import Asked, Operator, Voice
from tests.talking import HOME, VAULT

TABLE = Path(__file__).parent.parent / "docs" / "told.md"
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
ANN = ConversationId(b"a" * 16)
A, B = "a" * 64, "b" * 64
PARTNERS = ("Chirp", "Plaza")
WORDS: tuple[FeedbackValue, ...] = ("PendingReview", "Blocked", "NotBlocked")
TEXTS = load_texts()
NAMES: dict[Language, str] = {"th": "Thai", "en": "English", "es": "Spanish"}
HEAD = """# What the person is told

Every way that platforms' feedback can come, as it is shown after a tap (C14, C15). A test holds
this table true in three languages (`tests/test_told.py`; `SALA_UPDATE=1` writes it anew). A case
has two hashes, *a* and *b*; "reads" is a full FetchHashes. Above the lines stand case number and
number of pictures, below them the next step and where people answer: these are left out here.
"Blocked" is never called deleted, and bad news is never pushed. Every combination stands in
[told-all.md](told-all.md).

"""

BESIDE = ("support", "words", "copy.adults")
Story = tuple[str, ...]


def stories() -> Iterator[Story]:
    """Single words, two words in either order, two hashes, two platforms, C13, withdrawal."""
    yield ("registers",)
    yield ("registers", "Chirp reads")
    for word in get_args(FeedbackValue):
        yield ("registers", f"Chirp {word} a")
    for first, then in product(WORDS, WORDS):
        yield ("registers", f"Chirp {first} a", f"Chirp {then} a")
    for word in WORDS:
        yield ("registers", "Chirp reads", f"Chirp {word} a", "Chirp None a")
        yield ("somebody registers", f"Chirp {word} a", "registers", "Chirp reads")
        yield ("somebody registers", f"Chirp {word} a", "registers", f"Chirp {word} a")
    for one, other in combinations_with_replacement(WORDS, 2):
        yield ("registers", f"Chirp {one} a", f"Chirp {other} b")
        yield ("registers", f"Chirp {one} a", f"Plaza {other} a")
    for word in WORDS:
        yield ("registers", "Chirp reads", f"Plaza {word} a")
    yield from withdrawals()


def withdrawals() -> Iterator[Story]:
    yield ("registers", "Chirp reads", "plans to withdraw")
    yield ("registers", "withdraws")
    yield ("registers", "withdraws", "Chirp reads")
    yield ("registers", "Chirp reads", "withdraws")
    yield ("registers", "Chirp reads", "withdraws", "Chirp reads")
    for word in WORDS:
        yield ("registers", "Chirp reads", f"Chirp {word} a", "withdraws")
        yield ("registers", "Chirp reads", "withdraws", f"Chirp {word} a", "Chirp reads")
    yield ("registers", "Chirp reads", "Plaza reads", "withdraws", "Plaza reads")
    yield ("somebody registers", "registers", "Chirp reads", "withdraws", "Chirp reads")
    yield ("registers", "Chirp reads", "withdraws", "registers again")


class Told:
    """One story, lived through in a store of its own; each step takes an hour."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.now = NOON
        self.number = ""

    async def live(self, story: Story) -> None:
        for name in PARTNERS:
            await self.store.add_partner(name, ["adults"], NOON)
        for act in story:
            self.now += timedelta(hours=1)
            await self.act(*act.split())

    async def act(self, who: str, what: str = "", hash: str = "", *_: str) -> None:
        match who, what:
            case "somebody", _:
                await self.register(None)
            case "registers", _:
                self.number = await self.register(self.number or None)
            case "plans" | "withdraws", _:
                later = timedelta(hours=48 if who == "plans" else 0)
                await self.store.withdraw(self.number, self.now + later, erase=False)
                await self.store.sweep(self.now)
            case _:
                await self.partner(who, what, hash)

    async def partner(self, who: str, what: str, hash: str) -> None:
        partner = next(one for one in await self.store.partners() if one.name == who)
        if what == "reads":
            await self.store.feed(partner, ["adults"], 0, None, 99, self.now)
        else:
            word = next(one for one in get_args(FeedbackValue) if one == what)
            value = A if hash == "a" else B
            await self.store.give_feedback(partner, [(value, word, ())], self.now)

    async def register(self, number: str | None) -> str:
        digest = VAULT.randoms(32)
        end = self.now + timedelta(hours=1)
        await self.store.issue(Ticket(digest, ANN, "adults", end, number))
        items = [Item("image", (Hash("pdq", "512", value, 90),)) for value in (A, B)]
        return (await self.store.register(digest, items, self.now)).number

    async def lines(self, language: Language) -> list[str]:
        voice = Voice(TEXTS, self.store, VAULT, Operator("", "-", 24), HOME)
        send = Send(MessageId("bland"), language=language, show="status", list="adults",
                    values=(("number", self.number),))  # fmt: skip
        text = (await voice.message(Asked(EffectId("e"), send, ANN, self.now))).text
        head = TEXTS.say("show.status.head", language, number=self.number, images="2")
        beside = [TEXTS.say(f"show.status.{id}", language) for id in BESIDE]
        return [one for one in text.partition(head)[2].split("\n") if one not in beside]


async def told(folder: Path) -> dict[Language, list[str]]:
    rows: dict[Language, list[str]] = {language: [] for language in LANGUAGES}
    for number, story in enumerate(stories()):
        store = SqliteStore.open(folder / f"{number}.db", VAULT, lambda: NOON)
        life = Told(store)
        await life.live(story)
        for language in LANGUAGES:
            said = "<br>".join(line for line in await life.lines(language) if line)
            rows[language].append(f"| {', '.join(story)} | {said} |\n")
        await store.close()
    return rows


def test_the_table_of_what_is_told_is_what_is_told(tmp_path: Path) -> None:
    rows = asyncio.run(told(tmp_path))
    tables = [
        f"## {NAMES[language]}\n\n| what happens | what is told |\n|---|---|\n{''.join(lines)}"
        for language, lines in rows.items()
    ]
    said = HEAD + "\n".join(tables)
    if os.environ.get("SALA_UPDATE"):
        TABLE.write_text(said, "utf-8")
    assert said == TABLE.read_text("utf-8")
    for lines in rows.values():
        assert len(set(lines)) == len(lines)
