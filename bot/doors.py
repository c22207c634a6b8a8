"""Opens the doors that settings ask for beside the browser: LINE and Telegram with their tokens."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from starlette.routing import BaseRoute

from bot import metrics
from bot.channels import Channel
from bot.channels.lookout import Lookout
from bot.conversation.model import Language
from bot.conversation.shows import Opens
from bot.settings import Settings
from bot.store import Arrival, ConversationId, Store
from bot.text import Texts
from bot.vault import Vault

Receive = Callable[[Arrival], Awaitable[bool]]
Renew = Callable[[ConversationId, Language, Opens], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class Ground:
    """What every door of a chat app stands on."""

    settings: Settings
    texts: Texts
    store: Store
    vault: Vault
    clock: Callable[[], datetime]
    renew: Renew
    lookout: Lookout
    """Shows the help card to whom Sala cannot answer."""
    takes: bool = False
    """Whether a picture may be taken that was asked for (C16)."""
    answers: bool = True
    """Whether answers go out in this process, so that it can be shown that one is coming."""

    def conversation(self, channel: str, key: bytes) -> ConversationId:
        """The id of a conversation: what it is looked up by; it names nobody."""
        return ConversationId(self.vault.digest("conversation", channel.encode(), key))


@dataclass(frozen=True, slots=True)
class ChatApp:
    """A chat app's door: its channel, and what is served and run once the worker can be woken."""

    channel: Channel
    routes: Callable[[Callable[[], None]], list[BaseRoute]]
    close: Callable[[], Awaitable[None]]
    runs: Callable[[Callable[[], None]], Coroutine[Any, Any, None]] | None = None
    missed: Callable[[], int] = lambda: 0
    """Looks for what came in, in a row, that failed."""


def counted(receive: Receive) -> Receive:
    """`Store.receive` for a door, with what was new counted."""

    async def receiving(arrival: Arrival) -> bool:
        kept = await receive(arrival)
        if kept:
            metrics.arrived(arrival.channel)
        return kept

    return receiving


def telegram_secret(vault: Vault) -> str:
    """What Telegram shows with each update, so that nobody else's is believed."""
    return vault.token("telegram webhook").hex()


def chat_apps(ground: Ground) -> list[ChatApp]:
    """The chat apps that settings name. Their libraries are loaded only then."""
    opened = []
    if ground.settings.line:
        opened.append(_line(ground))
    if ground.settings.telegram:
        opened.append(_telegram(ground))
    return opened


def _line(ground: Ground) -> ChatApp:
    from bot.channels import line  # noqa: PLC0415  # a browser-only Sala does without

    settings = ground.settings.line
    assert settings  # noqa: S101  # the caller asked
    channel = line.line_channel(settings, ground.clock, ground.texts)

    def routes(wake: Callable[[], None]) -> list[BaseRoute]:
        return line.routes(
            line.LineDoor(
                channel=channel,
                receive=counted(ground.store.receive),
                conversation_of=partial(ground.conversation, channel.name),
                clock=ground.clock,
                wake=wake,
                renew=ground.renew,
                texts=ground.texts,
                public_url=ground.settings.public_url,
                settings=settings,
                takes=ground.takes,
                lookout=ground.lookout,
                answers=ground.answers,
            )
        )

    return ChatApp(channel, routes, channel.close)


def _telegram(ground: Ground) -> ChatApp:
    from bot.channels import telegram  # noqa: PLC0415  # as above

    settings = ground.settings.telegram
    assert settings  # noqa: S101  # the caller asked
    public_url = ground.settings.public_url
    channel = telegram.TelegramChannel(settings, ground.texts, public_url, ground.clock)

    def door(wake: Callable[[], None]) -> telegram.TelegramDoor:
        return telegram.TelegramDoor(
            channel=channel,
            receive=counted(ground.store.receive),
            conversation_of=partial(ground.conversation, channel.name),
            clock=ground.clock,
            wake=wake,
            renew=ground.renew,
            texts=ground.texts,
            public_url=public_url,
            settings=settings,
            secret=telegram_secret(ground.vault),
            takes=ground.takes,
            lookout=ground.lookout,
        )

    async def poll(wake: Callable[[], None]) -> None:
        await telegram.poll(door(wake))

    return ChatApp(
        channel,
        lambda wake: telegram.routes(door(wake)),
        channel.close,
        poll if settings.polling else None,
        lambda: channel.missed,
    )
