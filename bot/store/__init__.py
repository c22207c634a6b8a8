"""Where everything is kept: the turn engine's `Store` and the case ledger's `Registry`.

Both are one database (docs/architecture.md); every write is durable before it is acknowledged.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, NewType, Protocol

from bot.cases.eligibility import List
from bot.cases.hashes import Item
from bot.cases.status import FeedbackValue, Standing
from bot.conversation.shows import Opens
from bot.store.exchanged import Page as Page
from bot.store.exchanged import Partner as Partner
from bot.store.exchanged import PartnerKeys as PartnerKeys
from bot.store.exchanged import Record as Record
from bot.store.exchanged import Scope as Scope
from bot.store.exchanged import Submitted as Submitted

ConversationId = NewType("ConversationId", bytes)
"""16 bytes: HMAC of channel and address. The address itself is kept only sealed."""
EffectId = NewType("EffectId", str)
"""A UUID derived from (conversation, version, index): a replay repeats its own keys."""

WITHDRAW_AFTER: Final = timedelta(hours=48)
TICKET_LIVES: Final = timedelta(hours=1)


# ---------------------------------------------------------------- the turn engine


@dataclass(frozen=True, slots=True)
class Arrival:
    """One inbound event to be kept until its turn; deduplicated by (channel, event_id).

    `address` is the channel's own JSON (whom to answer, a reply token…), sealed at rest; it
    replaces the one kept before. `body` is an encoded `Inbound` (conversation/codec.py).
    """

    channel: str
    event_id: str
    conversation: ConversationId
    address: bytes = field(repr=False)
    body: bytes = field(repr=False)
    at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """An inbound event in the order of its arrival."""

    seq: int
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A conversation with work to do: its state, its waiting events, its timers that have rung."""

    conversation: ConversationId
    channel: str
    version: int
    state: bytes | None = field(repr=False)
    waiting: tuple[Waiting, ...] = ()
    rung: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Planned:
    """An effect to be carried out; `due_at` None holds it until the next inbound event.

    What is `said` goes out in order, and falls with `hush` or when the address is forgotten; what
    is done (a withdrawal, say) is neither held back nor dropped by messages.
    """

    id: EffectId
    body: bytes = field(repr=False)
    due_at: datetime | None
    said: bool = True


@dataclass(frozen=True, slots=True)
class Turn:
    """The outcome of a step, committed whole or not at all.

    `timers` maps a timer's name to when it rings; `cancel_timers` drops those set before;
    `hush` drops messages planned by earlier turns and not yet sent.
    """

    state: bytes = field(repr=False)
    effects: tuple[Planned, ...] = ()
    timers: tuple[tuple[str, datetime], ...] = ()
    cancel_timers: bool = False
    hush: bool = False


@dataclass(frozen=True, slots=True)
class Bundle:
    """What one conversation has waiting to be carried out now, in order."""

    conversation: ConversationId
    channel: str
    address: bytes = field(repr=False)
    effects: tuple["Pending", ...] = ()


@dataclass(frozen=True, slots=True)
class Pending:
    """One effect that is due."""

    id: EffectId
    body: bytes = field(repr=False)
    attempt: int
    way: bytes | None = field(default=None, repr=False)
    """How it went out before (`Store.attempt`); those of one way went out together."""


class StoreError(Exception):
    """The store's error tree: StoreError > NewerSchema, and each store's own. No data in it."""


class NewerSchema(StoreError):
    """The database was written by a newer Sala."""


