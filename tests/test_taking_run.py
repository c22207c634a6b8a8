"""C16 with a real `sala run`: long polling, a strict Telegram, a picture; and how it starts."""

import asyncio
import io
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
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


def taken(folder: Path, *under: str, **more: str) -> tuple[TelegramApi, Served]:
    """The whole way of one picture, from `sala run` to its end."""

    async def story() -> tuple[TelegramApi, Served]:
        async with telegram(lambda: datetime.now(UTC)) as api:
            with ExitStack() as open_now:
                settings = {
                    "SALA_TELEGRAM_TOKEN": TOKEN,
                    "SALA_TELEGRAM": "polling",
                    "SALA_TELEGRAM_API": api.url,
                }
                entered = served(folder, *under, **settings, **more)
                sala = await asyncio.to_thread(open_now.enter_context, entered)
                await sends_a_picture(api)
                await asyncio.to_thread(open_now.close)
            return api, sala

    return asyncio.run(story())


def test_c16_the_running_server_takes_one_picture_and_keeps_no_byte_of_it(tmp_path: Path) -> None:
    api, sala = taken(tmp_path)
    assert api.downloads == ["canary-file-id"]
    assert [one for one in api.chats[ANN].values() if "photo" in one] == []
    kept = b"".join(one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())
    for secret in (CANARY, b"canary-file-id", everyday()[600:640]):
        assert secret not in kept
        assert secret.decode("latin-1") not in "".join(sala.printed)


# libuv changes epoll's list through a ring of its own, which strace cannot see into; no file is
# written through it.
CALLS = "open,openat,creat,memfd_create,mknod,mknodat,write,writev,pwrite64,pwritev,pwritev2,"
CALLS += "sendto,sendmsg,sendmmsg,sendfile,splice,vmsplice,tee,copy_file_range,"
CALLS += "process_vm_writev,shmget,mq_open,exit_group"
OPENED = re.compile(r'(?:open|openat|creat)\((?:[^"]*, )?"([^"]*)", ?(\S*)')
WRITTEN = re.compile(r"(\w+)\((\d+)<([^>]*)>, (.*)")
HEX = re.compile(r"\\x([0-9a-f]{2})")


def traced(folder: Path) -> list[str]:
    """Every call that opens or writes, in a whole run: of the bot, its guard, their prisoners."""
    line, data = folder / "calls", folder / "data"
    data.mkdir()
    os.mkfifo(line)
    ours = os.open(line, os.O_RDWR)
    strace = ("strace", "-D", "-f", "-y", "-xx", "-s", "200000", "-e", f"trace={CALLS}")
    with ThreadPoolExecutor() as beside:
        heard = beside.submit(line.read_text)
        try:
            taken(data, *strace, "-o", str(line), PYTHONDONTWRITEBYTECODE="1")
        finally:
            os.close(ours)  # strace has it open, too, until all has ended
        return [call.partition(" ")[2].strip() for call in heard.result().splitlines()]


def plain(word: str) -> str:
    return HEX.sub(lambda pair: chr(int(pair[1], 16)), word)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_c16_in_a_whole_run_the_picture_is_written_into_a_pipe_and_nowhere_else(
    tmp_path: Path,
) -> None:
    calls = traced(tmp_path)
    opened = [(plain(one[1]), one[2]) for call in calls if (one := OPENED.match(call))]
    files = {name for name, how in opened if re.search("WRONLY|RDWR|CREAT|TMPFILE", how)}
    outside = {name for name in files if not name.startswith(str(tmp_path / "data"))}
    assert outside <= {"/dev/null"}
    assert len(files) > len(outside), "the database, which shows that files are seen"
    assert not [one for one in calls if one.startswith(("memfd", "mknod", "shmget", "mq_"))]
    picture = everyday()
    pieces = [picture[at : at + 16] for at in range(600, len(picture) - 16, len(picture) // 99)]
    into = set()
    for call in calls:
        if written := WRITTEN.match(call):
            data = bytes.fromhex("".join(HEX.findall(written[4])))
            if any(piece in data for piece in pieces):
                into.add(f"{written[1]} {plain(written[3]).partition(':')[0]}")
    assert into == {"write pipe"}


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
