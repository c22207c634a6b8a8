"""Who may come in by the browser door, and how much of it: visits, pace, origin, bodies."""

import hmac
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from bot.channels.browser_stream import BrowserChannel, Visit, new_token, visit_by
from bot.channels.lookout import Lookout
from bot.channels.pace import Pace
from bot.conversation.model import Language
from bot.store import Arrival, ConversationId
from bot.text import Texts

A_SECOND: Final = timedelta(seconds=1)
_TOKEN: Final = re.compile(r"([A-Za-z0-9_-]{43})(?:\.([A-Za-z0-9_-]{22}))?")
_DRAINED: Final = 1_000_000
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Sizes:
    """The most of everything: a body in bytes, a text in characters, posts of one visit within a
    while, and new visits in a second."""

    body: int = 64_000
    text: int = 5_000
    posts: int = 30
    within: timedelta = timedelta(seconds=10)
    visits: int = 50


@dataclass(frozen=True, slots=True)
class BrowserDoor:
    """What the door stands on.

    `receive` keeps an arrival durably; `wake` tells the worker that there is work. `help_lines`
    are the checked lines of the page's own help card, for when the chat cannot answer. `sign`
    makes the 22 characters that tell our visits' tokens from invented ones.
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
    sign: Callable[[str], str] | None = None
    lookout: Lookout | None = None
    """Shows the help card to whom Sala does not answer in time."""

    def new_token(self) -> str:
        """A new visit's token."""
        token = new_token()
        return token if self.sign is None else f"{token}.{self.sign(token)}"

    @property
    def secure(self) -> bool:
        """Whether the page is reached by https."""
        return self.public_url.startswith("https:")

    @property
    def cookie(self) -> str:
        """The cookie's name; no other host can set one of the secure name."""
        return "__Host-v" if self.secure else "v"


class Refused(Exception):
    """The request ends here, with this status and word."""

    def __init__(self, status: int, word: str) -> None:
        super().__init__(word)
        self.status = status
        self.word = word


async def posted(door: BrowserDoor, request: Request) -> tuple[Visit, bytes]:
    """Who posts, and what; Refused before the body is read when they may not, or too often."""
    its_own_page(door, request)
    visit, sizes = visit_of_request(door, request), door.sizes
    if not door.pace.allows(visit, request.url.path, door.clock(), sizes.posts, sizes.within):
        raise Refused(429, "slow_down")
    return visit, await body_of(door, request)


async def body_of(door: BrowserDoor, request: Request) -> bytes:
    """The body, or Refused when it is too long or breaks off."""
    kept, size = bytearray(), 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= door.sizes.body:
                kept += chunk
            elif size > _DRAINED:
                break
    except ClientDisconnect:
        raise Refused(400, "bad_request") from None
    # The rest was read and dropped: an answer before the end would look like a broken line.
    if size > door.sizes.body:
        raise Refused(413, "too_long")
    return bytes(kept)


def its_own_page(door: BrowserDoor, request: Request) -> None:
    """Refused unless our own page posts JSON."""
    same_origin(door, request)
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refused(415, "not_json")


def same_origin(door: BrowserDoor, request: Request) -> None:
    """Refused when another site's page asks."""
    own = origin_of(door, request)
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise Refused(403, "other_site")
    if request.headers.get("origin", own) != own:
        raise Refused(403, "other_site")


def token_of(door: BrowserDoor, request: Request) -> str | None:
    """The visit's token, when it is one of ours."""
    token = request.cookies.get(door.cookie, "")
    found = _TOKEN.fullmatch(token)
    if found is None:
        return None
    expected = door.sign(found[1]) if door.sign else ""
    return token if hmac.compare_digest(found[2] or "", expected) else None


def visit_of_request(door: BrowserDoor, request: Request) -> Visit:
    """The visit of a request; Refused without one."""
    token = token_of(door, request)
    if token is None:
        raise Refused(401, "no_visit")
    return visit_by(token)


def set_cookie(door: BrowserDoor, response: Response, token: str) -> None:
    """Give the visitor the token, for this session."""
    response.set_cookie(
        door.cookie, token, path="/", secure=door.secure, httponly=True, samesite="strict"
    )


def drop_cookie(door: BrowserDoor, response: Response) -> None:
    """Take the token away."""
    response.delete_cookie(
        door.cookie, path="/", secure=door.secure, httponly=True, samesite="strict"
    )


def origin_of(door: BrowserDoor, request: Request) -> str:
    """The public address; on a loopback run the loopback name and port that was asked for."""
    public = urlsplit(door.public_url)
    host = request.headers.get("host", "")
    if public.hostname in _LOOPBACK and re.fullmatch(
        r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", host
    ):
        return f"{public.scheme}://{host}"
    return f"{public.scheme}://{public.netloc}"
