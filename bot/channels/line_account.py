"""What is set up of a LINE account (webhook, menus, LIFF), over LINE's own SDK.

The SDK takes seconds to load, so only the commands that set up and look after an account do it.
"""

import logging
from collections.abc import Awaitable, Callable
from functools import cache
from importlib import import_module
from typing import Any, Literal

from aiohttp import ClientError

from bot.channels.calls import Straight
from bot.channels.line_api import SECONDS, LineApi, Refused, outcome_of


@cache
def sdk(name: Literal["messaging", "liff"] = "messaging") -> Any:
    """A package of the SDK, loaded when it is first needed."""
    logging.getLogger("linebot").setLevel(logging.WARNING)
    return import_module(f"linebot.v3.{name}")


class LineAccount(LineApi):
    """LINE as its owner sees it, besides all that is called while Sala runs."""

    def __init__(self, token: str, host: str = "", seconds: float = SECONDS) -> None:
        super().__init__(token, host, seconds)
        self._clients: dict[str, Any] = {}

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
        await super().close()

    async def call(self, asked: Callable[..., Awaitable[Any]], *given: Any, **named: Any) -> Any:
        """The answer of one of the SDK's methods; Refused when LINE does not do it. Neither its
        answers nor its exceptions, which can hold tokens, are told."""
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
