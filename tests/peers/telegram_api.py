"""A strict Telegram on the loopback, which takes what the Bot API's document knows and no more.

(The real one ignores what it does not know.) It keeps chats and messages and fails on demand; what
it refused as wrong stands in `refused`, so that a test can end with that list empty.
"""

import asyncio
import json
import random
import re
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from aiohttp import web

from tests.peers.telegram_document import document

BOT: Final = 110201543
TOKEN: Final = f"{BOT}:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDcanary"
KEPT: Final = timedelta(hours=48)
GIVEN_MOST: Final = 20_000_000
"""Bytes of a file that a bot may download."""
HERSELF: Final = {"id": BOT, "is_bot": True, "first_name": "Sala"}

Trouble = Literal["none", "500", "lost", "hangs", "flood", "400", "401", "not json"]
"""`lost` and `hangs` are accepted, but the answer never comes."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the bot."""

    method: str
    given: Mapping[str, Any]


class Refusal(Exception):
    """An error answer; `strict` when the call itself is wrong."""

    def __init__(self, status: int, description: str, *, strict: bool = False, after: int = 0):
        super().__init__(description)
        self.status = status
        self.strict = strict
        self.body: dict[str, Any] = {
            "ok": False, "error_code": status, "description": description,
        }  # fmt: skip
        if after:
            self.body["parameters"] = {"retry_after": after}


