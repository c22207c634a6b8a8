"""A Sala that dies, whoever writes to it, and the databases it leaves behind.

The platforms stand on the loopback and deliver again what was not acknowledged, as LINE and
Telegram do; whoever is asked to stop at a point is dead there (tests/crashing.py).
"""

import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from aiohttp import web
from anyio.from_thread import BlockingPortal
from sqlite_utils.utils import sqlite3

from bot.doors import telegram_secret
from bot.store import PartnerKeys
from bot.vault import load_or_make
from tests.databases import ran
from tests.peers.line_api import CHANNEL_TOKEN, FakeLine
from tests.peers.line_talk import SECRET, sign
from tests.peers.telegram_api import TOKEN, TelegramApi
from tests.serving import clean_environment, free_port
from tests.visiting import codes

ANN, HER = "U" + "a" * 32, 5_000_000_001
"""One person on LINE, and one on Telegram."""
PICTURE = "5a" * 32
IDS = count()
WAITS = "select (select count(*) from inbox where parked = 0) + (select count(*) from outbox)"
PATIENCE = 60
"""Seconds in which a machine with much else to do comes to rest."""


def now() -> datetime:
    """The clock of all: two in the afternoon in Bangkok when the tests begin."""
    return datetime.now(UTC) + SHIFT


_BEGAN = datetime.now(UTC)
SHIFT = _BEGAN.replace(hour=7, minute=0) - _BEGAN


class Line(FakeLine):
    """LINE, which here looks at no document: other tests do, and it takes most of a run's time."""

    def _wrong(self, request: web.Request, body: bytes) -> str:
        return ""

    def _unlike(self, request: web.Request, status: int, answer: dict[str, Any]) -> str:
        return ""


# ---------------------------------------------------------------- the processes


class Nursery:
    """Where lives of Sala are begun, one after the other."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.pid = 0
        self.killed = ""
        self.points = 0
        """How many the last life that ended by itself had."""
        self.heard = b""

    def bear(self, at: int, environment: dict[str, str]) -> bool:
        """Begin a life that is killed at its point `at`; whether it opened its doors before."""
        life = {"at": at, "shift": SHIFT.total_seconds(), "environment": environment}
        assert self.process.stdin
        self.process.stdin.write(json.dumps(life).encode() + b"\n")
        self.process.stdin.flush()
        self.pid = int(self.until("born").split()[1])
        return self.until("Sala is open", "ended").startswith("Sala")

    def until(self, *begins: str) -> str:
        """The next line that begins so."""
        while not (line := self.line(PATIENCE)).startswith(begins):
            self.notes(line)
            assert line, "The nursery says nothing."
        self.notes(line)
        return line

    def line(self, seconds: float) -> str:
        assert self.process.stdout
        while b"\n" not in self.heard:
            if not select.select([self.process.stdout], [], [], seconds)[0]:
                return ""
            self.heard += os.read(self.process.stdout.fileno(), 65_536)
        line, _, self.heard = self.heard.partition(b"\n")
        return line.decode()

    def is_dead(self, seconds: float) -> bool:
        """Whether the life has ended, waited for so long."""
        if self.pid and (line := self.line(seconds)):
            self.notes(line)
        return not self.pid

    def notes(self, line: str) -> None:
        match line.split(maxsplit=1):
            case ["killed", where]:
                self.killed = where
            case ["points", number]:
                self.points = int(number)
            case ["ended", _]:
                self.pid = 0

    def ends(self) -> str:
        """Ask the life to end, and hear how it did."""
        if self.pid:
            with suppress(ProcessLookupError):  # it died just now, which is heard next
                os.kill(self.pid, 15)
            return self.until("ended")
        return ""


@contextmanager
def nursery(folder: Path) -> Iterator[Nursery]:
    with (folder / "log").open("wb") as log, subprocess.Popen(
        [sys.executable, "-m", "tests.crashing"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=log, env=clean_environment(folder, OPENBLAS_NUM_THREADS="1"),
        cwd=Path(__file__).parents[1],
    ) as process:  # fmt: skip
        one = Nursery(process)
        try:
            assert one.until("ready") == "ready 1", "threads do not survive a fork"
            yield one
        finally:
            if one.pid:
                with suppress(ProcessLookupError):
                    os.kill(one.pid, 9)
            assert process.stdin
            process.stdin.close()


# ---------------------------------------------------------------- the databases


class File:
    """Sala's folder with an SQLite file; each run has a copy of what was there before."""

    name = "SQLite"

    def __init__(self, folder: Path) -> None:
        self.before, self.folder = folder / "before", folder / "run"
        self.before.mkdir()

    def begin(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.before, self.folder)

    def keep(self) -> None:
        """What there is now is there before the next run."""
        shutil.rmtree(self.before)
        shutil.copytree(self.folder, self.before)

    def settings(self) -> dict[str, str]:
        return {}

    def after_death(self) -> None:
        pass

    def asked(self, query: str) -> list[tuple[Any, ...]]:
        file = f"{(self.folder / 'sala.db').as_uri()}?mode=ro"
        db = sqlite3.connect(file, uri=True, timeout=PATIENCE)
        try:
            return list(db.execute(query))
        finally:
            db.close()


