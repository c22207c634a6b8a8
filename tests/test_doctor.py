"""`sala doctor`: each thing that can be wrong is said in plain words, with its mend."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner, Result
from sqlite_utils.utils import sqlite3

from bot import doctor, outside
from bot.app import open_sala
from bot.doctor import (
    Place,
    catalogs,
    combinations,
    database,
    disk,
    examine,
    keys,
    knowledge,
    shelf,
)
from bot.doctor_chat import line as line_findings
from bot.doctor_chat import telegram as telegram_findings
from bot.finding import Finding
from bot.knowledge import help_lines, records
from bot.operating import doctor as command
from bot.settings import LineSettings, Settings, TelegramSettings
from bot.setup import set_up_line, set_up_telegram
from bot.store import Arrival, ConversationId
from bot.store.sqlite import SqliteStore
from bot.text import MissingText, Texts, load_texts
from tests.peers import operated
from tests.peers.line_api import CHANNEL_TOKEN, LOGIN_CHANNEL
from tests.peers.operated import LOGIN_SECRET, OperatedLine, OperatedTelegram, ago
from tests.peers.telegram_api import HERSELF, TOKEN
from tests.serving import served
from tests.talking import HOME, VAULT

TEXTS = load_texts()
TODAY = date(2026, 12, 1)
FRESH = tuple(replace(one, checked=TODAY) for one in help_lines())
PUBLIC = Settings(public_url=HOME, host="127.0.0.1", key_file=Path("/keys/sala"))


def wrong(found: list[Finding]) -> str:
    """The one thing that is wrong, with its mend."""
    (one,) = [one for one in found if one.grade == "wrong"]
    assert str(one).startswith("WRONG")
    assert one.mend in str(one)
    return f"{one.words} → {one.mend}"


def notes(found: list[Finding]) -> str:
    return "\n".join(str(one) for one in found if one.grade == "note")


def well(found: list[Finding]) -> bool:
    return bool(found) and all(one.grade == "good" for one in found)


# ---------------------------------------------------------------- settings, keys, disk, SQLite


def test_settings_that_go_together_are_good() -> None:
    assert well(combinations(Settings()))
    assert well(combinations(PUBLIC))


@pytest.mark.parametrize(
    ("settings", "reason", "mend"),
    [
        (Settings(line=LineSettings("s", "t")), "LINE has no address", "SALA_PUBLIC_URL"),
        (Settings(telegram=TelegramSettings("t")), "Telegram has no", "SALA_TELEGRAM=polling"),
        (replace(PUBLIC, host="0.0.0.0"), "without TLS", "SALA_HOST=127.0.0.1"),
        (replace(PUBLIC, key_file=Path("data/safe/keys")), "stolen copy", "SALA_KEY_FILE"),
    ],
)
def test_settings_that_do_not_go_together_are_said(
    settings: Settings, reason: str, mend: str
) -> None:
    said = wrong(combinations(settings))
    assert reason in said
    assert mend in said


def pictures(settings: Settings) -> list[Finding]:
    return asyncio.run(doctor.pictures(settings))


def test_c16_whether_pictures_are_taken_and_the_jail_works_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bot = TelegramSettings("t", polling=True, api="http://127.0.0.1:9")
    assert pictures(Settings()) == []
    assert "none are taken" in pictures(replace(PUBLIC, telegram=bot))[0].words
    assert well(pictures(Settings(telegram=bot)))
    assert "that works" in notes(pictures(replace(PUBLIC, telegram=bot, transient="adults")))
    monkeypatch.setattr("sys.executable", "/nowhere")
    assert "libseccomp2" in notes(pictures(Settings(telegram=bot)))
    assert "libseccomp2" in wrong(pictures(replace(PUBLIC, telegram=bot, transient="adults")))


def test_polling_needs_no_address() -> None:
    assert well(combinations(Settings(telegram=TelegramSettings("t", polling=True))))


def test_keys_that_are_missing_open_to_others_or_spoiled_are_said(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    settings = Settings(key_file=file, own_keys=True)
    assert f"sala keys {file}" in wrong(keys(settings)[1])
    assert "sala run" in notes(keys(replace(settings, own_keys=False))[1])
    assert not file.exists()
    file.write_text(VAULT.to_keys())
    file.chmod(0o640)
    assert f"chmod 600 {file}" in wrong(keys(settings)[1])
    file.chmod(0o600)
    vault, found = keys(settings)
    assert vault
    assert well(found)
    file.write_text("no keys")
    assert "offline copy" in wrong(keys(settings)[1])
    file.unlink()
    file.mkdir(mode=0o700)
    assert "cannot be used" in wrong(keys(settings)[1])


def test_a_disk_that_is_nearly_full_is_said(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "not yet" / "there")
    assert well(disk(settings, Place(free=lambda _: 900_000_000)))
    assert "499 MB" in wrong(disk(settings, Place(free=lambda _: 499_000_000)))
    assert disk(settings, Place())


@pytest.mark.parametrize(("version", "is_well"), [("3.51.2", False), ("3.51.3", True)])
def test_an_sqlite_that_can_ruin_files_is_said(version: str, is_well: bool) -> None:
    assert well(doctor.sqlite_version(Place(sqlite=version))) is is_well


# ---------------------------------------------------------------- the database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    asyncio.run(SqliteStore.open(tmp_path / "sala.db", VAULT).close())
    return tmp_path / "sala.db"


def look(file: Path, vault: Any = VAULT, **place: Any) -> list[Finding]:
    settings = Settings(data_dir=file.parent)
    return asyncio.run(database(settings, vault, Place(**place)))


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert "sala run" in notes(look(tmp_path / "sala.db"))
    assert list(tmp_path.iterdir()) == []


def test_a_whole_database_is_good_and_who_reads_no_list_is_said(file: Path) -> None:
    found = look(file)
    assert not any(one.grade == "wrong" for one in found)
    assert "(adults): no platform" in notes(found)
    assert "StopNCII" in notes(found)
    assert "Take It Down" in notes(found)


def test_who_reads_a_list_is_named(file: Path) -> None:
    async def add() -> None:
        store = SqliteStore.open(file, VAULT)
        await store.add_partner("Chirp", ["adults", "minors"], datetime.now(UTC))
        await store.close()

    asyncio.run(add())
    found = look(file)
    assert well(found)
    assert sum("Chirp" in one.words for one in found) == 2


def test_what_was_set_aside_is_said(file: Path) -> None:
    async def park() -> None:
        store, at = SqliteStore.open(file, VAULT), datetime.now(UTC)
        await store.receive(Arrival("door", "1", ConversationId(b"c" * 16), b"{}", b"?", at))
        (claimed,) = await store.claim(["door"], at, 1)
        await store.park(claimed)
        await store.close()

    asyncio.run(park())
    assert "1 messages could not be dealt with" in wrong(look(file))


@pytest.mark.parametrize(("version", "mend"), [(1, "sala migrate"), (99, "Install that version")])
def test_a_database_of_another_version_is_said_and_left_alone(
    file: Path, version: int, mend: str
) -> None:
    db = sqlite3.connect(file)
    db.execute(f"pragma user_version = {version}")
    db.close()
    before = file.read_bytes()
    assert mend in wrong(look(file))
    assert file.read_bytes() == before


def test_a_damaged_file_is_said(file: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + b"\xff" * 8192 + whole[12288:])
    assert "restore the newest backup" in wrong(look(file))
    file.write_bytes(b"no database at all" * 100)
    assert "restore the newest backup" in wrong(look(file))


def test_a_database_under_other_keys_is_said(file: Path) -> None:
    assert "SALA_KEY_FILE" in wrong(look(file, type(VAULT).generate()))


def test_a_database_that_others_can_read_is_said(file: Path) -> None:
    file.chmod(0o644)
    assert f"chmod 600 {file}" in wrong(look(file))


def test_without_keys_or_with_an_unsafe_sqlite_the_database_is_only_read(file: Path) -> None:
    assert look(file, None) == []
    assert look(file, sqlite="3.40.1") == []


# ---------------------------------------------------------------- words and numbers


def test_the_texts_of_this_installation_are_complete() -> None:
    assert well(catalogs(Place()))


def test_a_text_that_is_missing_or_empty_is_named() -> None:
    spanish = {**TEXTS.by_language["es"], "hello": " "}
    del spanish["ask.image"]
    texts = Texts({**TEXTS.by_language, "es": spanish})
    said = wrong(catalogs(Place(texts=lambda: texts)))
    assert "2 are missing in [es], the first is ask.image" in said


def no_texts() -> Texts:
    raise MissingText("nothing is compiled")


def test_catalogs_that_are_not_compiled_are_said_and_the_rest_goes_on(tmp_path: Path) -> None:
    assert "make catalogs" in wrong(catalogs(Place(texts=no_texts)))
    own = TelegramSettings(TOKEN, polling=True, api="http://127.0.0.1:1")
    settings = Settings(data_dir=tmp_path, key_file=tmp_path / "keys", telegram=own)
    assert "Help lines" in " ".join(one.about for one in listed(settings, Place(texts=no_texts)))


def test_emergency_numbers_older_than_half_a_year_are_to_be_checked_again() -> None:
    lines = [replace(one, checked=TODAY - timedelta(days=184)) for one in FRESH]
    found = knowledge(lines, TODAY)
    assert "TH 191" in wrong(found)
    assert "Call each" in wrong(found)
    assert "shown until it is a year: TH 1387" in notes(found)


def test_after_a_year_only_emergency_and_crisis_numbers_are_still_shown() -> None:
    lines = [replace(one, checked=TODAY - timedelta(days=367)) for one in FRESH]
    found = knowledge(lines, TODAY)
    assert "(still shown): TH 191" in wrong(found)
    assert "no longer shown: TH 1387" in notes(found)


def test_pages_platforms_and_laws_are_to_be_checked_again_too() -> None:
    def aged(days: int) -> str:
        checked = TODAY - timedelta(days=days)
        old = [replace(one, papers=replace(one.papers, checked=checked)) for one in records()]
        return notes(shelf(old, TODAY))

    assert aged(0) == ""
    assert "not checked for half a year: Take It Down" in aged(184)
    assert "no longer shown" not in aged(184)
    assert "for a year and so no longer shown" in aged(367)


def test_a_country_without_a_sure_emergency_number_is_wrong() -> None:
    lines = [one for one in FRESH if (one.country, one.kind) != ("PE", "emergency")]
    assert "no sure emergency number in PE" in wrong(knowledge(lines, TODAY))


def test_countries_without_a_sure_line_for_suicide_or_children_are_named() -> None:
    said = notes(knowledge(FRESH, TODAY))
    assert "no sure suicide line in CO." in said
    assert "no sure line for children in MX." in said
    assert knowledge(FRESH, TODAY)[0].grade == "good"


# ---------------------------------------------------------------- LINE


async def set_up(line: OperatedLine, *, liff: bool = True) -> Settings:
    """An account as `sala setup line` leaves it."""
    settings = replace(PUBLIC, line=LineSettings("secret", CHANNEL_TOKEN, api=line.url))
    login = (LOGIN_CHANNEL, LOGIN_SECRET) if liff else None
    assert [one async for one in set_up_line(settings, TEXTS, login, "th")]
    id = next(iter(line.liff_apps), "")
    own = LineSettings("secret", CHANNEL_TOKEN, id, LOGIN_CHANNEL if id else "", line.url)
    return replace(settings, line=own)


def on_line(
    change: Callable[[OperatedLine], None] = lambda _: None, secret: str = LOGIN_SECRET,
    *, liff: bool = True, **own: str,
) -> list[Finding]:  # fmt: skip
    """What is found after an account was set up and something changed."""

    async def told() -> list[Finding]:
        async with operated.line() as line:
            settings = await set_up(line, liff=liff)
            change(line)
            assert settings.line
            return await line_findings(settings, replace(settings.line, **own), secret)

    return asyncio.run(told())


def test_an_account_that_was_set_up_is_well() -> None:
    assert well(on_line())


def quota(limit: int | None, used: int) -> Callable[[OperatedLine], None]:
    return lambda line: line.__dict__.update(limit=limit, used=used)


def liff(**change: Any) -> Callable[[OperatedLine], None]:
    return lambda line: next(iter(line.liff_apps.values())).update(change)


@pytest.mark.parametrize(
    ("change", "reason", "mend"),
    [
        (quota(300, 300), "0 of 300", "larger plan"),
        (
            lambda line: line.__dict__.update(webhook="https://old.example/line"),
            "old",
            "setup line",
        ),
        (lambda line: line.__dict__.update(webhook=""), "not set", "setup line"),
        (lambda line: line.__dict__.update(active=False), "switched off", "Use webhook: on"),
        (lambda line: line.__dict__.update(tried=401), "signature", "journalctl"),
        (lambda line: line.__dict__.update(tried=502), "502", "journalctl"),
        (lambda line: line.aliases.pop("sala-th"), "none in th", "setup line"),
        (lambda line: line.liff_apps.clear(), "not an app", "--login-channel 1650000000"),
        (liff(view={"type": "full", "url": f"{HOME}/line/app"}), "full, not tall", "setup line"),
        (liff(scope=["openid", "profile"]), "openid, profile, not openid", "setup line"),
        (liff(scope=[]), "empty, not openid", "setup line"),
        (liff(view={"type": "tall", "url": "https://x.example/"}), "opens https://x", "setup line"),
    ],
)
def test_what_is_wrong_at_line_is_said(
    change: Callable[[OperatedLine], None], reason: str, mend: str
) -> None:
    said = wrong(on_line(change))
    assert reason in said
    assert mend in said


def test_a_token_that_line_does_not_know_is_said() -> None:
    assert "SALA_LINE_TOKEN" in wrong(on_line(token="another"))


def test_a_line_that_does_not_answer_is_said() -> None:
    assert "internet" in wrong(on_line(api="http://127.0.0.1:1"))


def test_few_messages_left_are_said_before_there_are_none() -> None:
    assert "59 of 300" in notes(on_line(quota(300, 241)))
    assert well(on_line(quota(300, 240)))
    assert well(on_line(quota(None, 9_000)))


def test_a_liff_app_that_is_missing_or_cannot_be_looked_at_is_said() -> None:
    assert "by a link" in notes(on_line(liff=False))
    assert "SALA_LINE_LOGIN_SECRET" in notes(on_line(secret=""))
    assert "id and secret" in wrong(on_line(secret="not it"))


# ---------------------------------------------------------------- Telegram


def on_telegram(
    change: Callable[[OperatedTelegram], None] = lambda _: None, *, polling: bool = False,
    token: str = TOKEN,
) -> list[Finding]:  # fmt: skip
    """What is found after a bot was set up and something changed."""

    async def told() -> list[Finding]:
        async with operated.telegram() as telegram:
            own = TelegramSettings(TOKEN, polling, telegram.url)
            settings = replace(PUBLIC, telegram=own)
            assert [one async for one in set_up_telegram(settings, TEXTS, VAULT)]
            change(telegram)
            now = datetime.now(UTC)
            return await telegram_findings(settings, replace(own, token=token), TEXTS, now)

    return asyncio.run(told())


def test_something_else_that_answers_in_telegrams_place_is_said() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        said = b'{"ok":true,"result":true}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))
        writer.close()

    async def told() -> list[Finding]:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
            port = other.sockets[0].getsockname()[1]
            own = TelegramSettings(TOKEN, False, f"http://127.0.0.1:{port}")
            return await telegram_findings(
                replace(PUBLIC, telegram=own), own, TEXTS, datetime.now(UTC)
            )

    assert "not as the Bot API says" in wrong(asyncio.run(told()))


@pytest.mark.parametrize("polling", [True, False])
def test_a_bot_that_was_set_up_is_well(polling: bool) -> None:
    assert well(on_telegram(polling=polling))


def webhook(**change: Any) -> Callable[[OperatedTelegram], None]:
    return lambda telegram: telegram.__dict__.update(webhook=change)


def trouble(**trouble: Any) -> Callable[[OperatedTelegram], None]:
    return lambda telegram: telegram.trouble.update(trouble)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (webhook(), "not set"),
        (webhook(url="https://old.example/telegram"), "old.example"),
        (webhook(url=f"{HOME}/telegram", allowed_updates=["message"]), "other updates"),
        (trouble(last_error_date=ago(5), last_error_message="403 Forbidden"), "minutes ago: 403"),
        (trouble(pending_update_count=101), "101 updates wait"),
        (lambda telegram: telegram.told.pop(("Commands", "th")), "commands are not ours in: th"),
        (lambda telegram: telegram.told.pop(("Commands", "")), "not ours in: others"),
        (lambda telegram: telegram.told.pop(("Description", "es")), "descriptions are not ours"),
    ],
)
def test_what_is_wrong_at_telegram_is_said(
    change: Callable[[OperatedTelegram], None], reason: str
) -> None:
    assert reason in wrong(on_telegram(change))


def test_a_webhook_keeps_polling_from_its_updates() -> None:
    assert "polling gets nothing" in wrong(
        on_telegram(webhook(url="https://x.example"), polling=True)
    )


def test_an_error_of_long_ago_is_over() -> None:
    assert well(on_telegram(trouble(last_error_date=ago(90), last_error_message="502")))


def test_a_bot_that_may_join_groups_is_noted() -> None:
    joins = HERSELF | {"username": "sala_bot", "can_join_groups": True}
    said = notes(on_telegram(lambda telegram: telegram.herself.update(joins)))
    assert "/setjoingroups" in said


def test_a_token_that_telegram_does_not_know_is_said_without_quoting_it() -> None:
    said = wrong(on_telegram(token="7:not-the-token"))
    assert "SALA_TELEGRAM_TOKEN" in said
    assert "not-the-token" not in said


# ---------------------------------------------------------------- the outside


def listed(settings: Settings, place: Place | None = None, page: str = "") -> list[Finding]:
    async def told() -> list[Finding]:
        given = place or Place(lines=FRESH)
        return [one async for one in examine(settings, given, page)]

    return asyncio.run(told())


@pytest.mark.parametrize(("apart", "found"), [(0, "good"), (45, "wrong"), (-45, "wrong")])
def test_a_clock_that_goes_wrong_is_said(apart: int, found: str) -> None:
    async def told() -> list[Finding]:
        async with operated.telegram() as telegram:
            now = datetime.now(UTC) + timedelta(seconds=apart)
            return await outside.clock("Telegram", telegram.url, now)

    (one,) = asyncio.run(told())
    assert one.grade == found
    assert ("timedatectl" in one.mend) is (found == "wrong")


def test_no_answer_says_nothing_about_the_clock() -> None:
    assert asyncio.run(outside.clock("LINE", "http://127.0.0.1:1", datetime.now(UTC))) == []


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, {"ok": True}, ""),
        (503, {"ok": False, "failing": ["worker"]}, "worker stands still"),
        (503, {"ok": False, "failing": ["store", "queue"]}, "database cannot be written; messages"),
        (503, {"ok": False, "failing": ["line", {}, "<b>"]}, "that LINE takes nothing from it."),
        (503, {"ok": False, "failing": 1}, "it does not work"),
        (503, None, "it does not work"),
        (404, {}, "answered 404"),
        (200, {"hello": 1}, "not as Sala does"),
        (200, None, "not as Sala does"),
    ],
)
def test_who_answers_at_the_public_address_is_looked_at(status: int, body: Any, said: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=json.dumps(body) if body else "<html>", status=status)

    async def told() -> Finding:
        async with operated.serving(answer, "/healthz") as url:
            return await outside.reachable(url)

    one = asyncio.run(told())
    assert said in one.words
    assert (one.grade == "wrong") is bool(said)


def test_a_public_address_that_nobody_answers_is_said(tmp_path: Path) -> None:
    settings = Settings(public_url="https://127.0.0.2:9", data_dir=tmp_path, key_file=Path("k"))
    assert "cannot be reached" in wrong(listed(replace(settings, data_dir=tmp_path)))


@asynccontextmanager
async def mini_app(
    folder: Path, change: Callable[[str, Any], None] = lambda *_: None
) -> AsyncIterator[tuple[str, Settings]]:
    """This installation's pages at an address, changed on the way."""
    settings = Settings(data_dir=folder, key_file=folder / "keys")

    async def answer(request: web.Request) -> web.Response:
        async with open_sala(replace(settings, public_url=base)) as sala:
            own = await outside.ask(sala.site(), base, request.path)
        sent = SimpleNamespace(body=own.body, headers=dict(own.headers))
        change(request.path, sent)
        sent.headers.pop("content-length")
        return web.Response(body=sent.body, status=own.status, headers=sent.headers)

    async with operated.serving(answer) as base:
        yield base, settings