@dataclass
class TelegramApi:
    """The service. `clock` dates messages; `troubles` come one a call, by method."""

    clock: Callable[[], datetime]
    calls: list[Call] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    chats: dict[int, dict[int, dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))
    blocked: set[int] = field(default_factory=set)
    troubles: dict[str, deque[Trouble]] = field(default_factory=lambda: defaultdict(deque))
    told: dict[tuple[str, str], Any] = field(default_factory=dict)
    webhook: dict[str, Any] | None = None
    updates: list[dict[str, Any]] = field(default_factory=list)
    queries: set[str] = field(default_factory=set)
    files: dict[str, bytes] = field(default_factory=dict)
    downloads: list[str] = field(default_factory=list)
    url: str = ""
    last: int = 700_000_000
    news: asyncio.Event = field(default_factory=asyncio.Event)

    # -- what people do

    def text(self, chat: int, words: str, **more: Any) -> dict[str, Any]:
        """A person writes."""
        return self._incoming(chat, {"text": words, **more})

    def sends(self, chat: int, kind: str, **more: Any) -> dict[str, Any]:
        """A person sends something that is not text."""
        (one,) = [one for one in document().fields("Message") if one["name"] == kind]
        return self._incoming(
            chat, {kind: document().invent_field(one, random.Random(kind)), **more}
        )

    def picture(
        self, chat: int, data: bytes, name: str = "", kind: str = "", **more: Any
    ) -> dict[str, Any]:
        """A person sends a picture as a photo, in two sizes, a `video`, or with a kind a file."""
        id = name or f"file-{self._next()}"
        self.files[id] = data
        self.files[f"{id}-small"] = b"the small one"
        file = {"file_id": id, "file_unique_id": f"u{id}", "file_size": len(data)}
        if kind == "video":
            shown = {"width": 1280, "height": 720, "duration": 2}
            return self._incoming(chat, {"video": file | shown, **more})
        if kind:
            return self._incoming(chat, {"document": file | {"mime_type": kind}, **more})
        large = file | {"width": 1280, "height": 960}
        small = file | {"file_id": f"{id}-small", "width": 90, "height": 67, "file_size": 13}
        return self._incoming(chat, {"photo": [small, large], **more})

    def edits(self, chat: int, message: int, kind: str) -> dict[str, Any]:
        """A person puts something that is not text in the place of words."""
        (one,) = [one for one in document().fields("Message") if one["name"] == kind]
        put = document().invent_field(one, random.Random(kind))
        there = self.chats[chat][message] | {kind: put, "edit_date": self._date()}
        return self._update(edited_message={n: one for n, one in there.items() if n != "text"})

    def presses(self, chat: int, data: str, message: int = 1) -> dict[str, Any]:
        """A person presses a button below a message of the bot, perhaps one long gone."""
        query = f"query {self._next()}"
        self.queries.add(query)
        gone = {"message_id": message, "date": 0, "chat": private(chat)}
        below = self.chats[chat].get(message, gone)
        pressed = {"id": query, "from": person(chat), "chat_instance": "7", "message": below}
        return self._update(callback_query=pressed | {"data": data})

    def becomes(self, chat: int, status: Literal["kicked", "member"]) -> dict[str, Any]:
        """A person blocks or unblocks the bot."""
        (self.blocked.add if status == "kicked" else self.blocked.discard)(chat)
        new = {"status": status, "user": HERSELF}
        old = {"status": "member", "user": HERSELF}
        new |= {"until_date": 0} if status == "kicked" else {}
        change = {"chat": private(chat), "from": person(chat), "date": self._date()}
        return self._update(
            my_chat_member=change | {"old_chat_member": old, "new_chat_member": new}
        )

    def _incoming(self, chat: int, what: dict[str, Any]) -> dict[str, Any]:
        message = {
            "message_id": self._next(), "date": self._date(), "chat": private(chat),
            "from": person(chat), **what,
        }  # fmt: skip
        self.chats[chat][message["message_id"]] = message
        return self._update(message=message)

    def _update(self, **what: Any) -> dict[str, Any]:
        update = {"update_id": self._next(), **what}
        assert document().problem(["Update"], update) is None
        self.updates.append(update)
        self.news.set()
        return update

    def _next(self) -> int:
        self.last += 1
        return self.last

    def _date(self) -> int:
        return int(self.clock().timestamp())

    # -- what can be asked

    def said(self, chat: int) -> list[dict[str, Any]]:
        """The bot's messages in a chat, oldest first."""
        return [one for one in self.chats[chat].values() if one["from"]["is_bot"]]

    def asked(self, method: str) -> list[Mapping[str, Any]]:
        """What a method was called with."""
        return [call.given for call in self.calls if call.method == method]

    # -- what the bot calls

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One call."""
        method = request.match_info["method"]
        try:
            given = await self._given(request, method)
            self.calls.append(Call(method, given))
            trouble = self.troubles[method].popleft() if self.troubles[method] else None
            _fail(trouble)
            done = await self._do(method, given)
        except Refusal as refusal:
            self.refused += [str(refusal)] if refusal.strict else []
            return web.json_response(refusal.body, status=refusal.status)
        if trouble == "hangs":
            await asyncio.Event().wait()
        if trouble == "lost" and request.transport:
            request.transport.close()
        if trouble == "not json":
            return web.Response(text=f"<html>{json.dumps(given)}", status=502)
        return web.json_response({"ok": True, "result": done})

    async def download(self, request: web.Request) -> web.StreamResponse:
        """A file, at the address that `getFile` told."""
        if request.match_info["token"] != TOKEN:
            return web.json_response({"ok": False}, status=401)
        id = request.match_info["path"].removeprefix("photos/")
        self.downloads.append(id)
        trouble = self.troubles["download"].popleft() if self.troubles["download"] else None
        if trouble == "hangs":
            await asyncio.Event().wait()
        if trouble == "500" or id not in self.files:
            return web.json_response({"ok": False}, status=404)
        if trouble == "lost" and request.transport:
            request.transport.close()
        return web.Response(body=self.files[id], content_type="application/octet-stream")

    async def _getFile(self, file_id: str) -> Any:  # noqa: N802
        if file_id not in self.files:
            raise Refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if len(self.files[file_id]) > GIVEN_MOST:
            raise Refusal(400, "Bad Request: file is too big")
        file = {"file_id": file_id, "file_unique_id": f"u{file_id}"}
        file |= {"file_path": f"photos/{file_id}"}
        assert document().problem(["File"], file) is None
        return file

    async def reads(self, answer: bytes) -> None:
        """A webhook's answer, which may call one method; nobody hears how that went."""
        if not answer:
            return
        given = json.loads(answer)
        method = given.pop("method")
        problem = document().call_problem(method, given)
        self.refused += [problem] if problem else []
        self.calls.append(Call(method, given))
        with suppress(Refusal):
            await self._do(method, given)

    async def _given(self, request: web.Request, method: str) -> Mapping[str, Any]:
        if request.match_info["token"] != TOKEN:
            raise Refusal(401, "Unauthorized", strict=True)
        if method not in document().methods:
            raise Refusal(404, f"no method {method}", strict=True)
        given = {**_from_query(request), **(await request.json() if request.can_read_body else {})}
        problem = document().call_problem(method, given)
        if problem:
            raise Refusal(400, problem, strict=True)
        return given

    async def _do(self, method: str, given: Mapping[str, Any]) -> Any:
        if ours := getattr(self, f"_{method}", None):
            return await ours(**given)
        place = (method[5:], given.get("language_code", ""))
        if method.startswith("setMy"):
            self.told[place] = given
            return True
        if method.startswith("getMy"):
            kept = self.told.get(place, {})
            (returned,) = document().methods[method]["returns"]
            names = (one["name"] for one in document().fields(returned))
            return {name: kept.get(name, "") for name in names}
        raise Refusal(404, f"{method} is not for this bot", strict=True)

    def _reach(self, chat: int | str) -> dict[int, dict[str, Any]]:
        if chat not in self.chats:
            raise Refusal(400, "Bad Request: chat not found")
        if chat in self.blocked:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        return self.chats[int(chat)]

    async def _sendMessage(self, chat_id: int, text: str, **more: Any) -> Any:  # noqa: N802
        chat = self._reach(chat_id)
        if not text.strip():
            raise Refusal(400, "message text is empty", strict=True)
        if _undotted(more.get("reply_markup", {})):
            raise Refusal(400, "Bad Request: inline keyboard button URL is invalid: Wrong HTTP URL")
        kept = {"message_id": self._next(), "date": self._date(), "chat": private(chat_id)}
        shown = {name: more[name] for name in ("reply_markup",) if name in more}
        chat[kept["message_id"]] = kept | {"from": HERSELF, "text": text} | shown
        return chat[kept["message_id"]]

    async def _deleteMessage(self, chat_id: int, message_id: int) -> bool:  # noqa: N802
        message = self._reach(chat_id).get(message_id)
        if message is None:
            raise Refusal(400, "Bad Request: message to delete not found")
        if self._date() - message["date"] > KEPT.total_seconds():
            raise Refusal(400, "Bad Request: message can't be deleted for everyone")
        del self.chats[chat_id][message_id]
        return True

    async def _deleteMessages(self, chat_id: int, message_ids: list[int]) -> bool:  # noqa: N802
        chat = self._reach(chat_id)
        if not 1 <= len(message_ids) <= 100:
            raise Refusal(400, f"{len(message_ids)} messages at once", strict=True)
        for id in message_ids:
            if id in chat:
                await self._deleteMessage(chat_id, id)
        return True

    async def _answerCallbackQuery(self, callback_query_id: str, **_: Any) -> bool:  # noqa: N802
        if callback_query_id not in self.queries:
            raise Refusal(400, "Bad Request: query is too old and response timeout expired")
        self.queries.discard(callback_query_id)
        return True

    async def _setChatMenuButton(self, chat_id: int = 0, **more: Any) -> bool:  # noqa: N802
        if chat_id:
            self._reach(chat_id)
        self.told["MenuButton", str(chat_id or "")] = more
        return True

    async def _setMyCommands(  # noqa: N802
        self, commands: list[Any], scope: Mapping[str, Any] | None = None, language_code: str = ""
    ) -> bool:
        place = str(scope["chat_id"]) if scope else ""
        if place:
            self._reach(int(place))
        self.told[f"Commands{place}", language_code] = commands
        return True

    async def _setWebhook(self, **given: Any) -> bool:  # noqa: N802
        if not re.fullmatch("[A-Za-z0-9_-]{1,256}", given.get("secret_token", "")):
            raise Refusal(400, "a secret of other characters", strict=True)
        self.webhook = given
        return True

    async def _deleteWebhook(self, **_: Any) -> bool:  # noqa: N802
        self.webhook = None
        return True

    async def _getUpdates(  # noqa: N802
        self, offset: int = 0, allowed_updates: tuple[str, ...] = (), **_: Any
    ) -> list[Any]:
        if self.webhook:
            raise Refusal(409, "Conflict: can't use getUpdates method while webhook is active")
        self.updates = [one for one in self.updates if one["update_id"] >= offset]
        while not self.updates:
            self.news.clear()
            await self.news.wait()
        allowed = {*allowed_updates, "update_id"}
        return [one for one in self.updates if not allowed_updates or one.keys() <= allowed]


