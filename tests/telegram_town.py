"""Sala behind the Telegram door, people with phones, and a strict Telegram between them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
from starlette.applications import Starlette

from bot.channels.telegram import TelegramChannel, TelegramDoor, routes
from bot.channels.telegram_http import TelegramHttp
from bot.channels.telegram_pace import Pace
from bot.conversation.codec import decode_inbound
from bot.conversation.model import Inbound, Language
from bot.conversation.shows import Opens
from bot.settings import TelegramSettings
from bot.store import Arrival, ConversationId, StoreError
from bot.store.sqlite import SqliteStore
from bot.text import load_texts
from bot.voice import Operator, Voice, ticket_digest, token_of
from bot.worker import Worker
from tests.peers.telegram_api import TOKEN, TelegramApi, telegram
from tests.talking import BANGKOK, DAY, HOME, VAULT, taking

ANN = 5_000_000_001
BOB = 77
SECRET = "a-secret_0123456789"
PREVIEW = load_texts().say("preview", "en")


class Town:
    """One Sala. `now` moves by hand, and when the door keeps its pace.

    `full` is how many more arrivals find the disk full.
    """

    def __init__(
        self, folder: Path, api: TelegramApi, home: str = HOME, *, polling: bool = False,
        takes: bool = False,
    ) -> None:  # fmt: skip
        self.api = api
        self.now = DAY
        api.clock = lambda: self.now
        self.store = SqliteStore.open(folder / "sala.db", VAULT, lambda: self.now)
        self.texts = load_texts()
        self.kept: list[Inbound] = []
        self.full = 0
        self.home = home
        self.takes = takes
        self.settings = TelegramSettings(TOKEN, polling, api.url)
        self.restart()

    def restart(self, http: TelegramHttp | None = None) -> None:
        """A process that remembers nothing, on what was kept."""
        self.http = http or TelegramHttp(answer_within=10)
        pace = Pace(self.seconds, self.sleep)
        self.channel = TelegramChannel(
            self.settings, self.texts, self.home, lambda: self.now, pace, self.http
        )
        voice = Voice(self.texts, self.store, VAULT, Operator("", "—", 24), self.home)
        self.worker = Worker(
            self.store, self.store, voice, VAULT, self.texts, {"telegram": self.channel},
            lambda: self.now, BANGKOK, taking(self.store, lambda: self.now) if self.takes else None,
        )  # fmt: skip
        self.door = TelegramDoor(
            self.channel, self.receive, self.conversation_of, lambda: self.now, self.worker.wake,
            self.renew, self.texts, self.home, self.settings, SECRET, self.takes,
        )  # fmt: skip
        self.serve()

    def serve(self) -> None:
        """The door as it is now."""
        transport = httpx2.ASGITransport(Starlette(routes=routes(self.door)))
        self.web = httpx2.AsyncClient(transport=transport, base_url=self.home)

    def seconds(self) -> float:
        return self.now.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    def conversation_of(self, key: bytes) -> ConversationId:
        return ConversationId(VAULT.digest("conversation", key))

    async def receive(self, arrival: Arrival) -> bool:
        if self.full:
            self.full -= 1
            raise StoreError
        new = await self.store.receive(arrival)
        self.kept += [decode_inbound(arrival.body)] if new else []
        return new

    async def renew(
        self, conversation: ConversationId, language: Language, opens: Opens = "hashes"
    ) -> str | None:
        token = token_of(language, opens, VAULT.randoms(16))
        digest = ticket_digest(VAULT, token)
        return token if await self.store.renew(conversation, digest, self.now, opens) else None

    async def post(self, update: Any, secret: str = SECRET) -> int:
        """Telegram posts an update; the answer's status."""
        headers = {"X-Telegram-Bot-Api-Secret-Token": secret}
        answer = await self.web.post("/telegram", json=update, headers=headers)
        if answer.status_code == 200:
            await self.api.reads(answer.content)
        return answer.status_code

    async def hears(self, *updates: Any) -> None:
        """Telegram posts updates, and Sala answers them."""
        for update in updates:
            assert await self.post(update) == 200
        await self.worker.drain()

    async def works_later(self, **time: float) -> None:
        self.now += timedelta(**time)
        await self.worker.drain()

    async def begins(self, chat: int = ANN) -> None:
        """A person presses Start."""
        await self.hears(self.api.text(chat, "/start"))

    async def presses(self, *choices: str, chat: int = ANN) -> None:
        for choice in choices:
            await self.hears(self.api.presses(chat, choice))

    def texts_in(self, chat: int = ANN) -> list[str]:
        """What the bot said in a chat, below the neutral line."""
        said = (one["text"] for one in self.api.said(chat))
        return [one.removeprefix(f"{PREVIEW}\n\n") for one in said]

    async def stops(self) -> None:
        await self.web.aclose()
        await self.channel.close()

    async def close(self) -> None:
        await self.stops()
        await self.store.close()


@asynccontextmanager
async def opened(folder: Path, home: str, *, polling: bool, takes: bool) -> AsyncIterator[Town]:
    async with telegram(lambda: DAY) as api:
        town = Town(folder, api, home, polling=polling, takes=takes)
        try:
            yield town
        finally:
            await town.close()


def live(
    folder: Path,
    story: Callable[[Town], Awaitable[None]],
    home: str = HOME,
    *,
    polling: bool = False,
    takes: bool = False,
    refused: tuple[str, ...] = (),
) -> None:
    """Tell a story in a town; Telegram must not have refused anything as wrong."""

    async def told() -> None:
        async with opened(folder, home, polling=polling, takes=takes) as town:
            await story(town)
            assert town.api.refused == list(refused)

    asyncio.run(told())


async def until(happens: Callable[[], bool]) -> None:
    """Let others work until it happens, for ten seconds at the most."""
    async with asyncio.timeout(10):
        while not happens():
            await asyncio.sleep(0)
