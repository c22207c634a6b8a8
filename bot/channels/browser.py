"""The browser door: a chat at `/` that any site can link to, for people without LINE or Telegram.

A visit is a random token in a session cookie; the page keeps nothing, and the address neither.
"""

import json
import re
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, lru_cache, partial
from html import escape
from importlib.resources import files
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from bot.channels.browser_posts import Malformed, Post, parse_open, parse_say, parse_seen
from bot.channels.browser_stream import (
    BrowserChannel,
    Visit,
    address_of,
    new_token,
    render,
    visit_by,
)
from bot.conversation.codec import encode_inbound
from bot.conversation.model import LANGUAGES, Language
from bot.store import Arrival, ConversationId
from bot.text import Texts

__all__ = ["BrowserChannel", "BrowserDoor", "Sizes", "render", "routes"]

COOKIE: Final = "v"
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_DRAINED: Final = 16_000_000
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_STATIC: Final = {"chat.js": "text/javascript", "chat.css": "text/css"}


# ---------------------------------------------------------------- the door


@dataclass(frozen=True, slots=True)
class Sizes:
    """The most of everything: a body in bytes, a text in characters, posts within a while."""

    body: int = 64_000
    text: int = 5_000
    posts: int = 30
    within: timedelta = timedelta(seconds=10)


class Pace:
    """How often each visit posted lately; forgets the visits that have been quiet longest."""

    _REMEMBERED: Final = 10_000

    def __init__(self) -> None:
        self._posts: OrderedDict[tuple[Visit, str], deque[datetime]] = OrderedDict()

    def allows(self, visit: Visit, path: str, now: datetime, sizes: Sizes) -> bool:
        """Count one post; False when there were too many."""
        posts = self._posts.setdefault((visit, path), deque(maxlen=sizes.posts))
        self._posts.move_to_end((visit, path))
        if len(self._posts) > self._REMEMBERED:
            self._posts.popitem(last=False)
        if len(posts) == sizes.posts and now - posts[0] < sizes.within:
            return False
        posts.append(now)
        return True


@dataclass(frozen=True, slots=True)
class BrowserDoor:
    """What the door stands on.

    `receive` keeps an arrival durably; `wake` tells the worker that there is work. `help_lines`
    are the checked lines of the page's own help card, for when the chat cannot answer.
    """

    channel: BrowserChannel
    receive: Callable[[Arrival], Awaitable[bool]]
    conversation_of: Callable[[bytes], ConversationId]
    clock: Callable[[], datetime]
    wake: Callable[[], None]
    texts: Texts
    public_url: str
    exit_url: str
    sizes: Sizes = Sizes()
    help_lines: Mapping[Language, Sequence[str]] = field(default_factory=dict)
    pace: Pace = field(default_factory=Pace)


def routes(door: BrowserDoor) -> list[BaseRoute]:
    """The page at `/` and its posts and stream below `/chat`."""
    return [
        Route("/", partial(_guarded, door, _page), methods=["GET"]),
        Route("/chat/static/{name}", partial(_guarded, door, _static), methods=["GET"]),
        Route("/chat/stream", partial(_guarded, door, _stream), methods=["GET"]),
        Route("/chat/visit", partial(_guarded, door, _begin), methods=["POST"]),
        Route("/chat/open", partial(_guarded, door, _open), methods=["POST"]),
        Route("/chat/say", partial(_guarded, door, _say), methods=["POST"]),
        Route("/chat/seen", partial(_guarded, door, _seen), methods=["POST"]),
        Route("/chat/leave", partial(_guarded, door, _leave), methods=["POST"]),
    ]


class _Refused(Exception):
    def __init__(self, status: int, word: str) -> None:
        super().__init__(word)
        self.status = status
        self.word = word


Handler = Callable[[BrowserDoor, Request], Awaitable[Response]]


async def _guarded(door: BrowserDoor, handler: Handler, request: Request) -> Response:
    try:
        response = await handler(door, request)
    except _Refused as refused:
        response = JSONResponse({"error": refused.word}, refused.status)
    except Malformed:
        response = JSONResponse({"error": "bad_request"}, 400)
    response.headers.update(_headers(_origin(door, request)))
    return response


async def _page(door: BrowserDoor, request: Request) -> Response:
    language = page_language(request.headers.get("accept-language", ""))
    return Response(_html(door, language), media_type="text/html")


