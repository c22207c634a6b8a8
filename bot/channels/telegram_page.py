"""The mini-app's way in from Telegram: a page that shows who opened it and gets a ticket for it.

The page runs its own script alone, shows `initData` to this server once and goes on to /app.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from html import escape
from importlib.resources import files
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bot.channels.telegram_init import Forged, Whose
from bot.conversation.model import Language
from bot.conversation.shows import Opens
from bot.store import ConversationId, StoreError
from bot.text import Texts, language_of

MOST: Final = 16_000
TELEGRAM_WEB: Final = "https://web.telegram.org"
_STATIC: Final = {"telegram_app.js": "text/javascript", "telegram_app.css": "text/css"}
_WORDS: Final = ("title", "wait", "lost", "close")


@dataclass(frozen=True, slots=True)
class Page:
    """What the page stands on."""

    whose: Whose
    conversation_of: Callable[[int], ConversationId]
    clock: Callable[[], datetime]
    renew: Callable[[ConversationId, Language, Opens], Awaitable[str | None]]
    texts: Texts
    public_url: str


def page_routes(page: Page) -> list[BaseRoute]:
    """GET /telegram/app and its two files; POST /telegram/ticket."""
    return [
        Route("/telegram/app", partial(_shown, page), methods=["GET"]),
        Route("/telegram/app/{name}", partial(_file, page), methods=["GET"]),
        Route("/telegram/ticket", partial(_ticket, page), methods=["POST"]),
    ]


async def _shown(page: Page, request: Request) -> Response:
    language = language_of(request.query_params.get("l")) or "en"
    words = {word: page.texts.say(f"telegram.app.{word}", language) for word in _WORDS}
    html = _asset("telegram_app.html")
    for name, text in {**words, "lang": language}.items():
        html = html.replace("{{" + name + "}}", escape(text))
    return Response(html, media_type="text/html", headers=_headers(page.public_url))


async def _file(page: Page, request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        return Response(status_code=404)
    headers = _headers(page.public_url)
    return Response(_asset(name), media_type=_STATIC[name], headers=headers)


async def _ticket(page: Page, request: Request) -> Response:
    """`{init_data, language, opens}` as `{ticket}`, in place of the one in the chat."""
    said, status = await _renewed(page, request)
    return JSONResponse(said, status, headers=_headers(page.public_url))


async def _renewed(page: Page, request: Request) -> tuple[dict[str, str], int]:
    try:
        init_data, language, opens = _posted(await _body(page, request))
        user = page.whose(init_data, page.clock())
        token = await page.renew(page.conversation_of(user), language, opens)
    except Forged:
        return {"error": "refused"}, 403
    except StoreError:
        return {"error": "busy"}, 503
    return ({"ticket": token}, 200) if token else ({"error": "none"}, 404)


async def _body(page: Page, request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    ours = site == "same-origin" if site else origin in {None, _origin(page.public_url)}
    if kind != "application/json" or not ours:
        raise Forged
    kept = bytearray()
    try:
        async for chunk in request.stream():
            kept += chunk
            if len(kept) > MOST:
                raise Forged
    except ClientDisconnect:
        raise Forged from None
    return bytes(kept)


def _posted(body: bytes) -> tuple[str, Language, Opens]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise Forged from None
    match said:
        case {"init_data": str(init_data), "language": str(code), **others} if others.keys() <= {
            "opens"
        }:
            opens: Opens = "pin" if others.get("opens") == "pin" else "hashes"
            return init_data, language_of(code) or "en", opens
        case _:
            raise Forged


def _origin(public_url: str) -> str:
    public = urlsplit(public_url)
    return f"{public.scheme}://{public.netloc}"


@cache
def _headers(public_url: str) -> dict[str, str]:
    origin = _origin(public_url)
    policy = (
        "default-src 'none'",
        f"script-src {origin}/telegram/app/telegram_app.js",
        f"style-src {origin}/telegram/app/telegram_app.css",
        f"connect-src {origin}/telegram/ticket",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        f"frame-ancestors {TELEGRAM_WEB}",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
    off = ("camera", "microphone", "geolocation", "display-capture", "payment", "usb", "serial")
    return {
        "Content-Security-Policy": "; ".join(policy),
        "Permissions-Policy": ", ".join(f"{feature}=()" for feature in off),
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


@cache
def _asset(name: str) -> str:
    return (files("bot.channels") / "static" / name).read_text(encoding="utf-8")