def _undotted(markup: Mapping[str, Any]) -> bool:
    """Whether a button opens an address such as http://localhost, which Telegram takes for none."""
    buttons = [one for row in markup.get("inline_keyboard", ()) for one in row]
    return any("." not in (urlsplit(one.get("url", ".")).hostname or ".") for one in buttons)


def _fail(trouble: Trouble | None) -> None:
    """Troubles in which nothing was accepted."""
    match trouble:
        case "500":
            raise Refusal(500, "Internal Server Error")
        case "flood":
            raise Refusal(429, "Too Many Requests: retry after 30", after=30)
        case "400":
            raise Refusal(400, "Bad Request: can't parse this")
        case "401":
            raise Refusal(401, "Unauthorized")
        case _:
            return


def _from_query(request: web.Request) -> dict[str, Any]:
    """Parameters of the address: numbers and lists stand there as JSON."""
    plain = re.compile(r"-?\d+|\[.*")
    found = request.query.items()
    return {name: json.loads(one) if plain.fullmatch(one) else one for name, one in found}


def private(chat: int) -> dict[str, Any]:
    """A private chat."""
    return {"id": chat, "type": "private", "first_name": "Mali"}


def person(id: int, language: str = "en-GB") -> dict[str, Any]:
    """A person."""
    return {"id": id, "is_bot": False, "first_name": "Mali", "language_code": language}


@asynccontextmanager
async def telegram(clock: Callable[[], datetime]) -> AsyncIterator[TelegramApi]:
    """The service on a free port, until the block ends."""
    document()
    api = TelegramApi(clock)
    app = web.Application()
    app.router.add_route("*", "/bot{token}/{method}", api.answer)
    app.router.add_route("GET", "/file/bot{token}/{path:.*}", api.download)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    api.url = f"http://{host}:{port}"
    try:
        yield api
    finally:
        await runner.cleanup()
