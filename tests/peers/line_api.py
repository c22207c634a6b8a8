"""LINE on the loopback: its published documents judge every call, and it keeps LINE's own rules.

A reply token works once and for a minute; a retry key once in 24 hours; blockers get nothing and
nobody is told; the month has its quota. Faults are put in by hand, each for the next call of a
path.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from itertools import count
from typing import Any, Literal
from urllib.parse import parse_qs

from aiohttp import web
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

from bot.channels.line_faces import graphemes
from tests.peers import specs

Fault = Literal[
    "500", "500 after", "cut after", "slow after", "rate", "concurrent", "month", "preparing"
]
Json = dict[str, Any]
TOKEN_LIVES = timedelta(minutes=1)
KEY_LIVES = timedelta(hours=24)
CHANNEL_TOKEN = "the channel's access token"
LOGIN_CHANNEL = "1650000000"
_429 = {
    "rate": "The API rate limit has been exceeded. Try again later.",
    "concurrent": "The limit on the number of concurrent operations has been exceeded.",
    "month": "You have reached your monthly limit.",
}


@cache
def judge(name: str) -> OpenAPI:
    return OpenAPI.from_dict(specs.line(name))


def unlike(name: str, method: str, path: str, status: int, answer: Json) -> str:
    """What LINE's document has against an answer of this fake; empty when nothing."""
    request = MockRequest("http://localhost", method.lower(), path)
    response = MockResponse(
        json.dumps(answer).encode(), status_code=status, content_type="application/json"
    )
    try:
        judge(name).validate_response(request, response)
    except OpenAPIError as error:
        reasons = getattr(error.__cause__, "schema_errors", ())
        return f"the fake's own {path} {status}: {[str(one) for one in reasons]}"
    return ""


def objections(name: str, method: str, path: str, headers: dict[str, str], body: bytes) -> str:
    """What LINE's document has against a request; empty when nothing."""
    request = MockRequest("http://localhost", method.lower(), path, headers=headers, data=body)
    try:
        judge(name).validate_request(request)
    except OpenAPIError as error:
        reasons = getattr(error.__cause__, "schema_errors", ())
        return f"{error!r} {[str(one) for one in reasons]}"
    return ""