class Store(Protocol):
    """The turn engine's memory. Every method that writes returns after the write is durable."""

    async def receive(self, arrival: Arrival) -> bool:
        """Keep an event for its turn; False when this (channel, event_id) was seen before.

        Releases effects held for this conversation.
        """
        ...

    async def claim(self, channels: Collection[str], now: datetime, limit: int) -> list[Claimed]:
        """Up to `limit` conversations of these channels with waiting events or rung timers."""
        ...

    def fresh(self, channels: Collection[str]) -> list[Claimed]:
        """Conversations whose only event arrived here just now, each once, without a look at what
        is kept. `claim` finds them as well, and all others."""
        ...

    async def commit(self, claimed: Claimed, turn: Turn) -> Bundle | None:
        """Write the turn and remove the events and timers it consumed, in one transaction.

        None, with nothing written, when the conversation moved on since the claim. Else what of it
        is to be carried out now; nothing when something older is before it (`due`).
        """
        ...

    async def state(self, conversation: ConversationId) -> bytes | None:
        """The conversation's state as it stands now; None before its first turn."""
        ...

    async def park(self, claimed: Claimed, seq: int | None = None) -> None:
        """Set aside one waiting event of a claim, which always fails; the rest goes on.

        Without `seq` it is the first; a claim without events drops the timers that rang."""
        ...

    async def due(self, channels: Collection[str], now: datetime, limit: int) -> list[Bundle]:
        """Effects to carry out now: at most `limit` conversations, in order within each.

        A message that is not due (held, or waiting for its retry) holds back the later ones of
        its conversation. A conversation whose event waits for its turn is left out until then: the
        turn may hush what was to be said, and what was held goes with its answer.
        """
        ...

    async def settle(self, conversation: ConversationId, ids: Sequence[EffectId]) -> None:
        """These effects are done; forget them."""
        ...

    async def attempt(
        self, conversation: ConversationId, ids: Sequence[EffectId], way: bytes
    ) -> None:
        """These messages go out now, together and in this way; kept before the first try, so that
        a repeat is the same request."""
        ...

    async def retry(
        self,
        conversation: ConversationId,
        ids: Sequence[EffectId],
        at: datetime | None,
        since: datetime | None = None,
    ) -> None:
        """These failed: once more at a time and in the same way, or (None) held until the next
        inbound event; what is held surely did not go out, so its way is forgotten. An event that
        came after `since`, when the try began, is that next one already."""
        ...

    async def forget_address(self, conversation: ConversationId) -> None:
        """Stop sending: drop the address and every message waiting to be sent."""
        ...

    async def parked(self) -> int:
        """How many events were set aside."""
        ...

    async def close(self) -> None:
        """Finish what was accepted and close."""
        ...


# ---------------------------------------------------------------- the case ledger

Refusal = Literal["unknown", "used", "expired", "lowered"]


