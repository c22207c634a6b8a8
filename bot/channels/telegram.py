"""The Telegram door: private chats with a bot, by webhook or by long polling.

Nothing that is not text is kept, and what was sent into the chat is removed there. A picture is
fetched only when it was asked for and agreed to (C16).
"""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from starlette.routing import BaseRoute, Route
from telegram import BotCommandScopeChat, MenuButtonCommands
from telegram.error import BadRequest, Forbidden, TelegramError

from bot.channels import Message, Plain, SendError, TryAgain, Unreachable
from bot.channels.crowd import Crowd
from bot.channels.fetching import NotFetched
from bot.channels.lookout import Guest, Lookout
from bot.channels.telegram_http import TelegramHttp, TooFast, make_bot
from bot.channels.telegram_init import Whose, by_telegram, by_token
from bot.channels.telegram_pace import SPARE, Pace, Sleep
from bot.channels.telegram_page import Page, page_routes
from bot.channels.telegram_recent import Recent
from bot.channels.telegram_setup import commands
from bot.channels.telegram_wire import (
    ALLOWED,
    Heard,
    Manner,
    Outgoing,
    address_of,
    chat_of,
    key_of,
    parse,
    render,
    sendable,
    without_links,
)
from bot.channels.webhook import Answer, Headers, Webhook
from bot.conversation.codec import encode_inbound
from bot.conversation.model import Gone, Language
from bot.conversation.shows import Opens
from bot.log import log, where
from bot.settings import TelegramSettings
from bot.store import Arrival, ConversationId, StoreError
from bot.store.lateness import Wait
from bot.text import Texts

__all__ = ["TelegramChannel", "TelegramDoor", "poll", "routes"]

MOST: Final = 1_000_000
"""Bytes of a webhook's body."""
POLL: Final = 50
"""Seconds that a long poll stays open."""
LONGEST_PAUSE: Final = 60
MOST_SHOWN: Final = round(60 / SPARE)
"""What is shown past all that waits, within a minute."""
_SECRET: Final = b"x-telegram-bot-api-secret-token"  # a header's name
_GONE: Final = "chat not found"
_TOO_BIG: Final = "file is too big"


# ---------------------------------------------------------------- sending


