"""What a button tap costs: CPU of the bot's process, side by side with bare bots, in one run.

A turn is: verify, keep durably, step, commit, send to an API on the loopback. 32 people tap at
once. The API and the people live in this process, the bots in their own, so only the bot counts.
See README.md beside this file.
"""

import asyncio
import hmac
import itertools
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rivals import LINE_TOKEN, SECRET, TELEGRAM_TOKEN, aiogram_python

RIVALS = Path(__file__).with_name("rivals.py")
PEOPLE = 32
TAPS = 20
"""Of each person, in a run."""
RUNS = 5
SETTLES = 0.8
"""Seconds after the last answer that still count: what is written or timed after it."""
WITHIN = 30.0
CHOICES = ("ask.phone=own", "ask.who=self")
"""Tapped in turn. Each is answered by one question, with seven buttons and with three."""

_SERIAL = itertools.count(1)


# ---------------------------------------------------------------- the API of both platforms


class Api(asyncio.Protocol):
    """One connection to LINE or Telegram; each answer that goes out wakes whom it is for."""

    _LENGTH = re.compile(rb"content-length: *(\d+)", re.I)
    _TO = re.compile(rb'(?:replyToken"|chat_id"?)[=: "]+([^"&,}]+)')

    def __init__(self, world: "World") -> None:
        self.world = world
        self.got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.line = transport

    def data_received(self, data: bytes) -> None:
        self.got += data
        while (end := self.got.find(b"\r\n\r\n")) >= 0:
            head = self.got[:end]
            found = self._LENGTH.search(head)
            whole = end + 4 + (int(found[1]) if found else 0)
            if len(self.got) < whole:
                return
            body, self.got = self.got[end + 4 : whole], self.got[whole:]
            said = self._answer(head.split(b" ", 2)[1], body)
            self.line.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                % len(said) + said
            )  # fmt: skip

    def _answer(self, path: bytes, body: bytes) -> bytes:
        method = path.rsplit(b"/", 1)[1].decode()
        self.world.calls[method] += 1
        if method in {"reply", "sendMessage"}:
            to = self._TO.search(body)
            assert to
            self.world.wake(to[1].decode())
        return _SAYS.get(method, b'{"ok":true,"result":true}')


_BOT = {"id": 110201543, "is_bot": True, "first_name": "Sala", "username": "sala_bot"}
_MESSAGE = {"message_id": 9, "date": 1, "chat": {"id": 7, "type": "private"}, "text": "hello"}
_SAYS = {
    "reply": b'{"sentMessages":[{"id":"461230966842064897","quoteToken":"IStG5h1Tz7b"}]}',
    "push": b'{"sentMessages":[{"id":"461230966842064897","quoteToken":"IStG5h1Tz7b"}]}',
    "sendMessage": json.dumps({"ok": True, "result": _MESSAGE}).encode(),
    "getMe": json.dumps({"ok": True, "result": _BOT}).encode(),
    "loading": b"{}",
    "list": b'{"aliases":[]}',
}


@dataclass
class World:
    """Who waits for an answer, and what was called."""

    calls: Counter[str] = field(default_factory=Counter)
    waiting: dict[str, asyncio.Future[None]] = field(default_factory=dict)

    def wake(self, to: str) -> None:
        future = self.waiting.pop(to, None)
        if future and not future.done():
            future.set_result(None)

    def answer(self, to: str) -> "asyncio.Future[None]":
        return self.waiting.setdefault(to, asyncio.get_running_loop().create_future())


# ---------------------------------------------------------------- people


@dataclass(frozen=True)
class Post:
    """A webhook request, and the mark by which its answer is known."""

    body: bytes
    headers: str
    mark: str


def line_tap(person: int, choice: str | None) -> Post:
    serial = next(_SERIAL)
    token = f"{serial:032x}"
    event = {
        "type": "postback" if choice else "follow",
        "mode": "active",
        "timestamp": int(time.time() * 1000),
        "webhookEventId": f"01{serial:024X}",
        "deliveryContext": {"isRedelivery": False},
        "source": {"type": "user", "userId": f"U{person:032x}"},
        "replyToken": token,
    } | ({"postback": {"data": choice}} if choice else {"follow": {"isUnblocked": False}})
    body = json.dumps({"destination": "U" + "0" * 32, "events": [event]}).encode()
    made = b64encode(hmac.digest(SECRET.encode(), body, "sha256")).decode()
    return Post(body, f"X-Line-Signature: {made}\r\n", token)


def telegram_tap(person: int, choice: str | None) -> Post:
    if choice is None:
        return telegram_text(person, "/start")
    message = _message(person)
    sender = message["from"]
    message = message | {"from": _BOT, "text": "?"}
    query = {"id": str(person), "from": sender, "chat_instance": "1", "data": choice}
    return _update(person, {"callback_query": query | {"message": message}})


