"""What a running Sala asks of LINE is, byte for meaning, what LINE's own SDK asks."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import web

from bot.channels.line_account import LineAccount, sdk
from bot.channels.line_api import LineApi, Refused

USER, MENU, KEY = "U4af4980629", "richmenu-862e6ad6c267d2dd", "123e4567-e89b-12d3-a456-426614174000"
STRANGE = "a/../b?c#é"
FACE = {"type": "text", "text": "สวัสดี"}
ANSWERS: Mapping[str, object] = {
    "/v2/bot/message/quota": {"type": "limited", "value": 200},
    "/v2/bot/message/quota/consumption": {"totalUsage": 5},
    "/v2/bot/richmenu/alias/list": {"aliases": [{"richMenuAliasId": "en", "richMenuId": MENU}]},
}
PERSON = {"displayName": "Ann", "userId": USER, "language": "th"}
Asked = tuple[str, str, str, str | None, object]
Ask = Callable[[LineAccount], Awaitable[object]]


@asynccontextmanager
async def listening(asked: list[Asked]) -> AsyncIterator[str]:
    """A LINE that notes method, address, token, retry key and body."""

    async def heard(request: web.Request) -> web.Response:
        body = await request.text()
        headers = request.headers
        said = json.loads(body) if body else None
        key = headers.get("X-Line-Retry-Key")
        asked.append((request.method, request.raw_path, headers["Authorization"], key, said))
        return web.json_response(ANSWERS.get(request.path, PERSON | {"sentMessages": []}))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", heard)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def replied(api: LineAccount) -> Awaitable[Any]:
    text = {"replyToken": "t", "messages": [FACE], "notificationDisabled": True}
    return api.call(api.messaging.reply_message, sdk().ReplyMessageRequest.from_dict(text))


def pushed(api: LineAccount) -> Awaitable[Any]:
    text = {"to": USER, "messages": [FACE], "notificationDisabled": True}
    request = sdk().PushMessageRequest.from_dict(text)
    return api.call(api.messaging.push_message, request, x_line_retry_key=KEY)


async def counted(api: LineAccount) -> None:
    await api.call(api.messaging.get_message_quota)
    await api.call(api.messaging.get_message_quota_consumption)


def coming(api: LineAccount) -> Awaitable[Any]:
    request = sdk().ShowLoadingAnimationRequest(chatId=USER, loadingSeconds=5)
    return api.call(api.messaging.show_loading_animation, request)


def calling(name: str, *given: str, part: str = "messaging") -> Ask:
    return lambda api: api.call(getattr(getattr(api, part), name), *given)


PAIRS: dict[str, tuple[Ask, Ask]] = {
    "a reply": (lambda api: api.reply("t", [FACE]), replied),
    "a push": (lambda api: api.push(USER, [FACE], KEY), pushed),
    "the month's messages": (lambda api: api.quota(), counted),
    "a person's language": (lambda api: api.language(USER), calling("get_profile", USER)),
    "of a strange name": (lambda api: api.language(STRANGE), calling("get_profile", STRANGE)),
    "three dots": (lambda api: api.loading(USER), coming),
    "the menus": (lambda api: api.aliases(), calling("get_rich_menu_alias_list")),
    "a person's menu": (
        lambda api: api.link_menu(USER, MENU),
        calling("link_rich_menu_id_to_user", USER, MENU),
    ),
    "what was sent": (
        lambda api: api.content("325708", 9999),
        calling("get_message_content", "325708", part="blobs"),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_call_is_the_sdks(name: str) -> None:
    async def story() -> None:
        heard: list[list[Asked]] = []
        for ask in PAIRS[name]:
            heard.append([])
            async with listening(heard[-1]) as address:
                api = LineAccount("a-token", address)
                with suppress(Refused):
                    await ask(api)
                await api.close()
        assert heard[0]
        assert heard[0] == heard[1]

    asyncio.run(story())


@pytest.mark.parametrize(
    "said", ["[]", "{}", "no", '{"type": 1, "aliases": [3]}', "\xff" * 2_000_000]
)
@pytest.mark.parametrize("ask", [LineApi.quota, LineApi.aliases])
def test_an_answer_that_is_not_lines_is_unclear(
    said: str, ask: Callable[[LineApi], Awaitable[object]]
) -> None:
    async def strange(_: web.Request) -> web.Response:
        return web.Response(text=said)

    async def story() -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", strange)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        api = LineApi("t", f"http://127.0.0.1:{runner.addresses[0][1]}")
        with pytest.raises(Refused) as refused:
            await ask(api)
        assert refused.value.outcome == "unclear"
        await api.close()
        await runner.cleanup()

    asyncio.run(story())
