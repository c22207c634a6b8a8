"""The line to PostgreSQL is cut around every commit, and its server dies: once stays once."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, TypeVar

import psycopg
import pytest
from anyio.from_thread import start_blocking_portal

from bot import outbox
from bot.conversation.model import Chose, NodeId, Opened
from bot.store import ConversationId
from bot.store.jobs import Unwritten
from tests import databases
from tests.talking import DAY, VAULT, Door, Talk, play, until, working

T = TypeVar("T")
Cut = Literal["before", "after"]
SOCKET = ".s.PGSQL.5432"


class Line:
    """Between Sala and the server. At the commit `at` it breaks: before the server heard of it, or
    after the server did it and before Sala hears."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.at = 0
        self.cut: Cut = "before"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, server = await asyncio.open_unix_connection(self.server)
        back = asyncio.create_task(self.hand(answers, writer))
        while said := await reader.read(65_536):
            if b"COMMIT" in said:
                self.at -= 1
                if self.at == 0:
                    await self.breaks(said, back, answers, server)
                    break
            server.write(said)
        back.cancel()
        for end in (server, writer):
            end.close()

    async def breaks(
        self, said: bytes, back: "asyncio.Task[None]", answers: asyncio.StreamReader,
        server: asyncio.StreamWriter,
    ) -> None:  # fmt: skip
        back.cancel()
        await asyncio.gather(back, return_exceptions=True)
        if self.cut == "after":
            server.write(said)
            await answers.read(65_536)

    async def hand(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while said := await answers.read(65_536):
            writer.write(said)


@contextmanager
def through(address: str, folder: Path) -> Iterator[Line]:
    """Stores are opened over a line that can be cut."""
    line = Line(f"{address.partition('host=')[2]}/{SOCKET}")
    with start_blocking_portal() as portal:
        server = portal.call(asyncio.start_unix_server, line.serve, str(folder / SOCKET))
        databases.Chosen.address = f"postgresql://sala@/postgres?host={folder}"
        try:
            yield line
        finally:
            databases.Chosen.address = None
            portal.call(server.close)


async def again(does: Callable[[], Awaitable[T]]) -> T:
    """Until it is acknowledged, as platforms deliver and as the worker goes on."""
    while True:
        with suppress(Unwritten):
            return await does()


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_commit_whose_answer_is_lost_doubles_nothing_and_loses_nothing(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: Cut
) -> None:
    async def told(talk: Talk, line: Line, at: int) -> bool:
        """Whether the line was cut while a person, known by this number, was greeted."""
        talk.conversation = ConversationId(VAULT.digest("conversation", str(at).encode()))
        talk.forget_sent()
        line.at, line.cut = at, cut
        for event in (Opened(DAY, "en"), Chose(DAY, NodeId("ask.phone"), "own")):
            await again(lambda event=event: talk.arrives(event, f"{at} {type(event).__name__}"))
            await again(talk.work)
        while await again(lambda: talk.store.due(["door"], DAY, 9)):
            await again(talk.work)
        heard = [talk.heard(id) for id in ("hello", "ask.phone", "ask.situation")]
        assert heard == [1, 1, 1], at
        return line.at <= 0

    with through(database, tmp_path) as line:

        async def story(talk: Talk) -> None:
            at = 1
            while await told(talk, line, at):
                at += 1
            assert at > 15

        monkeypatch.setattr(outbox, "PAUSE", 0)
        play(tmp_path, story)


# ---------------------------------------------------------------- the server dies


def dies_and_lives(address: str) -> "subprocess.Popen[bytes]":
    """The server is killed with all that it does, and begun anew on what it had written."""
    folder = Path(address.partition("host=")[2])
    number = int((folder / "data" / "postmaster.pid").read_text().split()[0])
    os.kill(number, signal.SIGQUIT)
    os.waitpid(number, 0)  # while it is not gone whole, another does not begin in its folder
    command = databases.starting(folder)
    while True:
        process = subprocess.Popen(command, cwd="/", stderr=subprocess.DEVNULL)
        while process.poll() is None:
            with suppress(psycopg.OperationalError), psycopg.connect(address):
                return process


def test_a_server_that_dies_under_load_loses_nothing_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def arrive(talk: Talk, number: int) -> None:
        who = ConversationId(number.to_bytes(16, "big"))
        await again(lambda: talk.arrives(Opened(DAY, "en"), str(number), who))
        talk.worker.wake()

    async def story(talk: Talk) -> None:
        async def greeted() -> bool:
            return talk.heard("ask.phone") >= 60

        async with working(talk):
            arriving = [asyncio.create_task(arrive(talk, number)) for number in range(60)]
            await asyncio.wait(arriving, return_when=asyncio.FIRST_COMPLETED)
            address = str(databases.Chosen.address)
            processes.append(await asyncio.to_thread(dies_and_lives, address))
            await asyncio.gather(*arriving)
            await until(greeted)
        ids = [message.id for message in talk.door.sent]
        assert len(ids) == len(set(ids)) == 120

    processes: list[subprocess.Popen[bytes]] = []
    monkeypatch.setattr(outbox, "PAUSE", 0)
    with databases.server() as address:
        databases.Chosen.address = address
        try:
            play(tmp_path, story, Door())
        finally:
            databases.Chosen.address = databases.Chosen.path = None
            for process in processes:
                process.send_signal(signal.SIGQUIT)
                process.wait()
