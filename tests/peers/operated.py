"""LINE and Telegram as an operator meets them: what tests of the doors do not ask of the fakes."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from tests.peers import specs
from tests.peers.line_api import CHANNEL_TOKEN, LOGIN_CHANNEL, FakeLine, Json
from tests.peers.telegram_api import HERSELF, TelegramApi
from tests.peers.telegram_document import document

LOGIN_SECRET = "the login channel's secret"
LOGIN_TOKEN = "a token for a quarter of an hour"


@dataclass
class OperatedLine(FakeLine):
    """With the console's switch, a test call that may fail, and LINE Login's tokens."""

    active: bool = True
    tried: int = 200

    def _judged(self, request: web.Request, body: bytes, fault: Any) -> tuple[int, Json]:
        if request.path == "/oauth2/v3/token":
            return self._login_token(body)
        if not request.path.startswith("/liff"):
            return super()._judged(request, body, fault)
        if request.headers.get("Authorization") != f"Bearer {LOGIN_TOKEN}":
            return 401, {"message": "Authentication failed"}
        wrong = self._wrong(request, body)
        if wrong:
            self.faulty.append(f"{request.method} {request.path}: {wrong}")
            return 400, {"message": "The request body has 1 error(s)"}
        return self._done(request, body)

    def _login_token(self, body: bytes) -> tuple[int, Json]:
        given = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        schemas = specs.line("channel-access-token")["components"]["schemas"]
        asked = schemas["IssueStatelessChannelTokenByClientSecretRequest"]
        if given.keys() != set(asked["required"]):
            self.faulty.append("another form than the document's")
        known = {"client_id": LOGIN_CHANNEL, "client_secret": LOGIN_SECRET}
        if given != known | {"grant_type": "client_credentials"}:
            return 400, {"error": "invalid_client"}
        return 200, {"token_type": "Bearer", "access_token": LOGIN_TOKEN, "expires_in": 899}

    def _webhook(self, method: str, path: str, posted: Json) -> tuple[int, Json]:
        if path.endswith("/test"):
            told = {"timestamp": self.clock().isoformat(), "reason": "", "detail": ""}
            return 200, told | {"success": self.tried == 200, "statusCode": self.tried}
        if method == "GET":
            known = {"endpoint": self.webhook, "active": self.active}
            return (200, known) if self.webhook else (404, {"message": "Not found"})
        return super()._webhook(method, path, posted)


@dataclass
class OperatedTelegram(TelegramApi):
    """With what the bot may ask about itself; answers are judged by the document."""

    herself: dict[str, Any] = field(default_factory=lambda: HERSELF | {"username": "sala_bot"})
    trouble: dict[str, Any] = field(default_factory=dict)

    async def _getMe(self) -> Any:  # noqa: N802  # the API's name
        return _judged("User", self.herself)

    async def _getWebhookInfo(self) -> Any:  # noqa: N802  # the API's name
        known = self.webhook or {}
        info = {"url": known.get("url", ""), "has_custom_certificate": False}
        info |= {"pending_update_count": 0}
        allowed = known.get("allowed_updates")
        info |= {"allowed_updates": allowed} if allowed else {}
        return _judged("WebhookInfo", info | self.trouble)

    async def _getMyCommands(self, language_code: str = "", **_: Any) -> Any:  # noqa: N802
        return self.told.get(("Commands", language_code), [])

    async def _getChatMenuButton(self, **_: Any) -> Any:  # noqa: N802
        kept = self.told.get(("MenuButton", ""), {})
        return kept.get("menu_button", {"type": "default"})


def _judged(name: str, answer: dict[str, Any]) -> dict[str, Any]:
    problem = document().problem([name], answer)
    assert problem is None, problem
    return answer


@asynccontextmanager
async def line() -> AsyncIterator[OperatedLine]:
    """LINE, open until the block ends; at its end it had nothing against any call."""
    specs.find("messaging-api.yml")
    async with OperatedLine(lambda: datetime.now(UTC)).served() as one:
        yield one
    assert not one.faulty, one.faulty


@asynccontextmanager
async def telegram() -> AsyncIterator[OperatedTelegram]:
    """Telegram, open until the block ends; what it refused is for the test to look at."""
    document()
    api = OperatedTelegram(lambda: datetime.now(UTC))
    async with serving(api.answer, "/bot{token}/{method}") as api.url:
        yield api


@asynccontextmanager
async def serving(answer: Any, path: str = "/{path:.*}") -> AsyncIterator[str]:
    """A handler on a free port of the loopback; its address."""
    app = web.Application()
    app.router.add_route("*", path, answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def ago(minutes: int) -> int:
    """A time as Telegram writes it."""
    return int(time.time()) - 60 * minutes


__all__ = ["CHANNEL_TOKEN", "LOGIN_CHANNEL", "LOGIN_SECRET", "ago", "line", "serving", "telegram"]