class Server:
    """A PostgreSQL database of its own for each run, made like the one that was there before."""

    name = "PostgreSQL"

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder / "run"
        self.folder.mkdir()
        self.address, self.before, self.current = address, "template0", ""
        self.numbers = count()

    def begin(self) -> None:
        if self.current and self.current != self.before:
            ran(self.address, f"drop database {self.current} with (force)")
        self.current = f"run{next(self.numbers)}"
        ran(self.address, f"create database {self.current} template {self.before}")

    def keep(self) -> None:
        self.before = self.current

    @property
    def database(self) -> str:
        return self.address.replace("/postgres?", f"/{self.current}?")

    def settings(self) -> dict[str, str]:
        return {"DATABASE_URL": self.database}

    def after_death(self) -> None:
        """The server has noticed, and the dead process's half minute is over."""
        there = f"select 1 from pg_stat_activity where datname = '{self.current}'"
        while ran(self.address, there):
            pass
        with suppress(psycopg.errors.UndefinedTable):
            ran(self.database, "update conversation set held_by = null")

    def asked(self, query: str) -> list[tuple[Any, ...]]:
        return ran(self.database, query)


# ---------------------------------------------------------------- a run


@dataclass
class Run:
    """One life after the other, on one database, until everybody was answered."""

    kept: File | Server
    nursery: Nursery
    portal: BlockingPortal
    line: FakeLine
    telegram: TelegramApi
    at: int = 0
    port: int = field(default_factory=free_port)
    deaths: int = 0

    def lives(self) -> None:
        """Sala is open; the first life is killed at its point, those after it are not."""
        while not self.nursery.bear(0 if self.deaths else self.at, self.environment()):
            self.mourns()

    def mourns(self) -> None:
        assert self.nursery.killed, "It died by itself."
        self.deaths += 1
        assert self.deaths == 1
        self.kept.after_death()

    def environment(self) -> dict[str, str]:
        return {
            "SALA_DATA_DIR": str(self.kept.folder), "SALA_PORT": str(self.port),
            "SALA_LINE_SECRET": SECRET, "SALA_LINE_TOKEN": CHANNEL_TOKEN,
            "SALA_LINE_API": self.line.url, "SALA_TELEGRAM_TOKEN": TOKEN,
            "SALA_TELEGRAM_API": self.telegram.url, "SALA_TRANSIENT": "off",
        } | self.kept.settings()  # fmt: skip

    def delivers(self, deliver: Callable[[], tuple[int, bytes]], *fine: int) -> bytes:
        """Until it is acknowledged, as platforms do; what the acknowledgement says."""
        while True:
            try:
                status, said = deliver()
            except (OSError, HTTPException):
                while not self.nursery.is_dead(PATIENCE):
                    pass
                self.mourns()
                self.lives()
                continue
            assert status in (fine or (200,))
            return said

    def posts(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        return self.asks(path, headers, body)

    def asks(
        self, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> tuple[int, bytes]:
        """Status and body of the answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET" if body is None else "POST", path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def rests(self) -> None:
        """Until nothing waits for its turn or to be sent; who dies meanwhile lives again."""
        while True:
            if self.nursery.is_dead(0.005):
                self.mourns()
                self.lives()
            with suppress(sqlite3.OperationalError, psycopg.errors.UndefinedTable):
                if self.kept.asked(WAITS) == [(0,)]:
                    return

    def ends(self) -> None:
        """Ask Sala to end; the point may be reached while it does."""
        if self.nursery.ends() == "ended -9":
            self.mourns()
            self.lives()
            self.rests()
            assert self.nursery.ends() == "ended 0"


Deliver = Callable[[], object]


class Story:
    """What two people do, one thing after the other; each is delivered once more at the end."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.did: list[Deliver] = []

    def does(self, deliver: Deliver) -> None:
        self.did.append(deliver)
        deliver()
        self.run.rests()

    def again(self) -> None:
        """Nobody is sure of anything, and delivers it all once more."""
        for deliver in self.did:
            deliver()
        self.run.rests()

    def ann(self, kind: str, **more: Any) -> None:
        """Ann on LINE."""
        event = {
            "type": kind, "mode": "active", "webhookEventId": f"01{next(IDS):024X}",
            "timestamp": int(now().timestamp() * 1000), "replyToken": self.run.line.token(ANN),
            "deliveryContext": {"isRedelivery": False}, "source": {"type": "user", "userId": ANN},
        } | more  # fmt: skip
        body = json.dumps({"destination": "U" + "0" * 32, "events": [event]}).encode()
        shown = {"X-Line-Signature": sign(body).decode()}
        self.does(lambda: self.run.delivers(lambda: self.run.posts("/line", body, shown)))

    def presses(self, *choices: str) -> None:
        for choice in choices:
            self.ann("postback", postback={"data": choice})

    def she(self, update: dict[str, Any]) -> None:
        """Somebody on Telegram."""
        vault, _ = load_or_make(self.run.kept.folder / "keys")
        shown = {"X-Telegram-Bot-Api-Secret-Token": telegram_secret(vault)}
        body = json.dumps(update).encode()

        def deliver() -> None:
            said = self.run.delivers(lambda: self.run.posts("/telegram", body, shown))
            self.run.portal.call(self.run.telegram.reads, said)

        self.does(deliver)

    def registers(self, ticket: str) -> None:
        """The mini-app posts; whoever heard nothing posts again, and may hear that it is done."""
        body = json.dumps({"ticket": ticket, "items": codes(PICTURE)}).encode()
        kind = {"Content-Type": "application/json"}
        post = partial(self.run.posts, "/app/hashes", body, kind)
        self.does(lambda: self.run.delivers(post, 200, 410))

    def platform(self, keys: PartnerKeys) -> None:
        """A platform finds the picture on the list, and says that it blocked it."""
        shown = {"Ocp-Apim-Subscription-Key": keys.subscription_key}
        fetching = shown | {"x-functions-key": keys.fetch_key}
        word = {"hashValue": PICTURE, "feedbackValue": "Blocked", "tags": []}
        said = json.dumps({"count": 1, "hashFeedbacks": [word]}).encode()

        def reads() -> tuple[int, bytes]:
            page = "/exchange/v1/FetchHashes?startTimestamp=0&pageSize=800"
            while PICTURE.encode() not in (answer := self.run.asks(page, fetching))[1]:
                assert answer[0] in {200, 429}
            return answer

        def answers() -> tuple[int, bytes]:
            feeding = shown | {"x-functions-key": keys.feedback_key}
            return self.run.posts("/exchange/v1/SubmitFeedback", said, feeding)

        for does in (reads, answers):
            self.does(partial(self.run.delivers, does))