@dataclass
class FakeLine:
    """`chats` is what people see; `calls` what was asked, and answered with which status."""

    clock: Callable[[], datetime]
    limit: int | None = 300
    used: int = 0
    chats: dict[str, list[Json]] = field(default_factory=lambda: defaultdict(list))
    silent: list[bool] = field(default_factory=list)
    calls: list[tuple[str, int]] = field(default_factory=list)
    bodies: list[Json] = field(default_factory=list)
    faulty: list[str] = field(default_factory=list)
    faults: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    blocked: set[str] = field(default_factory=set)
    languages: dict[str, str] = field(default_factory=dict)
    """Of those who let LINE tell; of the others there is no profile to read."""
    unknown: set[str] = field(default_factory=set)
    tokens: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    keys: dict[str, datetime] = field(default_factory=dict)
    menus: dict[str, Json] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    linked: dict[str, str] = field(default_factory=dict)
    everybody: str = ""
    liff_apps: dict[str, Json] = field(default_factory=dict)
    id_tokens: dict[str, Json] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    webhook: str = ""
    url: str = ""
    _ids: Iterator[int] = field(default_factory=count)
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    def token(self, user: str) -> str:
        """A new reply token, as an event of this person brings it."""
        token = f"{next(self._ids):032x}"
        self.tokens[token] = (user, self.clock())
        return token

    def said(self, user: str) -> list[str]:
        """The texts of a chat, one a message."""
        return [words(one) for one in self.chats[user]]

    def asked(self, path: str) -> list[int]:
        """The statuses of the calls to a path, in order."""
        return [status for called, status in self.calls if called == path]

    @asynccontextmanager
    async def served(self) -> AsyncIterator["FakeLine"]:
        """Open on a free port of the loopback."""
        app = web.Application(client_max_size=4_000_000)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            self._over.set()
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        faults = self.faults[request.path]
        fault = faults.pop(0) if faults else None
        try:
            status, answer = self._judged(request, body, fault)
        except Exception as error:  # of the fake's own: no test may pass over it
            self.faulty.append(f"{request.path}: {error!r}")
            raise
        self.calls.append((request.path, status))
        if fault == "preparing":  # a video that LINE has not made ready yet
            return web.Response(status=202)
        sent = self.contents.get(request.path.split("/")[-2])
        if status == 200 and sent is not None and fault is None:
            return web.Response(body=sent, content_type="image/jpeg")
        if wrong := self._unlike(request, status, answer):
            self.faulty.append(wrong)
        if fault == "cut after" and request.transport:
            request.transport.close()
        if fault == "slow after":
            await self._over.wait()
        if fault == "500 after":
            status, answer = 500, {"message": "Internal server error"}
        return web.json_response(answer, status=status)

    def _judged(self, request: web.Request, body: bytes, fault: Fault | None) -> tuple[int, Json]:
        if request.path == "/oauth2/v2.1/verify":
            return (500, {}) if fault == "500" else self._verify(body)
        if request.headers.get("Authorization") != f"Bearer {CHANNEL_TOKEN}":
            return 401, {"message": "Authentication failed due to the following reason: token"}
        wrong = self._wrong(request, body)
        if wrong:
            self.faulty.append(f"{request.method} {request.path}: {wrong}")
            return 400, {"message": "The request body has 1 error(s)"}
        if fault == "500":
            return 500, {"message": "Internal server error"}
        if fault in _429:
            return 429, {"message": _429[fault]}
        return self._done(request, body)

    def _wrong(self, request: web.Request, body: bytes) -> str:
        given = dict(request.headers)
        wrong = objections(document_of(request.path), request.method, request.path, given, body)
        if request.path.endswith("/content") and request.method == "POST":
            good = request.content_type == "image/png" and len(body) <= 1_000_000
            return wrong or ("" if good else "no picture of at most 1 MB")
        posted = json.loads(body) if body else {}
        messages = posted.get("messages", ())
        return wrong or "; ".join(one for face in messages for one in beyond(face))

    def _unlike(self, request: web.Request, status: int, answer: Json) -> str:
        if request.path.startswith("/oauth2") or (status >= 400 and status != 409):
            return ""  # not in the documents
        return unlike(document_of(request.path), request.method, request.path, status, answer)

    def _done(self, request: web.Request, body: bytes) -> tuple[int, Json]:
        posted = json.loads(body) if body and not request.path.endswith("/content") else {}
        if posted:
            self.bodies.append(posted)
        match request.method, request.path.removeprefix("/v2/bot").strip("/").split("/"):
            case "POST", ["message", "reply"]:
                return self._reply(request, posted)
            case "POST", ["message", "push"]:
                return self._push(request, posted)
            case "GET", ["message", *rest]:
                return self._told(rest)
            case "GET", ["profile", user]:
                return self._profile(user)
            case "POST", ["chat", "loading", "start"]:
                good = posted["loadingSeconds"] % 5 == 0
                return (202, {}) if good else (400, {"message": "loadingSeconds"})
            case method, ["richmenu", *_] | ["user", *_]:
                return self._menu(method, request.path, posted, body)
            case method, ["channel", "webhook", *_]:
                return self._webhook(method, request.path, posted)
            case method, ["liff", "v1", "apps", *rest]:
                return self._liff(method, rest, posted)
            case _:
                self.faulty.append(f"{request.method} {request.path}: not a call Sala makes")
                return 404, {"message": "Not found"}

    def _told(self, asked: list[str]) -> tuple[int, Json]:
        """The quota, what of it is used, or that a message's content is there."""
        match asked:
            case ["quota"]:
                limited = {"type": "limited", "value": self.limit}
                return 200, limited if self.limit is not None else {"type": "none"}
            case ["quota", "consumption"]:
                return 200, {"totalUsage": self.used}
            case [id, "content"] if id in self.contents:
                return 200, {}
            case _:
                return 404, {"message": "Not found"}

    # -- messages

    def _reply(self, request: web.Request, posted: Json) -> tuple[int, Json]:
        if "X-Line-Retry-Key" in request.headers:
            self.faulty.append("a retry key on a reply")
            return 400, {"message": "The retry key is not supported"}
        user, at = self.tokens.pop(posted["replyToken"], ("", self.clock() - TOKEN_LIVES))
        if self.clock() - at >= TOKEN_LIVES:
            return 400, {"message": "Invalid reply token"}
        return 200, self._delivered(user, posted)

    def _push(self, request: web.Request, posted: Json) -> tuple[int, Json]:
        key = request.headers.get("X-Line-Retry-Key")
        if key is None:
            self.faulty.append("a push without a retry key")
            return 400, {"message": "no key"}
        if key in self.keys and self.clock() - self.keys[key] < KEY_LIVES:
            return 409, {"message": "The retry key is already accepted", "sentMessages": _SENT}
        if posted["to"] in self.unknown:
            return 400, {"message": "Failed to send messages"}
        if self.limit is not None and self.used >= self.limit:
            return 429, {"message": _429["month"]}
        self.keys[key] = self.clock()
        self.used += posted["to"] not in self.blocked
        return 200, self._delivered(posted["to"], posted)

    def _delivered(self, user: str, posted: Json) -> Json:
        if user not in self.blocked:
            self.chats[user] += posted["messages"]
            self.silent.append(posted.get("notificationDisabled", False))
        return {"sentMessages": _SENT}

    # -- everything else

    def _profile(self, user: str) -> tuple[int, Json]:
        if user not in self.languages:
            return 404, {"message": "Not found"}
        return 200, {"userId": user, "displayName": "M", "language": self.languages[user]}

    def _menu(self, method: str, path: str, posted: Json, body: bytes) -> tuple[int, Json]:
        parts = path.removeprefix("/v2/bot/").split("/")
        match method, parts:
            case "POST", ["richmenu"]:
                menu = f"richmenu-{next(self._ids)}"
                self.menus[menu] = posted
                return 200, {"richMenuId": menu}
            case "GET", ["richmenu", "list"]:
                return 200, {
                    "richmenus": [{"richMenuId": id} | one for id, one in self.menus.items()]
                }
            case "POST", ["richmenu", menu, "content"] if menu in self.menus:
                self.pictures[menu] = body
                return 200, {}
            case "DELETE", ["richmenu", menu] if menu in self.menus:
                del self.menus[menu]
                return 200, {}
            case "GET", ["richmenu", "alias", "list"]:
                pairs = self.aliases.items()
                return 200, {"aliases": [_alias(name, menu) for name, menu in pairs]}
            case "POST", ["richmenu", "alias", *name] if posted["richMenuId"] in self.pictures:
                self.aliases[name[0] if name else posted["richMenuAliasId"]] = posted["richMenuId"]
                return 200, {}
            case "POST", ["user", "all", "richmenu", menu] if menu in self.pictures:
                self.everybody = menu
                return 200, {}
            case "POST", ["user", user, "richmenu", menu] if menu in self.pictures:
                self.linked[user] = menu
                return 200, {}
        return 404, {"message": "Not found"}

    def _webhook(self, method: str, path: str, posted: Json) -> tuple[int, Json]:
        if path.endswith("/test"):
            at = self.clock().isoformat()
            told = {"timestamp": at, "statusCode": 200, "reason": "OK", "detail": "200"}
            return 200, {"success": bool(self.webhook)} | told
        if method == "PUT":
            self.webhook = posted["endpoint"]
            return 200, {}
        return 200, {"endpoint": self.webhook, "active": True}

    def _liff(self, method: str, rest: list[str], posted: Json) -> tuple[int, Json]:
        match method, rest:
            case "GET", []:
                apps = [{"liffId": id} | app for id, app in self.liff_apps.items()]
                return (200, {"apps": apps}) if apps else (404, {"message": "Not found"})
            case "POST", []:
                self.liff_apps["1650000000-aaaaaaaa"] = posted
                return 200, {"liffId": "1650000000-aaaaaaaa"}
            case "PUT", [id] if id in self.liff_apps:
                self.liff_apps[id] |= posted
                return 200, {}
        return 404, {"message": "Not found"}

    def _verify(self, body: bytes) -> tuple[int, Json]:
        given = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        claims = self.id_tokens.get(given.get("id_token", ""))
        if given.keys() != {"id_token", "client_id"} or claims is None:
            return 400, {"error": "invalid_request", "error_description": "Invalid IdToken."}
        return 200, claims


