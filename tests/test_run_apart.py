"""`sala run` in parts: doors and workers as processes of their own, on one PostgreSQL database."""

import asyncio
import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from anyio.from_thread import start_blocking_portal
from click.testing import CliRunner, Result

from bot.cli import main
from bot.conversation.model import LANGUAGES
from bot.text import load_texts
from tests import databases
from tests.peers import specs
from tests.peers.line_api import CHANNEL_TOKEN, FakeLine
from tests.peers.line_talk import SECRET, sign
from tests.serving import SALA, Served, clean_environment, free_port, served
from tests.visiting import Visitor

ANN, EVE = ("U" + letter * 32 for letter in "ae")
FREE = "update conversation set held_by = null"
HELD = "select count(*) from conversation where held_by > 0 and channel = 'line'"


@contextmanager
def working(folder: Path, *more: str, **settings: str) -> Iterator["subprocess.Popen[str]"]:
    """A worker of the chat apps, until the block ends."""
    with subprocess.Popen(
        [*SALA, "run", "--worker-only", *more], env=clean_environment(folder, **settings),
        cwd=folder, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()


class Friend:
    """Somebody on LINE, whose events go to whichever door is named."""

    numbers = count()

    def __init__(self, line: FakeLine, user: str = ANN) -> None:
        self.line = line
        self.user = user

    def does(self, door: Served, kind: str, **more: object) -> None:
        event = {
            "type": kind, "mode": "active", "webhookEventId": f"01{next(self.numbers):024X}",
            "timestamp": int(datetime.now(UTC).timestamp() * 1000),
            "deliveryContext": {"isRedelivery": False},
            "source": {"type": "user", "userId": self.user},
            "replyToken": self.line.token(self.user),
        }  # fmt: skip
        body = json.dumps({"destination": "U" + "0" * 32, "events": [event | more]}).encode()
        connection = HTTPConnection(urlsplit(door.url).netloc, timeout=15)
        connection.request("POST", "/line", body, {"X-Line-Signature": sign(body).decode()})
        assert connection.getresponse().status == 200
        connection.close()

    def presses(self, door: Served, data: str) -> None:
        self.does(door, "postback", postback={"data": data})

    def says(self, door: Served, text: str) -> None:
        id = str(next(self.numbers))
        said = {"id": id, "type": "text", "text": text, "quoteToken": ""}
        self.does(door, "message", message=said)

    async def hears(self, id: str) -> None:
        """Wait for a text; it comes once."""
        words = load_texts().say(id, "en")
        async with asyncio.timeout(60):
            while not (heard := sum(words in one for one in self.line.said(self.user))):
                await asyncio.sleep(0.02)
        assert heard == 1


def looked_at(port: str, path: str) -> tuple[int, object]:
    """What a worker that is watched on a port says of itself."""
    with closing(HTTPConnection("127.0.0.1", int(port), timeout=15)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if answer.status == 200 else None


def test_doors_and_workers_are_one_sala(database: str, tmp_path: Path) -> None:
    specs.find("messaging-api.yml")
    with ExitStack() as all:
        portal = all.enter_context(start_blocking_portal())
        fake = FakeLine(lambda: datetime.now(UTC))
        line = all.enter_context(portal.wrap_async_context_manager(fake.served()))
        settings = {
            "DATABASE_URL": database, "SALA_LINE_SECRET": SECRET, "SALA_LINE_TOKEN": CHANNEL_TOKEN,
            "SALA_LINE_API": line.url, "SALA_LATE_SECONDS": "1",
        }  # fmt: skip
        one = all.enter_context(working(tmp_path, **settings))
        watched = str(free_port())
        other = all.enter_context(working(tmp_path, "--watch", watched, **settings))
        door = all.enter_context(served(tmp_path, part="--web-only", **settings))
        for worker in (one, other):
            assert worker.stdout is not None
            assert "Sala works." in worker.stdout.readline()
        ann = Friend(line)
        ann.does(door, "follow", follow={"isUnblocked": False})
        portal.call(ann.hears, "ask.phone")
        with Visitor(door.url).page() as page:
            page.until("own phone")
        one.send_signal(signal.SIGKILL)
        one.wait()
        databases.ran(database, FREE)  # its half minute is over
        ann.presses(door, "ask.phone=own")
        portal.call(ann.hears, "ask.situation")
        ann.says(door, "he is looking at my phone")
        portal.call(ann.hears, "bland")
        assert looked_at(watched, "/healthz") == (200, {"ok": True})
        assert looked_at(watched, "/")[0] == 404
        other.send_signal(signal.SIGTERM)
        assert other.wait(20) == 0
        assert databases.ran(database, HELD) == [(0,)]
        shows_the_card_while_nobody_works(portal.call, line, door)
        assert line.faulty == []


def shows_the_card_while_nobody_works(
    call: Callable[..., object], line: FakeLine, door: Served
) -> None:
    """Once, and not where somebody may be looking (C9)."""
    line.chats.clear()
    pushed = line.used
    ann, eve, last = Friend(line), Friend(line, EVE), Friend(line, "U" + "f" * 32)
    ann.says(door, "hello")
    for _ in range(2):
        eve.says(door, "hello")
    call(eve.hears, "door.help_card")
    last.says(door, "hello")
    call(last.hears, "door.help_card")
    assert len(line.said(EVE)) == len(LANGUAGES)
    assert line.said(ANN) == []
    assert line.used == pushed, "it costs no push"


# ---------------------------------------------------------------- what cannot be


def refused(*words: str, **settings: str) -> Result:
    said = CliRunner().invoke(main, ["run", *words], env=settings)
    assert said.exit_code != 0
    return said


POSTGRES = {"DATABASE_URL": "postgresql://sala@/sala?host=/nowhere"}
POLLING = {"SALA_TELEGRAM": "polling", "SALA_TELEGRAM_TOKEN": "1:a"}


@pytest.mark.parametrize("part", ["--web-only", "--worker-only"])
def test_on_sqlite_a_part_alone_does_not_start(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = refused(part, SALA_DATA_DIR=str(tmp_path / "data"))
    assert "Set DATABASE_URL=postgresql://" in said.output
    assert not (tmp_path / "data").exists()


def test_only_a_worker_by_itself_is_watched_on_a_port_of_its_own() -> None:
    assert "elsewhere the doors have it" in refused("--watch", "9101", **POSTGRES).output


def test_one_process_does_one_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "one of them" in refused("--web-only", "--worker-only", **POSTGRES).output


def test_parts_do_not_poll_telegram(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "SALA_TELEGRAM=webhook" in refused("--worker-only", **POSTGRES, **POLLING).output


def test_a_worker_without_a_chat_app_has_nothing_to_do(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "nothing to work for" in refused("--worker-only", DATABASE_URL=database).output
