"""The calls to LINE that a running Sala makes: one method, one call, one outcome.

LINE's own SDK sets up an account (`line_account`) and is not loaded here: it takes 36 MB and two
seconds, and its models half a turn (docs/bench.md). Tests hold these calls to LINE's published
document and to what the SDK sends.

Errors: `Refused`, which says only what kind of answer it was. LINE's answers can hold ids and
tokens, so none leaves this module.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Literal
from urllib.parse import quote, urlencode

from aiohttp import ClientError

from bot.channels.calls import Calls
from bot.channels.fetching import NotFetched, patience

Outcome = Literal["done", "stale", "busy", "month", "gone", "unclear", "refused"]
"""How a call went: accepted (now or before) · the reply token is used or expired · too many at
once · the month's messages are used up · there is no such person · perhaps accepted · refused."""

HOST: Final = "https://api.line.me"
DATA_HOST: Final = "https://api-data.line.me"
SECONDS: Final = 8.0
"""How long LINE may take to answer."""
AGAIN: Final = 8
"""So many times within that it is asked whether a video is ready."""
_MOST: Final = 1_000_000
"""Bytes of an answer that is no picture."""
_JSON: Final = {"Content-Type": "application/json"}
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
_NONE: Final[Mapping[str, str]] = {}


class Refused(Exception):
    """LINE did not do it; `outcome` says why."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome: Outcome = outcome


@dataclass(frozen=True, slots=True)
class Quota:
    """Pushes of this month: how many there may be (None: no limit), how many there were."""

    limit: int | None
    used: int


def outcome_of(status: int, body: str | None) -> Outcome:
    """What an answer of LINE means. 429 means three things, told apart by its words:
    https://developers.line.biz/en/reference/messaging-api/#error-messages
    """
    said = _said(body)
    if status == 409:
        return "done"
    if status == 429:
        return "month" if "monthly limit" in said else "busy"
    if status == 400 and "invalid reply token" in said:
        return "stale"
    if status == 400 and said == "failed to send messages":
        return "gone"
    return "unclear" if status >= 500 else "refused"


def _said(body: str | None) -> str:
    try:
        plain = json.loads(body or "{}")
    except ValueError:
        return ""
    said = plain.get("message") if isinstance(plain, dict) else None
    return said.strip().lower() if isinstance(said, str) else ""


class LineApi:
    """LINE, for one channel access token. `host` is another base address, for tests."""

    def __init__(self, token: str, host: str = "", seconds: float = SECONDS) -> None:
        self._token = token
        self._host = host
        self._seconds = seconds
        self._calls = Calls()
        self._bearer = {"Authorization": f"Bearer {token}"}

    async def close(self) -> None:
        """End the connections."""
        await self._calls.close()

    # -- messages

    async def reply(self, token: str, faces: Sequence[Mapping[str, Any]]) -> None:
        """Answer with up to five messages; costs nothing."""
        body = {"replyToken": token, "messages": list(faces), "notificationDisabled": True}
        await self._told("/v2/bot/message/reply", body)

    async def push(self, user: str, faces: Sequence[Mapping[str, Any]], key: str) -> None:
        """Send up to five messages, once for each key (a UUID) however often it is called."""
        body = {"to": user, "messages": list(faces), "notificationDisabled": True}
        await self._told("/v2/bot/message/push", body, {"X-Line-Retry-Key": key})

    async def quota(self) -> Quota:
        """How many pushes this month may have, and has had."""
        limit = await self._asked("/v2/bot/message/quota")
        used = await self._asked("/v2/bot/message/quota/consumption")
        with _legible():
            limited = limit["type"] == "limited"
            return Quota(int(limit["value"]) if limited else None, int(used["totalUsage"]))

    async def language(self, user: str) -> str | None:
        """The language (BCP 47) of this person's app; None where they never let LINE tell."""
        profile = await self._asked(f"/v2/bot/profile/{_part(user)}")
        language = profile.get("language")
        return language if isinstance(language, str) else None

    async def loading(self, user: str, seconds: int = 5) -> None:
        """Three dots in an open chat, until the next message or so many seconds."""
        body = {"chatId": user, "loadingSeconds": seconds}
        await self._told("/v2/bot/chat/loading/start", body)

    async def content(self, message: str, most: int) -> bytes:
        """What a person sent, at most so many bytes. NotFetched when there are more.

        LINE makes a video ready before it hands it over; it is asked again until it is.
        """
        url = f"{self._host or DATA_HOST}/v2/bot/message/{_part(message)}/content"
        within = patience(self._seconds, most)
        try:
            async with asyncio.timeout(within):
                return await self._content(url, within, most)
        except (ClientError, OSError):
            raise Refused("unclear") from None

    async def _content(self, url: str, within: float, most: int) -> bytes:
        while True:
            answer = await self._calls.ask(url, self._bearer, None, within=within, most=most)
            if answer.status == HTTPStatus.OK:
                return answer.body
            if answer.status != HTTPStatus.ACCEPTED:
                raise Refused("gone")
            await asyncio.sleep(self._seconds / AGAIN)

    # -- menus

    async def aliases(self) -> dict[str, str]:
        """The rich menus that have a name of their own, by that name."""
        found = await self._asked("/v2/bot/richmenu/alias/list")
        with _legible():
            return {one["richMenuAliasId"]: one["richMenuId"] for one in found["aliases"]}

    async def link_menu(self, user: str, menu: str) -> None:
        """This person's chat has this rich menu."""
        await self._told(f"/v2/bot/user/{_part(user)}/richmenu/{_part(menu)}")

    # -- who somebody is

    async def id_token(self, token: str, channel: str) -> Mapping[str, Any]:
        """What an ID token says, once LINE has found it signed and current for this channel.

        https://developers.line.biz/en/reference/line-login/#verify-id-token
        """
        form = urlencode({"id_token": token, "client_id": channel}).encode()
        said = await self._call("/oauth2/v2.1/verify", form, _FORM)
        return _dict(said, "refused")

    # -- one call

    async def _asked(self, path: str) -> dict[str, Any]:
        return _dict(await self._call(path, None, self._bearer), "unclear")

    async def _told(
        self, path: str, body: Mapping[str, Any] | None = None, more: Mapping[str, str] = _NONE
    ) -> None:
        plain = b"" if body is None else json.dumps(body).encode()
        headers = self._bearer if body is None else self._bearer | _JSON
        await self._call(path, plain, {**headers, **more})

    async def _call(self, path: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
        """What LINE says to a GET, or with a body to a POST."""
        url = f"{self._host or HOST}{path}"
        try:
            answer = await self._calls.ask(url, headers, body, within=self._seconds, most=_MOST)
        except (ClientError, OSError, NotFetched):  # no answer in time, or none of LINE's
            raise Refused("unclear") from None
        if answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return answer.body
        outcome = outcome_of(answer.status, answer.body.decode(errors="replace"))
        if outcome != "done":
            raise Refused(outcome)
        return answer.body


def _part(given: str) -> str:
    return quote(given, safe="")


def _dict(said: bytes, otherwise: Outcome) -> dict[str, Any]:
    try:
        plain = json.loads(said)
    except ValueError:
        plain = None
    if not isinstance(plain, dict):
        raise Refused(otherwise)
    return plain


@contextmanager
def _legible() -> Iterator[None]:
    """What LINE answered is of the shape that its document has; else Refused."""
    try:
        yield
    except (KeyError, TypeError, ValueError):
        raise Refused("unclear") from None
