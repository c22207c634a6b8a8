"""What the time of an answer tells: `python -m tests.bench.tells`, two minutes.

A real `sala run` on the loopback is asked, in turns, what differs in one thing that the answer must
not tell. Printed for each pair: the medians, their difference, and how often an answer of the one
kind took longer than one of the other (a half: nothing is told), in standard errors from a half.
"""

import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import urlsplit

from bot.app import open_sala
from bot.cases.hashes import Hash, Item
from bot.settings import read_settings
from bot.store import Arrival, ConversationId, PartnerKeys, Ticket, Turn
from bot.store.whole import WholeStore
from bot.vault import Vault
from bot.voice import ticket_digest
from tests.serving import Served, served

TIMES: Final = int(os.environ.get("SALA_BENCH_TIMES", "300"))
"""Requests of each kind."""
PINS: Final = 60
FEW: Final = 12
"""Wrong PINs of one number: below those after which it is closed for the day."""
JSON: Final = {"Content-Type": "application/json"}
Ask = Callable[[int], Awaitable[object]]


@dataclass
class Town:
    """Sala, its store beside it, and a line to it."""

    sala: Served
    store: WholeStore
    vault: Vault
    line: HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.line = HTTPConnection(urlsplit(self.sala.url).netloc, timeout=30)

    def post(self, path: str, body: object, headers: Mapping[str, str] = JSON) -> int:
        self.line.request("POST", path, json.dumps(body).encode(), dict(headers))
        answer = self.line.getresponse()
        answer.read()
        return answer.status

    async def chat(self) -> ConversationId:
        """A new one."""
        id = ConversationId(os.urandom(16))
        now = datetime.now(UTC)
        await self.store.receive(Arrival("none", id.hex(), id, b"{}", b"hello", now))
        for claimed in await self.store.claim(["none"], now, 9):
            await self.store.commit(claimed, Turn(b"s"))
        return id

    async def ticket(self, *, ends: timedelta = timedelta(hours=1)) -> str:
        """The token of a new one."""
        token = f"en-{os.urandom(16).hex()}"
        digest = ticket_digest(self.vault, token)
        ticket = Ticket(digest, await self.chat(), "adults", datetime.now(UTC) + ends)
        await self.store.issue(ticket)
        return token

    async def listed(self, *values: str, follows: bool = False) -> tuple[str, str]:
        """The number and PIN of a new case that holds these."""
        digest = ticket_digest(self.vault, await self.ticket())
        made = await self.store.register(digest, [_picture(*values)], datetime.now(UTC))
        if follows:
            await self.store.follow(made.number, await self.chat(), True)
        return made.number, made.pin or ""


def _picture(*values: str) -> Item:
    return Item(
        "image", tuple(Hash("pdq", f"self-{n}", one, 90) for n, one in enumerate(values, 1))
    )


def _new(many: int = 1) -> list[str]:
    return [os.urandom(32).hex() for _ in range(many)]


# ---------------------------------------------------------------- the statistics


async def in_turns(kinds: Mapping[str, Ask], times: int) -> dict[str, list[float]]:
    """Milliseconds of each, one kind after the other, the order drawn anew each time."""
    took: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(times):
        for name in random.sample(list(kinds), len(kinds)):
            began = time.perf_counter()
            await kinds[name](turn)
            took[name].append((time.perf_counter() - began) * 1000)
    return took


