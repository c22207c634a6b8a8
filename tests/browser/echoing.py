"""A peer for the chat page that echoes, served in a thread, and the browsers that visit it."""

import asyncio
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from bot.channels import Choice, Link, Message, TryAgain
from bot.channels.browser import BrowserChannel, BrowserDoor, Sizes, routes
from bot.conversation.codec import decode_inbound
from bot.conversation.model import Chose, Inbound, Language, Opened, TooLong, Typed
from bot.store import Arrival, ConversationId, EffectId
from bot.text import load_texts
from tests.browser.conftest import PHONE

LOCALES: dict[Language, str] = {"th": "th-TH", "en": "en-GB", "es": "es-MX"}

LINES: Mapping[Language, Sequence[str]] = {
    "en": ("Here: 555",), "th": ("ที่นี่: 555",), "es": ("Aquí: 555",),
}  # fmt: skip

QUESTIONS: dict[str, tuple[str, str, str]] = {
    "en": (
        "Hello. This is an automatic chat. Nobody reads along, and nobody calls your family.\n"
        "Is this your own phone, and do only you read it?",
        "Yes, only I read it",
        "No, or I'm not sure",
    ),
    "th": (
        "สวัสดี นี่คือแชตอัตโนมัติ ไม่มีใครอ่านอยู่ และจะไม่มีใครโทรหาครอบครัวของคุณ\n"
        "นี่คือโทรศัพท์ของคุณเอง และมีแค่คุณที่อ่านใช่ไหม",
        "ใช่ มีแค่ฉันที่อ่าน",
        "ไม่ใช่ หรือไม่แน่ใจ",
    ),
    "es": (
        "Hola. Este es un chat automático. Nadie lee lo que escribes y nadie llama a tu familia.\n"
        "¿Este teléfono es tuyo y solo lo lees tú?",
        "Sí, solo lo leo yo",
        "No, o no lo sé",
    ),
}


class Echo:
    """A peer that asks when opened, answers a choice with a link, and words with themselves."""

    def __init__(self, lines: Mapping[Language, Sequence[str]] = LINES) -> None:
        self.lines = lines
        self.line = socket.create_server(("127.0.0.1", 0))
        self.port = self.line.getsockname()[1]
        self.home = f"http://127.0.0.1:{self.port}"
        self.channel = BrowserChannel(ack_within=3)
        self.language: Language = "en"
        self.events: list[Inbound] = []
        self.ids: list[str] = []
        self.failing = 0
        self._outbox: list[Message] = []
        self._turn = asyncio.Lock()
        self._server = uvicorn.Server(uvicorn.Config(
            self._app(), log_level="critical", timeout_graceful_shutdown=1))  # fmt: skip
        self._thread = threading.Thread(target=self._server.run, args=([self.line],))
        self._thread.start()

    def _app(self) -> Starlette:
        self.door = BrowserDoor(
            self.channel, self.receive, lambda _: ConversationId(b"c" * 16),
            lambda: datetime.now(UTC), lambda: None, load_texts(), self.home,
            f"http://localhost:{self.port}/weather", Sizes(),
            self.lines,
        )  # fmt: skip
        dull = Route("/weather", lambda request: PlainTextResponse("Sunny"))
        return Starlette(routes=[*routes(self.door), dull])

    async def receive(self, arrival: Arrival) -> bool:
        if self.failing:
            self.failing -= 1
            raise ConnectionAbortedError
        fresh = arrival.event_id not in self.ids
        self.ids.append(arrival.event_id)
        if fresh:
            event = decode_inbound(arrival.body)
            self.events.append(event)
            self._outbox.append(self.answer(event))
        self.loop, self.address = asyncio.get_running_loop(), arrival.address
        self.sending = asyncio.create_task(self.flush(arrival.address))
        return fresh

    async def flush(self, address: bytes) -> None:
        async with self._turn:
            sent, self._outbox = self._outbox, []
            try:
                await self.channel.send(address, sent)
            except TryAgain as later:
                self._outbox = sent[later.sent :] + self._outbox

    def answer(self, event: Inbound) -> Message:
        said = Message(EffectId(str(uuid4())), "", "News", language=self.language)
        match event:
            case Opened(language=language):
                self.language = language or "en"
                text, yes, no = QUESTIONS[self.language]
                choices = (Choice(yes, "phone=own"), Choice(no, "phone=shared"))
                return replace(said, text=text, choices=choices, language=self.language)
            case Chose(value=value):
                links = (Link("Open the page", f"{self.home}/weather", True),)
                return replace(said, text=f"Chosen: {value}", links=links)
            case Typed(text=text):
                return replace(said, text=f"<b>{text}</b>")
            case TooLong():
                return replace(said, text="Too long")
            case _:
                raise NotImplementedError

    def push(self, *messages: Message) -> None:
        """Send from outside the server's thread; returns when the page has acknowledged."""
        sending = self.channel.send(self.address, messages)
        asyncio.run_coroutine_threadsafe(sending, self.loop).result(10)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self.line.close()


def phone(browser: Browser, language: Language = "en") -> BrowserContext:
    return browser.new_context(**PHONE, locale=LOCALES[language])


def desktop(browser: Browser) -> BrowserContext:
    return browser.new_context(viewport={"width": 900, "height": 700}, locale="en-GB")


def opened(context: BrowserContext, echo: Echo) -> Page:
    page = context.new_page()
    page.goto(echo.home)
    expect(page.locator(".choices button")).to_have_count(2)
    return page
