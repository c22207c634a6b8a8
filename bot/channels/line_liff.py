"""The mini-app opened inside LINE: who asks is what LINE says, and they get a fresh ticket.

Only this entry page carries LINE's script; it opens no picture, and goes on to the page that does.
https://developers.line.biz/en/docs/line-login/verify-id-token/
"""

import asyncio
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bot.channels.browser import fill
from bot.channels.line_api import Refused
from bot.conversation.model import LANGUAGES, Language
from bot.conversation.shows import Opens
from bot.store import ConversationId
from bot.text import Texts

SDK: Final = "https://static.line-scdn.net/liff/edge/2/sdk.js"
ISSUER: Final = "https://access.line.me"
_ALGORITHMS: Final = frozenset({"ES256", "HS256"})
_MOST: Final = 8_000
_AT_ONCE: Final = 8
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,2000}\.[A-Za-z0-9_-]{1,4000}\.[A-Za-z0-9_-]{1,1000}")
_STATIC: Final = {"liff.js": "text/javascript", "liff.css": "text/css"}


class Unproven(Exception):
    """Not a token of this channel, of now, by LINE."""


class _Answer(Exception):
    """What the page is told instead of a ticket."""

    def __init__(self, status: int, word: str) -> None:
        super().__init__(word)
        self.status = status
        self.word = word


@dataclass(frozen=True, slots=True)
class LiffDesk:
    """What the entry page stands on. `verify` asks LINE about an ID token (token, channel)."""

    verify: Callable[[str, str], Awaitable[Mapping[str, Any]]]
    renew: Callable[[ConversationId, Language, Opens], Awaitable[str | None]]
    conversation_of: Callable[[str], ConversationId]
    clock: Callable[[], datetime]
    texts: Texts
    public_url: str
    liff: str
    login_channel: str
    turns: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, _AT_ONCE))


def routes(desk: LiffDesk) -> list[BaseRoute]:
    """GET /line/app and its two files, POST /line/ticket."""
    return [
        Route("/line/app", partial(_page, desk)),
        Route("/line/static/{name}", partial(_static, desk)),
        Route("/line/ticket", partial(_ticket, desk), methods=["POST"]),
    ]


def alleged_algorithm(token: str) -> str:
    """The algorithm that a token's own header names; Unproven when it has none."""
    head = token.partition(".")[0]
    try:
        plain = json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, RecursionError):
        raise Unproven from None
    alg = plain.get("alg") if isinstance(plain, dict) else None
    if not isinstance(alg, str):
        raise Unproven
    return alg


def person(claims: Mapping[str, Any], channel: str, now: datetime) -> str:
    """The user id that LINE vouches for to this channel at this time; Unproven otherwise."""
    match claims:
        case {"iss": str(issuer), "aud": str(audience), "exp": int(until), "sub": str(user)}:
            good = issuer == ISSUER and audience == channel and until > now.timestamp()
            if good and 0 < len(user) <= 200:
                return user
    raise Unproven


async def _page(desk: LiffDesk, request: Request) -> Response:
    words = {one: desk.texts.group("line.liff", one) for one in LANGUAGES}
    data = {"liff": desk.liff, "texts": words}
    page = fill(_asset("liff.html"), {"sdk": SDK}, data)
    return Response(page, media_type="text/html", headers=_headers(desk))


async def _static(desk: LiffDesk, request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        return Response(status_code=404, headers=_headers(desk))
    return Response(_asset(name), media_type=_STATIC[name], headers=_headers(desk))


async def _ticket(desk: LiffDesk, request: Request) -> Response:
    try:
        token, language, opens = _fields(await _body(request))
        user = await _proven(desk, token)
        ticket = await desk.renew(desk.conversation_of(user), language, opens)
        if ticket is None:
            raise _Answer(404, "no_link")
        answer = JSONResponse({"ticket": ticket}, headers=_headers(desk))
    except Unproven:
        answer = JSONResponse({"error": "not_you"}, 401, _headers(desk))
    except _Answer as said:
        answer = JSONResponse({"error": said.word}, said.status, _headers(desk))
    return answer


async def _proven(desk: LiffDesk, token: str) -> str:
    if alleged_algorithm(token) not in _ALGORITHMS:
        raise Unproven
    if desk.turns.locked():
        raise _Answer(503, "busy")
    async with desk.turns:
        try:
            claims = await desk.verify(token, desk.login_channel)
        except Refused as refused:
            if refused.outcome == "refused":
                raise Unproven from None
            raise _Answer(503, "busy") from None
    return person(claims, desk.login_channel, desk.clock())


async def _body(request: Request) -> bytes:
    """At most 8,000 bytes of JSON, from our own page."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" or request.headers.get("sec-fetch-site") == "cross-site":
        raise _Answer(400, "form")
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > _MOST:
                raise _Answer(413, "form")
    except ClientDisconnect:
        raise _Answer(400, "form") from None
    return bytes(body)


def _fields(body: bytes) -> tuple[str, Language, Opens]:
    try:
        plain = json.loads(body)
    except (ValueError, RecursionError):
        raise _Answer(400, "form") from None
    match plain:
        case {"id_token": str(token)} if plain.keys() <= {"id_token", "language", "opens"}:
            if not _TOKEN.fullmatch(token):
                raise Unproven
            opens: Opens = "pin" if plain.get("opens") == "pin" else "hashes"
            return token, _language(plain.get("language")), opens
        case _:
            raise _Answer(400, "form")


def _language(said: object) -> Language:
    return next((one for one in LANGUAGES if one == said), "en")


@cache
def _asset(name: str) -> str:
    return (files("bot.channels") / "static" / name).read_text(encoding="utf-8")


def _headers(desk: LiffDesk) -> dict[str, str]:
    public = urlsplit(desk.public_url)
    origin = f"{public.scheme}://{public.netloc}"
    policy = (
        "default-src 'none'",
        f"script-src {origin}/line/static/liff.js {SDK}",
        f"style-src {origin}/line/static/liff.css",
        f"connect-src {origin}/line/ticket https://api.line.me https://liffsdk.line-scdn.net",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), display-capture=()",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