def longer(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """How often one of the first took longer than one of the second, and how many standard errors
    that is from a half (Mann and Whitney)."""
    ranked = sorted((took, first) for first, all in ((1, one), (0, other)) for took in all)
    ranks = sum(rank for rank, (_, first) in enumerate(ranked, 1) if first)
    n, m = len(one), len(other)
    share = (ranks - n * (n + 1) / 2) / (n * m)
    return share, (share - 0.5) / ((n + m + 1) / (12 * n * m)) ** 0.5


def report(title: str, took: Mapping[str, Sequence[float]]) -> None:
    print(f"\n{title} ({len(next(iter(took.values())))} each)")
    for name, all in took.items():
        print(f"  {name:44} {median(all):8.2f} ms")
    for a, b in combinations(took, 2):
        share, errors = longer(took[a], took[b])
        apart = median(took[a]) - median(took[b])
        print(f"  {a} / {b}: {apart:+.2f} ms, longer in {share:.0%}, {errors:+.1f} errors")


# ---------------------------------------------------------------- what is asked


async def pins(town: Town) -> None:
    """Asked of the store itself: in a chat the platform lies between."""
    cases = [await town.listed(*_new()) for _ in range(PINS // FEW + 1)]

    async def check(number: str, pin: str) -> None:
        by = ConversationId(os.urandom(16))
        await town.store.check_pin(number, pin, datetime.now(UTC), by)

    def case(turn: int) -> tuple[str, str]:
        return cases[turn // FEW]

    kinds: dict[str, Ask] = {
        "unknown case": lambda turn: check(f"ZZZ-ZZZ-{turn:03d}", "000000"),
        "wrong PIN": lambda turn: check(case(turn)[0], "000000"),
    }
    report("A PIN is checked", await in_turns(kinds, PINS))


async def codes(town: Town) -> None:
    """Nine codes, as of a picture, that are new, or on the list by another's case (C13)."""
    known = _new(9)
    await town.listed(*known)

    async def register(values: Sequence[str], token: str) -> None:
        hashes = [
            {"kind": "pdq", "variant": f"self-{n}", "value": one, "quality": 90}
            for n, one in enumerate(values, 1)
        ]
        body = {"ticket": token, "items": [{"media": "image", "hashes": hashes}]}
        assert town.post("/app/hashes", body) == 200

    tickets = [await town.ticket() for _ in range(TIMES)]
    kinds: dict[str, Ask] = {
        "new codes": lambda _: register(_new(9), tickets.pop()),
        "listed codes": lambda _: register(known, tickets.pop()),
    }
    report("Codes are registered", await in_turns(kinds, TIMES // 2))


async def tokens(town: Town) -> None:
    """Whoever has the token may know; who invents one is told that it is unknown."""
    used, over = await town.ticket(), await town.ticket(ends=timedelta(seconds=-1))
    await town.store.register(
        ticket_digest(town.vault, used), [_picture(*_new())], datetime.now(UTC)
    )

    async def show(token: str) -> None:
        item = {"kind": "pdq", "variant": "512", "value": "5a" * 32, "quality": 90}
        body = {"ticket": token, "items": [{"media": "image", "hashes": [item]}]}
        assert town.post("/app/hashes", body) == 410

    kinds: dict[str, Ask] = {
        "never issued": lambda _: show(f"en-{os.urandom(16).hex()}"),
        "used": lambda _: show(used),
        "over": lambda _: show(over),
    }
    report("A page's token opens nothing", await in_turns(kinds, TIMES))


async def words(town: Town) -> None:
    """A partner of the adults' list answers on codes."""
    now = datetime.now(UTC)
    keys = await town.store.add_partner("Chirp", ("adults",), now, a_minute=1_000_000)
    [theirs], [followed], [minors] = _new(), _new(), _new()
    await town.listed(theirs)
    await town.listed(followed, follows=True)
    await _on_minors(town, minors)
    said = {"unknown": None, "on the minors' list": minors, "on theirs": theirs,
            "on theirs, and followed": followed}  # fmt: skip

    def ask(value: str | None) -> Ask:
        async def one(turn: int) -> None:
            feedback = ("Blocked", "NotBlocked")[turn % 2]
            answer(town, keys, value or _new()[0], feedback)

        return one

    took = await in_turns({name: ask(value) for name, value in said.items()}, TIMES)
    report("A partner answers", took)


async def _on_minors(town: Town, value: str) -> None:
    digest, chat = os.urandom(16), await town.chat()
    ends = datetime.now(UTC) + timedelta(hours=1)
    await town.store.issue(Ticket(digest, chat, "minors", ends))
    await town.store.register(digest, [_picture(value)], datetime.now(UTC))


def answer(town: Town, keys: PartnerKeys, value: str, feedback: str, status: int = 200) -> None:
    word = {
        "hashValue": value,
        "signalType": "ImagePDQ",
        "feedbackValue": feedback,
        "tags": [],
    }
    body = {"count": 1, "hashFeedbacks": [word]}
    headers = {
        "Ocp-Apim-Subscription-Key": keys.subscription_key,
        "x-functions-key": keys.feedback_key,
    }
    assert town.post("/exchange/v1/SubmitFeedback", body, JSON | headers) == status


async def keys(town: Town) -> None:
    """Both keys must be right: what an outsider finds out by one of them."""
    right = await town.store.add_partner("Bleat", ("adults",), datetime.now(UTC))

    def ask(key: PartnerKeys) -> Ask:
        async def one(_: int) -> None:
            answer(town, key, "5a" * 32, "Blocked", 401)

        return one

    none = PartnerKeys("x" * 43, "y" * 43, "z" * 43)
    half = PartnerKeys("x" * 43, right.subscription_key, "z" * 43)
    kinds = {"neither key": ask(none), "the subscription's alone": ask(half)}
    report("A partner's keys are wrong", await in_turns(kinds, TIMES))


async def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with served(folder) as sala:
            settings = read_settings({"SALA_DATA_DIR": name}, folder / ".env")
            async with open_sala(settings) as opened:
                town = Town(sala, opened.store, opened.vault)
                print(f"load {os.getloadavg()[0]:.1f}, {datetime.now(UTC):%Y-%m-%d %H:%M}")
                for part in (pins, codes, tokens, words, keys):
                    if len(sys.argv) == 1 or part.__name__ in sys.argv:
                        await part(town)
                print(f"\nload {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    asyncio.run(main())
