"""The day a news programme names it: 32 webhooks at once for a minute, to a real `sala run`.

Run: python -m tests.bench.load [sqlite] [postgres] [SECONDS]. LINE's posts are signed, its API is
faked on the loopback in this process. Every fourth post is a newcomer's, the others are taps of
people who wait for nothing; with nobody free, all are newcomers'. An answer is known by its reply
token, or by whom it is pushed to: each person waits for one answer at most. At the end all is
waited for. What Sala holds of the memory is read from /proc.
"""

import asyncio
import hmac
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests import databases
from tests.serving import SALA, clean_environment, free_port

LINES = 32
SECONDS = 60.0
STILL = 20.0
"""Seconds without an answer after which what is not answered counts as lost."""
NEWCOMERS = 4
WORDS = ("hello", "someone has my pictures", "ช่วยด้วย")
"""Said before: the ear loads with the first words."""
CHOICES = ("ask.phone=own", "ask.who=self")
SECRET, TOKEN = "the channel's secret", "a-channel-token"
TELEGRAM_TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
DURABLE = ("shared_buffers=256MB",)

_LENGTH = re.compile(rb"content-length: *(\d+)", re.I)
_TO = re.compile(rb'"(replyToken|to)": ?"([^"]+)"')
_BOT = {"id": 110201543, "is_bot": True, "first_name": "Sala", "username": "sala_bot"}
_SENT = {"sentMessages": [{"id": "461230966842064897", "quoteToken": "IStG5h1Tz7b"}]}
_SAYS: dict[str, object] = {
    "reply": _SENT, "push": _SENT, "getMe": {"ok": True, "result": _BOT}, "start": {},
    "list": {"aliases": []}, "quota": {"type": "none"}, "consumption": {"totalUsage": 0},
}  # fmt: skip
_PROFILE = {"displayName": "Ann", "userId": "U" + "0" * 32, "language": "th"}


@dataclass
class Platform:
    """Who waits for the answer to which event, and how many answers each event got."""

    waits: dict[str, str] = field(default_factory=dict)
    free: deque[str] = field(default_factory=deque)
    answers: Counter[str] = field(default_factory=Counter)
    strays: int = 0
    """Answers to people who waited for none."""
    last: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)

    def answered(self, kind: str, to: str) -> None:
        """By a reply token, which is its event's id; or by a push to a person."""
        event = to if kind == "replyToken" else self.waits.get(to)
        if event is None:
            self.strays += 1
            return
        person = person_of(event)
        self.answers[event] += 1
        self.last = time.monotonic()
        if self.waits.get(person) == event:
            del self.waits[person]
            self.free.append(person)


def person_of(event: str) -> str:
    return "U" + event[:32]


