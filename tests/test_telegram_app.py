"""Who opens the mini-app in Telegram: signed data, and the page that gets a ticket for it."""

import hmac
import json
import re
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bot.channels.telegram_init import LONGEST, Forged, verify, verify_ed25519
from bot.conversation.model import LANGUAGES, Language
from bot.text import load_texts
from tests.peers.telegram_api import BOT, TOKEN
from tests.talking import TO_APP
from tests.telegram_town import ANN, BOB, Town, live

AT = datetime(2026, 3, 1, 7, tzinfo=UTC)
TEXTS = load_texts()

# ---------------------------------------------------------------- initData

VECTORS = {
    279058397: "user=%7B%22id%22%3A279058397%2C%22first_name%22%3A%22Mali%22%2C%22language_code%22"
    "%3A%22th%22%7D&query_id=AAHdF6IQAAAAAN0XohDhrOrc&chat_type=private&chat_instance="
    "8134722200314281151&auth_date=1772348400&signature=&hash="
    "37c0c1e9467aad07db797f4e48b2415ec20434461cc082897035465dc0ef6554",
    5000000001: "user=%7B%22id%22%3A5000000001%2C%22first_name%22%3A%22Ni%C3%B1o+%2B%26%3D%3F+%E0"
    "%B8%81%22%2C%22last_name%22%3A%22%C2%AB%5C%22%5C%5C%2F%C2%BB%22%2C%22username%22%3A%22a_b%22"
    "%2C%22is_premium%22%3Atrue%2C%22allows_write_to_pm%22%3Atrue%2C%22photo_url%22%3A%22https%3A"
    "%2F%2Ft.me%2Fi%2Fuserpic%2F320%2Fx.svg%22%7D&start_param=a%3Db%26c&auth_date=1772348400"
    "&signature=&hash=184f5b0692ad6b468b65a25740f00dae129c961fd46aa909e04d034af5fc66ac",
    7: "user=%7B%22id%22%3A7%2C%22first_name%22%3A%22%22%7D&receiver=%7B%22id%22%3A8%2C%22first"
    "_name%22%3A%22R%22%7D&can_send_after=10&auth_date=1772348400&signature=&hash="
    "94230e89ee43d94b4bb4a1609952d9a049d6e4d58017998bd867ad090eeedaf7",
}
"""Signed for TOKEN by @tma.js/init-data-node 2.0.8 (`sign`), and found valid by its `validate`."""


def signed(token: str = TOKEN, at: datetime = AT, **more: str) -> str:
    """initData by the documented rule."""
    fields = {"user": '{"id":77}', "auth_date": str(int(at.timestamp())), "signature": "", **more}
    lines = "\n".join(f"{name}={fields[name]}" for name in sorted(fields))
    key = hmac.digest(b"WebAppData", token.encode(), sha256)
    return urlencode(fields | {"hash": hmac.digest(key, lines.encode(), sha256).hex()})


@pytest.mark.parametrize("user", VECTORS)
def test_what_another_library_signed_is_believed(user: int) -> None:
    assert verify(VECTORS[user], TOKEN, AT) == user


@pytest.mark.parametrize("user", VECTORS)
def test_one_letter_changed_is_not_believed(user: int) -> None:
    given = VECTORS[user]
    for place in range(0, len(given), 7):
        letter = "1" if given[place] != "1" else "2"
        with pytest.raises(Forged):
            verify(given[:place] + letter + given[place + 1 :], TOKEN, AT)


@pytest.mark.parametrize(
    "given",
    [
        "", "user", "&", "user=1&" + signed(), signed() + "&user=1", signed() + "&extra=1",
        signed(token="1:other"), signed() + "&hash=", signed().replace("hash=", "hush="),
        signed().replace("signature=&", ""), signed(at=AT - timedelta(hours=1, seconds=1)),
        signed(at=AT + timedelta(minutes=2)), signed(auth_date=""), signed(auth_date="٣"),
        signed(auth_date="-1"), signed(user="77"), signed(user='{"id":"77"}'), signed(user="[["),
        signed(user='{"id":0}'), signed(more="x" * LONGEST), signed() + "%ff=1", "a=%ff&hash=0",
        "&".join(f"a{n}=1" for n in range(99)),
    ],
)  # fmt: skip
def test_what_is_not_whole_fresh_and_signed_is_forged(given: str) -> None:
    with pytest.raises(Forged) as forged:
        verify(given, TOKEN, AT)
    assert str(forged.value) == ""


