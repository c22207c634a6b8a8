"""Every combination of answers, their order, how many platforms, and withdrawal, and what is told
of it in three languages: golden in docs/told-all.md. SALA_UPDATE=1 writes it anew.

All are folded here, and some lived through in a store: each with SALA_FUZZ (`make fuzz`)."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

from bot.cases.hashes import Hash, Item
from bot.cases.status import Claim, Feedback, FeedbackValue, Standing, fold
from bot.conversation.model import LANGUAGES, Language
from bot.helplines import HelpLines
from bot.shelf import Shelf
from bot.store import ConversationId, Partner, Ticket
from bot.store.sqlite import SqliteStore
from bot.telling import tell_case
from bot.text import load_texts
from tests.talking import VAULT

TABLE = Path(__file__).parent.parent / "docs" / "told-all.md"
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
PARTNERS = ("Chirp", "Plaza", "Square")
SAID: tuple[FeedbackValue, ...] = ("PendingReview", "Blocked", "NotBlocked", "None")
TEXTS = load_texts()
NAMES: dict[Language, str] = {"th": "Thai", "en": "English", "es": "Spanish"}
HEAD = """# Every combination

What a person is told for every combination of answers, their order, the number of platforms, and
withdrawal. A test holds this page true (`tests/test_told_all.py`; `SALA_UPDATE=1` writes it anew)
and lives through it in a store: every twenty-fifth of it each time, all of it with `make fuzz`.
`PendingReview`, `Blocked` and `NotBlocked` are the answers that say something; of the others, which
all say nothing (each in [told.md](told.md)), `None` stands here for an answer that is taken back.
One platform answers up to twice, in every order; a second one answers at every place between; of
three each answers once, since [told.md](told.md) and the lines of two show that their order among
each other changes nothing. Every platform has read the list before it answers. Case number, number
of pictures, the next step and where people answer stand beside these lines in the chat.

"""

Word = tuple[str, FeedbackValue]
Story = tuple[Word, ...]


def stories() -> Iterator[tuple[tuple[str, ...], Story]]:
    """Who reads, and who says what in which order."""
    ones = [(), *product(SAID), *product(SAID, SAID)]
    for words in ones:
        yield PARTNERS[:1], tuple(("Chirp", word) for word in words)
    for words, plaza in product(ones, (None, *SAID)):
        chirp: Story = tuple(("Chirp", word) for word in words)
        if plaza is None:
            yield PARTNERS[:2], chirp
            continue
        for place in range(len(chirp) + 1):
            yield PARTNERS[:2], (*chirp[:place], ("Plaza", plaza), *chirp[place:])
    for words in product((None, *SAID[:3]), repeat=3):
        pairs = zip(PARTNERS, words, strict=True)
        yield PARTNERS, tuple((name, word) for name, word in pairs if word)


@dataclass
class Life:
    """Cases that live one after the other in one store, each with a picture of its own."""

    store: SqliteStore
    partners: dict[str, Partner] = field(default_factory=dict)
    start: dict[str, int] = field(default_factory=dict)
    now: datetime = NOON
    cases: int = 0

    async def begin(self) -> tuple[str, str]:
        self.cases += 1
        self.now += timedelta(minutes=1)
        digest, value = VAULT.randoms(32), f"{self.cases:064x}"
        who = ConversationId(self.cases.to_bytes(16))
        await self.store.issue(Ticket(digest, who, "adults", self.now + timedelta(hours=1)))
        item = Item("image", (Hash("pdq", "512", value, 90),))
        return (await self.store.register(digest, [item], self.now)).number, value

    async def reads(self, *names: str) -> None:
        for name in names:
            page = await self.store.feed(
                self.partners[name], ["adults"], self.start.get(name, 0), None, 999, self.now
            )
            assert page.cursor is None
            self.start[name] = page.checkpoint

    async def says(self, story: Story, value: str) -> None:
        for name, word in story:
            self.now += timedelta(seconds=1)
            await self.store.give_feedback(self.partners[name], [(value, word, ())], self.now)

    async def stands(self, number: str) -> Standing:
        standing = await self.store.standing(number)
        assert standing
        return replace(standing, opened=None)

    async def withdraws(self, number: str, **later: int) -> None:
        await self.store.withdraw(number, self.now + timedelta(**later), erase=False)
        await self.store.sweep(self.now)


def folded(names: tuple[str, ...], story: Story) -> list[Standing]:
    """The same as `lived`, without a store: the last word of each counts."""
    later = NOON + timedelta(hours=1)
    words = tuple(Feedback(name, word, later) for name, word in dict(story).items())
    held = Claim(NOON, "Active", names, words)
    left = replace(held, status="Withdrawn")
    stands, gone = fold("Active", 1, [held]), fold("Withdrawn", 1, [left])
    seen = fold("Withdrawn", 1, [replace(left, stopped=names)])
    return [stands, replace(stands, leaving=True), gone, seen, gone]


async def lived(life: Life, names: tuple[str, ...], story: Story) -> list[Standing]:
    """How the case stands with its answers, with a withdrawal planned, done, and read by all; and
    how one stands that was withdrawn before they came."""
    number, value = await life.begin()
    await life.reads(*names)
    await life.says(story, value)
    found = [await life.stands(number)]
    await life.withdraws(number, hours=48)
    found.append(await life.stands(number))
    await life.withdraws(number)
    found.append(await life.stands(number))
    await life.reads(*names)
    found.append(await life.stands(number))
    number, value = await life.begin()
    await life.reads(*names)
    await life.withdraws(number)
    await life.says(story, value)
    return [*found, await life.stands(number)]


def words(standing: Standing, language: Language) -> str:
    """The standing's own lines, without what stands above and below them."""
    shelf = Shelf(HelpLines(TEXTS, language, None, NOON), "adults")
    bare = tell_case(shelf, "N", Standing("Active", standing.images, ())).lines
    beside = {*bare, *(shelf.say(f"show.status.{id}") for id in ("words", "copy.adults"))}
    beside -= {shelf.say("show.status.none")}
    lines = tell_case(shelf, "N", standing).lines
    return "<br>".join(line for line in lines if line not in beside)


