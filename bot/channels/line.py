"""The LINE door: its webhook. Verified, kept durably, answered 200; the work comes after.

LINE wants an answer within two seconds, delivers an event again when it gets none (and sometimes
when it did), and puts events of several people into one request.
"""

import asyncio
import hmac
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bot.channels import line_liff
from bot.channels.line_api import LineApi, sdk
from bot.channels.line_events import Heard, Malformed, parse_webhook
from bot.channels.line_wire import LineChannel
from bot.conversation.codec import encode_inbound
from bot.conversation.model import Chose, Language, Media, Opened, TooLong, Typed
from bot.settings import LineSettings
from bot.store import Arrival, ConversationId, StoreError
from bot.text import Texts

__all__ = ["LineChannel", "LineDoor", "line_channel", "routes"]

MOST: Final = 2_000_000
"""Bytes of a webhook request: LINE's own limit."""


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
    renew: Callable[[ConversationId, Language], Awaitable[str | None]]
    texts: Texts
    public_url: str
    settings: LineSettings
    takes: bool = False
    """Whether a picture may be taken that was asked for (C16)."""


def line_channel(
    settings: LineSettings, clock: Callable[[], datetime], texts: Texts
) -> LineChannel:
    """The sending side of an account. Takes seconds: no event is to wait for the SDK to load."""
    sdk()
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
    webhook = Route("/line", partial(_webhook, door), methods=["POST"])
    return [webhook, *(line_liff.routes(desk) if door.settings.liff else [])]


def key_of(user: str) -> bytes:
    """What a person's conversation is found by."""
    return b"line:" + user.encode()


def signed(secret: str, body: bytes, signature: str) -> bool:
    """Whether LINE made this signature of these very bytes."""
    made = b64encode(hmac.digest(secret.encode(), body, "sha256"))
    return hmac.compare_digest(made, signature.encode("latin-1", "replace"))


async def _webhook(door: LineDoor, request: Request) -> Response:
    body = await _body(request)
    if body is None:
        return Response(status_code=413)
    if not signed(door.settings.secret, body, request.headers.get("x-line-signature", "")):
        return Response(status_code=401)
    try:
        parsed = parse_webhook(body, door.clock(), takes=door.takes)
        heard = await asyncio.gather(*(_named(door, one) for one in parsed))
        arrived = [one for one in heard if await _keep(door, one)]
    except Malformed:
        return Response(status_code=400)
    except StoreError:
        return Response(status_code=503)
    if arrived:
        door.wake()
        _show_coming(door, arrived)
    return Response(status_code=200)


async def _body(request: Request) -> bytes | None:
    """The whole body; None when it is longer than LINE would send."""
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > MOST:
                return None
    except ClientDisconnect:
        return b""
    return bytes(body)


async def _named(door: LineDoor, heard: Heard) -> Heard:
    """With the language of who comes in, whom Sala greets before they wrote a word."""
    if not isinstance(heard.event, Opened):
        return heard
    language = await door.channel.language(heard.user)
    return replace(heard, event=replace(heard.event, language=language))


async def _keep(door: LineDoor, heard: Heard) -> bool:
    now = door.clock()
    return await door.receive(
        Arrival(
            channel=door.channel.name,
            event_id=heard.id,
            conversation=door.conversation_of(key_of(heard.user)),
            address=door.channel.address(heard.user, heard.token, now),
            body=encode_inbound(heard.event),
            at=now,
        )
    )


def _show_coming(door: LineDoor, arrived: list[Heard]) -> None:
    answered = (Typed, Chose, Opened, Media, TooLong)
    waiting = {one.user: one for one in arrived if isinstance(one.event, answered)}
    for user, heard in waiting.items():
        door.channel.coming(door.channel.address(user, heard.token, door.clock()))
