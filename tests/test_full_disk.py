"""PostgreSQL's disk is full, truly: first for its tables, which ends statements, then for its log,
which ends the server again and again. Nothing is acknowledged that is not kept; once there is room,
everybody is answered, once.

The server's own writes are refused where a file would grow (tests/full_disk.c).
"""

import asyncio
import json
import shutil
import signal
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Final
from uuid import uuid4

import httpx2
import psycopg
import pytest

from bot import outbox
from bot.app import Sala, open_sala
from bot.channels import telegram_pace
from bot.doors import telegram_secret
from bot.settings import read_settings
from bot.store import pg_engine
from bot.text import load_texts
from bot.watching import Watch
from tests import databases
from tests.crashed import WAITS, Line, now
from tests.peers.line_api import CHANNEL_TOKEN
from tests.peers.line_talk import SECRET, sign
from tests.peers.telegram_api import TOKEN, TelegramApi, telegram

SOURCE = Path(__file__).with_name("full_disk.c")
TABLES, LOG = "/base/", "/pg_wal/"
SMALL: Final = (*databases.SPEED, "max_wal_size=2MB", "min_wal_size=2MB", "wal_recycle=off")
HELLO = load_texts().say("hello", "en")
IDS = count()
MOST = 500
"""Newcomers for whom a page of each table never has room."""


# ---------------------------------------------------------------- the server


