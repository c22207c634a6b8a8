"""What can go wrong on the way to LINE and Telegram, one run each, and a table of what came of it.

`make faults` writes the table to docs/faults.md; a test holds it true.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.channels.telegram_http import TelegramHttp
from tests import faults_page
from tests.peers.line_api import Fault
from tests.peers.line_talk import ANN, Account, account, dies
from tests.peers.telegram_api import Trouble
from tests.talking import HOME, Killed
from tests.telegram_town import ANN as TELEGRAM_ANN
from tests.telegram_town import Town, opened

REPLY, PUSH = "/v2/bot/message/reply", "/v2/bot/message/push"
HELLO = ("hello", "ask.phone")
DANGER = ("alarm.self_harm",)
QUESTIONS = {
    "is it free?": "answer.is_it_free",
    "how long does it take?": "answer.how_long",
    "is it anonymous?": "answer.private",
}
SOON = 1.0
"""Seconds to wait for an answer that never comes."""
FIVE_TIMES = "delivered five times, out of order"


@dataclass(frozen=True, slots=True)
class Run:
    """One thing that goes wrong; `due` are the texts that are to arrive.

    `repeats` is how many of them may come twice; `nobody` is there any more to get them.
    """

    wrong: str
    story: Callable[[Any], Awaitable[None]]
    due: tuple[str, ...] = HELLO
    repeats: int = 0
    nobody: bool = False


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a run."""

    run: Run
    arrived: int
    twice: int
    calls: str

    @property
    def row(self) -> str:
        """A line of the table."""
        lost = "nobody there" if self.run.nobody else str(len(self.run.due) - self.arrived)
        cells = (self.run.wrong, str(len(self.run.due)), lost, str(self.twice), self.calls)
        return f"| {' | '.join(cells)} |"


def came(run: Run, texts: dict[str, str], said: list[str], calls: list[str]) -> Came:
    """Counted in the chat as the platform holds it."""
    times = [sum(texts[id] in one for one in said) for id in run.due]
    arrived, twice = sum(map(bool, times)), sum(max(0, one - 1) for one in times)
    return Came(run, arrived, twice, ", ".join(_counted(calls)) or "none")


def _counted(calls: list[str]) -> list[str]:
    """The same call many times over as one with its number."""
    kinds = dict.fromkeys(calls)
    return [one if calls.count(one) == 1 else f"{one} × {calls.count(one)}" for one in kinds]


# ---------------------------------------------------------------- LINE


async def follows(sala: Account) -> None:
    assert await sala.post(sala.event("follow", follow={"isUnblocked": False})) == 200


async def line_fault(path: str, fault: Fault, sala: Account) -> None:
    """One call of this path goes wrong; a push is one whose reply token has become too old."""
    sala.restart(seconds=SOON if fault == "slow after" else 10)
    sala.line.faults[path] = [fault]
    await follows(sala)
    await sala.works_later(seconds=46 if path == PUSH else 0)
    await sala.works_later(seconds=6)


async def line_month(sala: Account) -> None:
    sala.line.used = sala.line.limit = 300
    await follows(sala)
    await sala.works_later(seconds=46)
    await sala.works_later(days=2)
    await sala.says("hi")


async def line_token_used(sala: Account) -> None:
    await follows(sala)
    sala.line.tokens.clear()
    await sala.work()


async def line_token_old(sala: Account) -> None:
    await follows(sala)
    await sala.works_later(seconds=46)


async def line_blocked(sala: Account) -> None:
    sala.line.blocked.add(ANN)
    await line_token_old(sala)
    await sala.works_later(days=2)


async def line_unknown(sala: Account) -> None:
    sala.line.unknown.add(ANN)
    await line_token_old(sala)
    await sala.works_later(days=2)


async def line_five_times(sala: Account) -> None:
    await follows(sala)
    await sala.work()
    events = [sala.text(question) for question in QUESTIONS]
    for event in [*reversed(events), *events, *events[1:], *events, *reversed(events), events[0]]:
        assert await sala.post(event) == 200
    await sala.work()


async def line_crash(call: str, before: bool, sala: Account, away: float = 40) -> None:
    await follows(sala)
    sala.now += timedelta(seconds=46 if call == "push" else 0)
    await dies(sala, call, before=before)
    await sala.works_later(seconds=away)


async def line_danger(before: bool, sala: Account) -> None:
    """LINE refuses the reply token when the process is back, whether it was used or not."""
    await opened_before(sala)
    await sala.post(sala.text("I want to kill myself"))
    await dies(sala, "reply", before=before)
    sala.line.tokens.clear()
    await sala.works_later(seconds=40)


async def opened_before(sala: Account) -> None:
    await follows(sala)
    await sala.work()
    sala.line.chats.clear()
    sala.line.calls.clear()


