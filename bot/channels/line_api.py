"""The calls to LINE that Sala makes, over LINE's own SDK: one method, one call, one outcome.

Errors: `Refused`, which says only what kind of answer it was. LINE's answers and the SDK's
exceptions can hold ids and tokens, so neither leaves this module.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from importlib import import_module
from typing import Any, Final, Literal
from urllib.parse import quote

from aiohttp import ClientError

from bot.channels.calls import Calls, Straight
from bot.channels.fetching import at_most, patience

Outcome = Literal["done", "stale", "busy", "month", "gone", "unclear", "refused"]
"""How a call went: accepted (now or before) · the reply token is used or expired · too many at
once · the month's messages are used up · there is no such person · perhaps accepted · refused."""

HOST: Final = "https://api.line.me"
DATA_HOST: Final = "https://api-data.line.me"
SECONDS: Final = 8.0
"""How long LINE may take to answer."""
AGAIN: Final = 8
"""So many times within that it is asked whether a video is ready."""


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


@cache
def sdk(name: Literal["messaging", "liff"] = "messaging") -> Any:
    """A package of the SDK, loaded when it is first needed: that takes seconds."""
    logging.getLogger("linebot").setLevel(logging.WARNING)
    return import_module(f"linebot.v3.{name}")


class LineApi:
    """LINE, for one channel access token. `host` is another base address, for tests."""

    def __init__(self, token: str, host: str = "", seconds: float = SECONDS) -> None:
        self._token = token
        self._host = host
        self._seconds = seconds
        self._clients: dict[str, Any] = {}
        self._calls = Calls()
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def _client(self, package: Literal["messaging", "liff"]) -> Any:
        """The SDK's client, which must be made inside the running loop."""
        if package not in self._clients:
            kit = sdk(package)
            settings = kit.Configuration(host=self._host or None, access_token=self._token)
            client = self._clients[package] = kit.AsyncApiClient(settings)
            client.rest_client.pool_manager = Straight(client.rest_client.pool_manager)
        return self._clients[package]

    @property
    def messaging(self) -> Any:
        """The Messaging API."""
        return sdk().AsyncMessagingApi(self._client("messaging"))

    @property
    def blobs(self) -> Any:
        """The part of the Messaging API that takes pictures."""
        return sdk().AsyncMessagingApiBlob(self._client("messaging"))

    @property
    def liff(self) -> Any:
        """The LIFF server API; its token is the LINE Login channel's."""
        return sdk("liff").AsyncLiff(self._client("liff"))

    async def close(self) -> None:
        """End the connections."""
        for client in self._clients.values():
            await client.close()
        self._clients.clear()
        await self._calls.close()

    async def call(self, asked: Callable[..., Awaitable[Any]], *given: Any, **named: Any) -> Any:
        """The answer of one of the SDK's methods; Refused when LINE does not do it."""
        from_line = tuple(sdk(name).exceptions.ApiException for name in ("messaging", "liff"))
        try:
            return await asked(*given, **named, _request_timeout=self._seconds)
        except from_line as error:
            outcome = outcome_of(error.status, error.body)
        except (ClientError, OSError, ValueError):  # no answer in time, or one the SDK cannot read
            outcome = "unclear"
        if outcome == "done":
            return None
        raise Refused(outcome) from None

    # -- messages

    async def reply(self, token: str, faces: Sequence[Mapping[str, Any]]) -> None:
        """Answer with up to five messages; costs nothing."""
        body = {"replyToken": token, "messages": list(faces), "notificationDisabled": True}
        await self._post("/v2/bot/message/reply", body)

    async def push(self, user: str, faces: Sequence[Mapping[str, Any]], key: str) -> None:
        """Send up to five messages, once for each key (a UUID) however often it is called."""
        body = {"to": user, "messages": list(faces), "notificationDisabled": True}
        await self._post("/v2/bot/message/push", body, {"X-Line-Retry-Key": key})

    async def _post(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        """What is rendered goes out as it is: the SDK's models cost half a turn (docs/bench.md)."""
        url, sent = f"{self._host or HOST}{path}", {**self._headers, **(headers or {})}
        plain = json.dumps(body).encode()
        try:
            status, said = await self._calls.post(url, plain, sent, self._seconds)
        except (ClientError, OSError):  # no answer in time
            raise Refused("unclear") from None
        outcome = "done" if status < 300 else outcome_of(status, said.decode(errors="replace"))
        if outcome != "done":
            raise Refused(outcome)

    async def quota(self) -> Quota:
        """How many pushes this month may have, and has had."""
        limit = await self.call(self.messaging.get_message_quota)
        used = await self.call(self.messaging.get_message_quota_consumption)
        return Quota(limit.value if limit.type == "limited" else None, used.total_usage)

    async def language(self, user: str) -> str | None:
        """The language (BCP 47) of this person's app; None where they never let LINE tell."""
        profile = await self.call(self.messaging.get_profile, user)
        return profile.language if isinstance(profile.language, str) else None

    async def loading(self, user: str, seconds: int = 5) -> None:
        """Three dots in an open chat, until the next message or so many seconds."""
        body = {"chatId": user, "loadingSeconds": seconds}
        request = sdk().ShowLoadingAnimationRequest.from_dict(body)
        await self.call(self.messaging.show_loading_animation, request)

    async def content(self, message: str, most: int) -> bytes:
        """What a person sent, at most so many bytes. NotFetched when there are more.

        LINE makes a video ready before it hands it over; it is asked again until it is.

        By the SDK's connection but not by its method, which reads without a limit, logs the bytes
        and keeps them as its last answer.
        """
        path = f"/v2/bot/message/{quote(message, safe='')}/content"
        data: bytes = await self.call(self._content, f"{self._host or DATA_HOST}{path}", most)
        return data

    async def _content(self, url: str, most: int, _request_timeout: float) -> bytes:
        while True:
            answer = await self._client("messaging").rest_client.get_request(
                url,
                headers={"Authorization": f"Bearer {self._token}"},
                _preload_content=False,
                _request_timeout=patience(_request_timeout, most),
            )
            async with answer:
                if answer.status == HTTPStatus.OK:
                    return await at_most(answer.content.iter_any(), most)
                if answer.status != HTTPStatus.ACCEPTED:
                    raise Refused("gone")
            await asyncio.sleep(_request_timeout / AGAIN)

    # -- menus

    async def aliases(self) -> dict[str, str]:
        """The rich menus that have a name of their own, by that name."""
        found = await self.call(self.messaging.get_rich_menu_alias_list)
        return {one.rich_menu_alias_id: one.rich_menu_id for one in found.aliases}

    async def link_menu(self, user: str, menu: str) -> None:
        """This person's chat has this rich menu."""
        await self.call(self.messaging.link_rich_menu_id_to_user, user, menu)

    # -- who somebody is

    async def id_token(self, token: str, channel: str) -> Mapping[str, Any]:
        """What an ID token says, once LINE has found it signed and current for this channel.

        https://developers.line.biz/en/reference/line-login/#verify-id-token
        """
        client = self._client("messaging")
        answer = await self.call(
            client.rest_client.post_request,
            f"{self._host or HOST}/oauth2/v2.1/verify",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            post_params=[("id_token", token), ("client_id", channel)],
        )
        try:
            claims = json.loads(answer.data)
        except ValueError:
            raise Refused("refused") from None
        if not isinstance(claims, dict):
            raise Refused("refused")
        return claims
