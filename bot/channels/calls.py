"""Calls to a chat platform: bytes go out, a status and bytes come back, over one aiohttp session.

Nothing of the environment is believed or looked for (no proxy, no `.netrc`), no redirect followed,
no cookie kept, and nothing is ever logged here: addresses hold tokens.
"""

import logging
from collections.abc import Mapping
from typing import Final

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar
from yarl import URL

CONNECT_WITHIN: Final = 5.0

logging.getLogger("aiohttp").setLevel(logging.WARNING)


class Calls:
    """One session, opened by the first call and closed with `close()`."""

    def __init__(self) -> None:
        self._session: ClientSession | None = None

    async def close(self) -> None:
        """Close the session; another call opens another."""
        if self._session:
            await self._session.close()
            self._session = None

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], within: float
    ) -> tuple[int, bytes]:
        """Status and body of the answer. TimeoutError (it may have arrived), ClientError."""
        return await self._exchange("POST", url, body, headers, within)

    async def get(self, url: str, within: float) -> tuple[int, bytes]:
        """The same for what is only read."""
        return await self._exchange("GET", url, None, {}, within)

    async def _exchange(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], within: float
    ) -> tuple[int, bytes]:
        async with self._open().request(
            method,
            URL(url, encoded=True),
            data=body,
            headers=headers,
            timeout=ClientTimeout(total=within, sock_connect=CONNECT_WITHIN),
            allow_redirects=False,
        ) as answer:
            return answer.status, await answer.read()

    def _open(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(trust_env=False, cookie_jar=DummyCookieJar())
        return self._session