async def line_down(hours: int, first: Fault, sala: Account) -> None:
    """LINE says 500 to a push once an hour; the first may have been accepted all the same."""
    sala.line.faults[PUSH] = [first, *["500"] * (hours - 1)]
    await follows(sala)
    await sala.works_later(seconds=46)
    for _ in range(hours):
        await sala.works_later(hours=1)


async def line_clock_back(sala: Account) -> None:
    """What was planned before waits until it is due by the new time; what is new does not."""
    await follows(sala)
    await sala.worker.turns()
    sala.now -= timedelta(hours=1)
    await sala.close()
    sala.restart()
    await sala.says("is it free?")
    await sala.works_later(hours=1)


ON_LINE = [
    Run("nothing", partial(line_fault, "", "500")),
    *(
        Run(f"{name} to a {call}", partial(line_fault, path, fault))
        for call, path in (("reply", REPLY), ("push", PUSH))
        for name, fault in (
            ("500", "500"), ("500 after it was accepted", "500 after"),
            ("the line is cut after it was accepted", "cut after"),
            ("no answer after it was accepted", "slow after"),
            ("429, too many at once", "rate"), ("429, too many in parallel", "concurrent"),
        )
    ),
    Run("429, the month's pushes are used up", line_month, HELLO[:1]),
    Run("the reply token is refused", line_token_used),
    Run("the reply token is 46 seconds old", line_token_old),
    Run("blocked: LINE says 200 and delivers nothing", line_blocked, nobody=True),
    Run("there is no such person", line_unknown, nobody=True),
    Run("down for 12 hours, after it had accepted a push", partial(line_down, 12, "500 after")),
    Run("down for 26 hours, after it had accepted a push", partial(line_down, 26, "500 after"),
        repeats=len(HELLO)),
    Run("down for 26 hours, before it had accepted one", partial(line_down, 26, "500")),
    Run("the clock goes back an hour before anything is sent", line_clock_back,
        ("hello", "answer.is_it_free")),
    Run(FIVE_TIMES, line_five_times, ("hello", *QUESTIONS.values())),
    *(
        Run(f"the process dies {'before' if before else 'after'} a {call}",
            partial(line_crash, call, before))
        for call in ("reply", "push") for before in (True, False)
    ),
    Run("the process dies after a reply, and is away for two minutes",
        partial(line_crash, "reply", False, away=120), repeats=len(HELLO)),
    Run("the process dies before a reply with a card for a life in danger, its token is refused",
        partial(line_danger, True), DANGER),
    Run("the process dies after a reply with such a card", partial(line_danger, False), DANGER,
        repeats=len(DANGER)),
]  # fmt: skip


async def on_line(run: Run, folder: Path) -> Came:
    async with account(folder) as sala:
        await run.story(sala)
        assert sala.line.faulty == []
        asked = [(path, status) for path, status in sala.line.calls if path in {REPLY, PUSH}]
        calls = [f"{path.rpartition('/')[2]} {status}" for path, status in asked]
        texts = {id: sala.texts.say(id, "en") for id in run.due}
        return came(run, texts, sala.line.said(ANN), calls)


# ---------------------------------------------------------------- Telegram


class Dying(TelegramHttp):
    """The process ends before, or after, the first message went out."""

    def __init__(self, *, before: bool) -> None:
        super().__init__()
        self._before = before

    async def call(self, url: str, sent: Mapping[str, Any]) -> Any:
        if not url.endswith("/sendMessage"):
            return await super().call(url, sent)
        if not self._before:
            await super().call(url, sent)
        raise Killed


async def starts(town: Town) -> None:
    assert await town.post(town.api.text(TELEGRAM_ANN, "/start")) == 200


async def telegram_trouble(trouble: Trouble, town: Town) -> None:
    """The first message goes wrong."""
    town.restart(TelegramHttp(SOON if trouble == "hangs" else 10))
    town.api.troubles["sendMessage"].append(trouble)
    await starts(town)
    await town.works_later(seconds=0)
    await town.works_later(minutes=1)


async def telegram_blocked(town: Town) -> None:
    await starts(town)
    town.api.blocked.add(TELEGRAM_ANN)
    await town.works_later(seconds=0)
    await town.works_later(days=2)


async def telegram_unblocked(town: Town) -> None:
    await telegram_blocked(town)
    await town.hears(town.api.becomes(TELEGRAM_ANN, "member"))


async def telegram_deleted(town: Town) -> None:
    await starts(town)
    del town.api.chats[TELEGRAM_ANN]
    await town.works_later(days=2)


async def telegram_five_times(town: Town) -> None:
    await starts(town)
    await town.works_later(seconds=0)
    updates = [town.api.text(TELEGRAM_ANN, question) for question in QUESTIONS]
    order = [*reversed(updates), *updates, *updates[1:], *updates, *reversed(updates), updates[0]]
    await town.hears(*order)