def compared(folder: Path, change: Callable[[str, Any], None]) -> list[Finding]:
    async def told() -> list[Finding]:
        async with mini_app(folder, change) as (url, settings):
            return await outside.same_page(f"{url}/app#th-123", settings)

    return asyncio.run(told())


def worse(path: str) -> Callable[[str, Any], None]:
    def change(asked: str, sent: Any) -> None:
        sent.body += b"<script src=//evil.example></script>" if asked == path else b""

    return change


@pytest.mark.parametrize("path", outside.PAGES)
def test_a_page_that_somebody_changed_is_named(tmp_path: Path, path: str) -> None:
    found = compared(tmp_path, worse(path))
    assert "NOT this installation's file" in wrong(found)
    assert [one.about for one in found if one.grade == "wrong"] == [f"Page {path}"]


def test_rules_that_were_taken_from_a_page_are_named(tmp_path: Path) -> None:
    def loosen(path: str, sent: Any) -> None:
        if path == "/app/box.html":
            del sent.headers["content-security-policy"]

    assert "Content-Security-Policy" in wrong(compared(tmp_path, loosen))


def test_a_page_that_is_too_long_or_not_there_is_said() -> None:
    found = asyncio.run(outside.same_page("http://127.0.0.1:1/app", Settings()))
    assert all("--page" in one.mend for one in found)

    async def endless(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * (outside.MOST + 1))

    async def told() -> None:
        async with operated.serving(endless) as url:
            with pytest.raises(outside.Unreached):
                await outside.fetch(url)

    asyncio.run(told())


