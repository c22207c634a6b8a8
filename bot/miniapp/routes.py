"""What the mini-app needs of the server: its own few files, and two addresses that take a ticket.

The page can reach nothing else: its Content-Security-Policy names every address it may load;
`POST /app/hashes` reads at most 80,000 bytes of one closed form (docs/hashing.md), and
`POST /app/pin` shows the PIN of a case that was made in the chat, once.
"""

import hashlib
import html
import json
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bot.cases.hashes import MAX_BODY, BadSubmission, parse_items
from bot.conversation.model import LANGUAGES
from bot.miniapp import headers
from bot.store import NotTaken, Registered, Registry, StoreError, TicketRefused, TooManyImages
from bot.text import Texts, unbroken

STATIC: Final = Path(__file__).resolve().parent / "static"
FILES: Final = ("box.html", "app.js", "style.css")
"""What the page consists of besides itself; it shows their SHA-256."""
MAX_TICKET: Final = 200


@dataclass(frozen=True, slots=True)
class MiniApp:
    """What the routes stand on. `exit_url` is the dull site the quick exit goes to."""

    registry: Registry
    ticket_digest: Callable[[str], bytes]
    clock: Callable[[], datetime]
    texts: Texts
    public_url: str
    exit_url: str = "https://www.google.com/"


Act = Callable[[MiniApp, bytes], Awaitable[Registered]]
"""What a post does, given its body; Refused, or the store's own errors."""


class Refused(Exception):
    """A post that changes nothing; `code` is what the page is told (docs/hashing.md)."""

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


def routes(app: MiniApp) -> list[BaseRoute]:
    """GET /app, its files, POST /app/hashes and /app/pin."""
    pages = _Pages(app)
    return [
        Route("/app", pages.index),
        Route("/app/", pages.index),
        Route("/app/app.js", _file("app.js", "text/javascript")),
        Route("/app/style.css", _file("style.css", "text/css")),
        Route("/app/box.html", pages.box),
        Route("/app/hashes", partial(_post, app, _register), methods=["POST"]),
        Route("/app/pin", partial(_post, app, _show_pin), methods=["POST"]),
    ]


class _Pages:
    def __init__(self, app: MiniApp) -> None:
        self.app = app
        self.page = _render(app)
        self.frame = (STATIC / "box.html").read_bytes()

    async def index(self, request: Request) -> Response:
        sent = headers.of_page(_origins(self.app, request), self.app.exit_url)
        return Response(self.page, media_type="text/html", headers=sent)

    async def box(self, request: Request) -> Response:
        sent = headers.of_frame(_origins(self.app, request), self.frame.decode())
        return Response(self.frame, media_type="text/html", headers=sent)


async def _post(app: MiniApp, act: Act, request: Request) -> Response:
    try:
        _check_sender(request, _origins(app, request))
        made = await _done(app, act, await _body(request))
    except Refused as refused:
        return JSONResponse({"error": refused.code}, refused.status, headers.COMMON)
    said = {"case": made.number, "pin": made.pin, "images": made.images}
    return JSONResponse(said, 200, headers.COMMON)


async def _done(app: MiniApp, act: Act, body: bytes) -> Registered:
    """What came of it, or Refused."""
    try:
        return await act(app, body)
    except BadSubmission as bad:
        raise Refused(bad.problem) from None
    except TicketRefused as refused:
        raise Refused(refused.reason, 410) from None
    except TooManyImages:
        raise Refused("too_many") from None
    except NotTaken:
        raise Refused("not_taken") from None
    except StoreError:
        raise Refused("busy", 503) from None


async def _register(app: MiniApp, body: bytes) -> Registered:
    ticket, posted = _fields(body, "items")
    items = parse_items(posted)
    return await app.registry.register(app.ticket_digest(ticket), items, app.clock())


async def _show_pin(app: MiniApp, body: bytes) -> Registered:
    ticket, _ = _fields(body)
    return await app.registry.show_pin(app.ticket_digest(ticket), app.clock())


def _check_sender(request: Request, origins: tuple[str, ...]) -> None:
    """Only our own page may post. (A page without referrer may send `Origin: null`.)"""
    kind, _, _ = request.headers.get("content-type", "").partition(";")
    if kind.strip().lower() != "application/json":
        raise Refused("form")
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    known = (None, *origins) if site is None else (None, "null", *origins)
    if site not in {None, "same-origin"} or origin not in known:
        raise Refused("form")


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY:
                raise Refused("too_large", 413)
    except ClientDisconnect:
        raise Refused("form") from None
    return bytes(body)


def _fields(body: bytes, *more: str) -> tuple[str, object]:
    """The ticket, and what else was posted, which must be just that."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("form") from None
    if not isinstance(said, dict) or said.keys() != {"ticket", *more}:
        raise Refused("form")
    ticket = said["ticket"]
    if not isinstance(ticket, str) or not 0 < len(ticket) <= MAX_TICKET or not ticket.isascii():
        raise Refused("form")
    return ticket, said.get("items")


def _origins(app: MiniApp, request: Request) -> tuple[str, ...]:
    """The addresses under which the page knows itself; WebKit does not match 'self' in a frame.

    The public one, or on this machine alone both names of the loopback with the port in use.
    """
    public = urlsplit(app.public_url)
    if public.hostname not in {"127.0.0.1", "localhost"}:
        return (f"{public.scheme}://{public.netloc}",)
    server = request.scope.get("server")
    port = server[1] if server else public.port
    return tuple(f"{public.scheme}://{name}:{port}" for name in ("127.0.0.1", "localhost"))


def _file(name: str, media_type: str) -> Callable[[Request], Any]:
    content = (STATIC / name).read_bytes()

    async def answer(request: Request) -> Response:
        return Response(content, media_type=media_type, headers=headers.COMMON)

    return answer


def _render(app: MiniApp) -> str:
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    words = {language: app.texts.group("app", language) for language in LANGUAGES}
    filled: Mapping[str, str] = {
        "texts": json.dumps(words, ensure_ascii=False).replace("<", "\\u003c"),
        "exit": html.escape(app.exit_url),
        "script": _integrity("app.js"),
        "style": _integrity("style.css"),
        "files": "".join(f"<li>{name} {_digest(name).hex()}</li>" for name in FILES),
    } | {f"noscript_{code}": html.escape(words[code]["noscript"]) for code in LANGUAGES}
    for name, value in filled.items():
        page = page.replace("{{" + name + "}}", value)
    return unbroken(page)


def _integrity(name: str) -> str:
    return f"sha256-{b64encode(_digest(name)).decode()}"


def _digest(name: str) -> bytes:
    return hashlib.sha256((STATIC / name).read_bytes()).digest()
