"""Who opened the mini-app: Telegram's `initData`, believed only as signed, in one of two forms.

By the bot's token (HMAC), or by Telegram's own key (Ed25519), which needs no secret here. Rules:
core.telegram.org/bots/webapps#validating-data-received-via-the-mini-app.
"""

import hmac
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qsl

from bot.vault import signed_by

FRESH: Final = timedelta(hours=1)
AHEAD: Final = timedelta(minutes=1)
"""How far a clock may be behind Telegram's."""
LONGEST: Final = 8_000
PRODUCTION: Final = bytes.fromhex(
    "e7bf03a2fa4602af4580703d88dda5bb59f32ed8b02a56c187fe7d34caed242d"
)
"""Telegram's own Ed25519 key, as its page says."""

_FIELDS: Final = 40
_HASH: Final = re.compile("[0-9a-f]{64}")
_DATE: Final = re.compile("[0-9]{1,11}")

Whose = Callable[[str, datetime], int]
"""The id of the person who opened the mini-app at this time, by the `initData` shown; Forged."""


class Forged(ValueError):
    """Not signed, too old, or not in Telegram's form. Never carries what was shown."""


def verify(init_data: str, token: str, now: datetime) -> int:
    """The id of the person who opened the mini-app of the bot with this token; Forged."""
    fields = _fields(init_data)
    shown = fields.pop("hash", "")
    secret = hmac.digest(b"WebAppData", token.encode(), sha256)
    made = hmac.digest(secret, _lines(fields).encode(), sha256).hex()
    if not _HASH.fullmatch(shown) or not hmac.compare_digest(made, shown):
        raise Forged
    return _user(fields, now)


def verify_ed25519(
    init_data: str, bot_id: int, now: datetime, public_key: bytes = PRODUCTION
) -> int:
    """The same, for the bot with this id, without its token: by Telegram's signature; Forged."""
    fields = _fields(init_data)
    fields.pop("hash", None)
    signature = _signature(fields.pop("signature", ""))
    signed = f"{bot_id}:WebAppData\n{_lines(fields)}".encode()
    if not signed_by(public_key, signature, signed):
        raise Forged
    return _user(fields, now)


def by_token(token: str) -> Whose:
    """Believes what is signed with this token."""
    return lambda init_data, now: verify(init_data, token, now)


def by_telegram(bot_id: int) -> Whose:
    """Believes what Telegram itself signed for this bot."""
    return lambda init_data, now: verify_ed25519(init_data, bot_id, now)


def _fields(init_data: str) -> dict[str, str]:
    """Every field once, blank ones too: `signature=` is signed as well."""
    if len(init_data) > LONGEST:
        raise Forged
    try:
        init_data.encode()  # half an emoji is valid JSON and no valid text
        pairs = parse_qsl(
            init_data,
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_FIELDS,
        )
    except ValueError:
        raise Forged from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Forged
    return fields


def _lines(fields: Mapping[str, str]) -> str:
    return "\n".join(f"{name}={fields[name]}" for name in sorted(fields))


def _signature(shown: str) -> bytes:
    try:
        return urlsafe_b64decode(shown + "=" * (-len(shown) % 4))
    except ValueError:
        raise Forged from None


def _user(fields: Mapping[str, str], now: datetime) -> int:
    date = fields.get("auth_date", "")
    if not _DATE.fullmatch(date):
        raise Forged
    age = now - datetime.fromtimestamp(int(date), UTC)
    if not -AHEAD <= age <= FRESH:
        raise Forged
    return _id(fields.get("user", ""))


def _id(user: str) -> int:
    try:
        said = json.loads(user)
    except (ValueError, RecursionError):
        raise Forged from None
    match said:
        case {"id": int(id)} if id > 0:
            return id
        case _:
            raise Forged
