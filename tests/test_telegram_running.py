"""The Telegram door as it runs: long polling, setting up, and what no log tells."""

import asyncio
import logging
from pathlib import Path

import pytest

from bot.channels.telegram import poll
from bot.channels.telegram_setup import (
    drop_webhook,
    set_about,
    set_commands,
    set_menu_button,
    set_webhook,
)
from bot.channels.telegram_wire import ALLOWED
from bot.conversation.model import LANGUAGES
from bot.outbox import MISSED
from tests.telegram_town import ANN, BOB, Town, live, until

# ---------------------------------------------------------------- long polling


async def polling(town: Town) -> "asyncio.Task[None]":
    return asyncio.create_task(poll(town.door, town.sleep))


async def ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_polling_bot_keeps_what_comes_and_passes_it_over_only_then(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        one, two = town.api.text(ANN, "/start"), town.api.text(BOB, "/start")
        task = await polling(town)
        await until(lambda: len(town.api.asked("getUpdates")) == 2)
        await ended(task)
        assert len(town.kept) == 2
        offsets = [call.get("offset") for call in town.api.asked("getUpdates")]
        assert offsets == [None, two["update_id"] + 1]
        assert town.api.asked("getUpdates")[0]["allowed_updates"] == list(ALLOWED)
        assert one["update_id"] < two["update_id"]

    live(tmp_path, story, polling=True)


def test_a_polling_bot_acknowledges_a_press_by_a_call_that_holds_nothing_back(
    tmp_path: Path,
) -> None:
    async def story(town: Town) -> None:
        town.api.troubles["answerCallbackQuery"].append("hangs")
        town.api.presses(ANN, "ask.phone=own")
        task = await polling(town)
        await until(lambda: len(town.api.asked("getUpdates")) == 2)
        assert len(town.kept) == 1
        town.api.presses(ANN, "ask.phone=own")
        await until(lambda: not town.api.queries)
        await ended(task)

    live(tmp_path, story, polling=True)


def test_what_could_not_be_kept_is_asked_for_again(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        town.api.text(ANN, "/start")
        town.full = 2
        task = await polling(town)
        await until(lambda: len(town.api.asked("getUpdates")) == 4)
        await ended(task)
        assert len(town.kept) == 1

    live(tmp_path, story, polling=True)


def test_a_polling_bot_outlives_a_bad_hour(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        town.api.webhook = {"url": "https://old.example"}
        town.api.troubles["getUpdates"] += ["500", "flood", "401", "lost", "not json"]
        task = await polling(town)
        await until(lambda: len(town.api.asked("getUpdates")) > 8)
        assert town.channel.missed >= MISSED, "what /healthz says of the door"
        town.api.webhook = None
        town.api.text(ANN, "/start")
        await until(lambda: len(town.kept) == 1)
        await until(lambda: town.channel.missed == 0)
        await ended(task)

    live(tmp_path, story, polling=True)


def test_a_polling_bot_has_no_webhook(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        assert await town.post(town.api.text(ANN, "/start")) == 404

    live(tmp_path, story, polling=True)


# ---------------------------------------------------------------- setting up


def test_setting_up_again_writes_no_name_and_description_again(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        bot = town.channel.bot
        for _ in range(2):
            await set_webhook(bot, "https://sala.example/telegram", "s" * 64)
            await set_commands(bot, town.texts)
            await set_about(bot, town.texts)
            await set_menu_button(bot)
        assert len(town.api.asked("setMyName")) == len(LANGUAGES) + 1
        assert len(town.api.asked("setMyDescription")) == len(LANGUAGES) + 1
        assert len(town.api.asked("setMyShortDescription")) == len(LANGUAGES) + 1
        assert town.api.told["Name", "th"]["name"] == "ศาลา"
        assert town.api.webhook is not None
        assert town.api.webhook["allowed_updates"] == list(ALLOWED)
        await drop_webhook(bot)
        assert town.api.webhook is None

    live(tmp_path, story)


# ---------------------------------------------------------------- nothing is told


def test_no_log_and_no_output_tells_of_token_words_or_people(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    async def story(town: Town) -> None:
        town.http._answer_within = 1.0
        town.api.troubles["sendMessage"] += ["500", "not json", "400", "lost", "401", "flood"]
        town.api.troubles["getUpdates"] += ["not json", "401", "500"]
        await town.hears(town.api.text(ANN, "my canary says 5551234567"))
        for _ in range(8):
            await town.works_later(minutes=20)
        await town.post({"update_id": 1, "message": "canary"}, "no-canary-secret")
        task = await polling(town)
        await until(lambda: len(town.api.asked("getUpdates")) > 3)
        await ended(task)

    with caplog.at_level(logging.DEBUG):
        live(tmp_path, story)
    out, err = capfd.readouterr()
    assert "send_failed" in err
    everything = caplog.text + out + err
    for secret in ("canary", "5551234567", str(ANN), "110201543", "a-secret"):
        assert secret not in everything