class TicketRefused(Exception):
    """A ticket opens nothing: never issued, used, expired, or its conversation was lowered."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason)
        self.reason: Refusal = reason


class TooManyImages(Exception):
    """The case would grow past what one case may hold, or its person past what a day may hold."""


class NotTaken(Exception):
    """A picture is on the denylist: it is registered for nobody, and nothing was kept."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A one-time right of one conversation: to post hashes, or to be shown a PIN.

    `digest` is all that is kept of its token; `number` the case to add to, or whose PIN it is.
    """

    digest: bytes
    conversation: ConversationId
    list: List
    expires_at: datetime
    number: str | None = None
    opens: Opens = "hashes"


@dataclass(frozen=True, slots=True)
class Registered:
    """A case that holds the hashes now. `pin` is None when the case existed before."""

    number: str
    pin: str | None = field(repr=False)
    images: int


@dataclass(frozen=True, slots=True)
class PinResult:
    """Whether number and PIN belong together; `wait` is seconds before the next try is read."""

    right: bool
    wait: int = 0


class Registry(Protocol):
    """Cases, hashes, partners and the feed."""

    async def issue(self, ticket: Ticket) -> None:
        """Keep a ticket; one to post hashes retires the conversation's older unused ones. The same
        digest again changes nothing. In a lowered conversation it is for the minors' list."""
        ...

    async def drop_tickets(self, conversation: ConversationId) -> None:
        """The conversation's unused tickets open nothing any more."""
        ...

    async def lower(self, conversation: ConversationId) -> None:
        """A sign of under 18 (C16): tickets of this conversation, unused and to come, and the
        cases that were posted from it, belong to the minors' list for good."""
        ...

    async def look(self, digest: bytes, now: datetime) -> Ticket:
        """The ticket to post hashes, when it can be used now; else TicketRefused."""
        ...

    async def register(self, digest: bytes, items: Sequence[Item], now: datetime) -> Registered:
        """Use the ticket, open (or grow) its case, list its hashes, and tell its conversation
        (`Hashed`), all in one transaction. TicketRefused, TooManyImages or NotTaken writes
        nothing."""
        ...

    async def register_sent(
        self, ticket: Ticket, items: Sequence[Item], now: datetime, told: datetime | None = None
    ) -> Registered | None:
        """As `register`, of a picture sent into the chat, its ticket issued and used at once; None
        when it was used before. HeldAlready, or TicketRefused once the talk was lowered (C16).
        `told`: since when the person knew where codes go; without it they stay here."""
        ...

    async def renew(
        self, conversation: ConversationId, digest: bytes, now: datetime, opens: Opens = "hashes"
    ) -> Ticket | None:
        """A new ticket in place of the conversation's newest that opens this and can still be
        used; None without one. To post hashes only the new one can be used from then on."""
        ...

    async def show_pin(self, digest: bytes, now: datetime) -> Registered:
        """Use the ticket: a fresh PIN for the case, made in the chat of the ticket, and tell it
        (`PinShown`). TicketRefused writes nothing: `used` when the case has shown its PIN."""
        ...

    async def check_pin(
        self, number: str, pin: str, now: datetime, by: ConversationId | None = None
    ) -> PinResult:
        """Compare in constant time; slower after wrong tries by the same conversation (a minute
        after the third, doubling to an hour), and until the day is over after thirty by anybody.
        An unknown number answers like a wrong PIN, after the same work."""
        ...

    async def standing(self, number: str) -> Standing | None:
        """What the case's person may be told now; None when there is no such case."""
        ...

    async def follow(self, number: str, conversation: ConversationId, on: bool) -> None:
        """Updates about this case to this conversation, or none."""
        ...

    async def withdraw(self, number: str, at: datetime, *, erase: bool) -> None:
        """Plan the withdrawal of this case's claims for `at`; `erase` also removes the case's own
        rows once partners can no longer be answered for it."""
        ...

    async def keep(self, number: str) -> None:
        """Undo a planned withdrawal that has not taken effect."""
        ...

    async def sweep(self, now: datetime) -> int:
        """Carry out withdrawals that are due, drop expired tickets and what was kept for its
        time; how many cases changed."""
        ...

    async def add_partner(
        self, name: str, lists: Sequence[List], now: datetime, *, submits: bool = False,
        a_minute: int = 60,
    ) -> PartnerKeys:  # fmt: skip
        """A new partner and its keys; ValueError when the name is taken."""
        ...

    async def partner(self, key: str, subscription: str, scope: Scope) -> Partner | None:
        """The partner whose two keys these are, compared by digest; None otherwise."""
        ...

    async def readers(self, list: List) -> tuple[str, ...]:
        """Names of the partners whose agreement covers this list, today."""
        ...

    async def feed(
        self, partner: Partner, lists: Sequence[List], start: int, after: int | None, limit: int,
        now: datetime,
    ) -> Page:  # fmt: skip
        """Records modified at or after `start` (unix seconds), oldest change first; the read is
        put on record."""
        ...

    async def give_feedback(
        self,
        partner: Partner,
        words: Sequence[tuple[str, FeedbackValue, tuple[str, ...]]],
        now: datetime,
    ) -> int:
        """Keep a partner's latest word on hashes (value, feedback, tags) it may read; tell the
        conversations of cases that wanted updates (`News`) when what they would be told changed.
        How many words named a hash on its lists. Idempotent."""
        ...

    async def submit(
        self, partner: Partner, list: List, hashes: Sequence[Submitted], now: datetime
    ) -> int:
        """List what a partner submits, as one case of its own, with its word on each; its word
        `Withdrawn` or `Deleted` lets its own go. How many are its own now. Idempotent."""
        ...
