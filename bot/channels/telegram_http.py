"""How Telegram is called: python-telegram-bot's requests over one session of our own.

Its own client logs the address, which holds the bot's token, and costs several times the work.
What goes out with every turn is posted as it is rendered, past the library's models.
"""

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from aiohttp import ClientError
from telegram import Bot
from telegram.error import BadRequest, Forbidden, NetworkError, TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData

from bot.channels.calls import Calls
from bot.channels.fetching import patience
from bot.settings import TelegramSettings

API: Final = "https://api.telegram.org"
ANSWER_WITHIN: Final = 15.0

_JSON: Final = {"Content-Type": "application/json"}
_REFUSED: Final[Mapping[int, type[TelegramError]]] = {400: BadRequest, 403: Forbidden}

for _name in ("telegram", "httpx", "httpcore"):
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
        self._calls = Calls()

    @property
    def read_timeout(self) -> float:
        """Seconds a call may take."""
        return self._answer_within

    async def initialize(self) -> None:
        """Nothing: a session belongs to the loop that calls first."""

    async def shutdown(self) -> None:
        """Close the session."""
        await self._calls.close()

    async def call(self, url: str, sent: Mapping[str, Any]) -> Any:
        """The result of a method called with plain JSON. TelegramError."""
        status, body = await self._answered("POST", url, sent, self._answer_within)
        if status != HTTPStatus.OK:
            raise _REFUSED.get(status, NetworkError)(_description(body) or str(status))
        return self.parse_json_payload(body).get("result")

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
        return await self._answered(method, url, sent, within)

    async def _answered(
        self, method: str, url: str, sent: Mapping[str, Any] | None, within: float
    ) -> tuple[int, bytes]:
        try:
            if method == "GET":
                status, body = await self._calls.get(url, within)
            else:
                status, body = await self._calls.post(url, _json(sent), _JSON, within)
        except TimeoutError:
            raise TimedOut from None
        except ClientError as error:
            raise NetworkError(type(error).__name__) from None
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise TooFast(_seconds(body))
        return status, body

    async def download(self, url: str, most: int) -> bytes:
        """The bytes at an address. NotFetched when there are more than `most`, TelegramError."""
        try:
            status, body = await self._calls.get(url, patience(self._answer_within, most), most)
        except TimeoutError:
            raise TimedOut from None
        except ClientError as error:
            raise NetworkError(type(error).__name__) from None
        if status != HTTPStatus.OK:
            raise NetworkError("No such file")
        return body

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


def _json(sent: Mapping[str, Any] | None) -> bytes:
    return json.dumps(sent or {}).encode()


def _description(body: bytes) -> str:
    try:
        return str(json.loads(body)["description"])
    except (ValueError, TypeError, LookupError):
        return ""


def _seconds(body: bytes) -> int:
    try:
        return max(1, int(json.loads(body)["parameters"]["retry_after"]))
    except (ValueError, TypeError, LookupError):
        return 1
