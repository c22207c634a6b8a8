"""The composition root: the only module that knows all the others."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Literal

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from bot import watching, web
from bot.cases.eligibility import List
from bot.channels import Channel, Message
from bot.channels.browser import BrowserChannel, BrowserDoor
from bot.channels.lookout import Cards, Lookout
from bot.conversation.model import LANGUAGES, Language
from bot.conversation.shows import Opens
from bot.doors import ChatApp, Ground, chat_apps, counted
from bot.exchange.ncmec import Ncmec
from bot.exchange.routes import LEAST, Desk
from bot.exchange.stopncii_upward import StopNcii
from bot.exchange.upward import LABEL, LIST_OF, Connector
from bot.hashing.jail import Jail
from bot.helplines import Card, HelpLines
from bot.log import log, where
from bot.miniapp.routes import MiniApp
from bot.outbox import MISSED
from bot.passing import Passing
from bot.settings import Settings
from bot.store import ConversationId, EffectId
from bot.store.opening import open_store
from bot.store.whole import WholeStore
from bot.taking import Taking
from bot.text import Texts, load_texts
from bot.understanding.encoder import loaded
from bot.vault import Vault, load_or_make
from bot.voice import Operator, Voice, ticket_digest, token_of
from bot.watching import Watch
from bot.worker import Worker

MOST_PAGES: Final = 700
"""Chat pages open at once; the rest of what the server takes is for short requests (gate.py)."""


Serve = Callable[[Starlette], Coroutine[Any, Any, None]]
"""Serves an application until cancelled."""
Role = Literal["whole", "web", "worker"]
"""What a process does: all, or (on PostgreSQL) the doors alone, or the chat apps' work alone."""


def now() -> datetime:
    """The one clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Sala:
    """What every command stands on: keys, texts and the database."""

    settings: Settings
    vault: Vault
    texts: Texts
    store: WholeStore
    clock: Callable[[], datetime] = now

    def voice(self) -> Voice:
        """Effects in words."""
        said = self.settings
        operator = Operator(said.operator, said.contact or "—", said.retention_months)
        public_url = said.public_url
        return Voice(self.texts, self.store, self.vault, operator, public_url, self._passed_to)

    def passing(self) -> Passing | None:
        """What passes codes on, where settings name a list above Sala's own with all its keys."""
        named = connectors(self.settings)
        return Passing(self.store, named, self.clock) if named else None

    async def _passed_to(self, list: List) -> tuple[str, ...]:
        passing = self.passing()
        served = await passing.served() if passing else []
        return tuple(LABEL[one.name] for one in served if LIST_OF[one.name] == list)

    def taking(self, jail: Jail | None) -> Taking | None:
        """What takes pictures out of chats, where there is a jail for them (C16)."""
        if jail is None:
            return None
        return Taking(self.store, self.store, self.vault, jail.hash, self.clock)

    def worker(
        self, *channels: Channel, jail: Jail | None = None, passing: Passing | None = None
    ) -> Worker:
        """A worker for these doors."""
        return Worker(
            store=self.store,
            registry=self.store,
            voice=self.voice(),
            vault=self.vault,
            texts=self.texts,
            channels={channel.name: channel for channel in channels},
            clock=self.clock,
            zone=self.settings.zone,
            taking=self.taking(jail),
            passing=passing,
        )

    def conversation(self, channel: str, address: bytes) -> ConversationId:
        """The id of a conversation: what it is looked up by; it names nobody."""
        return ConversationId(self.vault.digest("conversation", channel.encode(), address))

    def sign_visit(self, token: str) -> str:
        """What a chat visit's token carries to be known as ours."""
        mac = self.vault.digest("visit", token.encode())
        return urlsafe_b64encode(mac).decode().rstrip("=")

    def ticket_digest(self, token: str) -> bytes:
        """What a mini-app's ticket is looked up by."""
        return ticket_digest(self.vault, token)

    def lookout(self) -> Lookout:
        """What shows the help card to whom Sala cannot answer."""
        return Lookout(
            store=self.store,
            cards=self.cards("door.late"),
            unheard=self.cards("door.unheard"),
            clock=self.clock,
            late=float(self.settings.late_seconds),
            alone=self.settings.postgres is None,
        )

    def cards(self, why: str) -> Cards:
        """The help card in every language, with this text below it."""
        return {language: self._card(language, why) for language in LANGUAGES}

    def ground(
        self, *, takes: bool = False, answers: bool = True, lookout: Lookout | None = None
    ) -> Ground:
        """What the chat apps' doors stand on."""
        return Ground(
            settings=self.settings,
            texts=self.texts,
            store=self.store,
            vault=self.vault,
            clock=self.clock,
            renew=self.renew,
            lookout=lookout or self.lookout(),
            takes=takes,
            answers=answers,
        )

    async def renew(
        self, conversation: ConversationId, language: Language, opens: Opens
    ) -> str | None:
        """A fresh token in place of the conversation's open ticket to this, if it has one."""
        token = token_of(language, opens, self.vault.randoms(16))
        digest = self.ticket_digest(token)
        ticket = await self.store.renew(conversation, digest, self.clock(), opens)
        return token if ticket else None

    def _help_card(self, language: Language) -> list[str]:
        return list(self._emergency(language).lines)

    def _emergency(self, language: Language) -> Card:
        return HelpLines(self.texts, language, None, self.clock()).emergency_numbers()

    def _card(self, language: Language, why: str) -> Message:
        found, say = self._emergency(language), self.texts.say
        text = "\n\n".join((say("door.help_card", language), found.text, say(why, language)))
        preview = say("preview", language)
        return Message(EffectId("card"), text, preview, calls=found.calls, language=language)

    def site(self, jail: Jail | None = None, role: Role = "whole") -> Starlette:
        """The web doors, with a worker that lives as long as they are served.

        With a jail that was proved, pictures may be taken from the chat apps (C16). Beside
        processes that work (`web`), the worker is for the pages that are open here alone.
        """
        channel = BrowserChannel(most=MOST_PAGES)
        takes = jail is not None if role == "whole" else self.settings.takes
        lookout = self.lookout()
        opened = chat_apps(self.ground(takes=takes, answers=role == "whole", lookout=lookout))
        apps = [one.channel for one in opened] if role == "whole" else []
        worker = self.worker(channel, *apps, jail=jail, passing=self.passing())
        door = BrowserDoor(
            channel=channel,
            receive=counted(self.store.receive),
            conversation_of=partial(self.conversation, channel.name),
            clock=self.clock,
            wake=worker.wake,
            texts=self.texts,
            public_url=self.settings.public_url,
            exit_url=self.settings.exit_url,
            help_lines={language: self._help_card(language) for language in LANGUAGES},
            sign=self.sign_visit,
            lookout=lookout,
        )
        app = MiniApp(
            registry=self.store,
            ticket_digest=self.ticket_digest,
            clock=self.clock,
            texts=self.texts,
            public_url=self.settings.public_url,
            exit_url=self.settings.exit_url,
        )
        routes = [route for one in opened for route in one.routes(worker.wake)]
        desk = Desk(self.store, self.vault, self.clock, worker.wake, least=LEAST)
        named = [channel.name, *(one.channel.name for one in opened)]
        watched = self.watched(worker, named, opened, jail)
        site = web.site(door, app, desk, _working(worker, opened, lookout), watched, routes)
        site.state.close_streams = channel.close
        return site

    def watched(
        self, worker: Worker, channels: Sequence[str], opened: Sequence[ChatApp], jail: Jail | None
    ) -> list[BaseRoute]:
        """The addresses of whoever watches how this process is."""

        def troubled() -> list[str]:
            deaf = (one.channel.name for one in opened if one.missed() >= MISSED)
            return [*worker.outbox.troubled(), *deaf]

        watch = Watch(
            store=self.store,
            channels=channels,
            works=worker.works,
            troubled=troubled,
            ear=loaded,
            jail=lambda: None if jail is None else jail.able,
            clock=self.clock,
        )
        return watching.routes(watch, self.settings.metrics_token)

    async def work(
        self, jail: Jail | None, stop: asyncio.Event, serve: "Serve | None" = None
    ) -> None:
        """Turn and send for the chat apps until told to stop, beside processes with the doors.
        `serve` serves whoever watches this process."""
        opened = chat_apps(self.ground(takes=jail is not None))
        apps = (one.channel for one in opened)
        worker = self.worker(*apps, jail=jail, passing=self.passing())
        running = asyncio.create_task(worker.run())
        running.add_done_callback(_say_end)
        serving = serve and asyncio.create_task(serve(self._watched_alone(worker, opened, jail)))
        await stop.wait()
        await _end([one for one in (running, serving) if one], opened, worker)

    def _watched_alone(
        self, worker: Worker, opened: Sequence[ChatApp], jail: Jail | None
    ) -> Starlette:
        channels = [one.channel.name for one in opened]
        return web.guarded(self.watched(worker, channels, opened, jail), self.settings.public_url)