async def _static(door: BrowserDoor, request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        raise _Refused(404, "not_found")
    return Response(_asset(name), media_type=_STATIC[name])


async def _stream(door: BrowserDoor, request: Request) -> Response:
    _same_origin(door, request)
    visit = _visit(request)
    live = door.channel.connect(visit)
    if live is None:
        raise _Refused(503, "busy")
    door.wake()
    return _Stream(door.channel.stream(live), partial(door.channel.drop, visit, live))


async def _begin(door: BrowserDoor, request: Request) -> Response:
    await _body(door, request)
    response = Response(status_code=204)
    if _token(request) is None:
        _set_cookie(door, response, new_token())
    return response


async def _open(door: BrowserDoor, request: Request) -> Response:
    visit, body = await _posted(door, request)
    return await _arrive(door, visit, parse_open(body, door.clock()))


async def _say(door: BrowserDoor, request: Request) -> Response:
    visit, body = await _posted(door, request)
    return await _arrive(door, visit, parse_say(body, door.clock(), door.sizes.text))


async def _seen(door: BrowserDoor, request: Request) -> Response:
    visit, body = await _posted(door, request)
    door.channel.seen(visit, parse_seen(body))
    return Response(status_code=204)


async def _leave(door: BrowserDoor, request: Request) -> Response:
    await _body(door, request)
    token = _token(request)
    if token is not None:
        door.channel.drop(visit_by(token))
    response = Response(status_code=204)
    # Not "cookies": that would sign the person out of everything on the same domain.
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    response.delete_cookie(COOKIE, path="/chat", httponly=True, samesite="strict")
    return response


async def _arrive(door: BrowserDoor, visit: Visit, post: Post) -> Response:
    address = address_of(visit)
    body = encode_inbound(post.event)
    conversation = door.conversation_of(address)
    await door.receive(Arrival("browser", post.id, conversation, address, body, door.clock()))
    door.wake()
    return Response(status_code=204)


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


# ---------------------------------------------------------------- who may post, and how much


async def _posted(door: BrowserDoor, request: Request) -> tuple[Visit, bytes]:
    body = await _body(door, request)
    visit = _visit(request)
    if not door.pace.allows(visit, request.url.path, door.clock(), door.sizes):
        raise _Refused(429, "slow_down")
    return visit, body


async def _body(door: BrowserDoor, request: Request) -> bytes:
    _same_origin(door, request)
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise _Refused(415, "not_json")
    kept, size = bytearray(), 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= door.sizes.body:
                kept += chunk
            elif size > _DRAINED:
                break
    except ClientDisconnect:
        raise _Refused(400, "bad_request") from None
    # The rest was read and dropped: an answer before the end would look like a broken line.
    if size > door.sizes.body:
        raise _Refused(413, "too_long")
    return bytes(kept)


def _same_origin(door: BrowserDoor, request: Request) -> None:
    own = _origin(door, request)
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise _Refused(403, "other_site")
    if request.headers.get("origin", own) != own:
        raise _Refused(403, "other_site")


def _token(request: Request) -> str | None:
    token = request.cookies.get(COOKIE, "")
    return token if _TOKEN.fullmatch(token) else None


def _visit(request: Request) -> Visit:
    token = _token(request)
    if token is None:
        raise _Refused(401, "no_visit")
    return visit_by(token)


def _set_cookie(door: BrowserDoor, response: Response, token: str) -> None:
    secure = door.public_url.startswith("https:")
    response.set_cookie(
        COOKIE, token, path="/chat", secure=secure, httponly=True, samesite="strict"
    )


def _origin(door: BrowserDoor, request: Request) -> str:
    """The public address; on a loopback run the loopback name and port that was asked for."""
    public = urlsplit(door.public_url)
    host = request.headers.get("host", "")
    if public.hostname in _LOOPBACK and re.fullmatch(
        r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", host
    ):
        return f"{public.scheme}://{host}"
    return f"{public.scheme}://{public.netloc}"


@lru_cache(16)
def _headers(origin: str) -> Mapping[str, str]:
    policy = (
        "default-src 'none'",
        f"script-src {origin}/chat/static/chat.js",
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
    words["help_lines"] = "\n".join(help_lines[language])
    return fill(_asset("chat.html"), words, data)


def fill(template: str, words: Mapping[str, str], data: Mapping[str, object]) -> str:
    """The template with each `{{id}}` replaced by its escaped text and `{{data}}` by JSON."""
    block = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")

    def word(found: re.Match[str]) -> str:
        return block if found[1] == "data" else escape(words[found[1]])

    return re.sub(r"\{\{([a-z_.]+)\}\}", word, template)
