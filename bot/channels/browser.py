"""The browser door: a chat at `/` that any site can link to, for people without LINE or Telegram.

A visit is a random token in a session cookie; the page keeps nothing, and the address neither.
"""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from functools import cache, lru_cache, partial
from html import escape
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from bot.channels.browser_entry import (
    A_SECOND,
    BrowserDoor,
    Refused,
    Sizes,
    body_of,
    drop_cookie,
    its_own_page,
    origin_of,
    posted,
    same_origin,
    set_cookie,
    token_of,
    visit_of_request,
)
from bot.channels.browser_posts import Malformed, Post, parse_open, parse_say, parse_seen
from bot.channels.browser_stream import BrowserChannel, Visit, address_of, render, visit_by
from bot.channels.lookout import Guest
from bot.conversation.codec import encode_inbound
from bot.conversation.model import LANGUAGES, Language
from bot.log import log, where
from bot.store import Arrival, StoreError
from bot.store.lateness import Wait
from bot.text import unbroken

__all__ = ["BrowserChannel", "BrowserDoor", "Sizes", "render", "routes"]

# The same in log.js.
_DIALLED: Final = re.compile(r"((?:.*?: )?(\d{2,15}))(?= / |$)")
_SCRIPTS: Final = ("log.js", "chat.js")
_STATIC: Final = {"chat.css": "text/css"} | dict.fromkeys(_SCRIPTS, "text/javascript")


def routes(door: BrowserDoor) -> list[BaseRoute]:
    """The page at `/` and its posts and stream below `/chat`."""
    return [
        Route("/", partial(_guarded, door, _page), methods=["GET"]),
        Route("/chat/static/{name}", partial(static, door), methods=["GET"]),
        Route("/chat/stream", partial(_guarded, door, _stream), methods=["GET"]),
        Route("/chat/visit", partial(_guarded, door, _begin), methods=["POST"]),
        Route("/chat/open", partial(_guarded, door, _open), methods=["POST"]),
        Route("/chat/say", partial(_guarded, door, _say), methods=["POST"]),
        Route("/chat/seen", partial(_guarded, door, _seen), methods=["POST"]),
        Route("/chat/leave", partial(_guarded, door, _leave), methods=["POST"]),
    ]


Handler = Callable[[BrowserDoor, Request], Awaitable[Response]]


async def _guarded(door: BrowserDoor, handler: Handler, request: Request) -> Response:
    try:
        response = await handler(door, request)
    except Refused as refused:
        response = JSONResponse({"error": refused.word}, refused.status)
    except Malformed:
        response = JSONResponse({"error": "bad_request"}, 400)
    except StoreError as error:
        log("store_failed", channel="browser", **where(error))
        response = JSONResponse({"error": "busy"}, 503)
    response.headers.update(_headers(origin_of(door, request)))
    return response


async def _page(door: BrowserDoor, request: Request) -> Response:
    language = page_language(request.headers.get("accept-language", ""))
    return Response(_html(door, language), media_type="text/html")


async def static(door: BrowserDoor, request: Request) -> Response:
    """The page's script or style."""
    return await _guarded(door, _static, request)


