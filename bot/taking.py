"""Takes one picture or video out of a chat (C16): fetched into memory, hashed in the jail, listed.

Its bytes are never in the store, in a log or in an exception. Right before it is fetched, and again
before anything is registered, the conversation must still be waiting for just this one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bot.cases.hashes import Item
from bot.channels import Channel, SendError
from bot.channels.fetching import NotFetched, patience
from bot.conversation.codec import decode_state
from bot.conversation.picture import Awaited, Fetch, Problem
from bot.conversation.sent import most_bytes
from bot.hashing.jail import Broken, Refused
from bot.log import log, where
from bot.metrics import JAILED
from bot.store import (
    Bundle,
    ConversationId,
    EffectId,
    NotTaken,
    Registry,
    Store,
    Ticket,
    TicketRefused,
    TooManyImages,
)
from bot.store.held import HeldAlready
from bot.vault import Vault

WITHIN: Final = 20.0
"""Seconds the platform has to hand a picture over; for a video more."""
GRACE: Final = timedelta(minutes=2)
"""How long after its time a picture that came in time may still be taken."""
REMEMBERED: Final = timedelta(days=1)
"""How long it is known that a picture was registered, should a crash repeat it."""


@dataclass(frozen=True, slots=True)
class Taking:
    """What it takes. `hash` hashes in the jail and nowhere else."""

    store: Store
    registry: Registry
    vault: Vault
    hash: Callable[[bytes], Awaitable[Item]]
    clock: Callable[[], datetime]
    within: float = WITHIN

    async def take(
        self, channel: Channel, bundle: Bundle, id: EffectId, fetch: Fetch
    ) -> Problem | None:
        """What prevented it; None when it is registered, or not wanted any more.

        The message leaves the chat either way, where the platform allows it. The same effect
        again registers nothing twice.
        """
        try:
            problem = await self._take(channel, bundle, id, fetch)
        except (NotFetched, Refused) as error:
            problem = error.problem
            if isinstance(error, Refused):
                JAILED["refused"].inc()
        except TimeoutError:
            problem = "gone"
        except Broken as error:
            log("jail_broken", channel=bundle.channel, **where(error))
            JAILED["broken"].inc()
            problem = "busy"
        with suppress(SendError):
            await channel.remove(bundle.address, fetch.ref)
        return problem

    async def _take(
        self, channel: Channel, bundle: Bundle, id: EffectId, fetch: Fetch
    ) -> Problem | None:
        awaited = await self._wanted(bundle.conversation, fetch)
        if awaited is None:
            return None
        if self.clock() > awaited.until + GRACE:
            return "gone"
        most = most_bytes(fetch.media)
        async with asyncio.timeout(patience(self.within, most)):
            file = await channel.fetch(bundle.address, fetch.file, most)
        item = await self.hash(file)
        JAILED["hashed"].inc()
        if await self._wanted(bundle.conversation, fetch) is None:
            return None
        return await self._register(bundle.conversation, id, fetch, item, awaited.since)

    async def _wanted(self, conversation: ConversationId, fetch: Fetch) -> Awaited | None:
        """What the conversation waits for, if it is this picture."""
        state = await self.store.state(conversation)
        awaited = decode_state(state).awaited if state else None
        return awaited if awaited and awaited.ref == fetch.ref else None

    async def _register(
        self, conversation: ConversationId, id: EffectId, fetch: Fetch, item: Item, told: datetime
    ) -> Problem | None:
        now = self.clock()
        digest = self.vault.digest("sent", id.encode())
        ticket = Ticket(digest, conversation, "adults", now + REMEMBERED, fetch.number)
        try:
            await self.registry.register_sent(ticket, [item], now, told)
        except TooManyImages:
            return "full"
        except HeldAlready:
            return "already"
        except NotTaken:
            return "not_taken"
        except TicketRefused:
            return "busy"
        return None