class TelegramChannel(Plain):
    """Sends to private chats. Close it when the loop ends."""

    name: Final = "telegram"
    wakes: Final = True
    together = False
    fetches = True

    def __init__(
        self,
        settings: TelegramSettings,
        texts: Texts,
        public_url: str,
        clock: Callable[[], datetime],
        pace: Pace | None = None,
        http: TelegramHttp | None = None,
    ) -> None:
        page = f"{public_url}/telegram/app" if public_url.startswith("https:") else None
        self._manner = Manner(texts, page)
        self._http = http or TelegramHttp()
        self.bot = make_bot(settings, self._http)
        self._clock = clock
        self._pace = pace or Pace()
        self._spare = self._pace.beside(SPARE)
        self.crowd = Crowd()
        self._recent = Recent()
        self._asides: set[asyncio.Task[None]] = set()
        self.missed = 0
        """Looks for updates in a row that failed, where the bot polls."""

    async def send(
        self, address: bytes, messages: Sequence[Message], way: bytes | None = None
    ) -> None:
        """One `sendMessage` a message, in order, at Telegram's pace.

        Telegram knows no idempotency key: when the answer is lost, that one message may come twice.
        """
        chat = chat_of(address)
        for sent, message in enumerate(messages):
            if message.alone:
                await self._clear(chat)
            for part in render(message, self._manner):
                await self._pace.turn(chat)
                with self._judged(sent):
                    await self._say(chat, part)

    async def _say(self, chat: int, part: Outgoing) -> None:
        """What Telegram refuses for its link buttons goes out with the addresses in the text."""
        try:
            await self._say_once(chat, part)
        except BadRequest:
            bare = without_links(part)
            if bare is None:
                raise
            await self._say_once(chat, bare)

    async def _say_once(self, chat: int, part: Outgoing) -> None:
        said = await self._http.call(f"{self.bot.base_url}/sendMessage", sendable(chat, part))
        match said:
            case {"message_id": int(id)}:
                self.stands(chat, id)

    def stands(self, chat: int, message: int) -> None:
        """A message stands in this chat from now on."""
        self._recent.note(chat, message, self._clock())

    async def _clear(self, chat: int) -> None:
        """Someone may be looking: what was said lately leaves the chat, as far as it will (C9)."""
        ids = self._recent.take(chat, self._clock())
        if ids:
            with suppress(TelegramError):
                await self.bot.delete_messages(chat, ids)

    async def remove(self, address: bytes, ref: str) -> None:
        """Delete a message of the person's; one that is gone or older than 48 hours is done."""
        await self._once(self.bot.delete_message(chat_of(address), int(ref)))

    async def fetch(self, address: bytes, file: str, most: int) -> bytes:
        """The file of this id, of at most 20 MB; Telegram makes photos and videos smaller."""
        try:
            found = await self.bot.get_file(file)
            if not (found.file_path or "").startswith(f"{self.bot.base_file_url}/"):
                raise NotFetched("gone")
            return await self._http.download(found.file_path or "", most)
        except TelegramError as error:
            is_large = _TOO_BIG in error.message.lower()
            raise NotFetched("size" if is_large else "gone") from None

    async def speak(self, address: bytes, language: Language) -> None:
        """This chat's commands in this language, behind the menu button."""
        chat = chat_of(address)
        said = commands(self._manner.texts, language)
        await self._once(self.bot.set_my_commands(said, scope=BotCommandScopeChat(chat)))
        await self._once(self.bot.set_chat_menu_button(chat, MenuButtonCommands()))

    async def _once(self, call: Awaitable[bool]) -> None:
        """What Telegram says no to would get the same answer again."""
        with self._judged(), suppress(BadRequest):
            await call

    @contextmanager
    def _judged(self, sent: int = 0) -> Iterator[None]:
        """Telegram's errors as ours: blocked, later for this chat alone, or growing waits."""
        try:
            yield
        except TooFast as error:
            raise TryAgain(sent, self._clock() + timedelta(seconds=error.seconds)) from None
        except TelegramError as error:
            gone = isinstance(error, Forbidden) or _GONE in error.message.lower()
            raise (Unreachable if gone else SendError)(sent) from None

    def acknowledge(self, query: str) -> None:
        """Tell Telegram that a button was heard; nobody waits for it, and it may fail."""
        self._aside(self.bot.answer_callback_query(query))

    def show(self, chat: int, messages: Sequence[Message]) -> None:
        """Show these past all that waits, at a pace that leaves the answers theirs; those that
        would come after a minute or more do not. Best effort."""
        for part in (part for message in messages for part in render(message, self._manner)):
            if len(self._asides) < MOST_SHOWN:
                self._aside(self._shown(chat, part))

    async def _shown(self, chat: int, part: Outgoing) -> None:
        await self._spare.turn(chat)
        await self._say_once(chat, part)

    def _aside(self, call: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(_tried(call))
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)

    async def updates(self, offset: int | None) -> list[object]:
        """The updates from `offset` on, as they came; waits for some. TelegramError."""
        asked = {"timeout": POLL, "allowed_updates": json.dumps(ALLOWED)}
        since = {} if offset is None else {"offset": offset}
        # The library's get_updates would log an update that it cannot read.
        url = f"{self.bot.base_url}/getUpdates?{urlencode(asked | since)}"
        answer = self._http.parse_json_payload(
            await self._http.retrieve(url, read_timeout=POLL + 10.0)
        )
        updates = answer.get("result")
        return updates if isinstance(updates, list) else []

    async def close(self) -> None:
        """Close the line to Telegram."""
        for task in list(self._asides):
            task.cancel()
        await asyncio.gather(*self._asides, return_exceptions=True)
        await self._http.shutdown()


async def _tried(call: Awaitable[object]) -> None:
    with suppress(TelegramError):
        await call


# ---------------------------------------------------------------- the door


@dataclass(frozen=True, slots=True)
class TelegramDoor:
    """What the door stands on.

    `receive` keeps an arrival durably; `wake` tells the worker that there is work; `renew` gives a
    conversation's mini-app ticket anew. `secret` is what Telegram shows with each update.
    """

    channel: TelegramChannel
    receive: Callable[[Arrival], Awaitable[bool]]
    conversation_of: Callable[[bytes], ConversationId]
    clock: Callable[[], datetime]
    wake: Callable[[], None]
    renew: Callable[[ConversationId, Language, Opens], Awaitable[str | None]]
    texts: Texts
    public_url: str
    settings: TelegramSettings
    secret: str = field(repr=False)
    takes: bool = False
    """Whether a picture may be taken that was asked for (C16)."""
    lookout: Lookout | None = None
    """Shows the help card to whom Sala cannot answer."""


