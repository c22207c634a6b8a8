"""The LINE door: its webhook. Verified, kept durably, answered 200; the work comes after.

LINE wants an answer within two seconds, delivers an event again when it gets none (and sometimes
when it did), and puts events of several people into one request.
"""

import asyncio
import hmac
from base64 import b64encode
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

from starlette.routing import BaseRoute, Route

from bot.channels import line_liff
from bot.channels.line_address import Token, key_of, without
from bot.channels.line_api import LineApi
from bot.channels.line_events import Heard, Malformed, parse_webhook
from bot.channels.line_wire import LineChannel
from bot.channels.lookout import Guest, Lookout
from bot.channels.webhook import Answer, Headers, Webhook
from bot.conversation.codec import encode_inbound
from bot.conversation.model import Chose, Gone, Language, Media, Opened, TooLong, Typed, Unsent
from bot.conversation.shows import Opens
from bot.settings import LineSettings
from bot.store import Arrival, ConversationId, StoreError
from bot.store.lateness import Wait
from bot.text import Texts

__all__ = ["LineChannel", "LineDoor", "line_channel", "routes"]

MOST: Final = 2_000_000
"""Bytes of a webhook request: LINE's own limit."""
_SIGNATURE: Final = b"x-line-signature"


@dataclass(frozen=True, slots=True)
class LineDoor:
    """What the door stands on.

    `receive` keeps an arrival durably; `conversation_of` takes `b"line:" + user id`; `renew` makes
    a fresh mini-app ticket for a conversation that has one open; `wake` tells of work.
    """

    channel: LineChannel
    receive: Callable[[Arrival], Awaitable[bool]]
    conversation_of: Callable[[bytes], ConversationId]
    clock: Callable[[], datetime]
    wake: Callable[[], None]
    renew: Callable[[ConversationId, Language, Opens], Awaitable[str | None]]
    texts: Texts
    public_url: str
    settings: LineSettings
    takes: bool = False
    """Whether a picture may be taken that was asked for (C16)."""
    lookout: Lookout | None = None
    """Shows the help card to whom Sala cannot answer."""
    answers: bool = True
    """Whether this process answers; one that does not cannot know when that was done."""


def line_channel(
    settings: LineSettings, clock: Callable[[], datetime], texts: Texts
) -> LineChannel:
    """The sending side of an account."""
    return LineChannel(LineApi(settings.token, settings.api), clock, texts, settings.liff)


def routes(door: LineDoor) -> list[BaseRoute]:
    """The webhook at `/line`, and with LIFF its entry page below it."""
    desk = line_liff.LiffDesk(
        verify=door.channel.api.id_token,
        renew=door.renew,
        conversation_of=lambda user: door.conversation_of(key_of(user)),
        clock=door.clock,
        texts=door.texts,
        public_url=door.public_url,
        liff=door.settings.liff,
        login_channel=door.settings.login_channel,
    )
    webhook = Route("/line", Webhook(MOST, partial(_hear, door)), methods=["POST"])
    return [webhook, *(line_liff.routes(desk) if door.settings.liff else [])]


def signed(secret: str, body: bytes, signature: bytes) -> bool:
    """Whether LINE made this signature of these very bytes."""
    made = b64encode(hmac.digest(secret.encode(), body, "sha256"))
    return hmac.compare_digest(made, signature)


async def _hear(door: LineDoor, body: bytes, headers: Headers) -> Answer:
    if not signed(door.settings.secret, body, headers.get(_SIGNATURE, b"")):
        return Answer(401)
    arrived = []
    try:
        parsed = parse_webhook(body, door.clock(), takes=door.takes)
        for heard in await _all_named(door, _not_too_much(door, parsed)):
            arrival = _arrival(door, heard)
            if await door.receive(arrival):
                arrived.append((heard, arrival.address))
                _wait(door, heard, arrival.event_id)
    except Malformed:
        return Answer(400)
    except StoreError:
        return Answer(503)
    if arrived:
        door.wake()
        if door.answers:
            _show_coming(door, arrived)
    return Answer(200)


def _not_too_much(door: LineDoor, parsed: Sequence[Heard]) -> list[Heard]:
    """What is heard of it; of who writes too much, only what needs no answer."""
    kept = []
    for heard in parsed:
        quiet = isinstance(heard.event, Gone | Unsent)
        if quiet or door.channel.crowd.hears(key_of(heard.user), door.clock()):
            kept.append(heard)
        else:
            _wait(door, heard)
    return kept


def _wait(door: LineDoor, heard: Heard, event_id: str | None = None) -> None:
    """The help card comes when this has no answer in time; at once, without an event."""
    token, lookout = heard.token, door.lookout
    if not lookout or token is None or isinstance(heard.event, Gone | Unsent):
        return
    now, conversation = door.clock(), door.conversation_of(key_of(heard.user))
    guest = Guest(
        wait=Wait(door.channel.name, conversation, event_id),
        at=now,
        show=partial(door.channel.show, Token(token, now)),
        spend=partial(without, token=token),
    )
    (lookout.waits if event_id else lookout.shows)(guest)


async def _all_named(door: LineDoor, heard: Sequence[Heard]) -> Sequence[Heard]:
    """With the language of who comes in, whom Sala greets before they wrote a word."""
    if not any(isinstance(one.event, Opened) for one in heard):
        return heard
    return await asyncio.gather(*(_named(door, one) for one in heard))


async def _named(door: LineDoor, heard: Heard) -> Heard:
    if not isinstance(heard.event, Opened):
        return heard
    language = await door.channel.language(heard.user)
    return replace(heard, event=replace(heard.event, language=language))


def _arrival(door: LineDoor, heard: Heard) -> Arrival:
    now = door.clock()
    return Arrival(
        channel=door.channel.name,
        event_id=heard.id,
        conversation=door.conversation_of(key_of(heard.user)),
        address=door.channel.address(heard.user, heard.token, now),
        body=encode_inbound(heard.event),
        at=now,
    )


def _show_coming(door: LineDoor, arrived: list[tuple[Heard, bytes]]) -> None:
    answered = (Typed, Chose, Opened, Media, TooLong)
    waiting = {one.user: to for one, to in arrived if isinstance(one.event, answered)}
    for address in waiting.values():
        door.channel.coming(address)
