"""Who opens the mini-app in Telegram: signed data, which another library signs and judges too."""

import hmac
import random
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.channels.telegram_init import (
    LONGEST,
    PRODUCTION,
    Forged,
    by_telegram,
    by_token,
    verify,
    verify_ed25519,
)
from tests.peers import npm
from tests.peers.telegram_api import BOT, TOKEN

AT = datetime(2026, 3, 1, 7, tzinfo=UTC)

# ---------------------------------------------------------------- by the token

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
        signed(user='{"id":0}'),
        signed(auth_date="9" * 12), "user=\ud83d&hash=0",
        signed(more="x" * LONGEST), signed() + "%ff=1", "a=%ff&hash=0",
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


# ---------------------------------------------------------------- by Telegram's own key

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()


def signed_by_key(bot: int = BOT, **more: str) -> str:
    """initData by the documented rule for third parties."""
    fields = {"user": '{"id":77}', "auth_date": str(int(AT.timestamp())), **more}
    lines = "\n".join(f"{name}={fields[name]}" for name in sorted(fields))
    made = KEY.sign(f"{bot}:WebAppData\n{lines}".encode())
    signature = urlsafe_b64encode(made).decode().rstrip("=")
    return urlencode(fields | {"hash": "0" * 64, "signature": signature})


def test_telegrams_signature_needs_no_token() -> None:
    assert verify_ed25519(signed_by_key(), BOT, AT, PUBLIC) == 77


@pytest.mark.parametrize(
    "given",
    [
        signed_by_key().replace("77", "78"), signed_by_key().replace("signature=", "signature=A"),
        signed_by_key().replace("signature=", "signature=%"), signed_by_key(bot=BOT + 1),
        signed_by_key() + "&user=1", signed_by_key(auth_date="1"), signed(), "",
    ],
)  # fmt: skip
def test_what_telegrams_key_did_not_sign_is_forged(given: str) -> None:
    with pytest.raises(Forged):
        verify_ed25519(given, BOT, AT, PUBLIC)


def test_each_form_believes_its_own_signer_alone() -> None:
    assert by_token(TOKEN)(signed(), AT) == 77
    for whose, given in ((by_telegram(BOT), signed()), (by_token(TOKEN), signed_by_key())):
        with pytest.raises(Forged):
            whose(given, AT)


def test_by_default_the_key_is_telegrams_and_no_other() -> None:
    with pytest.raises(Forged):
        by_telegram(BOT)(signed_by_key(), AT)
    assert PRODUCTION.hex().startswith("e7bf03a2fa4602af")


# ---------------------------------------------------------------- another library

SIGNS = """
import { sign } from "@tma.js/init-data-node";
const made = given.map(({ data, token, at }) => sign(data, token, new Date(at * 1000)));
console.log(JSON.stringify(await Promise.all(made)));
"""
JUDGES = """
import { isValid, isValid3rd } from "@tma.js/init-data-node";
const importKey = crypto.subtle.importKey.bind(crypto.subtle);
crypto.subtle.importKey = (format, key, ...how) =>
  importKey(format, given.key ? Buffer.from(given.key, "hex") : key, ...how);
const options = { expiresIn: 0 };
const judged = given.shown.map(async (shown) => {
  try {
    if (given.bot) return await isValid3rd(shown, given.bot, options);
    return await isValid(shown, given.token, options);
  } catch {
    return false;
  }
});
console.log(JSON.stringify(await Promise.all(judged)));
"""
"""With a key of ours in place of Telegram's, where one is given."""
NAMES = ("Mali", "Niño +&=?", "ก็\n", '\\"/', "%25%", "\U0001f9e1", "=hash=", " ", "")


def anyone(chance: random.Random) -> dict[str, Any]:
    """What initData may say of a person, with every letter that could be mistaken."""
    user = {"id": chance.randrange(1, 2**52), "first_name": chance.choice(NAMES)}
    data: dict[str, Any] = {"user": user | {"last_name": chance.choice(NAMES)}}
    for name in ("query_id", "start_param", "chat_instance", "signature"):
        if chance.random() < 0.5:
            data[name] = chance.choice(NAMES)
    return data


def believed(shown: list[str], **how: Any) -> list[bool]:
    return [bool(one) for one in npm.node(JUDGES, {"shown": shown, **how})]


def ours(shown: str) -> int | None:
    try:
        return verify(shown, TOKEN, AT)
    except Forged:
        return None


def test_whomever_the_other_library_signs_today_is_who_we_say() -> None:
    people = [anyone(random.Random(seed)) for seed in range(80)]
    asked = [{"data": one, "token": TOKEN, "at": int(AT.timestamp())} for one in people]
    made = npm.node(SIGNS, asked)
    assert [ours(one) for one in made] == [one["user"]["id"] for one in people]


def test_the_vectors_are_the_other_librarys_still() -> None:
    assert believed(list(VECTORS.values()), token=TOKEN) == [True] * len(VECTORS)


def test_what_the_other_library_does_not_believe_we_do_not_either() -> None:
    chance = random.Random(3)
    shown = [given for user in VECTORS for given in broken(VECTORS[user], chance)]
    theirs = believed(shown, token=TOKEN)
    assert [one for one, good in zip(shown, theirs, strict=True) if ours(one) and not good] == []
    assert sum(ours(one) is None for one in shown) > 100


def broken(given: str, chance: random.Random) -> list[str]:
    """The same with letters changed, fields dropped, moved, doubled and spelt otherwise."""
    fields = given.split("&")
    moved = ["&".join(chance.sample(fields, len(fields))) for _ in range(5)]
    dropped = ["&".join(fields[:n] + fields[n + 1 :]) for n in range(len(fields))]
    doubled = [f"{given}&{one}" for one in fields]
    places = (chance.randrange(len(given)) for _ in range(40))
    changed = [given[:at] + chance.choice("a1&=%+") + given[at + 1 :] for at in places]
    return [*moved, *dropped, *doubled, *changed, given.replace("%20", "+"), given.lower()]


def test_the_other_library_and_we_believe_the_same_key() -> None:
    shown = [signed_by_key(start_param=name) for name in NAMES if name]
    shown += [signed_by_key(bot=BOT + 1), signed_by_key().replace("77", "78"), signed()]
    mine = [True] * (len(shown) - 3) + [False] * 3
    assert believed(shown, bot=BOT, key=PUBLIC.hex()) == mine
    assert believed(shown, bot=BOT) == [False] * len(shown)
    for one, good in zip(shown, mine, strict=True):
        if good:
            assert verify_ed25519(one, BOT, AT, PUBLIC) == 77
