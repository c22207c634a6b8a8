"""How Telegram is called: python-telegram-bot's requests over one aiohttp session.

Its own client logs the address, which holds the bot's token, and costs several times the work.
No proxy is taken from the environment, no redirect followed, and nothing is ever logged here.
"""

import json
import logging
from http import HTTPStatus
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar
from telegram import Bot
from telegram.error import NetworkError, TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData

from bot.channels.fetching import at_most
from bot.settings import TelegramSettings

API: Final = "https://api.telegram.org"
CONNECT_WITHIN: Final = 5.0
ANSWER_WITHIN: Final = 15.0

for _name in ("telegram", "aiohttp", "httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class TooFast(TelegramError):
    """429: the same again after `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__("Too fast")
        self.seconds = seconds


class TelegramHttp(BaseRequest):
    """One session, opened by the first call."""

    def __init__(self, answer_within: float = ANSWER_WITHIN) -> None:
        self._answer_within = answer_within
        self._session: ClientSession | None = None

    @property
    def read_timeout(self) -> float:
        """Seconds a call may take."""
        return self._answer_within

    async def initialize(self) -> None:
        """Nothing: a session belongs to the loop that calls first."""

    async def shutdown(self) -> None:
        """Close the session."""
        if self._session:
            await self._session.close()
            self._session = None

    async def do_request(  # the library's own signature
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: object = BaseRequest.DEFAULT_NONE,
        write_timeout: object = BaseRequest.DEFAULT_NONE,
        connect_timeout: object = BaseRequest.DEFAULT_NONE,
        pool_timeout: object = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """Status and body. TimedOut (it may have arrived), NetworkError, TooFast."""
        within = read_timeout if isinstance(read_timeout, float | int) else self._answer_within
        sent = request_data.parameters if request_data else None
        try:
            status, body = await self._exchange(method, url, sent, within)
        except TimeoutError:
            raise TimedOut from None
        except ClientError as error:
            raise NetworkError(type(error).__name__) from None
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise TooFast(_seconds(body))
        return status, body

    async def _exchange(
        self, method: str, url: str, sent: dict[str, Any] | None, within: float
    ) -> tuple[int, bytes]:
        timeout = ClientTimeout(total=within, sock_connect=CONNECT_WITHIN)
        async with self._open().request(
            method, url, json=sent, timeout=timeout, allow_redirects=False
        ) as answer:
            return answer.status, await answer.read()

    async def download(self, url: str, most: int) -> bytes:
        """The bytes at an address. NotFetched when there are more than `most`, TelegramError."""
        timeout = ClientTimeout(total=self._answer_within, sock_connect=CONNECT_WITHIN)
        try:
            async with self._open().get(url, timeout=timeout, allow_redirects=False) as answer:
                if answer.status != HTTPStatus.OK:
                    raise NetworkError("No such file")
                return await at_most(answer.content.iter_any(), most)
        except TimeoutError:
            raise TimedOut from None
        except ClientError as error:
            raise NetworkError(type(error).__name__) from None

    def _open(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(trust_env=False, cookie_jar=DummyCookieJar())
        return self._session

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """The answer as JSON. (The library's own would log what it cannot read.)"""
        try:
            said = json.loads(payload)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise TelegramError("Invalid server response") from None
        return said


def make_bot(settings: TelegramSettings, http: TelegramHttp) -> Bot:
    """The library's bot, which calls through `http` alone."""
    home = settings.api or API
    return Bot(
        settings.token,
        base_url=f"{home}/bot",
        base_file_url=f"{home}/file/bot",
        request=http,
        get_updates_request=http,
    )


def _seconds(body: bytes) -> int:
    try:
        return max(1, int(json.loads(body)["parameters"]["retry_after"]))
    except (ValueError, TypeError, LookupError):
        return 1
