"""A LINE account on the loopback: the real door, store and worker, and a clock moved by hand."""

import asyncio
import hmac
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
from starlette.applications import Starlette

from bot.channels.line import LineDoor, routes
from bot.channels.line_api import LineApi
from bot.channels.line_wire import LineChannel
from bot.conversation.model import Language
from bot.conversation.shows import Opens
from bot.settings import LineSettings
from bot.store import ConversationId
from bot.store.sqlite import SqliteStore
from bot.text import load_texts
from bot.voice import Operator, Voice
from bot.worker import Worker
from tests.peers import specs
from tests.peers.line_api import CHANNEL_TOKEN, LOGIN_CHANNEL, FakeLine
from tests.talking import BANGKOK, DAY, HOME, VAULT, Killed, taking

SECRET = "the channel's secret"
LIFF = "1650000000-abcdefgh"
ANN = "U" + "a" * 32
Json = dict[str, Any]


class Account:
    """Sala behind a LINE account, and the people who write to it."""

    def __init__(self, folder: Path, line: FakeLine, home: str = HOME) -> None:
        self.line = line
        self.home = home
        self.now = DAY
        line.clock = lambda: self.now
        self.store = SqliteStore.open(folder / "sala.db", VAULT, lambda: self.now)
        self.texts = load_texts()
        self.renewed: list[tuple[ConversationId, Language, Opens]] = []
        self.open_link: str | None = "en-00000000000000000000000000000000"
        self.takes = False
        self._ids = count()
        self.restart()

    def restart(self, seconds: float = 5, api: LineApi | None = None, glance: float = 5) -> None:
        """A process that remembers nothing, on what was kept."""
        settings = LineSettings(SECRET, CHANNEL_TOKEN, LIFF, LOGIN_CHANNEL, self.line.url)
        api = api or LineApi(settings.token, settings.api, seconds)
        self.channel = LineChannel(
            api, lambda: self.now, self.texts, settings.liff, patience=0, glance=glance
        )
        voice = Voice(self.texts, self.store, VAULT, Operator("", "—", 24), self.home)
        self.worker = Worker(
            self.store, self.store, voice, VAULT, self.texts, {"line": self.channel},
            lambda: self.now, BANGKOK, taking(self.store, lambda: self.now) if self.takes else None,
        )  # fmt: skip
        self.door = LineDoor(
            self.channel, self.store.receive, conversation_of, lambda: self.now,
            self.worker.wake, self.renew, self.texts, self.home, settings, self.takes,
        )  # fmt: skip
        self.serve()

    def serve(self) -> None:
        """The door as it is now."""
        app = Starlette(routes=routes(self.door))
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=HOME)

    async def renew(
        self, conversation: ConversationId, language: Language, opens: Opens = "hashes"
    ) -> str | None:
        self.renewed.append((conversation, language, opens))
        return self.open_link

    # -- what LINE sends

    def event(self, kind: str, user: str = ANN, **more: Any) -> Json:
        """An event of a one-to-one chat, with a reply token where LINE gives one."""
        at = self.now + timedelta(milliseconds=next(self._ids))
        plain = {
            "type": kind,
            "mode": "active",
            "timestamp": int(at.timestamp() * 1000),
            "webhookEventId": f"01{next(self._ids):024X}",
            "deliveryContext": {"isRedelivery": False},
            "source": {"type": "user", "userId": user},
        }
        if kind not in {"unfollow", "unsend"}:
            plain["replyToken"] = self.line.token(user)
        return plain | more

    def text(self, text: str, user: str = ANN, id: str = "") -> Json:
        content = {"id": id or str(next(self._ids)), "type": "text", "text": text, "quoteToken": ""}
        return self.event("message", user, message=content)

    def picture(self, data: bytes, id: str = "", user: str = ANN, **more: Any) -> Json:
        """A picture, which LINE keeps for a while."""
        message = {"id": id or str(next(self._ids)), "type": "image", "quoteToken": ""}
        self.line.contents[message["id"]] = data
        provider = {"contentProvider": {"type": "line"}}
        return self.event("message", user, message=message | provider | more)

    def press(self, data: str, user: str = ANN) -> Json:
        return self.event("postback", user, postback={"data": data})

    async def post(self, *events: Json, signature: bytes | None = None) -> int:
        """Deliver events in one request; the status of the answer."""
        body = json.dumps({"destination": "U" + "0" * 32, "events": events}).encode()
        return await self.post_bytes(body, sign(body) if signature is None else signature)

    async def post_bytes(self, body: bytes, signature: bytes) -> int:
        headers = [(b"x-line-signature", signature)]
        return (await self.http.post("/line", content=body, headers=headers)).status_code

    async def hears(self, *events: Json) -> None:
        """Deliver events, and work until everything is answered."""
        assert await self.post(*events) == 200
        await self.work()

    async def says(self, text: str) -> None:
        await self.hears(self.text(text))

    async def presses(self, *choices: str) -> None:
        for choice in choices:
            await self.hears(self.press(choice))

    async def work(self) -> None:
        await self.worker.drain()

    async def works_later(self, **time: float) -> None:
        self.now += timedelta(**time)
        await self.work()

    def once(self, id: str, language: Language = "en", user: str = ANN) -> bool:
        """Whether a text was said exactly once."""
        text = self.texts.say(id, language)
        return sum(text in said for said in self.line.said(user)) == 1

    async def close(self) -> None:
        await self.channel.close()
        await self.http.aclose()


def conversation_of(key: bytes) -> ConversationId:
    return ConversationId(VAULT.digest("conversation", b"line", key))


def sign(body: bytes) -> bytes:
    return b64encode(hmac.digest(SECRET.encode(), body, "sha256"))


@asynccontextmanager
async def account(folder: Path, home: str = HOME) -> AsyncIterator[Account]:
    """An account that nobody wrote to yet; skips where LINE's documents are absent."""
    specs.find("messaging-api.yml")
    async with FakeLine(lambda: DAY).served() as line:
        one = Account(folder, line, home)
        try:
            yield one
        finally:
            await one.close()
            await one.store.close()


def play(folder: Path, story: Callable[[Account], Awaitable[None]], home: str = HOME) -> None:
    """Tell a story; at its end LINE had nothing against any call."""

    async def told() -> None:
        async with account(folder, home) as one:
            await story(one)
            assert one.line.faulty == []

    asyncio.run(told())


# ---------------------------------------------------------------- crashes


class Dying(LineApi):
    """The process ends after (or before) the call with this name."""

    def __init__(self, host: str, after: str, *, before: bool = False) -> None:
        super().__init__(CHANNEL_TOKEN, host)
        self.after = after
        self.before = before
        self.dead = False

    async def reply(self, token: str, faces: Any) -> None:
        await self._end("reply", super().reply(token, faces))

    async def push(self, user: str, faces: Any, key: str) -> None:
        await self._end("push", super().push(user, faces, key))

    async def _end(self, name: str, call: Any) -> None:
        dies = name == self.after
        if self.dead or (dies and self.before):
            self.dead = True
            call.close()
            raise Killed
        await call
        if dies:
            self.dead = True
            raise Killed


async def dies(sala: Account, after: str, *, before: bool = False) -> None:
    """Work until the process ends there; then there is a new one."""
    await sala.close()
    api = Dying(sala.line.url, after, before=before)
    sala.restart(api=api)
    with suppress(Killed):  # the task it ended may be gone before anyone waits for it
        await sala.work()
    assert api.dead
    await sala.close()
    sala.restart()