class Disk:
    """A server begun anew whenever it ends, as by its service; and its disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.flag, self.log = folder / "full", folder / "log"
        self.address = f"postgresql://{databases.OURS}@/postgres?host={folder}"
        self.over = threading.Event()
        self.process: subprocess.Popen[bytes] | None = None

    def fills(self, part: str) -> None:
        flag = self.flag.with_suffix(".new")
        flag.write_text(part)
        flag.chmod(0o644)
        flag.rename(self.flag)

    def is_freed(self) -> None:
        self.flag.unlink()

    def said(self, words: str) -> int:
        return self.log.read_text("utf-8", "replace").count(words)

    def serve(self) -> None:
        environment = {"LD_PRELOAD": str(self.folder / "full_disk.so"), "FULL_DISK": str(self.flag)}
        with self.log.open("wb") as log:
            while not self.over.is_set():
                self.process = subprocess.Popen(
                    databases.starting(self.folder, SMALL), cwd="/", stderr=log, env=environment
                )
                self.process.wait()

    def answers(self) -> bool:
        with suppress(psycopg.Error):
            return bool(databases.ran(self.address, "select 1"))
        return False


@contextmanager
def disk() -> Iterator[Disk]:
    folder = Path(mkdtemp(prefix="sala-pg-"))
    one = Disk(folder)
    serving = threading.Thread(target=one.serve)
    try:
        databases.make_cluster(folder, "--wal-segsize=1")
        made = ("-shared", "-fPIC", "-o", str(folder / "full_disk.so"), str(SOURCE), "-ldl")
        subprocess.run(["gcc", *made], check=True)
        serving.start()
        while not one.answers():
            pass
        yield one
    finally:
        one.over.set()
        if one.process:
            one.process.send_signal(signal.SIGQUIT)
        serving.join()
        shutil.rmtree(folder)


# ---------------------------------------------------------------- who writes


@dataclass
class Platforms:
    """LINE and Telegram, the people there, and what was not acknowledged yet."""

    sala: Sala
    site: httpx2.AsyncClient
    line: Line
    telegram: TelegramApi
    people: list[str | int] = field(default_factory=list)
    refused: list[Callable[[], Awaitable[int]]] = field(default_factory=list)

    async def somebody_writes(self, app: str) -> int:
        """Somebody new; what is not acknowledged is delivered again later."""
        deliver = self.on_line() if app == "line" else self.on_telegram()
        status = await deliver()
        if status != 200:
            self.refused.append(deliver)
        return status

    def on_line(self) -> Callable[[], Awaitable[int]]:
        user = f"U{next(IDS):032x}"
        self.people.append(user)
        event = {
            "type": "follow", "mode": "active", "webhookEventId": f"01{next(IDS):024X}",
            "timestamp": int(now().timestamp() * 1000), "follow": {"isUnblocked": False},
            "deliveryContext": {"isRedelivery": False}, "source": {"type": "user", "userId": user},
            "replyToken": self.line.token(user),
        }  # fmt: skip
        body = json.dumps({"destination": "U" + "0" * 32, "events": [event]}).encode()

        async def deliver() -> int:
            headers = {"X-Line-Signature": sign(body).decode()}
            return (await self.site.post("/line", content=body, headers=headers)).status_code

        return deliver

    def on_telegram(self) -> Callable[[], Awaitable[int]]:
        chat = 5_000_000_000 + next(IDS)
        self.people.append(chat)
        update = self.telegram.text(chat, "/start")
        headers = {"X-Telegram-Bot-Api-Secret-Token": telegram_secret(self.sala.vault)}

        async def deliver() -> int:
            answer = await self.site.post("/telegram", json=update, headers=headers)
            if answer.status_code == 200:
                await self.telegram.reads(answer.content)
            return answer.status_code

        return deliver

    async def until_refused(self) -> None:
        """People write on both until each app had one refused."""

        async def write(app: str) -> None:
            for _ in range(MOST):
                if await self.somebody_writes(app) != 200:
                    return
            raise AssertionError(f"{app}: nothing was refused")

        await asyncio.gather(write("line"), write("telegram"))

    async def shows_the_card(self) -> None:
        """The page comes with help lines, and a post is refused, whereupon the page shows them."""
        page = (await self.site.get("/", headers={"Accept-Language": "th"})).text
        calls = self.sala.cards("door.late")["th"].calls
        assert calls
        assert all(one.url.removeprefix("tel:") in page for one in calls)
        while await self.somebody_comes() == 204:
            pass

    async def somebody_comes(self) -> int:
        """Somebody new opens the page; what is said to its first post, or that it is refused."""
        assert (await self.site.post("/chat/visit", json={})).status_code == 204
        opening = {"id": str(uuid4()), "language": "th"}
        status = (await self.site.post("/chat/open", json=opening)).status_code
        assert status in {204, 503}
        return status

    async def deliver_again(self) -> None:
        """As the platforms do, until all is acknowledged."""
        while self.refused:
            statuses = [await deliver() for deliver in self.refused]
            waiting = zip(self.refused, statuses, strict=True)
            self.refused = [deliver for deliver, status in waiting if status != 200]

    def heard(self) -> list[int]:
        """How often each was greeted."""
        return [sum(HELLO in one for one in self.said(who)) for who in self.people]

    def said(self, who: str | int) -> list[str]:
        if isinstance(who, str):
            return self.line.said(who)
        return [one["text"] for one in self.telegram.said(who)]


@asynccontextmanager
async def open_doors(folder: Path, address: str) -> AsyncIterator[tuple[Platforms, Watch]]:
    async with AsyncExitStack() as all:
        line = await all.enter_async_context(Line(now).served())
        api = await all.enter_async_context(telegram(now))
        settings = read_settings({
            "SALA_DATA_DIR": str(folder), "DATABASE_URL": address, "SALA_TRANSIENT": "off",
            "SALA_LINE_SECRET": SECRET, "SALA_LINE_TOKEN": CHANNEL_TOKEN, "SALA_LINE_API": line.url,
            "SALA_TELEGRAM_TOKEN": TOKEN, "SALA_TELEGRAM_API": api.url,
        }, folder / "none")  # fmt: skip
        sala = await all.enter_async_context(open_sala(settings, now))
        site = sala.site()
        await all.enter_async_context(site.router.lifespan_context(site))
        client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(site), base_url=settings.public_url
        )
        await all.enter_async_context(client)
        watch = Watch(
            sala.store, ["line", "telegram", "browser"], lambda: True, list, lambda: None,
            lambda: None, now, kept=0,
        )  # fmt: skip
        yield Platforms(sala, client, line, api), watch


# ---------------------------------------------------------------- what comes of it


@pytest.fixture(scope="module")
def small() -> Iterator[Disk]:
    with disk() as one:
        yield one


async def whole(watch: Watch) -> bool:
    return not (await watch.state()).failing


async def nothing_waits(small: Disk) -> bool:
    return databases.ran(small.address, WAITS) == [(0,)]


async def until(happens: Callable[[], Awaitable[bool]]) -> None:
    while not await happens():
        await asyncio.sleep(0.02)


def play(
    small: Disk, folder: Path, part: str, ends: Callable[[Platforms, Watch], Awaitable[None]]
) -> None:
    """Two are greeted; the disk is full, and people write; it is freed, and all is delivered."""

    async def story() -> None:
        databases.drop(small.address)
        async with open_doors(folder, small.address) as (people, watch):
            assert [await people.somebody_writes(app) for app in ("line", "telegram")] == [200] * 2
            await until(lambda: whole(watch))
            small.fills(part)
            try:
                await ends(people, watch)
            finally:
                small.is_freed()
            await people.deliver_again()
            await until(lambda: nothing_waits(small))
            await until(lambda: whole(watch))
            assert people.heard() == [1] * len(people.people)
            assert (people.line.faulty, people.telegram.refused) == ([], [])

    asyncio.run(story())


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "PAUSE", 0.05)
    monkeypatch.setattr(telegram_pace, "CHAT", 0.0)
    monkeypatch.setattr(pg_engine, "AWAY_SECONDS", 0.5)


def test_while_its_tables_are_full_nothing_is_acknowledged_that_is_not_kept(
    small: Disk, tmp_path: Path
) -> None:
    async def ends(people: Platforms, watch: Watch) -> None:
        await people.until_refused()
        assert small.said("ERROR:  could not extend file")
        assert "store" in (await watch.state()).failing
        await people.shows_the_card()

    play(small, tmp_path, TABLES, ends)


def test_while_its_log_is_full_and_it_dies_again_and_again_nothing_is_lost(
    small: Disk, tmp_path: Path
) -> None:
    async def ends(people: Platforms, watch: Watch) -> None:
        await dies(1)
        await asyncio.gather(people.until_refused(), people.shows_the_card())
        assert "store" in (await watch.state()).failing
        await dies(3)

    async def dies(times: int) -> None:
        """Whatever it writes next does not fit in."""
        while small.said("PANIC:  could not write") + small.said("startup process failure") < times:
            with suppress(psycopg.Error):
                await asyncio.to_thread(databases.ran, small.address, "select pg_switch_wal()")

    play(small, tmp_path, LOG, ends)