async def telegram_crash(before: bool, town: Town) -> None:
    await starts(town)
    await town.stops()
    town.restart(Dying(before=before))
    with suppress(Killed):
        await town.worker.drain()
    await town.stops()
    town.restart()
    await town.works_later(minutes=1)


ON_TELEGRAM = [
    Run("nothing", partial(telegram_trouble, "none")),
    *(
        Run(name, partial(telegram_trouble, trouble), repeats=repeats)
        for name, trouble, repeats in (
            ("500", "500", 0), ("400", "400", 0), ("401", "401", 0),
            ("429, retry after 30", "flood", 0),
            ("the line is cut after it was accepted", "lost", 1),
            ("no answer after it was accepted", "hangs", 1),
            ("an answer that is not JSON", "not json", 1),
        )
    ),
    Run("blocked", telegram_blocked, nobody=True),
    Run("blocked, and later unblocked", telegram_unblocked, HELLO[1:]),
    Run("the chat is gone", telegram_deleted, nobody=True),
    Run(FIVE_TIMES, telegram_five_times, ("hello", *QUESTIONS.values())),
    Run("the process dies before a message", partial(telegram_crash, True)),
    Run("the process dies after a message", partial(telegram_crash, False), repeats=1),
]  # fmt: skip


async def on_telegram(run: Run, folder: Path) -> Came:
    async with opened(folder, HOME, polling=False, takes=False) as town:
        await run.story(town)
        assert town.api.refused == []
        texts = {id: town.texts.say(id, "en") for id in run.due}
        calls = ["sendMessage"] * len(town.api.asked("sendMessage"))
        return came(run, texts, town.texts_in(), calls)


# ---------------------------------------------------------------- the table

HEAD = """# What goes wrong, and what comes of it

One run a line, made by `tests/test_faults.py` against peers that hold LINE's and Telegram's
published documents; written by `make faults`, and a test fails where it is no longer true. Time is
moved by hand. *Due* is how many messages a person is to get, *lost* how many of them never came,
*twice* how many came a second time, *calls* what the platform made of each call, whatever it then
answered. Telegram has no key by which a repeat is known, so there one message whose answer was lost
may come twice, and no more.

LINE forgets the key of a push 24 hours after it was first tried, and a reply has no key, only a
token that lives for a minute. When a day passed without one answer to a push (Sala asks at least
every quarter of an hour), or when the process died right at a reply and is back after more than a
minute, nobody can know whether it came. It goes out again then, up to five messages, since twice
and without a sound is better than never. Back within the minute Sala takes a refused token for used
by that reply; not so with a card for a life in danger (C8), which goes out by push.
"""


def table(name: str, came: list[Came]) -> str:
    head = ("| what goes wrong | due | lost | twice | calls |", "|---|---|---|---|---|")
    return "\n".join(("", f"## {name}", "", *head, *(one.row for one in came), ""))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Came]]:
    async def made(how: Callable[[Run, Path], Awaitable[Came]], all: list[Run]) -> list[Came]:
        return [await how(run, tmp_path_factory.mktemp("run")) for run in all]

    return {
        "LINE": asyncio.run(made(on_line, ON_LINE)),
        "Telegram": asyncio.run(made(on_telegram, ON_TELEGRAM)),
    }


@pytest.mark.parametrize("name", ["LINE", "Telegram"])
def test_whatever_goes_wrong_nothing_is_lost_and_nothing_comes_twice(
    name: str, runs: dict[str, list[Came]]
) -> None:
    there = [one for one in runs[name] if not one.run.nobody]
    assert [one.row for one in there if one.arrived < len(one.run.due)] == []
    assert [one.row for one in runs[name] if one.twice > one.run.repeats] == []
    assert len(there) > 9


def test_to_whom_nobody_is_there_nothing_is_tried_for_ever(runs: dict[str, list[Came]]) -> None:
    gone = [one for came in runs.values() for one in came if one.run.nobody]
    assert len(gone) == 4
    assert all("×" not in one.calls and "," not in one.calls for one in gone)


def test_a_repeat_on_telegram_is_never_more_than_one_message(runs: dict[str, list[Came]]) -> None:
    assert max(one.twice for one in runs["Telegram"]) == 1


def test_on_line_comes_twice_only_what_nobody_could_know_of(runs: dict[str, list[Came]]) -> None:
    twice = [one for one in runs["LINE"] if one.twice]
    assert [one.run.wrong for one in twice] == [
        "down for 26 hours, after it had accepted a push",
        "the process dies after a reply, and is away for two minutes",
        "the process dies after a reply with such a card",
    ]
    assert all("409" not in one.calls for one in twice)


def test_the_table_of_the_runs_is_what_they_say(runs: dict[str, list[Came]]) -> None:
    said = HEAD + "".join(table(name, came) for name, came in runs.items())
    if os.environ.get("SALA_UPDATE"):
        faults_page.begin(said)
    assert faults_page.PAGE.read_text("utf-8").startswith(said)