# ---------------------------------------------------------------- the command


def run(folder: Path, *words: str, **settings: str) -> Result:
    environment = {"SALA_DATA_DIR": str(folder / "data"), **settings}
    return CliRunner(env=environment).invoke(command, words)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_fresh_machine_is_told_what_is_missing_and_nothing_is_made(folder: Path) -> None:
    done = run(folder)
    assert "note  Keys: none yet" in done.stdout
    assert list(folder.iterdir()) == []
    assert (done.exit_code == 0) is ("Nothing is wrong." in done.stdout)


def test_anything_wrong_is_an_exit_code_of_one(folder: Path) -> None:
    done = run(folder, SALA_KEY_FILE="nowhere")
    assert done.exit_code == 1
    assert "to mend." in done.stdout


def test_unsafe_settings_are_said_with_their_mend(folder: Path) -> None:
    done = run(folder, SALA_PUBLIC_URL="http://sala.example")
    assert done.exit_code == 1
    assert "WRONG Settings: SALA_PUBLIC_URL must begin with https://" in done.stdout


def test_everything_is_looked_at_in_one_run(tmp_path: Path) -> None:
    async def told() -> list[Finding]:
        async with operated.line() as line, operated.telegram() as telegram:
            own = TelegramSettings(TOKEN, True, telegram.url)
            settings = replace(await set_up(line), data_dir=tmp_path, telegram=own)
            assert [one async for one in set_up_telegram(settings, TEXTS, VAULT)]
            place = Place(lines=FRESH, clock=lambda: datetime.now(UTC), login_secret=LOGIN_SECRET)
            private = replace(settings, public_url="http://127.0.0.1:9")
            return [one async for one in examine(private, place)]

    about = {one.about for one in asyncio.run(told())}
    assert about >= {
        "Settings", "Keys", "Disk", "SQLite", "Database", "Texts", "Help lines", "Shelf", "Clock",
        "LINE", "LINE messages", "LINE webhook", "LINE menus", "LIFF app", "Telegram",
        "Telegram webhook", "Telegram words",
    }  # fmt: skip


def test_beside_a_running_sala_all_is_well_and_its_pages_are_the_same(tmp_path: Path) -> None:
    with served(tmp_path) as sala:
        settings = Settings(
            public_url=sala.url, data_dir=tmp_path, key_file=tmp_path / "keys", own_keys=True
        )
        found = listed(settings, page=sala.url)
        assert [str(one) for one in found if one.grade == "wrong"] == []
        assert sum("is the same (SHA-256" in one.words for one in found) == len(outside.PAGES)
        assert os.access(tmp_path / "sala.db", os.R_OK)