class Api(asyncio.Protocol):
    """One connection of Sala's to LINE's or Telegram's API."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.line = transport

    def data_received(self, data: bytes) -> None:
        self.got += data
        while (end := self.got.find(b"\r\n\r\n")) >= 0:
            head = self.got[:end]
            found = _LENGTH.search(head)
            whole = end + 4 + (int(found[1]) if found else 0)
            if len(self.got) < whole:
                return
            body, self.got = self.got[end + 4 : whole], self.got[whole:]
            said = self._answer(head.split(b" ", 2)[1].decode(), body)
            self.line.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                % len(said) + said
            )  # fmt: skip

    def _answer(self, path: str, body: bytes) -> bytes:
        method = path.rsplit("/", 1)[1]
        self.platform.calls["profile" if "/profile/" in path else method] += 1
        if method in {"reply", "push"}:
            to = _TO.search(body)
            assert to
            self.platform.answered(to[1].decode(), to[2].decode())
        if "/profile/" in path:
            return json.dumps(_PROFILE).encode()
        return json.dumps(_SAYS.get(method, {"ok": True, "result": True})).encode()


# ---------------------------------------------------------------- people


@dataclass
class Crowd:
    """Posts as fast as they are acknowledged, over so many lines."""

    platform: Platform
    port: int
    until: float = 0.0
    people: int = 0
    posted: list[str] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)

    async def posts(self) -> None:
        """One line, until the time is over."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while time.monotonic() < self.until:
            person, event, body = self._next()
            self.platform.waits[person] = event
            began = time.monotonic()
            writer.write(request(self.port, body))
            status = await answer_of(reader)
            if status == 200:
                self.took.append(time.monotonic() - began)
                self.posted.append(event)
            else:
                self.refused[status] += 1
        writer.close()
        await writer.wait_closed()

    def _next(self) -> tuple[str, str, bytes]:
        number = len(self.posted)
        if self.platform.free and number % NEWCOMERS:
            person, choice = self.platform.free.popleft(), CHOICES[number % 2]
        else:
            self.people += 1
            person, choice = f"U{self.people:032x}", ""
        return person, *line_event(person, choice)

    async def says(self, text: str) -> None:
        """One person's typed words, acknowledged: the ear has something to hear."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.people += 1
        person = f"U{self.people:032x}"
        event, body = line_event(person, "", text)
        self.platform.waits[person] = event
        writer.write(request(self.port, body))
        assert await answer_of(reader) == 200
        writer.close()
        await writer.wait_closed()


_SERIAL = iter(range(1, 1 << 40))


def line_event(person: str, choice: str, text: str = "") -> tuple[str, bytes]:
    """An event's id, which is its reply token too, and the body that brings it."""
    id = f"{person[1:]}{next(_SERIAL):012X}"
    said: dict[str, object] = {"type": "follow", "follow": {"isUnblocked": False}}
    if choice:
        said = {"type": "postback", "postback": {"data": choice}}
    if text:
        words = {"type": "text", "id": "1", "quoteToken": "q", "text": text}
        said = {"type": "message", "message": words}
    event = said | {
        "mode": "active", "timestamp": int(time.time() * 1000), "webhookEventId": id,
        "deliveryContext": {"isRedelivery": False}, "replyToken": id,
        "source": {"type": "user", "userId": person},
    }  # fmt: skip
    return id, json.dumps({"destination": "U" + "0" * 32, "events": [event]}).encode()


