"""What an operator sees of lists above Sala's own: off, tried, half set, stuck; and the hotline's
look-up at Project Arachnid's Shield, through its own SDK. Never a code."""

import asyncio
import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner, Result
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.above import STUCK, above_findings, above_lines
from bot.app import now, open_sala
from bot.cli import main
from bot.conversation.model import LANGUAGES, MessageId, Send
from bot.exchange.ncmec import Ncmec
from bot.settings import ServiceSettings, Settings, Unsafe, read_settings
from bot.store import ConversationId, EffectId, Ticket
from bot.store.upward import channel_of
from bot.text import load_texts
from bot.voice import Asked
from tests.cases_kept import picture
from tests.exchange_house import on_loopback
from tests.peers.ncmec import PASSWORD, FakeNcmec, ncmec
from tests.raising import A, B

Run = Callable[..., Result]
TEXTS = load_texts()


@pytest.fixture
def board() -> Iterator[FakeNcmec]:
    with ncmec(lambda: datetime.now(UTC)) as fake:
        yield fake


@pytest.fixture
def told(tmp_path: Path, board: FakeNcmec) -> dict[str, str]:
    """Settings of an operator with an agreement."""
    return {
        "SALA_DATA_DIR": str(tmp_path / "data"),
        "SALA_NCMEC_USER": "sala", "SALA_NCMEC_PASSWORD": PASSWORD, "SALA_NCMEC_URL": board.base,
    }  # fmt: skip


