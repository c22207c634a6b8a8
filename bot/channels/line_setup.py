"""What sets an account up, step by step; each step may be taken again and changes nothing twice."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from bot.channels.line_account import LineAccount, sdk
from bot.channels.line_api import Refused
from bot.channels.line_faces import rich_menu
from bot.channels.line_wire import alias
from bot.conversation.model import Language
from bot.text import Texts

NAME: Final = "Sala"
SIZE: Final = "tall"
"""Not full: LINE keeps a picture of a closed full-size page for twelve hours."""


@dataclass(frozen=True, slots=True)
class WebhookTest:
    """Whether LINE reached the webhook, and what it was answered."""

    good: bool
    status: int


async def set_webhook(api: LineAccount, url: str) -> None:
    """Events are posted to this address (`https://…/line`)."""
    request = sdk().SetWebhookEndpointRequest(endpoint=url)
    await api.call(api.messaging.set_webhook_endpoint, request)


async def try_webhook(api: LineAccount) -> WebhookTest:
    """Let LINE post to the webhook that is set (at most 60 times an hour)."""
    told = await api.call(api.messaging.test_webhook_endpoint, sdk().TestWebhookEndpointRequest())
    return WebhookTest(bool(told.success), int(told.status_code))


async def put_menu(
    api: LineAccount, texts: Texts, language: Language, picture: bytes, *, default: bool = False
) -> bool:
    """The language's rich menu is this one, under its alias; whether it had to be made.

    `default` shows it to everybody who has none of their own yet. A menu that was begun and has no
    picture, and one that was replaced, are removed.
    """
    plain = rich_menu(texts, language, "")
    name = f"{alias(language)}-{_digest(plain, picture)}"
    known = await _menus(api)
    current = (await api.aliases()).get(alias(language))
    fresh = current is None or known.get(current) != name
    menu = await _make(api, plain | {"name": name}, picture) if fresh else str(current)
    if fresh:
        await _point(api, language, menu, known=current is not None)
    if default:
        await api.call(api.messaging.set_default_rich_menu, menu)
    for old, called in known.items():
        if old != menu and called.startswith(f"{alias(language)}-"):
            await api.call(api.messaging.delete_rich_menu, old)
    return fresh


async def put_liff(login: LineAccount, endpoint: str) -> str:
    """The LIFF app of this endpoint (`https://…/line/app`), made or brought up to date; its id.

    `login` has the access token of the LINE Login channel. Only `openid` is asked for.
    """
    wanted = {
        "view": {"type": SIZE, "url": endpoint},
        "description": NAME,
        "scope": ["openid"],
        "botPrompt": "normal",
        "permanentLinkPattern": "concat",
    }
    for app in await _apps(login):
        if app.view.url == endpoint:
            request = sdk("liff").UpdateLiffAppRequest.from_dict(wanted)
            await login.call(login.liff.update_liff_app, app.liff_id, request)
            return str(app.liff_id)
    request = sdk("liff").AddLiffAppRequest.from_dict(wanted)
    made = await login.call(login.liff.add_liff_app, request)
    return str(made.liff_id)


def _digest(plain: dict[str, Any], picture: bytes) -> str:
    whole = json.dumps(plain, sort_keys=True).encode() + picture
    return hashlib.sha256(whole).hexdigest()[:16]


async def _menus(api: LineAccount) -> dict[str, str]:
    found = await api.call(api.messaging.get_rich_menu_list)
    return {one.rich_menu_id: one.name for one in found.richmenus}


async def _make(api: LineAccount, plain: dict[str, Any], picture: bytes) -> str:
    request = sdk().RichMenuRequest.from_dict(plain)
    made = await api.call(api.messaging.create_rich_menu, request)
    headers = {"Content-Type": "image/png"}
    await api.call(api.blobs.set_rich_menu_image, made.rich_menu_id, picture, _headers=headers)
    return str(made.rich_menu_id)


async def _point(api: LineAccount, language: Language, menu: str, *, known: bool) -> None:
    if known:
        request = sdk().UpdateRichMenuAliasRequest(richMenuId=menu)
        await api.call(api.messaging.update_rich_menu_alias, alias(language), request)
        return
    request = sdk().CreateRichMenuAliasRequest(richMenuAliasId=alias(language), richMenuId=menu)
    await api.call(api.messaging.create_rich_menu_alias, request)


async def _apps(login: LineAccount) -> list[Any]:
    """The apps of a LINE Login channel; LINE answers 404 when there is none."""
    try:
        return list((await login.call(login.liff.get_all_liff_apps)).apps or [])
    except Refused as refused:
        if refused.outcome != "refused":
            raise
        return []