def routes(door: TelegramDoor) -> list[BaseRoute]:
    """The mini-app's way in, and the webhook unless the bot polls."""
    page = Page(
        whose=_whose(door.settings),
        conversation_of=lambda user: door.conversation_of(key_of(user)),
        clock=door.clock,
        renew=door.renew,
        texts=door.texts,
        public_url=door.public_url,
    )
    hook = Webhook(MOST, partial(_hear, door), partial(_by_telegram, door))
    webhook = Route("/telegram", hook, methods=["POST"])
    return [*page_routes(page), *([] if door.settings.polling else [webhook])]


def _whose(settings: TelegramSettings) -> Whose:
    """The page gets no more of the token than it needs: none at all with Telegram's signature."""
    if settings.by_signature:
        return by_telegram(settings.bot_id)
    return by_token(settings.token)


def _by_telegram(door: TelegramDoor, headers: Headers) -> bool:
    shown = headers.get(_SECRET, b"")
    return bool(door.secret) and hmac.compare_digest(shown, door.secret.encode())


async def _hear(door: TelegramDoor, body: bytes, _: Headers) -> Answer:
    try:
        query = await take(door, json.loads(body))
    except (ValueError, RecursionError):
        return Answer(400)
    except StoreError:
        return Answer(503)
    return _acknowledging(query) if query else Answer(200)


def _acknowledging(query: str) -> Answer:
    """A webhook's answer may call one method; nobody hears how that went, and it may fail.

    https://core.telegram.org/bots/api#making-requests-when-getting-updates
    """
    called = {"method": "answerCallbackQuery", "callback_query_id": query}
    return Answer(200, json.dumps(called).encode())


async def take(door: TelegramDoor, update: object) -> str | None:
    """Keep what an update says, durably; then wake the worker. StoreError.

    Returns the button press that Telegram is to be told was heard, if it was one.
    """
    heard = parse(update, door.clock(), takes=door.takes)
    if heard is None:
        return None
    if not _not_too_much(door, heard):
        return heard.query
    for arrival in _arrivals(door, heard):
        if await door.receive(arrival):
            _wait(door, heard, arrival.event_id)
    if heard.message is not None:
        door.channel.stands(heard.chat, heard.message)
    door.wake()
    return heard.query


def _not_too_much(door: TelegramDoor, heard: Heard) -> bool:
    """Whether it is heard; who writes too much is shown the help card instead."""
    if _quiet(heard) or door.channel.crowd.hears(key_of(heard.chat), door.clock()):
        return True
    _wait(door, heard)
    return False


def _quiet(heard: Heard) -> bool:
    return all(isinstance(one, Gone) for one in heard.events)


def _wait(door: TelegramDoor, heard: Heard, event_id: str | None = None) -> None:
    """The help card comes when this has no answer in time; at once, without an event."""
    if not door.lookout or _quiet(heard):
        return
    guest = Guest(
        wait=Wait(door.channel.name, door.conversation_of(key_of(heard.chat)), event_id),
        at=door.clock(),
        show=partial(door.channel.show, heard.chat),
        guess=heard.language,
    )
    (door.lookout.waits if event_id else door.lookout.shows)(guest)


def _arrivals(door: TelegramDoor, heard: Heard) -> Iterator[Arrival]:
    conversation = door.conversation_of(key_of(heard.chat))
    for index, event in enumerate(heard.events):
        yield Arrival(
            channel=door.channel.name,
            event_id=f"{heard.id}.{index}" if index else heard.id,
            conversation=conversation,
            address=address_of(heard.chat),
            body=encode_inbound(event),
            at=door.clock(),
        )


# ---------------------------------------------------------------- long polling


async def poll(door: TelegramDoor, sleep: Sleep = asyncio.sleep) -> None:
    """Ask for updates until cancelled. One is only passed over once it is kept."""
    offset: int | None = None
    failures = 0
    while True:
        try:
            for update in await door.channel.updates(offset):
                if query := await take(door, update):
                    door.channel.acknowledge(query)
                offset = _after(update, offset)
            failures = door.channel.missed = 0
        except Exception as error:  # the loop must outlive Telegram's bad hours and the disk's
            log("poll_failed", channel=door.channel.name, attempt=failures, **where(error))
            await sleep(_pause(error, failures))
            failures = door.channel.missed = failures + 1


def _after(update: object, offset: int | None) -> int | None:
    match update:
        case {"update_id": int(id)}:
            return id + 1
        case _:
            return offset


def _pause(error: Exception, failures: int) -> float:
    if isinstance(error, TooFast):
        return float(error.seconds)
    return float(min(2 ** min(failures, 10), LONGEST_PAUSE))
