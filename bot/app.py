"""The composition root: the only module that knows all the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from starlette.applications import Starlette

from bot import web
from bot.channels import Channel
from bot.channels.browser import BrowserChannel, BrowserDoor
from bot.conversation.model import LANGUAGES, Language
from bot.exchange.routes import Desk
from bot.helplines import HelpLines
from bot.log import log
from bot.miniapp.routes import MiniApp
from bot.settings import Settings
from bot.store import ConversationId
from bot.store.sqlite import SqliteStore
from bot.text import Texts, load_texts
from bot.vault import Vault, load_or_make
from bot.voice import Operator, Voice, ticket_digest
from bot.worker import Worker


def now() -> datetime:
    """The one clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Sala:
    """What every command stands on: keys, texts and the database."""

    settings: Settings
    vault: Vault
    texts: Texts
    store: SqliteStore

    def voice(self) -> Voice:
        """Effects in words."""
        said = self.settings
        operator = Operator(said.operator, said.contact or "—", said.retention_months)
        public_url = said.public_url
        return Voice(self.texts, self.store, self.vault, operator, public_url)

    def worker(self, *channels: Channel) -> Worker:
        """A worker for these doors."""
        return Worker(
            store=self.store,
            registry=self.store,
            voice=self.voice(),
            vault=self.vault,
            texts=self.texts,
            channels={channel.name: channel for channel in channels},
            clock=now,
            zone=self.settings.zone,
        )

    def conversation(self, channel: str, address: bytes) -> ConversationId:
        """The id of a conversation: what it is looked up by; it names nobody."""
        return ConversationId(self.vault.digest("conversation", channel.encode(), address))

    def ticket_digest(self, token: str) -> bytes:
        """What a mini-app's ticket is looked up by."""
        return ticket_digest(self.vault, token)

    def _help_card(self, language: Language) -> list[str]:
        lines = HelpLines(self.texts, language, None, now().date())
        return list(lines.emergency_numbers().lines)

    def site(self) -> Starlette:
        """The web doors, with a worker that lives as long as they are served."""
        channel = BrowserChannel()
        worker = self.worker(channel)
        door = BrowserDoor(
            channel=channel,
            receive=self.store.receive,
            conversation_of=partial(self.conversation, channel.name),
            clock=now,
            wake=worker.wake,
            texts=self.texts,
            public_url=self.settings.public_url,
            exit_url=self.settings.exit_url,
            help_lines={language: self._help_card(language) for language in LANGUAGES},
        )
        app = MiniApp(
            registry=self.store,
            ticket_digest=self.ticket_digest,
            clock=now,
            texts=self.texts,
            public_url=self.settings.public_url,
            exit_url=self.settings.exit_url,
        )
        site = web.site(door, app, Desk(self.store, now, worker.wake), _working(worker))
        site.state.close_streams = channel.close
        return site


@asynccontextmanager
async def open_sala(settings: Settings) -> AsyncIterator[Sala]:
    """Keys, texts and the migrated database; closed at the end."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    vault, made = load_or_make(settings.key_file)
    if made:
        log("keys_made")
    store = SqliteStore.open(settings.database, vault)
    try:
        yield Sala(settings, vault, load_texts(), store)
    finally:
        await store.close()


def _working(worker: Worker) -> web.Lifespan:
    @asynccontextmanager
    async def lifespan(site: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(worker.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return lifespan
