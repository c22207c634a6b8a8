"""Calls to a chat platform: bytes go out, a status and bytes come back, over one aiohttp session.

Nothing of the environment is believed or looked for (no proxy, no `.netrc`), no redirect followed,
no cookie kept, and nothing is ever logged here: addresses hold tokens.
"""

import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import ClientResponse, ClientSession, ClientTimeout, DummyCookieJar
from yarl import URL

from bot.channels.fetching import at_most

CONNECT_WITHIN: Final = 5.0
MOST: Final = 50_000_000
"""Bytes that are read of an answer, when nothing less is asked for."""

logging.getLogger("aiohttp").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `retry_after` as the header says it."""

    status: int
    body: bytes
    retry_after: str | None


class Straight:
    """A library's own session, which would follow a redirect to wherever it leads."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    async def request(self, **asked: Any) -> ClientResponse:
        """As asked, and no further."""
        return await self._session.request(**asked, allow_redirects=False)

    async def close(self) -> None:
        """Close it."""
        await self._session.close()


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
        async with self._asked("POST", url, within, body, headers) as answer:
            return answer.status, await answer.read()

    async def get(self, url: str, within: float, most: int = MOST) -> tuple[int, bytes]:
        """The same for what is only read. NotFetched when it is more than `most` bytes."""
        async with self._asked("GET", url, within) as answer:
            return answer.status, await at_most(answer.content.iter_any(), most)

    async def ask(
        self, url: str, headers: Mapping[str, str], body: bytes | None, *, within: float, most: int
    ) -> Answer:
        """A GET, or with a body a POST. TimeoutError, ClientError, NotFetched when it is more."""
        method = "GET" if body is None else "POST"
        async with self._asked(method, url, within, body, headers) as answer:
            read = await at_most(answer.content.iter_any(), most)
            return Answer(answer.status, read, answer.headers.get("Retry-After"))

    def _asked(
        self,
        method: str,
        url: str,
        within: float,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AbstractAsyncContextManager[ClientResponse]:
        return self._open().request(
            method,
            URL(url, encoded=True),
            data=body,
            headers=headers,
            timeout=ClientTimeout(total=within, sock_connect=CONNECT_WITHIN),
            allow_redirects=False,
        )

    def _open(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(trust_env=False, cookie_jar=DummyCookieJar())
        return self._session