def test_an_hour_is_fresh() -> None:
    assert verify(signed(at=AT - timedelta(hours=1)), TOKEN, AT) == 77
    assert verify(signed(at=AT + timedelta(minutes=1)), TOKEN, AT) == 77


def by_cryptography(public_key: bytes, signature: bytes, words: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, words)
    except InvalidSignature:
        return False
    return True


def test_the_third_partys_form_needs_no_token() -> None:
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    fields = {"user": '{"id":77}', "auth_date": str(int(AT.timestamp())), "hash": "0" * 64}
    lines = f"auth_date={fields['auth_date']}\nuser={fields['user']}"
    made = key.sign(f"{BOT}:WebAppData\n{lines}".encode())
    given = urlencode(fields | {"signature": urlsafe_b64encode(made).decode().rstrip("=")})
    assert verify_ed25519(given, BOT, AT, by_cryptography, public) == 77
    for wrong in (given.replace("77", "78"), given.replace("signature=", "signature=A"), signed()):
        with pytest.raises(Forged):
            verify_ed25519(wrong, BOT, AT, by_cryptography, public)
    with pytest.raises(Forged):
        verify_ed25519(given, BOT + 1, AT, by_cryptography, public)
    with pytest.raises(Forged):
        verify_ed25519(given, BOT, AT, by_cryptography)


# ---------------------------------------------------------------- the mini-app's way in


async def ticket(town: Town, given: str, **more: Any) -> tuple[int, dict[str, str]]:
    body = {"init_data": given, "language": "th"}
    answer = await town.web.post("/telegram/ticket", json=body, **more)
    return answer.status_code, answer.json()


def test_the_page_gets_a_new_ticket_of_its_own_conversation_alone(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins(BOB)
        given = signed(at=town.now)
        assert await ticket(town, given) == (404, {"error": "none"})
        await town.presses(*TO_APP, chat=BOB)
        status, said = await ticket(town, signed(at=town.now))
        assert status == 200
        assert re.fullmatch("th-[0-9a-f]{32}", said["ticket"])
        other = signed(at=town.now, user=json.dumps({"id": ANN}))
        assert await ticket(town, other) == (404, {"error": "none"})

    live(tmp_path, story)


@pytest.mark.parametrize(
    ("given", "more"),
    [
        (signed(token="1:other"), {}), ("", {}), ("x" * 20_000, {}),
        (signed(), {"headers": {"Sec-Fetch-Site": "cross-site"}}),
        (signed(), {"headers": {"Origin": "https://evil.example"}}),
        (signed(), {"headers": {"Content-Type": "text/plain"}}),
    ],
)  # fmt: skip
def test_no_ticket_for_what_is_not_the_pages_own(
    given: str, more: dict[str, Any], tmp_path: Path
) -> None:
    async def story(town: Town) -> None:
        await town.begins(BOB)
        await town.presses(*TO_APP, chat=BOB)
        assert await ticket(town, given, **more) == (403, {"error": "refused"})

    live(tmp_path, story)


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"init_data":1,"language":"th"}', "[" * 9_000])
def test_a_post_of_another_form_is_refused(body: str, tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        headers = {"Content-Type": "application/json"}
        answer = await town.web.post("/telegram/ticket", content=body, headers=headers)
        assert answer.status_code == 403

    live(tmp_path, story)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_runs_its_own_script_alone_and_only_telegram_frames_it(
    language: Language, tmp_path: Path
) -> None:
    async def story(town: Town) -> None:
        page = await town.web.get(f"/telegram/app?l={language}")
        assert TEXTS.say("telegram.app.wait", language) in page.text
        assert "{{" not in page.text
        policy = page.headers["Content-Security-Policy"]
        assert "frame-ancestors https://web.telegram.org;" in policy
        assert "script-src https://sala.example/telegram/app/telegram_app.js;" in policy
        assert page.headers["Cache-Control"] == "no-store"
        for name in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
            assert (await town.web.get(name)).status_code == 200
        assert (await town.web.get("/telegram/app/chat.js")).status_code == 404

    live(tmp_path, story)
