"""`sala setup`: what an API can do is done once, and what only a person can do is said."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot.channels import line_menu
from bot.channels.telegram_wire import ALLOWED
from bot.conversation.model import LANGUAGES
from bot.doors import telegram_secret as shown_at_the_door
from bot.operating import setup
from bot.settings import LineSettings, Settings, TelegramSettings
from bot.setup import Step, login_token, set_up_line, set_up_telegram, telegram_secret
from bot.text import load_texts
from tests.peers import operated
from tests.peers.line_api import CHANNEL_TOKEN, LOGIN_CHANNEL
from tests.peers.operated import LOGIN_SECRET, OperatedLine, OperatedTelegram
from tests.peers.telegram_api import TOKEN, Trouble
from tests.talking import HOME, VAULT

TEXTS = load_texts()
LOGIN = (LOGIN_CHANNEL, LOGIN_SECRET)
PUBLIC = Settings(public_url=HOME)


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*words: str, said: str = "", **settings: str) -> Result:
    return CliRunner(env=settings).invoke(setup, words, input=said)


def on_line(story: Callable[[OperatedLine, Settings], Awaitable[None]]) -> None:
    async def told() -> None:
        async with operated.line() as line:
            own = LineSettings("secret", CHANNEL_TOKEN, api=line.url)
            await story(line, replace(PUBLIC, line=own))

    asyncio.run(told())


def on_telegram(
    story: Callable[[OperatedTelegram, Settings], Awaitable[None]], *, polling: bool = False
) -> None:
    async def told() -> None:
        async with operated.telegram() as telegram:
            own = TelegramSettings(TOKEN, polling, telegram.url)
            await story(telegram, replace(PUBLIC, telegram=own))
            assert telegram.refused == []

    asyncio.run(told())


async def line_steps(settings: Settings, login: tuple[str, str] | None = LOGIN) -> list[Step]:
    return [one async for one in set_up_line(settings, TEXTS, login, "th")]


async def telegram_steps(settings: Settings) -> list[Step]:
    return [one async for one in set_up_telegram(settings, TEXTS, VAULT)]


def failed(steps: list[Step]) -> str:
    """The words of the one step that was not done."""
    (step,) = [one for one in steps if one.state == "failed"]
    assert str(step).startswith("NOT DONE")
    return step.words


def states(steps: list[Step]) -> set[str]:
    return {one.state for one in steps}


# ---------------------------------------------------------------- LINE


def test_an_account_is_set_up_whole_and_the_second_run_changes_nothing() -> None:
    async def story(line: OperatedLine, settings: Settings) -> None:
        first = await line_steps(settings)
        assert states(first) == {"made"}
        assert line.webhook == f"{HOME}/line"
        assert len(line.menus) == len(LANGUAGES)
        assert line.everybody == line.aliases["sala-th"]
        ((id, app),) = line.liff_apps.items()
        assert app["view"] == {"type": "tall", "url": f"{HOME}/line/app"}
        assert app["scope"] == ["openid"]
        assert f"SALA_LINE_LIFF={id}" in first[-1].words
        before = (dict(line.menus), dict(line.aliases), dict(line.liff_apps))
        assert settings.line
        known = replace(settings.line, liff=id, login_channel=LOGIN_CHANNEL)
        changes = len(line.bodies)
        second = await line_steps(replace(settings, line=known))
        assert states(second) == {"same"}
        assert ".env" not in second[-1].words
        assert (line.menus, line.aliases, line.liff_apps) == before
        assert len(line.bodies) == changes

    on_line(story)


def test_a_liff_app_of_another_size_is_brought_back_to_tall() -> None:
    async def story(line: OperatedLine, settings: Settings) -> None:
        await line_steps(settings)
        for app in line.liff_apps.values():
            app["view"]["type"] = "full"
            app["scope"] = ["openid", "profile"]
        assert (await line_steps(settings))[-1].state == "made"
        (app,) = line.liff_apps.values()
        assert (app["view"]["type"], app["scope"]) == ("tall", ["openid"])

    on_line(story)


def test_without_the_login_channel_the_rest_is_set_up_and_the_liff_app_named() -> None:
    async def story(line: OperatedLine, settings: Settings) -> None:
        last = (await line_steps(settings, None))[-1]
        assert "--login-channel" in last.words
        assert line.liff_apps == {}
        assert line.webhook

    on_line(story)


def test_a_login_channels_wrong_secret_is_said() -> None:
    async def story(_: OperatedLine, settings: Settings) -> None:
        said = failed(await line_steps(settings, (LOGIN_CHANNEL, "not it")))
        assert "channel id" in said

    on_line(story)


def test_a_login_channels_token_asked_of_nobody_says_so() -> None:
    async def story(_: OperatedLine, settings: Settings) -> None:
        own = LineSettings("s", CHANNEL_TOKEN, api="http://127.0.0.1:1")
        assert "did not answer" in failed(await line_steps(replace(settings, line=own)))
        with pytest.raises(Exception, match="unclear"):
            await login_token(*LOGIN, "http://127.0.0.1:1")

    on_line(story)


def test_a_token_that_line_does_not_know_ends_it_at_once() -> None:
    async def story(line: OperatedLine, settings: Settings) -> None:
        own = LineSettings("s", "another token", api=line.url)
        assert "LINE refused" in failed(await line_steps(replace(settings, line=own)))
        assert not line.webhook

    on_line(story)


@pytest.mark.parametrize(("status", "word"), [(0, "no answer"), (502, "502"), (401, "SECRET")])
def test_a_webhook_that_line_cannot_use_is_said(status: int, word: str) -> None:
    async def story(line: OperatedLine, settings: Settings) -> None:
        line.tried = status
        assert word in failed(await line_steps(settings))

    on_line(story)


def test_a_webhook_that_is_switched_off_needs_a_person() -> None:
    async def story(line: OperatedLine, settings: Settings) -> None:
        line.active = False
        assert "switched off" in failed(await line_steps(settings))

    on_line(story)


def test_without_a_font_the_menu_waits_and_its_package_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(line: OperatedLine, settings: Settings) -> None:
        steps = await line_steps(settings)
        missing = [one.words for one in steps if one.state == "failed"]
        assert len(missing) == len(LANGUAGES)
        assert all("apt-get install fonts-noto-core" in one for one in missing)
        assert (line.menus, bool(line.webhook)) == ({}, True)

    monkeypatch.setattr(line_menu, "FONTS", ())
    on_line(story)


def test_line_waits_for_its_tokens_and_for_a_public_address() -> None:
    assert "SALA_LINE_TOKEN" in failed(asyncio.run(line_steps(PUBLIC)))
    home = Settings(line=LineSettings("s", "t"))
    assert "SALA_PUBLIC_URL" in failed(asyncio.run(line_steps(home)))


# ---------------------------------------------------------------- Telegram


def test_a_bot_is_set_up_whole_and_the_second_run_changes_nothing() -> None:
    async def story(telegram: OperatedTelegram, settings: Settings) -> None:
        assert "made" in states(await telegram_steps(settings))
        assert telegram.webhook
        assert telegram.webhook["url"] == f"{HOME}/telegram"
        assert telegram.webhook["secret_token"] == telegram_secret(VAULT)
        assert tuple(telegram.webhook["allowed_updates"]) == ALLOWED
        for code in ("", *LANGUAGES):
            shown = telegram.told["Name", code]["name"]
            assert shown == TEXTS.say("telegram.name", code or "en")
            assert telegram.told["Commands", code]
        assert telegram.told["MenuButton", ""] == {"menu_button": {"type": "commands"}}
        before, calls = dict(telegram.told), len(telegram.calls)
        assert states(await telegram_steps(settings)) == {"same"}
        assert telegram.told == before
        again = {call.method for call in telegram.calls[calls:]}
        assert {one for one in again if one.startswith("set")} == {"setWebhook"}

    on_telegram(story)


def test_the_secret_is_the_one_that_the_door_asks_for() -> None:
    assert telegram_secret(VAULT) == shown_at_the_door(VAULT)
    assert telegram_secret(VAULT) == VAULT.token("telegram webhook")[:32].hex()


def test_polling_takes_the_webhook_away() -> None:
    async def story(telegram: OperatedTelegram, settings: Settings) -> None:
        telegram.webhook = {"url": "https://elsewhere.example"}
        assert "made" in states(await telegram_steps(settings))
        assert telegram.webhook is None
        assert states(await telegram_steps(settings)) == {"same"}

    on_telegram(story, polling=True)


def test_words_that_somebody_changed_are_told_again() -> None:
    async def story(telegram: OperatedTelegram, settings: Settings) -> None:
        await telegram_steps(settings)
        telegram.told["Name", "es"] = {"name": "Winner!"}
        telegram.told["Commands", "th"] = []
        made = [one.words for one in await telegram_steps(settings) if one.state == "made"]
        assert len(made) == 2
        assert telegram.told["Name", "es"]["name"] == TEXTS.say("telegram.name", "es")

    on_telegram(story)


def test_a_token_that_telegram_does_not_know_is_said_without_quoting_it() -> None:
    async def told() -> None:
        async with operated.telegram() as telegram:
            own = TelegramSettings("7:not-the-token", api=telegram.url)
            said = failed(await telegram_steps(replace(PUBLIC, telegram=own)))
            assert "@BotFather" in said
            assert "not-the-token" not in said

    asyncio.run(told())


@pytest.mark.parametrize(
    ("trouble", "word"), [("flood", "too often"), ("500", "NetworkError"), ("lost", "NetworkError")]
)
def test_troubles_at_telegram_are_said(trouble: Trouble, word: str) -> None:
    async def story(telegram: OperatedTelegram, settings: Settings) -> None:
        telegram.troubles["getMyName"].append(trouble)
        assert word in failed(await telegram_steps(settings))

    on_telegram(story)


def test_telegram_waits_for_its_token_and_for_a_public_address() -> None:
    assert "SALA_TELEGRAM_TOKEN" in failed(asyncio.run(telegram_steps(PUBLIC)))
    home = Settings(telegram=TelegramSettings(TOKEN))
    assert "SALA_TELEGRAM=polling" in failed(asyncio.run(telegram_steps(home)))


# ---------------------------------------------------------------- the command


def test_what_only_a_person_can_do_is_printed_in_order() -> None:
    line, bot = run("line"), run("telegram")
    assert (line.exit_code, bot.exit_code) == (1, 1)
    order = (
        "ONE\n    provider", "Enable, and choose that provider", "SALA_LINE_SECRET",
        "SALA_LINE_TOKEN", "LINE Login channel", "Channel ID", 'no size\n    "full"', "Chat: off",
        "Greeting message: off. Auto-reply messages: off", "Webhook redelivery: on", "plan",
        "not set yet",
    )  # fmt: skip
    places = [line.output.find(words) for words in order]
    assert -1 not in places
    assert places == sorted(places)
    assert bot.output.find("/newbot") < bot.output.find("/setdomain") < bot.output.find("privacy")


def test_the_login_channels_secret_is_asked_for_and_not_shown() -> None:
    done = run("line", "--login-channel", "165", said="hush hush\n")
    assert "Channel secret" in done.output
    assert "hush hush" not in done.output


def test_settings_that_cannot_be_used_end_it() -> None:
    for app in ("line", "telegram"):
        done = run(app, SALA_PORT="many")
        assert (done.exit_code, "SALA_PORT" in done.output) == (1, True)


def test_keys_that_cannot_be_used_end_it(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("none")
    done = run("telegram", SALA_KEY_FILE=str(tmp_path / "keys"))
    assert (done.exit_code, "chmod 600" in done.output) == (1, True)


def test_the_command_says_whether_anything_had_to_be_changed() -> None:
    async def told() -> None:
        async with operated.telegram() as telegram:
            own = {"SALA_TELEGRAM_TOKEN": TOKEN, "SALA_TELEGRAM_API": telegram.url}
            ends = []
            for _ in range(2):
                done = await asyncio.to_thread(run, "telegram", SALA_TELEGRAM="polling", **own)
                assert done.exit_code == 0
                ends.append(done.output.splitlines()[-1])
            assert ends == ["Set up.", "Nothing had to be changed."]

    asyncio.run(told())
