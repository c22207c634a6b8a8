"""Whom to answer on LINE, and by which reply token: each can be used once, for a minute.

https://developers.line.biz/en/reference/messaging-api/#send-reply-message
"""

import json
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeVar

USABLE: Final = timedelta(seconds=45)
"""How old a token may be for a first try."""
DEAD: Final = timedelta(seconds=60)
"""From this age on LINE promises nothing."""
PUSH: Final = b"push"
_REPLY: Final = "reply:"
_REMEMBERED: Final = 10_000
V = TypeVar("V")
Mark = Literal["given", "doubted", "spent"]
_BITS: Final[dict[Mark, int]] = {"given": 1, "doubted": 2, "spent": 4}


@dataclass(frozen=True, slots=True)
class Token:
    """A reply token and when it came."""

    value: str = field(repr=False)
    at: datetime

    def younger(self, age: timedelta, now: datetime) -> bool:
        """Whether less than this time has passed since it came."""
        return now - self.at < age


@dataclass(frozen=True, slots=True)
class Address:
    """A person, when they were last heard, and the newest reply token."""

    user: str = field(repr=False)
    heard_at: datetime
    token: Token | None = None


def key_of(user: str) -> bytes:
    """What a person's conversation is found by."""
    return b"line:" + user.encode()


def write_address(address: Address) -> bytes:
    """JSON `{user, heard_at, reply?, reply_at?}`; times are Unix seconds."""
    plain: dict[str, str | float] = {"user": address.user, "heard_at": _seconds(address.heard_at)}
    if address.token:
        plain |= {"reply": address.token.value, "reply_at": _seconds(address.token.at)}
    return json.dumps(plain, separators=(",", ":")).encode()


def read_address(data: bytes) -> Address:
    """The address in these bytes."""
    plain = json.loads(data)
    token = Token(plain["reply"], _time(plain["reply_at"])) if "reply" in plain else None
    return Address(plain["user"], _time(plain["heard_at"]), token)


def without(data: bytes, token: str) -> bytes:
    """The address in these bytes once this reply token was used."""
    address = read_address(data)
    spent = address.token is not None and address.token.value == token
    return write_address(replace(address, token=None)) if spent else data


def write_way(token: Token) -> bytes:
    """The way of a reply: `reply:<Unix seconds>:<token>`."""
    return f"{_REPLY}{_seconds(token.at)}:{token.value}".encode()


def read_way(way: bytes | None) -> Token | None:
    """The token of a reply's way; None for a push."""
    said = (way or PUSH).decode()
    if not said.startswith(_REPLY):
        return None
    at, _, value = said.removeprefix(_REPLY).partition(":")
    return Token(value, _time(float(at)))


class Tokens:
    """What this process did with the reply tokens lately.

    `given`: chosen here for a first try. `doubted`: a request with it had no clear answer.
    `spent`: used, or refused by LINE.
    """

    def __init__(self) -> None:
        self._last: OrderedDict[str, Token] = OrderedDict()
        self._marks: OrderedDict[str, int] = OrderedDict()

    def newest(self, user: str, token: str | None, now: datetime) -> Token | None:
        """This token, else the one that came for the person within the last minute.

        Some events (a message taken back) bring none, and must not lose the one before.
        """
        if token is not None:
            _keep(self._last, user, Token(token, now))
        found = self._last.get(user)
        return found if found and found.younger(DEAD, now) else None

    def mark(self, token: Token, mark: Mark) -> None:
        """Remember this of a token."""
        _keep(self._marks, token.value, self._marks.get(token.value, 0) | _BITS[mark])

    def marked(self, token: Token, mark: Mark) -> bool:
        """Whether this is remembered of a token."""
        return bool(self._marks.get(token.value, 0) & _BITS[mark])


def _keep(kept: OrderedDict[str, V], key: str, value: V) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > _REMEMBERED:
        kept.popitem(last=False)


def _seconds(at: datetime) -> float:
    return at.timestamp()


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
