"""`sala run` is killed at each of its points in turn; nothing is lost, and nothing comes twice.

A point is right before or right after an SQL statement or a call to a platform. Here a part of
them, spread evenly over each story; `make faults` visits them all and writes the table.
"""

import asyncio
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from bot.app import open_sala
from bot.settings import read_settings
from bot.store import PartnerKeys
from tests import faults_page
from tests.crashed import ANN, HER, File, Line, Nursery, Run, Server, Story, now, nursery
from tests.peers import specs
from tests.peers.telegram_api import TelegramApi, telegram

VISITS = 2
"""Points of each story that are visited without `make faults`."""
TURNS = "select channel, version from conversation order by channel"
KEPT = (
    "select count(*) from inbox where parked = 1", "select count(*) from cases",
    "select count(*) from claim", "select count(*) from feedback",
)  # fmt: skip


# ---------------------------------------------------------------- the stories


@dataclass(frozen=True, slots=True)
class Chapter:
    """What is told while Sala dies, and what was told before, when it did not."""

    name: str
    tell: Callable[[Story, Any], None]
    before: Callable[[Story], Any] | None


def greeted(story: Story, _: Any) -> None:
    story.ann("follow", follow={"isUnblocked": False})


def talks(story: Story, _: Any) -> None:
    """First words on LINE and on Telegram."""
    story.ann("follow", follow={"isUnblocked": False})
    story.presses("ask.phone=own", "ask.situation=money")
    api = story.run.telegram
    story.she(api.text(HER, "/start"))
    for choice in ("ask.phone=own", "ask.situation=money"):
        story.she(api.presses(HER, choice))


def consents(story: Story) -> PartnerKeys:
    """Ann may make a case now, and a platform reads the list."""
    story.ann("follow", follow={"isUnblocked": False})
    story.presses("ask.phone=own", "ask.situation=money", "ask.who=self", "ask.age=adult",
                  "ask.image=here")  # fmt: skip
    story.run.ends()

    async def adds() -> PartnerKeys:
        async with open_sala(read_settings(story.run.environment()), now) as sala:
            return await sala.store.add_partner("Chirp", ["adults"], now())

    return asyncio.run(adds())


def makes_a_case(story: Story, keys: PartnerKeys) -> None:
    """A case is made with the mini-app's page, and what a platform says of it is told."""
    story.presses("ask.consent=yes")
    [ticket] = {one for said in story.run.line.chats[ANN] for one in tickets(said)}
    story.registers(ticket)
    story.presses("ask.updates=yes")
    story.platform(keys)


def tickets(said: Any) -> list[str]:
    return re.findall(r"/app\?openExternalBrowser=1#([^\"?&']+)", str(said))


CHAPTERS: Final = (
    Chapter("the tables are made, and the first person is greeted", greeted, None),
    Chapter("first words on LINE and on Telegram", talks, lambda _: None),
    Chapter("a case is made, and a platform's answer is told", makes_a_case, consents),
)


# ---------------------------------------------------------------- what came of one


@dataclass(frozen=True, slots=True)
class Came:
    """What two people saw, how many turns each talk took, and what was kept."""

    line: tuple[str, ...]
    telegram: tuple[str, ...]
    turns: tuple[tuple[Any, ...], ...]
    kept: tuple[int, ...]

    def lost(self, whole: "Came") -> int:
        """How many messages of the undisturbed telling never came."""
        pairs = ((whole.line, self.line), (whole.telegram, self.telegram))
        return sum(max(0, due.count(one) - got.count(one)) for due, got in pairs for one in {*due})


def more(got: tuple[str, ...], due: tuple[str, ...]) -> int:
    """How many came once more than they were due."""
    return sum(max(0, got.count(one) - due.count(one)) for one in {*got})


def came(run: Run) -> Came:
    said = [one["text"] for one in run.telegram.said(HER)]
    shown = (re.sub(r"case number: \S+", "", one) for one in run.line.said(ANN))
    kept = tuple(run.kept.asked(query)[0][0] for query in KEPT)
    return Came(tuple(shown), tuple(said), tuple(run.kept.asked(TURNS)), kept)


@dataclass
class Place:
    """Where runs are made: a nursery, both platforms, and a database."""

    nursery: Nursery
    portal: BlockingPortal
    line: Line
    telegram: TelegramApi
    kept: File | Server

    def run(self, at: int = 0) -> Run:
        """Sala is open, and dies at this point, if it comes to it."""
        for kept in (self.line.chats, self.line.keys, self.telegram.chats):
            kept.clear()
        self.nursery.killed = ""
        self.kept.begin()
        run = Run(self.kept, self.nursery, self.portal, self.line, self.telegram, at)
        run.lives()
        return run

    def told(self, chapter: Chapter, known: Any, at: int = 0) -> tuple[Came, int]:
        """What came of a chapter told with a death at this point; and how many deaths."""
        run = self.run(at)
        story = Story(run)
        chapter.tell(story, known)
        story.again()
        run.ends()
        assert self.line.faulty == []
        assert self.telegram.refused == []
        return came(run), run.deaths

    def prepared(self, chapter: Chapter) -> Any:
        """What the chapter begins with is there before each telling."""
        if chapter.before is None:
            return None
        run = self.run()
        known = chapter.before(Story(run))
        run.ends()
        self.kept.keep()
        return known


