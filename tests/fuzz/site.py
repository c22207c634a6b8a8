"""The whole site and its work in this process, asked by whatever a fuzzer made up.

Every request is judged at once: no 500, no line in any log, no word of it in the answer; and after
each the next good person is served.
"""

import asyncio
import contextlib
import gc
import io
import logging
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx2

from bot.app import Sala, open_sala
from bot.doors import telegram_secret
from bot.hashing.jail import Jail
from bot.settings import read_settings
from tests.fuzz.grammar import CANARY
from tests.peers.line_api import CHANNEL_TOKEN, LOGIN_CHANNEL
from tests.peers.line_talk import LIFF, SECRET
from tests.peers.telegram_api import TOKEN
from tests.talking import Door

T = TypeVar("T")
NOBODY: Final = "http://127.0.0.1:1"
"""Where LINE and Telegram would be: nobody listens there."""
SETTINGS: Final = {
    "SALA_LINE_SECRET": SECRET, "SALA_LINE_TOKEN": CHANNEL_TOKEN, "SALA_LINE_LIFF": LIFF,
    "SALA_LINE_LOGIN_CHANNEL": LOGIN_CHANNEL, "SALA_LINE_API": NOBODY,
    "SALA_TELEGRAM_TOKEN": TOKEN, "SALA_TELEGRAM_API": NOBODY,
}  # fmt: skip
HOME: Final = "http://127.0.0.1:8080"
DAY: Final = datetime(2026, 11, 26, 7, tzinfo=UTC)
JSON: Final = {"content-type": "application/json"}


class Known(Door):
    """A door that notes what is sent, under the name of one that the site has. It fetches, and
    nothing is ever there."""

    fetches = True

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class Site:
    """`now` goes on by a second with every request, so that nobody is too fast."""

    def __init__(self, sala: Sala, log: "Log") -> None:
        self.sala = sala
        self.log = log
        jail = Jail()
        self.app = sala.site(jail)
        transport = httpx2.ASGITransport(self.app)
        self.http = httpx2.AsyncClient(transport=transport, base_url=HOME)
        self.doors = [Known(name) for name in ("line", "telegram", "browser")]
        self.worker = sala.worker(*self.doors, jail=jail)
        self.secret = telegram_secret(sala.vault)
        self.numbers = count(1)

    def number(self) -> int:
        """One that was not used before."""
        return next(self.numbers)

    async def ask(self, path: str, body: bytes, **headers: str) -> httpx2.Response:
        """Post something, and judge the answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.http.post(path, content=body, headers=JSON | named)
        assert answer.status_code < 500
        assert CANARY.encode() not in answer.content
        assert CANARY not in str(answer.headers)
        return answer

    async def works(self) -> None:
        """Turn and send all there is."""
        await self.worker.drain()
        self.log.is_empty()

    def said(self) -> int:
        """How much was said so far, at all doors."""
        return sum(len(door.sent) for door in self.doors)

    async def close(self) -> None:
        await self.http.aclose()
        async with self.app.router.lifespan_context(self.app):
            pass  # its end closes what was opened


class Log(logging.Handler):
    """All that is logged, in Sala's own log or a library's."""

    def __init__(self, printed: io.StringIO) -> None:
        super().__init__(logging.WARNING)
        self.printed = printed

    def emit(self, record: logging.LogRecord) -> None:
        self.printed.write(self.format(record))

    def is_empty(self) -> None:
        """Nothing was logged since the last look."""
        written = self.printed.getvalue()
        self.printed.seek(0)
        self.printed.truncate()
        assert written == "", written


@contextmanager
def logged() -> Iterator[Log]:
    """All that is logged while the block lasts, and nothing of what was left before it."""
    gc.collect()
    with contextlib.redirect_stderr(io.StringIO()) as printed:
        log = Log(printed)
        logging.getLogger().addHandler(log)
        try:
            yield log
        finally:
            logging.getLogger().removeHandler(log)


@asynccontextmanager
async def _opened(folder: Path, log: Log) -> AsyncIterator[Site]:
    clock = count()

    def now() -> datetime:
        return DAY + timedelta(milliseconds=100 * next(clock))

    settings = read_settings(SETTINGS | {"SALA_DATA_DIR": str(folder)}, folder / ".env")
    async with open_sala(settings, now) as sala:
        site = Site(sala, log)
        log.printed.truncate(0)  # new keys, and perhaps no encoder here
        try:
            yield site
        finally:
            await site.close()


class Running:
    """A site with a loop of its own, for tests that are no coroutines."""

    def __init__(self, runner: asyncio.Runner, site: Site) -> None:
        self.runner = runner
        self.site = site

    def do(self, wanted: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(wanted)


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    """A site until the block ends."""
    with logged() as log, asyncio.Runner() as runner:
        opened = _opened(folder, log)
        site = runner.run(opened.__aenter__())
        try:
            yield Running(runner, site)
        finally:
            runner.run(opened.__aexit__(None, None, None))