async def live_through(folder: Path, some: list[tuple[tuple[str, ...], Story]]) -> list[object]:
    store = SqliteStore.open(folder / "sala.db", VAULT, lambda: NOON)
    life = Life(store)
    for name in PARTNERS:
        await store.add_partner(name, ["adults"], NOON)
    life.partners = {one.name: one for one in await store.partners()}
    found = [await lived(life, names, story) for names, story in some]
    await store.close()
    return [*found]


def _named(names: tuple[str, ...], story: Story) -> str:
    said = ", ".join(f"{name} {word}" for name, word in story) or "nothing is said"
    return f"{len(names)}: {said}"


def page(rows: list[tuple[str, list[Standing]]]) -> str:
    known: dict[Standing, int] = {}
    table = []
    for story, stood in rows:
        cells = [str(known.setdefault(one, len(known) + 1)) for one in stood]
        table.append(f"| {' | '.join((story, *cells))} |\n")
    said = "".join(
        f"## {NAMES[language]}\n\n| | what is told |\n|---|---|\n"
        + "".join(f"| {number} | {words(one, language)} |\n" for one, number in known.items())
        + "\n"
        for language in LANGUAGES
    )
    head = ("platforms: what they say, in this order", "stands", "to be withdrawn", "withdrawn",
            "withdrawn, read by all", "withdrawn before")  # fmt: skip
    return (
        f"{HEAD}## What comes, and what is told\n\n| {' | '.join(head)} |\n{'|---' * len(head)}|\n"
        f"{''.join(table)}\n{said.rstrip()}\n"
    )


def test_every_combination_is_told_as_the_page_says() -> None:
    rows = [(_named(*one), folded(*one)) for one in stories()]
    assert len({story for story, _ in rows}) == len(rows)
    said = page(rows)
    if os.environ.get("SALA_UPDATE"):
        TABLE.write_text(said, "utf-8")
    assert said == TABLE.read_text("utf-8")


def test_so_it_is_told_when_it_is_lived_through(tmp_path: Path) -> None:
    some = list(stories())[:: 1 if "SALA_FUZZ" in os.environ else 25]
    assert asyncio.run(live_through(tmp_path, some)) == [folded(*one) for one in some]
