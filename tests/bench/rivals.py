"""The bots of the bench, each in a process of its own: `python rivals.py NAME PORT API`.

Those of other people's libraries are what their manuals show first; Sala's two are the real
`sala run` with one thing taken out, which is said beside them. Only what a bot needs is imported,
so that the file also runs where Sala is not installed.
"""

import asyncio
import hmac
import json
import subprocess
import sys
import tempfile
import venv
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

SECRET = "the channel's secret"
LINE_TOKEN = "a-channel-token"
TELEGRAM_TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
HOST = "127.0.0.1"


# ---------------------------------------------------------------- LINE


def signed(body: bytes, signature: str) -> bool:
    made = b64encode(hmac.digest(SECRET.encode(), body, "sha256"))
    return hmac.compare_digest(made, signature.encode())


def serve(port: int, posted: Callable[[Any], Awaitable[bool]], **more: Any) -> None:
    """One POST route on the server and with the settings that `sala run` has."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    async def answer(request: Any) -> Response:
        return Response(status_code=200 if await posted(request) else 401)

    uvicorn.run(
        Starlette(routes=[Route("/", answer, methods=["POST"])], **more),
        host=HOST, port=port, log_config=None, access_log=False, server_header=False, ws="none",
    )  # fmt: skip


def hmac_only(port: int, api: str) -> None:
    async def posted(request: Any) -> bool:
        return signed(await request.body(), request.headers["x-line-signature"])

    serve(port, posted)


def line_echo(port: int, api: str, face: Callable[[str], Any] | None = None) -> None:
    """HMAC, json, and a reply through line-bot-sdk v3; nothing is kept."""
    from linebot.v3.messaging import (
        AsyncApiClient,
        AsyncMessagingApi,
        Configuration,
        ReplyMessageRequest,
        TextMessage,
    )

    clients: list[Any] = []

    async def posted(request: Any) -> bool:
        body = await request.body()
        if not signed(body, request.headers["x-line-signature"]):
            return False
        for event in json.loads(body)["events"]:
            said = event["postback"]["data"] if event["type"] == "postback" else "hello"
            if face:
                plain = {"replyToken": event["replyToken"], "messages": [face(said)]}
                asked = ReplyMessageRequest.from_dict(plain)
            else:
                message = TextMessage(text=said)
                asked = ReplyMessageRequest(replyToken=event["replyToken"], messages=[message])
            await clients[0].reply_message(asked)
        return True

    @asynccontextmanager
    async def lifespan(app: Any) -> Any:
        async with AsyncApiClient(Configuration(host=api, access_token=LINE_TOKEN)) as client:
            clients.append(AsyncMessagingApi(client))
            yield

    serve(port, posted, lifespan=lifespan)


def line_bubble(port: int, api: str) -> None:
    """The same echo with Sala's own bubbles instead of a line of text."""
    from bot.channels import Choice, Message
    from bot.channels.line_faces import render
    from bot.conversation.flows import TABLE
    from bot.store import EffectId
    from bot.text import load_texts

    texts = load_texts()
    after = {"ask.phone=own": ("ask.situation", "ask.situation"),
             "ask.who=self": ("ask.age", "ask.age.self")}  # fmt: skip

    def face(said: str) -> Any:
        node, words = after.get(said, after["ask.phone=own"])
        choices = tuple(
            Choice(texts.say(one.label, "en"), f"{node}={one.value}") for one in TABLE[node].options
        )
        message = Message(
            EffectId(said), texts.say(words, "en"), texts.say("preview", "en"), choices
        )
        return render(message, texts)

    line_echo(port, api, face)


# ---------------------------------------------------------------- Telegram


def ptb_echo(port: int, api: str) -> None:
    """python-telegram-bot's echo bot behind Starlette, as its manual's custom webhook has it."""
    from telegram import Update
    from telegram.ext import Application, MessageHandler, filters

    async def echo(update: Any, context: Any) -> None:
        await update.message.reply_text(update.message.text)

    builder = Application.builder().token(TELEGRAM_TOKEN).base_url(f"{api}/bot").updater(None)
    app = builder.build()
    app.add_handler(MessageHandler(filters.TEXT, echo))

    async def posted(request: Any) -> bool:
        await app.update_queue.put(Update.de_json(await request.json(), app.bot))
        return True

    @asynccontextmanager
    async def lifespan(site: Any) -> Any:
        async with app:
            await app.start()
            yield
            await app.stop()

    serve(port, posted, lifespan=lifespan)


def aiogram_echo(port: int, api: str) -> None:
    """aiogram's echo bot behind aiohttp, as its manual's webhook example has it."""
    from aiogram import Bot, Dispatcher
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer
    from aiogram.webhook.aiohttp_server import SimpleRequestHandler, setup_application
    from aiohttp import web

    dispatcher = Dispatcher()

    @dispatcher.message()
    async def echo(message: Any) -> None:
        await message.answer(message.text)

    bot = Bot(TELEGRAM_TOKEN, session=AiohttpSession(api=TelegramAPIServer.from_base(api)))
    app = web.Application()
    SimpleRequestHandler(dispatcher, bot).register(app, path="/")
    setup_application(app, dispatcher, bot=bot)
    web.run_app(app, host=HOST, port=port, print=None, access_log=None)


@contextmanager
def aiogram_python() -> Iterator[str | None]:
    """A Python with aiogram, in a temporary environment of its own; None when it cannot be had."""
    with tempfile.TemporaryDirectory(prefix="sala-bench-aiogram-") as folder:
        venv.create(folder, with_pip=True)
        python = f"{folder}/bin/python"
        wanted = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check",
                  "--timeout", "5", "--retries", "0", "aiogram>=3.31,<4"]  # fmt: skip
        try:
            done = subprocess.run(wanted, capture_output=True, text=True, timeout=90, check=False)
            reason = "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["?"])[-1]
        except subprocess.TimeoutExpired:
            reason = "pip took too long"
        print("aiogram:", reason or "installed into a temporary environment, not into Sala's")
        yield None if reason else python


# ---------------------------------------------------------------- Sala


def sala(port: int, api: str) -> None:
    """`sala run`, as it is."""
    from bot.cli import main

    main(["run"])


def sala_unpaced(port: int, api: str) -> None:
    """`sala run` that does not wait for Telegram's pace (25 messages a second)."""
    from bot.channels import telegram_pace

    telegram_pace.CHAT = telegram_pace.ALL = 0.0
    sala(port, api)


def sala_ack(port: int, api: str) -> None:
    """`sala run` whose worker rests and that shows no dots: what it keeps is never answered."""
    from bot.channels.line_wire import LineChannel
    from bot.worker import Worker

    async def rest(self: Any) -> None:
        await asyncio.Event().wait()

    begin = LineChannel.__init__

    def patient(self: Any, api: Any, clock: Any, texts: Any, liff: str = "") -> None:
        begin(self, api, clock, texts, liff, patience=3600)

    Worker.run = rest
    LineChannel.__init__ = patient
    sala(port, api)


BOTS: Mapping[str, Callable[[int, str], None]] = {
    one.__name__: one
    for one in (
        hmac_only, line_echo, line_bubble, ptb_echo, aiogram_echo, sala, sala_unpaced, sala_ack,
    )
}  # fmt: skip

if __name__ == "__main__":
    BOTS[sys.argv[1]](int(sys.argv[2]), sys.argv[3])