HERE: Final[dict[Role, tuple[str, ...] | None]] = {
    "whole": None, "web": (BrowserChannel.name,), "worker": (),
}  # fmt: skip
"""Of which channels a process of each role works for what arrives in it."""


def connectors(settings: Settings) -> tuple[Connector, ...]:
    """The lists above Sala's own that settings name with all their keys."""
    made: list[Connector] = []
    if (one := settings.stopncii) and not one.missing:
        subscription, fetch, submit = one.keys
        made.append(StopNcii(subscription, fetch, submit, one.address))
    if (one := settings.ncmec) and not one.missing:
        user, password = one.keys
        made.append(Ncmec(user, password, one.address))
    return tuple(made)


@asynccontextmanager
async def open_sala(
    settings: Settings, clock: Callable[[], datetime] = now, role: Role = "whole"
) -> AsyncIterator[Sala]:
    """Keys, texts and the migrated database; closed at the end."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    vault, made = load_or_make(settings.key_file)
    if made:
        log("keys_made")
    store = open_store(settings, vault, clock, HERE[role])
    try:
        yield Sala(settings, vault, load_texts(), store, clock)
    finally:
        await store.close()


def _working(worker: Worker, opened: Sequence[ChatApp], lookout: Lookout) -> web.Lifespan:
    @asynccontextmanager
    async def lifespan(site: Starlette) -> AsyncIterator[None]:
        runs = [worker.run(), lookout.run(), *(one.runs(worker.wake) for one in opened if one.runs)]
        tasks = [asyncio.create_task(run) for run in runs]
        for task in tasks:
            task.add_done_callback(_say_end)
        try:
            yield
        finally:
            await _end(tasks, opened, worker)

    return lifespan


async def _end(
    tasks: Sequence["asyncio.Task[None]"], opened: Sequence[ChatApp], worker: Worker
) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for one in opened:
        await one.close()
    if worker.passing:
        await worker.passing.close()


def _say_end(task: "asyncio.Task[None]") -> None:
    """A task that ends before it is told to leaves a line in the log."""
    if not task.cancelled():
        error = task.exception()
        log("task_ended", **(where(error) if error else {}))