def telegram_text(person: int, text: str | None) -> Post:
    return _update(person, {"message": _message(person) | {"text": text or "hello"}})


def _message(person: int) -> dict[str, object]:
    who = {"id": person, "first_name": "Ann"}
    sender = who | {"is_bot": False, "language_code": "en"}
    return {"message_id": 8, "date": 1, "chat": who | {"type": "private"}, "from": sender}


def _update(person: int, said: dict[str, object]) -> Post:
    body = json.dumps({"update_id": next(_SERIAL)} | said).encode()
    return Post(body, f"X-Telegram-Bot-Api-Secret-Token: {_Telegram.secret}\r\n", str(person))


class _Telegram:
    secret = ""


class Person:
    """One connection to the bot, and one conversation."""

    def __init__(self, number: int, world: World, bot: "Bot") -> None:
        self.number, self.world, self.bot = number, world, bot

    async def comes(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.bot.port)

    async def goes(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()

    async def taps(self, choices: Sequence[str | None]) -> None:
        for choice in choices:
            post = self.bot.tap(self.number, choice)
            answered = self.world.answer(post.mark) if self.bot.answers else None
            await self._post(post)
            if answered:
                await answered

    async def _post(self, post: Post) -> None:
        head = (
            f"POST {self.bot.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.bot.port}\r\n{post.headers}"
            f"Content-Type: application/json\r\nContent-Length: {len(post.body)}\r\n\r\n"
        )
        self.writer.write(head.encode() + post.body)
        said = await self.reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in said.split(b"\r\n", 1)[0], said
        if found := Api._LENGTH.search(said):
            await self.reader.readexactly(int(found[1]))


# ---------------------------------------------------------------- bots


@dataclass
class Bot:
    """A bot's process, and what was measured: CPU microseconds a turn, turns a second."""

    name: str
    port: int
    process: "subprocess.Popen[bytes]"
    path: str
    tap: Callable[[int, str | None], Post]
    answers: bool = True
    costs: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    twice: int = 0
    """Messages more than turns."""

    @property
    def cost(self) -> float:
        return statistics.median(self.costs)

    def cpu(self) -> float:
        """Seconds on a processor so far, of all its threads."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((one / "schedstat").read_text().split()[0]) for one in tasks) / 1e9


_EXPECTED = re.compile("keys_made|started")
SALA_KINDS = {"sala", "sala_unpaced", "sala_ack"}


@contextmanager
def running(
    kind: str, name: str, api: str, tap: Callable[[int, str | None], Post],
    python: str = sys.executable, **settings: str,
) -> Iterator[Bot]:  # fmt: skip
    with socket.create_server(("127.0.0.1", 0)) as line:
        port = int(line.getsockname()[1])
    folder = tempfile.mkdtemp(prefix="sala-bench-")
    environment = {
        key: value for key, value in os.environ.items()
        if not key.startswith(("SALA_", "COV_")) and not key.lower().endswith("_proxy")
    } | {"SALA_DATA_DIR": folder, "SALA_PORT": str(port)} | settings  # fmt: skip
    log = Path(folder) / "log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [python, str(RIVALS), kind, str(port), api],
            env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=errors,
        )  # fmt: skip
    try:
        _until_open(port, process)
        path = "/" if kind not in SALA_KINDS else "/telegram" if tap is telegram_tap else "/line"
        if path == "/telegram":
            _Telegram.secret = _secret(Path(folder) / "keys")
        yield Bot(name, port, process, path, tap, kind not in {"sala_ack", "hmac_only"})
    finally:
        ended = process.poll()
        if ended is not None:
            print(f"{name} ended by itself: {ended}")
        process.terminate()
        process.wait(20)
        said = [one for one in log.read_text().splitlines() if not _EXPECTED.search(one)]
        print(*(f"{name} said: {one}" for one in said[-5:]), sep="\n", end="\n" if said else "")
        shutil.rmtree(folder)


def _until_open(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + WITHIN
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as line:
            if line.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("a bot did not start")


def _secret(keys: Path) -> str:
    from bot.doors import telegram_secret
    from bot.vault import load_or_make

    return telegram_secret(load_or_make(keys)[0])


# ---------------------------------------------------------------- measuring


async def measure(bot: Bot, world: World, taps: int, begin: bool = False) -> None:
    """One run; the first only warms up."""
    people = [Person(1_000 + number, world, bot) for number in range(PEOPLE)]
    await asyncio.gather(*(one.comes() for one in people))
    ways = [[CHOICES[(turn + one.number) % 2] for turn in range(taps)] for one in people]
    world.calls.clear()
    cpu, began = bot.cpu(), time.monotonic()
    async with asyncio.timeout(WITHIN):
        if begin:
            await asyncio.gather(*(one.taps([None]) for one in people))
            await asyncio.sleep(SETTLES)
        await asyncio.gather(*(one.taps(way) for one, way in zip(people, ways, strict=True)))
    took = time.monotonic() - began
    await asyncio.sleep(SETTLES)
    turns = PEOPLE * taps
    if not begin:
        said = sum(world.calls[one] for one in ("reply", "push", "sendMessage"))
        bot.twice += said - (turns if bot.answers else 0)
        bot.costs.append((bot.cpu() - cpu) / turns * 1e6)
        bot.rates.append(turns / took)
    for one in people:
        await one.goes()


async def idle(bot: Bot, seconds: float = 2.0) -> float:
    """Milliseconds of CPU a second while nobody writes."""
    cpu = bot.cpu()
    await asyncio.sleep(seconds)
    return (bot.cpu() - cpu) / seconds * 1e3


async def bench() -> dict[str, Bot]:
    world = World()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Api(world), "127.0.0.1", 0)
    api = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    line = {"SALA_LINE_SECRET": SECRET, "SALA_LINE_TOKEN": LINE_TOKEN, "SALA_LINE_API": api}
    telegram = {"SALA_TELEGRAM_TOKEN": TELEGRAM_TOKEN, "SALA_TELEGRAM_API": api}
    with ExitStack() as opened:

        async def add(
            kind: str, name: str, tap: Callable[[int, str | None], Post], **more: str
        ) -> Bot:
            bot = running(kind, name, api, tap, **more)  # which may ask the API as it starts
            return await asyncio.to_thread(opened.enter_context, bot)

        bots = {
            "a": await add("sala", "Sala LINE", line_tap, **line),
            "b": await add("line_echo", "line-bot-sdk v3 echo", line_tap),
            "b2": await add("line_bubble", "line-bot-sdk v3, Sala's bubbles", line_tap),
            "c": await add("sala_unpaced", "Sala Telegram (pace off)", telegram_tap, **telegram),
            "d": await add("ptb_echo", "python-telegram-bot echo", telegram_text),
        }
        if python := opened.enter_context(aiogram_python()):
            bots["e"] = await add("aiogram_echo", "aiogram 3 echo", telegram_text, python=python)
        bots["f"] = await add("sala_ack", "Sala POST /line, kept, 200", line_tap, **line)
        bots["g"] = await add("hmac_only", "Starlette, HMAC only, 200", line_tap)
        for bot in bots.values():
            await measure(bot, world, 4, begin=True)
        for turn in range(RUNS):
            order = list(bots.values())
            for bot in order[turn:] + order[:turn]:
                await measure(bot, world, TAPS)
        print(f"idle: Sala LINE {await idle(bots['a']):.1f} ms of CPU a second")
    server.close()
    await server.wait_closed()
    return bots


TARGETS = (
    ("a whole turn on LINE", "a", "b", 1.5),
    ("a whole turn on LINE", "a", "b2", None),
    ("a whole turn on Telegram", "c", "d", 1.0),
    ("a whole turn on Telegram", "c", "e", 1.0),
    ("the webhook's 200", "f", "g", 2.5),
)


def told(bots: dict[str, Bot]) -> None:
    print(f"{'':3}{'bot':34}{'CPU us a turn':>14}{'least':>8}{'most':>8}{'turns/s':>9}")
    for key, bot in bots.items():
        least, most, rate = min(bot.costs), max(bot.costs), statistics.median(bot.rates)
        print(f"{key:3}{bot.name:34}{bot.cost:14.0f}{least:8.0f}{most:8.0f}{rate:9.0f}")
    for what, ours, theirs, most in TARGETS:
        if theirs in bots:
            ratio = bots[ours].cost / bots[theirs].cost
            judged = "" if most is None else _judged(ratio, most)
            print(f"{what}: {ours} is {ratio:.2f} x {theirs}{judged}")


def _judged(ratio: float, most: float) -> str:
    verdict = "met" if ratio <= most else f"missed by {ratio / most - 1:.0%}"
    return f" (target: at most {most}: {verdict})"


def test_what_a_tap_costs() -> None:
    """Every tap is answered exactly once; the costs are printed, and judged by who reads them."""
    began = time.monotonic()
    print(f"\nload before: {os.getloadavg()[0]:.2f} on {os.cpu_count()} processors")
    bots = asyncio.run(bench())
    told(bots)
    print(f"load after: {os.getloadavg()[0]:.2f}; took {time.monotonic() - began:.0f} s")
    assert {bot.name: bot.twice for bot in bots.values() if bot.twice} == {}, "sent twice"


if __name__ == "__main__":
    test_what_a_tap_costs()