async def _static(door: BrowserDoor, request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        raise Refused(404, "not_found")
    return Response(_asset(name), media_type=_STATIC[name])


async def _stream(door: BrowserDoor, request: Request) -> Response:
    same_origin(door, request)
    visit = visit_of_request(door, request)
    live = door.channel.connect(visit)
    if live is None:
        raise Refused(503, "busy")
    door.wake()
    return _Stream(door.channel.stream(live), partial(door.channel.drop, visit, live))


async def _begin(door: BrowserDoor, request: Request) -> Response:
    its_own_page(door, request)
    response = Response(status_code=204)
    if token_of(door, request) is None:
        if not door.pace.allows("", "visit", door.clock(), door.sizes.visits, A_SECOND):
            raise Refused(429, "slow_down")
        set_cookie(door, response, door.new_token())
    await body_of(door, request)
    return response


async def _open(door: BrowserDoor, request: Request) -> Response:
    visit, body = await posted(door, request)
    post = parse_open(body, door.clock())
    door.channel.opened(visit)
    return await _arrive(door, visit, post)


async def _say(door: BrowserDoor, request: Request) -> Response:
    visit, body = await posted(door, request)
    return await _arrive(door, visit, parse_say(body, door.clock(), door.sizes.text))


async def _seen(door: BrowserDoor, request: Request) -> Response:
    visit, body = await posted(door, request)
    door.channel.seen(visit, parse_seen(body))
    return Response(status_code=204)


async def _leave(door: BrowserDoor, request: Request) -> Response:
    its_own_page(door, request)
    await body_of(door, request)
    token = token_of(door, request)
    if token is not None:
        door.channel.drop(visit_by(token))
    response = Response(status_code=204)
    # Not "cookies": that would sign the person out of everything on the same domain.
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    drop_cookie(door, response)
    return response


async def _arrive(door: BrowserDoor, visit: Visit, post: Post) -> Response:
    address = address_of(visit)
    body = encode_inbound(post.event)
    conversation = door.conversation_of(address)
    now = door.clock()
    if await door.receive(Arrival("browser", post.id, conversation, address, body, now)):
        _wait(door, visit, Wait("browser", conversation, post.id), now)
    door.wake()
    return Response(status_code=204)


def _wait(door: BrowserDoor, visit: Visit, wait: Wait, now: datetime) -> None:
    if door.lookout:
        door.lookout.waits(Guest(wait, now, partial(door.channel.show, visit)))


class _Stream(StreamingResponse):
    """A stream that is dropped however it ends: a closed tab does not end its generator."""

    def __init__(self, frames: AsyncIterator[str], drop: Callable[[], None]) -> None:
        super().__init__(frames, media_type="text/event-stream")
        self.headers["X-Accel-Buffering"] = "no"
        self._drop = drop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._drop()


@lru_cache(16)
def _headers(origin: str) -> Mapping[str, str]:
    policy = (
        "default-src 'none'",
        " ".join(("script-src", *(f"{origin}/chat/static/{one}" for one in _SCRIPTS))),
        f"style-src {origin}/chat/static/chat.css",
        f"connect-src {origin}/chat/",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
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
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


# ---------------------------------------------------------------- the page


def page_language(accept: str) -> Language:
    """The first of our languages in an Accept-Language header, else English."""
    for wanted in accept[:200].lower().split(","):
        for language in LANGUAGES:
            if re.match(rf"{language}\b", wanted.strip()):
                return language
    return "en"


@cache
def _asset(name: str) -> str:
    return (files("bot.channels") / "static" / name).read_text(encoding="utf-8")


def _html(door: BrowserDoor, language: Language) -> str:
    groups = {one: door.texts.group("door", one) for one in LANGUAGES}
    help_lines = {one: list(door.help_lines.get(one, ())) for one in LANGUAGES}
    data = {
        "texts": groups,
        "help": help_lines,
        "exit": door.exit_url,
        "most": door.sizes.body,
    }
    words = {f"{key}.{one}": text for one in LANGUAGES for key, text in groups[one].items()}
    words |= groups[language]
    words |= {"lang": language, "exit_url": door.exit_url}
    lines = "\n".join(linked(one) for one in help_lines[language])
    return fill(_asset("chat.html"), words, data, {"help_lines": lines})


def linked(line: str) -> str:
    """A help line with the number that is to be dialled as a link; what is said after it stands
    beside: "Somewhere: 911 / SMS 911 (some areas)"."""
    found = _DIALLED.match(line)
    if not found:
        return escape(line)
    return f'<a href="tel:{found[2]}">{escape(found[1])}</a>{escape(line[found.end(1) :])}'


def fill(
    template: str,
    words: Mapping[str, str],
    data: Mapping[str, object],
    markup: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The template with each `{{id}}` replaced by its markup or else its escaped text, and
    `{{data}}` by JSON."""
    block = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    ready = {"data": block, **markup}

    def word(found: re.Match[str]) -> str:
        id = found[1]
        return ready[id] if id in ready else escape(words[id])

    return unbroken(re.sub(r"\{\{([a-z_.]+)\}\}", word, template))