@pytest.fixture
def sala(told: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(*words: str, given: str | None = None, **more: str) -> Result:
        return CliRunner(env=told | more).invoke(main, words, input=given)

    return run


def above(sala: Run, **more: str) -> list[str]:
    return sala("exchange", **more).stdout.splitlines()[-3:-1]


def test_a_service_is_off_then_tried_then_on_and_shown_in_numbers(
    sala: Run, board: FakeNcmec
) -> None:
    assert above(sala) == [
        "StopNCII.org: off", "NCMEC: off until it was tried (sala exchange try)",
    ]  # fmt: skip
    tried = sala("exchange", "try", "ncmec", "--wait", "0")
    assert "codes of the minors' list go up to NCMEC" in tried.stdout
    counts = "0 codes there, 0 let go, 0 changes wait, 0 answers"
    assert above(sala)[1] == f"NCMEC: on since {datetime.now(UTC):%Y-%m-%d}; {counts}"
    assert above(sala, SALA_NCMEC_USER="")[1] == f"NCMEC: off ({counts})"
    elsewhere = above(sala, SALA_NCMEC_URL="https://other.example")
    assert "until it was tried" in elsewhere[1]
    (code,) = board.entries.values()
    assert code.gone, "the invented code was taken back"


def test_a_service_that_does_not_work_stays_off_and_it_is_said_why(
    sala: Run, board: FakeNcmec
) -> None:
    refused = sala("exchange", "try", "stopncii")
    assert (refused.exit_code, "Set the keys of StopNCII.org" in refused.stderr) == (1, True)
    wrong = sala("exchange", "try", "ncmec", SALA_NCMEC_PASSWORD="other")
    assert "NotPassed: 401" in wrong.stderr
    board.deaf = True
    silent = sala("exchange", "try", "ncmec", "--wait", "0")
    assert "does not show it so" in silent.stderr
    assert "until it was tried" in above(sala)[1]


def test_a_running_sala_passes_codes_on_by_itself(
    told: dict[str, str], sala: Run, board: FakeNcmec
) -> None:
    assert sala("exchange", "try", "ncmec", "--wait", "0").exit_code == 0

    async def run() -> None:
        async with open_sala(read_settings(told, Path("none"))) as opened:
            later = now() + timedelta(hours=1)
            ticket = Ticket(b"t" * 16, ConversationId(b"a" * 16), "minors", later)
            await opened.store.issue(ticket)
            await opened.store.register(ticket.digest, [picture(A)], now())
            site = opened.site()
            async with site.router.lifespan_context(site), asyncio.timeout(60):
                while "1 codes there" not in (await above_lines(opened))[1]:
                    await asyncio.sleep(0.01)

    asyncio.run(run())
    assert [one.prints["pdq"] for one in board.entries.values() if not one.gone] == [A]


# ---------------------------------------------------------------- what people are told


def test_c7_a_service_is_named_where_codes_go_and_where_they_are_made(
    told: dict[str, str], sala: Run
) -> None:
    async def shown(list: str, **more: str) -> dict[str, str]:
        said = {}
        async with open_sala(read_settings(told | more, Path("none"))) as opened:
            voice = opened.voice()
            for show in ("readers", "readers_now", "app", "passed"):
                for language in LANGUAGES:
                    send = Send(MessageId("bland"), show=show, list=list, language=language)
                    asked = Asked(EffectId(show), send, ConversationId(b"a" * 16), now())
                    message = await voice.message(asked)
                    links = " ".join(one.url for one in message.links)
                    said[f"{show}.{language}"] = f"{message.text} {links}"
        return said

    def passed(said: dict[str, str], service: str = "NCMEC") -> set[str]:
        lines = {one: TEXTS.say("show.readers.passed", one, service=service) for one in LANGUAGES}
        return {name for name, text in said.items() if lines[name.partition(".")[2]] in text}

    before = asyncio.run(shown("minors"))
    assert passed(before) == set()
    assert sala("exchange", "try", "ncmec", "--wait", "0").exit_code == 0
    after = asyncio.run(shown("minors"))
    assert passed(after) == after.keys()
    assert not [name for name in after if "readers" in name and "http" in after[name]]
    assert passed(asyncio.run(shown("adults"))) == set()
    off = asyncio.run(shown("minors", SALA_NCMEC_USER=""))
    assert (passed(off), off["readers_now.en"]) == (set(), before["readers_now.en"])


def test_without_any_agreement_a_person_is_told_so_and_given_the_official_page(
    told: dict[str, str], tmp_path: Path
) -> None:
    async def shown() -> tuple[str, str]:
        settings = Settings(data_dir=tmp_path / "d", key_file=tmp_path / "d" / "keys")
        async with open_sala(settings) as opened:
            send = Send(MessageId("bland"), show="readers_now", list="minors")
            asked = Asked(EffectId("e"), send, ConversationId(b"a" * 16), now())
            message = await opened.voice().message(asked)
            return message.text, message.links[0].url

    text, url = asyncio.run(shown())
    assert "Sala has sent the codes to nobody" in text
    assert urlsplit(url).hostname == "takeitdown.ncmec.org"


# ---------------------------------------------------------------- doctor


def findings(settings: Settings, told: dict[str, str] | None = None) -> str:
    async def look() -> str:
        if told is None:
            return "\n".join(map(str, await above_findings(settings, None)))
        async with open_sala(read_settings(told, Path("none"))) as opened:
            return "\n".join(map(str, await above_findings(settings, opened.store)))

    return asyncio.run(look())


def test_a_connector_that_is_half_set_is_named_with_what_is_missing() -> None:
    half = read_settings(
        {"SALA_STOPNCII_FETCH_KEY": "f", "SALA_NCMEC_USER": "u", "SALA_SHIELD_PASSWORD": "p"},
        Path("none"),
    )
    said = findings(half)
    for name in ("SALA_STOPNCII_SUBSCRIPTION_KEY, SALA_STOPNCII_SUBMIT_KEY", "SALA_NCMEC_PASSWORD",
                 "SALA_SHIELD_USER"):  # fmt: skip
        assert f"Set {name} too, or none of them." in said
    assert said.count("WRONG") == 3
    assert findings(Settings()) == ""
    assert "=f" not in repr(half)


def test_a_service_that_was_not_tried_or_is_stuck_is_named(
    told: dict[str, str], sala: Run, board: FakeNcmec
) -> None:
    settings = read_settings(told, Path("none"))
    assert "sala exchange try ncmec" in findings(settings)
    assert "sala exchange try ncmec" in findings(settings, told)
    sala("exchange", "try", "ncmec", "--wait", "0")
    assert findings(settings, told).startswith("ok")

    async def stuck() -> None:
        async with open_sala(settings) as opened:
            ticket = Ticket(b"t" * 16, ConversationId(b"a" * 16), "minors",
                            now() + timedelta(hours=1))  # fmt: skip
            await opened.store.issue(ticket)
            await opened.store.register(ticket.digest, [picture(A)], now())
            assert await opened.store.plan_raising("ncmec", now()) == 1
            for _ in range(STUCK):
                (bundle,) = await opened.store.due([channel_of("ncmec")], now(), 1)
                ids = [one.id for one in bundle.effects]
                await opened.store.retry(bundle.conversation, ids, now())

    asyncio.run(stuck())
    assert "1 changes could not be passed on to NCMEC" in findings(settings, told)


def test_a_service_is_not_spoken_to_without_tls() -> None:
    with pytest.raises(Unsafe, match="SALA_STOPNCII_URL"):
        read_settings({"SALA_STOPNCII_URL": "http://api.example/v1"}, Path("none"))


# ---------------------------------------------------------------- Shield


@dataclass
class FakeShield:
    """Shield's look-up by PDQ, as its SDK speaks it."""

    known: dict[str, str]
    base: str = ""
    asked: list[int] = field(default_factory=list)
    answer: Response | None = None

    async def pdq(self, request: Request) -> Response:
        if request.headers["authorization"] != "Basic aG90bGluZTpzaGllbGQ=":
            return JSONResponse({"detail": "no"}, 401)
        hashes = (await request.json())["hashes"]
        self.asked.append(len(hashes))
        found = {one: self.known.get(b64decode(one).hex(), "no-known-match") for one in hashes}
        return self.answer or JSONResponse({"scanned_hashes": {
            one: {"classification": said, "match_type": "near" if said == "csam" else None,
                  "near_match_details": None} for one, said in found.items()
        }})  # fmt: skip


@pytest.fixture
def shield() -> Iterator[FakeShield]:
    fake = FakeShield({A: "csam"})
    with on_loopback(Starlette(routes=[Route("/v1/pdq/", fake.pdq, methods=["POST"])])) as base:
        fake.base = base
        yield fake


def test_a_hotline_looks_codes_up_and_sees_no_code_again(sala: Run, shield: FakeShield) -> None:
    keys = {"SALA_SHIELD_USER": "hotline", "SALA_SHIELD_PASSWORD": "shield",
            "SALA_SHIELD_URL": shield.base}  # fmt: skip
    given = "\n".join([B, A.upper(), "", *(f"{n:064x}" for n in range(120))])
    found = sala("exchange", "check", "-", given=given, **keys)
    assert found.stdout.splitlines()[:3] == ["1  no-known-match", "2  csam", "3  no-known-match"]
    assert len(found.stdout.splitlines()) == 122
    assert shield.asked == [100, 22]
    refused = sala("exchange", "check", "-", given=A, **keys | {"SALA_SHIELD_USER": "other"})
    assert "NotLookedUp" in refused.stderr
    shield.answer = JSONResponse({"scanned_hashes": {}})
    assert "BadAnswer" in sala("exchange", "check", "-", given=A, **keys).stderr
    assert "Code 1 is no PDQ code" in sala("exchange", "check", "-", given="zz", **keys).stderr
    assert "Set SALA_SHIELD_USER" in sala("exchange", "check", "-", given=A).stderr


def test_without_its_sdk_it_is_said_what_to_install(
    sala: Run, shield: FakeShield, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "arachnid_shield_sdk", None)
    keys = {"SALA_SHIELD_USER": "hotline", "SALA_SHIELD_PASSWORD": "shield"}
    assert "sala-bot[shield]" in sala("exchange", "check", "-", given=A, **keys).stderr


def test_keys_are_in_no_representation() -> None:
    assert "secret" not in repr(ServiceSettings(("secret",), "https://a.example"))
    assert "secret" not in repr(Ncmec("secret", "secret", "https://a.example"))
    assert json.dumps(A) not in repr(FakeShield({}))
