"""C16 with a real `sala run`: long polling, a strict Telegram, a picture; and how it starts."""

import asyncio
import io
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from bot import cli
from bot.settings import Settings, TelegramSettings
from bot.text import load_texts
from tests.peers.telegram_api import TOKEN, TelegramApi, telegram
from tests.serving import Served, served
from tests.talking import TO_APP

ANN = 5_000_000_001
SAY = load_texts().say
CANARY = b"canary-in-the-picture"
WAY = (*TO_APP, "app=trouble", "app=chat", "ask.take=yes")
BOT = TelegramSettings(TOKEN, polling=True, api="http://127.0.0.1:9")


def everyday() -> bytes:
    chance = np.random.default_rng(7)
    file = io.BytesIO()
    small = Image.fromarray(chance.integers(0, 256, (9, 12, 3), np.uint8))
    small.resize((640, 480), Image.Resampling.BICUBIC).save(file, "JPEG")
    return file.getvalue() + CANARY


async def hears(api: TelegramApi, id: str) -> None:
    """Until this was said."""
    words = SAY(id, "en").partition("{")[0]
    async with asyncio.timeout(30):
        while not any(words in one["text"] for one in api.said(ANN)):
            await asyncio.sleep(0.02)


async def sends_a_picture(api: TelegramApi) -> None:
    api.text(ANN, "/start")
    await hears(api, "ask.phone")
    for choice in WAY:
        api.presses(ANN, choice)
    await hears(api, "take.wait")
    api.picture(ANN, everyday(), "canary-file-id")
    await hears(api, "take.made")


def test_c16_the_running_server_takes_one_picture_and_keeps_no_byte_of_it(tmp_path: Path) -> None:
    async def story() -> tuple[TelegramApi, Served]:
        async with telegram(lambda: datetime.now(UTC)) as api:
            with ExitStack() as open_now:
                settings = {
                    "SALA_TELEGRAM_TOKEN": TOKEN,
                    "SALA_TELEGRAM": "polling",
                    "SALA_TELEGRAM_API": api.url,
                }
                entered = served(tmp_path, **settings)
                sala = await asyncio.to_thread(open_now.enter_context, entered)
                await sends_a_picture(api)
                await asyncio.to_thread(open_now.close)
            return api, sala

    api, sala = asyncio.run(story())
    assert api.downloads == ["canary-file-id"]
    assert [one for one in api.chats[ANN].values() if "photo" in one] == []
    kept = b"".join(one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())
    for secret in (CANARY, b"canary-file-id", everyday()[600:640]):
        assert secret not in kept
        assert secret.decode("latin-1") not in "".join(sala.printed)


def jail(settings: Settings) -> object:
    return asyncio.run(cli._jail(settings))


def test_c16_only_where_it_is_on_and_a_chat_app_is_open_is_there_a_jail() -> None:
    assert jail(Settings()) is None
    assert jail(Settings(telegram=BOT, transient="off")) is None
    assert jail(Settings(telegram=TelegramSettings(TOKEN, polling=True))) is None
    assert jail(Settings(telegram=BOT, public_url="https://sala.example")) is None
    assert jail(Settings(telegram=BOT))


def test_c16_without_a_working_jail_it_is_off_or_does_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    assert jail(Settings(telegram=BOT)) is None
    assert "not taken" in capsys.readouterr().out
    with pytest.raises(click.ClickException, match="libseccomp2"):
        jail(Settings(telegram=BOT, transient="adults"))
