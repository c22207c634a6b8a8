"""Nothing that Sala fetches leads it elsewhere: an answer that points to another address is no
answer, and the other address is never asked (SSRF)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web
from telegram.error import TelegramError

from bot.channels.calls import Calls
from bot.channels.fetching import NotFetched
from bot.channels.line_account import LineAccount
from bot.channels.line_api import LineApi, Refused
from bot.channels.line_setup import set_webhook
from bot.channels.telegram_http import TelegramHttp

Ask = Callable[[str], Awaitable[object]]


@asynccontextmanager
async def pointing(status: int, asked: list[str]) -> AsyncIterator[str]:
    """A platform whose every answer points at a stranger, who notes what is asked of them."""

    async def stranger(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"file_path": "x"})

    async def platform(request: web.Request) -> web.Response:
        asked.append("platform")
        return web.Response(status=status, headers={"Location": f"{there}/stranger"})

    there = ""
    runners = []
    try:
        for answer in (stranger, platform):
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", answer)
            runners.append(runner := web.AppRunner(app, shutdown_timeout=0))
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            here = f"http://127.0.0.1:{runner.addresses[0][1]}"
            there = there or here
        yield here
    finally:
        for runner in runners:
            await runner.cleanup()


def of_line(ask: Callable[[LineApi], Awaitable[object]]) -> Ask:
    async def asking(address: str) -> None:
        api = LineApi("token", address)
        try:
            await ask(api)
        finally:
            await api.close()

    return asking


async def line_account(address: str) -> None:
    account = LineAccount("token", address)
    try:
        await set_webhook(account, "https://sala.example/line")
    finally:
        await account.close()


async def telegram_file(address: str) -> None:
    http = TelegramHttp()
    try:
        await http.download(f"{address}/file", 100)
    finally:
        await http.shutdown()


async def telegram_call(address: str) -> None:
    http = TelegramHttp()
    try:
        await http.call(f"{address}/sendMessage", {})
    finally:
        await http.shutdown()


async def list_above(address: str) -> None:
    calls = Calls()
    try:
        answer = await calls.ask(f"{address}/v1/FetchHashes", {}, None, within=9, most=9)
        assert answer.status in {302, 307}
    finally:
        await calls.close()


CALLS: dict[str, Ask] = {
    "LINE's picture": of_line(lambda api: api.content("1", 100)),
    "LINE's word on an ID token": of_line(lambda api: api.id_token("a.b.c", "1")),
    "LINE's profile": of_line(lambda api: api.language("U1")),
    "LINE's menus": of_line(lambda api: api.aliases()),
    "a reply on LINE": of_line(lambda api: api.reply("t", [])),
    "a push on LINE": of_line(lambda api: api.push("U1", [], "k")),
    "LINE's menu of a person": of_line(lambda api: api.link_menu("U1", "m")),
    "LINE's setting of the webhook": line_account,
    "Telegram's file": telegram_file,
    "a message on Telegram": telegram_call,
    "a list above": list_above,
}


@pytest.mark.parametrize("status", [302, 307])
@pytest.mark.parametrize("name", CALLS)
def test_an_answer_that_points_elsewhere_is_followed_nowhere(name: str, status: int) -> None:
    async def story() -> None:
        asked: list[str] = []
        async with pointing(status, asked) as address:
            with suppress(Refused, NotFetched, TelegramError):
                await CALLS[name](address)
        assert asked
        assert set(asked) == {"platform"}

    asyncio.run(story())
