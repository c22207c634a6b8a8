"""The mini-app opened inside LINE: only who LINE vouches for gets a ticket, and only their own."""

import json
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest

from bot.channels.line_liff import SDK
from bot.conversation.model import (
    LANGUAGES,
)
from bot.text import load_texts
from tests.peers.line_api import LOGIN_CHANNEL
from tests.peers.line_talk import ANN, HOME, Account, conversation_of, play
from tests.talking import DAY

TEXTS = load_texts()
Json = dict[str, Any]


def id_token(algorithm: str = "ES256") -> str:
    head = urlsafe_b64encode(json.dumps({"alg": algorithm}).encode()).decode().rstrip("=")
    return f"{head}.eyJ9.c2ln"


def claims(**more: Any) -> Json:
    proven = {"iss": "https://access.line.me", "aud": LOGIN_CHANNEL, "sub": ANN}
    return proven | {"exp": int(DAY.timestamp()) + 60} | more


async def asks(sala: Account, token: str, **more: Any) -> tuple[int, Json]:
    answer = await sala.http.post("/line/ticket", json={"id_token": token} | more)
    return answer.status_code, answer.json()


def test_who_line_vouches_for_gets_a_fresh_ticket_of_their_own(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        sala.line.id_tokens[id_token()] = claims()
        assert await asks(sala, id_token(), language="es") == (200, {"ticket": sala.open_link})
        assert sala.renewed == [(conversation_of(b"line:" + ANN.encode()), "es", "hashes")]
        await asks(sala, id_token(), opens="pin")
        await asks(sala, id_token(), opens="anything")
        assert [opens for _, _, opens in sala.renewed] == ["hashes", "pin", "hashes"]
        sala.open_link = None
        assert await asks(sala, id_token()) == (404, {"error": "no_link"})

    play(tmp_path, story)


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "another channel"},
        {"iss": "https://example.com"},
        {"exp": int(DAY.timestamp())},
        {"exp": "soon"},
        {"sub": ""},
        {"sub": None},
    ],
)
def test_a_token_for_another_time_channel_or_nobody_opens_nothing(
    wrong: Json, tmp_path: Path
) -> None:
    async def story(sala: Account) -> None:
        sala.line.id_tokens[id_token()] = claims(**wrong)
        assert await asks(sala, id_token()) == (401, {"error": "not_you"})
        assert sala.renewed == []

    play(tmp_path, story)


@pytest.mark.parametrize(
    "token",
    [
        id_token("none"), id_token("RS256"), "x", "a.b.c", "e30.e30.e30", id_token() + "/",
        "W1tb" * 500 + ".e30.e30",
    ],
)  # fmt: skip
def test_a_token_of_a_strange_form_is_not_even_shown_to_line(token: str, tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        sala.line.id_tokens[token] = claims()
        assert await asks(sala, token) == (401, {"error": "not_you"})
        assert sala.line.calls == []

    play(tmp_path, story)


def test_while_line_does_not_answer_nobody_is_called_a_stranger(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        sala.line.faults["/oauth2/v2.1/verify"] = ["500"]
        assert await asks(sala, id_token()) == (503, {"error": "busy"})
        assert await asks(sala, id_token()) == (401, {"error": "not_you"})

    play(tmp_path, story)


def test_a_post_of_another_form_is_refused(tmp_path: Path) -> None:
    async def story(sala: Account) -> None:
        for body, kind in ((b"{}", "text/plain"), (b"{", "application/json")):
            answer = await sala.http.post(
                "/line/ticket", content=body, headers={"Content-Type": kind}
            )
            assert answer.status_code == 400
        assert (await asks(sala, id_token(), user=ANN))[0] == 400
        long = {"id_token": "x" * 9_000}
        assert (await sala.http.post("/line/ticket", json=long)).status_code == 413

    play(tmp_path, story)


def test_the_entry_page_may_load_lines_script_and_its_own_and_nothing_else(
    tmp_path: Path,
) -> None:
    async def story(sala: Account) -> None:
        page = await sala.http.get("/line/app")
        policy = page.headers["content-security-policy"].split("; ")
        assert f"script-src {HOME}/line/static/liff.js {SDK}" in policy
        assert "default-src 'none'" in policy
        assert page.headers["cache-control"] == "no-store"
        assert "<input" not in page.text
        for name, status in (("liff.js", 200), ("liff.css", 200), ("chat.js", 404)):
            assert (await sala.http.get(f"/line/static/{name}")).status_code == status

    play(tmp_path, story)


def test_the_entry_page_has_words_for_every_answer_in_every_language() -> None:
    for language in LANGUAGES:
        told = TEXTS.group("line.liff", language).keys()
        assert told == {"opening", "no_link", "not_you", "busy", "failed", "outside"}