def document_of(path: str) -> str:
    """LINE's document that names a path. None of them names LINE Login's `/oauth2/v2.1/verify` for
    ID tokens: that form is the reference's."""
    return "liff" if path.startswith("/liff") else "messaging-api"


_SENT = [{"id": "461230966842064897", "quoteToken": "q"}]


def _alias(name: str, menu: str) -> Json:
    return {"richMenuAliasId": name, "richMenuId": menu}


def words(face: Json) -> str:
    """The text of a Flex message as a person reads it."""
    paragraphs = face["contents"]["body"]["contents"]
    return "\n\n".join("\n".join(line["text"] for line in one["contents"]) for one in paragraphs)


def actions(face: Json) -> list[Json]:
    """What the buttons of a Flex message do, in order."""
    return [one["action"] for one in face["contents"].get("footer", {}).get("contents", ())]


def beyond(face: Json) -> Iterator[str]:
    """Limits that LINE states in its reference and not in its documents."""
    if not 0 < len(face["altText"]) <= 1_500:
        yield "altText"
    if len(json.dumps(face["contents"])) > 30_000:
        yield "a bubble of more than 30 KB"
    quick = [one["action"] for one in face.get("quickReply", {}).get("items", ())]
    for action, most in [*((one, 20) for one in quick), *((one, 40) for one in actions(face))]:
        if not 0 < len(list(graphemes(action["label"]))) <= most:
            yield f"a label of more than {most}"
        if len(action.get("uri", "")) > 1_000 or len(action.get("displayText", "")) > 300:
            yield "an action that is too long"