def request(port: int, body: bytes) -> bytes:
    made = b64encode(hmac.digest(SECRET.encode(), body, "sha256")).decode()
    head = (
        f"POST /line HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Line-Signature: {made}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def answer_of(reader: asyncio.StreamReader) -> int:
    said = await reader.readuntil(b"\r\n\r\n")
    if found := _LENGTH.search(said):
        await reader.readexactly(int(found[1]))
    return int(said.split(b" ", 2)[1])


# ---------------------------------------------------------------- Sala


def settings(folder: Path, api: str, port: int, database: str) -> dict[str, str]:
    """All three doors, and pictures are taken (C16), so that the jail is warm."""
    return clean_environment(folder) | {
        "SALA_PORT": str(port), "SALA_LINE_SECRET": SECRET, "SALA_LINE_TOKEN": TOKEN,
        "SALA_LINE_API": api, "SALA_TELEGRAM_TOKEN": TELEGRAM_TOKEN, "SALA_TELEGRAM_API": api,
        "SALA_TRANSIENT": "adults", "DATABASE_URL": database,
    }  # fmt: skip


@contextmanager
def running(
    environment: dict[str, str], folder: Path, *parts: str
) -> Iterator["subprocess.Popen[str]"]:
    """A `sala run`, which is open when the block begins."""
    log = (folder / f"log{''.join(parts)}").open("w")
    with log, subprocess.Popen(
        [*SALA, "run", *parts], env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=log,
        text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout
            for line in process.stdout:
                if "Sala is open at" in line or "Sala works." in line:
                    break
            else:
                raise RuntimeError("Sala did not start.")
            yield process
        finally:
            process.terminate()
            process.wait(30)


def memory(process: "subprocess.Popen[str]") -> tuple[float, float]:
    """MB resident of a process and all it started; and with what they share counted once."""
    pids, more = [process.pid], [process.pid]
    while more:
        pid = more.pop()
        for task in Path(f"/proc/{pid}/task").iterdir():
            more += map(int, (task / "children").read_text().split())
            pids += map(int, (task / "children").read_text().split())
    told = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return _sum(told, "Rss"), _sum(told, "Pss")


def _sum(told: Sequence[str], name: str) -> float:
    found = [re.search(rf"^{name}: +(\d+)", one, re.M) for one in told]
    return sum(int(one[1]) for one in found if one) / 1024


def percentile(values: Sequence[float], hundredths: int) -> float:
    return statistics.quantiles(values, n=100)[hundredths - 1]


# ---------------------------------------------------------------- measuring


@dataclass
class Outcome:
    """What came of a load: `held` are MB of each process at rest and after it, as they are and
    with what they share counted once."""

    crowd: Crowd
    seconds: float = 0.0
    whole: float = 0.0
    """Until the last answer."""
    in_time: int = 0
    held: list[tuple[str, tuple[float, float], tuple[float, float]]] = field(default_factory=list)

    @property
    def lost(self) -> int:
        return sum(1 for one in self.crowd.posted if not self.crowd.platform.answers[one])

    @property
    def twice(self) -> int:
        platform = self.crowd.platform
        return sum(count - 1 for count in platform.answers.values()) + platform.strays


async def load(
    folder: Path, database: str, parts: Sequence[str], seconds: float, rest: float = 5.0
) -> Outcome:
    """So many seconds of posts, once `sala run` with each of these parts is open and rested."""
    platform, port = Platform(), free_port()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Api(platform), "127.0.0.1", 0)
    api = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    environment = settings(folder, api, port, database)
    with ExitStack() as opened:
        salas = [
            await asyncio.to_thread(opened.enter_context, running(environment, folder, *part))
            for part in ([one] if one else [] for one in parts)
        ]
        crowd = Crowd(platform, port)
        for words in WORDS:
            await crowd.says(words)
        await until_answered(platform)
        await asyncio.sleep(rest)
        at_rest = [memory(one) for one in salas]
        before, began = len(platform.answers), time.monotonic()
        crowd.until = began + seconds
        await asyncio.gather(*(crowd.posts() for _ in range(LINES)))
        outcome = Outcome(crowd, time.monotonic() - began, in_time=len(platform.answers) - before)
        await until_answered(platform)
        outcome.whole = platform.last - began
        await asyncio.sleep(rest)
        outcome.held = [*zip(parts, at_rest, map(memory, salas), strict=True)]
    server.close()
    await server.wait_closed()
    return outcome


async def until_answered(platform: Platform) -> None:
    """Until nobody waits, or nobody was answered for a while."""
    platform.last = time.monotonic()
    while platform.waits and time.monotonic() - platform.last < STILL:
        await asyncio.sleep(0.1)


def report(name: str, one: Outcome) -> None:
    accepted = len(one.crowd.took)
    p50, p99 = (percentile(one.crowd.took, which) * 1000 for which in (50, 99))
    print(f"{name}: {accepted:,} accepted in {one.seconds:.0f} s, "
          f"{accepted / one.seconds:,.0f} a second; acknowledged in {p50:.0f} ms (p50), "
          f"{p99:.0f} ms (p99); {one.in_time / one.seconds:,.0f} turns a second meanwhile, "
          f"{accepted / one.whole:,.0f} until all was answered ({one.whole:.0f} s); "
          f"lost {one.lost}, duplicated {one.twice}, refused {dict(one.crowd.refused)}; "
          f"{one.crowd.people:,} people")  # fmt: skip
    for part, rest, after in one.held:
        print(f"  sala run {part or '(whole)'}: {rest[0]:.0f} MB resident at rest, "
              f"{rest[1]:.0f} with what is shared counted once; {after[0]:.0f} and {after[1]:.0f} "
              "after the load")  # fmt: skip
    load = os.getloadavg()[0]
    print(f"  calls {dict(one.crowd.platform.calls)}; load of the machine {load:.1f}")


def measured(name: str, parts: Sequence[str], seconds: float, *, served: bool) -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        database = opened.enter_context(databases.server(DURABLE)) if served else ""
        report(name, asyncio.run(load(Path(folder), database, parts, seconds)))


def main(*words: str) -> None:
    print(f"load of the machine {os.getloadavg()[0]:.1f}")
    seconds = next((float(one) for one in words if one[0].isdigit()), SECONDS)
    wanted = {*words} & {"sqlite", "postgres"} or {"sqlite", "postgres"}
    if "sqlite" in wanted:
        measured("SQLite, one process", [""], seconds, served=False)
    if "postgres" in wanted:
        parts = ["--web-only", "--worker-only", "--worker-only"]
        measured("PostgreSQL, one web and two workers", parts, seconds, served=True)
        measured("PostgreSQL, one whole process", [""], seconds, served=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