@dataclass
class Row:
    """A line of the table."""

    database: str
    chapter: Chapter
    of: int = 0
    """Points of the undisturbed telling."""
    points: int = 0
    lost: int = 0
    line: int = 0
    telegram: int = 0
    """The most that came twice in one telling."""
    astray: int = 0
    """Tellings with other turns, or with something else kept."""

    def add(self, whole: Came, one: Came) -> None:
        self.points += 1
        self.lost += one.lost(whole)
        self.line += more(one.line, whole.line)
        self.telegram = max(self.telegram, more(one.telegram, whole.telegram))
        self.astray += (one.turns, one.kept) != (whole.turns, whole.kept)

    def __str__(self) -> str:
        cells = (
            self.database, self.chapter.name, f"{self.points} of {self.of}", self.lost,
            self.astray, self.line, self.telegram,
        )  # fmt: skip
        return f"| {' | '.join(map(str, cells))} |"


def visited(place: Place, chapter: Chapter, visits: int | None) -> Row:
    """The chapter told once for each point that is visited, or (None) for all there are."""
    known = place.prepared(chapter)
    whole, _ = place.told(chapter, known)
    points = place.nursery.points
    row = Row(place.kept.name, chapter, points)
    chosen = range(1, points + 1, max(1, points // visits)) if visits else count(1)
    for at in chosen:
        one, deaths = place.told(chapter, known, at)
        if not deaths:
            break
        row.add(whole, one)
    return row


@contextmanager
def places(folder: Path, address: str) -> Iterator[list[Place]]:
    """A place for each database, with the same nursery and platforms."""
    specs.find("telegram-bot-api-10.1.json")
    with ExitStack() as all:
        portal = all.enter_context(start_blocking_portal())
        fake = Line(now, limit=None)
        line = all.enter_context(portal.wrap_async_context_manager(fake.served()))
        api = all.enter_context(portal.wrap_async_context_manager(telegram(now)))
        folders = [folder / name for name in ("sqlite", "postgres")]
        for one in folders:
            one.mkdir()
        kept = (File(folders[0]), Server(folders[1], address))
        lives = all.enter_context(nursery(folder))
        yield [Place(lives, portal, line, api, one) for one in kept]


# ---------------------------------------------------------------- the table

HEAD = """
Real processes of `sala run`, each killed with SIGKILL at one point of a story: right before or
right after one of its SQL statements or calls to a platform, then started again, while LINE,
Telegram, the mini-app and the platform deliver again what nobody acknowledged, and in the end all
of it once more. *Points* is how many processes were killed, at a point each, of as many as the
undisturbed story has (it looks for work by the clock, so the number differs a little each time, and
a telling with a death may have more); a statement that only reads counts once until something is
written or sent. Not among them: a reply token that LINE refuses within its minute though nobody
used it; when the process dies right at that reply, what it held counts as delivered, and is lost,
but for a card for a life in danger. *Lost* are messages that never came, *other turns* tellings
after which a talk had taken more or fewer turns than undisturbed, or another number of cases,
claims or answers was kept. *Twice* is summed for LINE; for Telegram, which knows no key, it is the
most in one telling.

| database | the story | points | lost | other turns | twice on LINE | twice on Telegram, at most |
|---|---|---|---|---|---|---|
"""
NAME = faults_page.KILLED


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory, postgres: str) -> list[Row]:
    visits = None if os.environ.get("SALA_UPDATE") else VISITS
    with places(tmp_path_factory.mktemp("crash"), postgres) as both:
        return [visited(place, chapter, visits) for chapter in CHAPTERS for place in both]


def test_killed_at_a_point_nothing_is_lost(rows: list[Row]) -> None:
    assert [str(row) for row in rows if row.lost] == []
    assert all(row.points >= VISITS for row in rows)


def test_killed_at_a_point_each_event_makes_one_turn(rows: list[Row]) -> None:
    assert [str(row) for row in rows if row.astray] == []


def test_killed_at_a_point_nothing_comes_twice_but_one_message_on_telegram(rows: list[Row]) -> None:
    assert [str(row) for row in rows if row.line or row.telegram > 1] == []


def test_the_table_of_the_points_says_that_nothing_was_lost(rows: list[Row]) -> None:
    if os.environ.get("SALA_UPDATE"):
        faults_page.write(NAME, HEAD + "\n".join(map(str, rows)) + "\n")
    said = [line.split(" | ") for line in faults_page.read(NAME).splitlines() if "SQL" in line]
    said = [cells for cells in said if cells[0].removeprefix("| ") in {"SQLite", "PostgreSQL"}]
    assert len(said) == len(rows)
    assert {tuple(cells[3:6]) for cells in said} == {("0", "0", "0")}
    assert {cells[6] for cells in said} <= {"0 |", "1 |"}
