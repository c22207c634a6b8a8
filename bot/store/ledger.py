"""Cases in SQLite: a ticket becomes a case, and a sign of under 18 lowers both (C16)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from bot.cases.eligibility import List
from bot.cases.hashes import Item
from bot.cases.likeness import is_held
from bot.cases.number import make_number, make_pin, read_number
from bot.cases.status import Standing
from bot.conversation.codec import encode_inbound
from bot.conversation.model import Hashed
from bot.conversation.shows import Opens
from bot.metrics import REGISTERED
from bot.store import (
    TICKET_LIVES,
    ConversationId,
    NotTaken,
    Registered,
    Ticket,
    TicketRefused,
    TooManyImages,
)
from bot.store.denials import carried, denylist
from bot.store.held import HeldAlready, held, keep_phash
from bot.store.jobs import Connection, Part
from bot.store.listing import claim_item, move_claims, standing
from bot.store.schema import micros, moment
from bot.store.turns import tell
from bot.vault import Vault

_A_DAY: Final = timedelta(days=1)
MAX_IMAGES: Final = 30
"""Pictures and videos one case may hold; one post brings ten at most."""
MAX_A_DAY: Final = 60
"""Pictures and videos that one conversation may register within a day, in all its cases."""

_ISSUE = """insert into ticket(digest, conversation, list, number, expires_at, opens)
  values (?, ?, ?, ?, ?, ?) on conflict do nothing"""
_TICKET = """select conversation, list, number, expires_at, used_at from ticket
  where digest = ? and opens = ?"""
_NEWEST = """select digest from ticket where conversation = ? and opens = ? and used_at is null
  and expires_at > ? order by expires_at desc limit 1"""
_USE = "update ticket set used_at = ? where digest = ?"
_RETIRE = """update ticket set used_at = ?
  where conversation = ? and used_at is null and digest != ? and opens = 'hashes'"""
_DROP_PIN = "delete from ticket where conversation = ? and opens = 'pin'"
_LOWER = "update conversation set lowered = 1 where id = ?"
_LOWERED = "select 1 from conversation where id = ? and lowered = 1"
_LOWER_TICKETS = "update ticket set list = 'minors' where conversation = ? and used_at is null"
_LOWER_CASE = "update cases set list = 'minors' where id = ?"
_ORIGIN = "insert into origin values (?, ?) on conflict do nothing"
_ADULTS = """select id from origin join cases on id = cases
  where conversation = ? and list = 'adults'"""
_OPEN = """insert into cases(id, number_digest, number, list, status, created_at, pin, keyless)
  values (?, ?, ?, ?, 'Active', ?, ?, ?) on conflict(number_digest) do nothing"""
_CASE = """select id, list, case status when 'Active' then images else 0 end from cases
  where number_digest = ?"""
_GROW = "update cases set images = ?, list = ?, status = 'Active' where id = ?"
_TODAY = """select count(*) from (select distinct claim.cases, image from origin
  join claim on claim.cases = origin.cases where conversation = ? and posted_at > ?) as today"""
_ID = "select id from cases where number_digest = ?"
_FOLLOW = """update cases set follower = (select id from conversation where id = ?)
  where number_digest = ?"""
_UNFOLLOW = "update cases set follower = null where follower = ? and number_digest = ?"


@dataclass(frozen=True, slots=True)
class _NewCase:
    id: bytes
    pin: str = field(repr=False)
    sealed_pin: bytes = field(repr=False)
    keyless: bool = False


@dataclass(frozen=True, slots=True)
class _OpenCase:
    id: bytes
    number: str = field(repr=False)
    list: List
    images: int = 0


class Ledger(Part):
    """The cases' half of `Registry` over one database."""

    async def issue(self, ticket: Ticket) -> None:
        """Keep a ticket, to post hashes in place of older unused ones; the same digest again
        changes nothing. A PIN is shown once by its case, however many links lead to it."""
        await self._engine.write(lambda db: self._issue(db, ticket))

    def _issue(self, db: Connection, ticket: Ticket) -> None:
        lowered = db.execute(_LOWERED, (ticket.conversation,)).fetchone()
        kept = replace(ticket, list="minors") if lowered else ticket
        if db.execute(_ISSUE, self._ticket_row(kept)).rowcount and ticket.opens == "hashes":
            self._retire(db, ticket.conversation, ticket.digest)

    def _retire(self, db: Connection, conversation: bytes, but: bytes = b"") -> None:
        db.execute(_RETIRE, (micros(self._clock()), conversation, but))

    async def drop_tickets(self, conversation: ConversationId) -> None:
        """The conversation's unused tickets open nothing any more."""

        def job(db: Connection) -> None:
            self._retire(db, conversation)
            db.execute(_DROP_PIN, (conversation,))

        await self._engine.write(job)

    async def lower(self, conversation: ConversationId) -> None:
        """Tickets of this conversation and the cases posted from it are the minors' list's now."""
        origin, now = origin_of(self._vault, conversation), self._clock()

        def job(db: Connection) -> None:
            db.execute(_LOWER, (conversation,))
            db.execute(_LOWER_TICKETS, (conversation,))
            for (id,) in db.execute(_ADULTS, (origin,)).fetchall():
                db.execute(_LOWER_CASE, (id,))
                move_claims(db, self._vault, id, "minors", now)

        await self._engine.write(job)

    def _ticket_row(self, ticket: Ticket) -> tuple[object, ...]:
        number = ticket.number and self._vault.seal(
            f"ticket.number|{ticket.digest.hex()}", ticket.number.encode()
        )
        expires_at = micros(ticket.expires_at)
        return (
            ticket.digest, ticket.conversation, ticket.list, number, expires_at, ticket.opens,
        )  # fmt: skip

    async def renew(
        self, conversation: ConversationId, digest: bytes, now: datetime, opens: Opens = "hashes"
    ) -> Ticket | None:
        """A new ticket in place of the conversation's newest that can still be used, or None."""

        def job(db: Connection) -> Ticket | None:
            row = db.execute(_NEWEST, (conversation, opens, micros(now))).fetchone()
            if row is None:
                return None
            renewed = replace(usable(db, self._vault, row[0], now, opens), digest=digest)
            self._issue(db, renewed)
            return renewed

        return await self._engine.write(job)

    async def look(self, digest: bytes, now: datetime) -> Ticket:
        """The ticket to post hashes, when it can be used now; else TicketRefused."""
        return await self._engine.read(lambda db: usable(db, self._vault, digest, now))

    async def register(self, digest: bytes, items: Sequence[Item], now: datetime) -> Registered:
        """Use the ticket, open (or grow) its case, list its hashes, tell its conversation.

        TicketRefused, also when the case to grow is gone, TooManyImages or NotTaken writes nothing.
        """
        ticket = await self.look(digest, now)
        new = await asyncio.to_thread(self._new_case) if ticket.number is None else None
        told = ticket.expires_at - TICKET_LIVES  # the link stood under where the codes go
        registered = await self._engine.write(
            lambda db: self._register(db, digest, items, now, new, told=told)
        )
        REGISTERED.inc()
        return registered

    async def register_sent(
        self, ticket: Ticket, items: Sequence[Item], now: datetime, told: datetime | None = None
    ) -> Registered | None:
        """As `register`, of a picture sent into the chat; None when this ticket was used before.

        The ticket is never open to a page, and never becomes one of the minors' list (C16).
        HeldAlready when the case has the picture: nothing is written then.
        """
        new = None
        if ticket.number is None:
            new = replace(await asyncio.to_thread(self._new_case), keyless=True)

        def job(db: Connection) -> Registered | None:
            if db.execute(_LOWERED, (ticket.conversation,)).fetchone():
                raise TicketRefused("lowered")
            if not db.execute(_ISSUE, self._ticket_row(ticket)).rowcount:
                return None
            return self._register(db, ticket.digest, items, now, new, sent=True, told=told)

        registered = await self._engine.write(job)
        if registered:
            REGISTERED.inc()
        return registered

    def _register(
        self, db: Connection, digest: bytes, items: Sequence[Item], now: datetime,
        new: _NewCase | None, *, sent: bool = False, told: datetime | None = None,
    ) -> Registered:  # fmt: skip
        ticket = usable(db, self._vault, digest, now)
        denied = denylist(db, self._vault)
        if any(denied.holds(item) for item in items):
            raise NotTaken
        case = self._open(db, new, ticket.list, now) if new else self._grown(db, ticket)
        if sent and any(is_held(item, held(db, self._vault, case.id)) for item in items):
            raise HeldAlready
        images = case.images
        for item in carried(db, self._vault, case.list, items):
            if claim_item(db, self._vault, case.id, case.list, item, images + 1, now, told):
                images += 1
                keep_phash(db, self._vault, case.id, images, item, now)
        db.execute(_ORIGIN, (origin := origin_of(self._vault, ticket.conversation), case.id))
        (today,) = db.execute(_TODAY, (origin, micros(now - _A_DAY))).fetchone()
        if images > MAX_IMAGES or today > MAX_A_DAY:
            raise TooManyImages
        db.execute(_GROW, (images, case.list, case.id))
        db.execute(_USE, (micros(now), digest))
        self._tell_hashed(db, ticket, Hashed(now, case.number, images, sent))
        return Registered(case.number, new.pin if new else None, images)

    def _new_case(self) -> _NewCase:
        id, salt = self._vault.randoms(16), self._vault.randoms(16)
        pin = make_pin(self._vault.randoms(8))
        stretched = self._vault.stretch(pin.encode(), salt)
        return _NewCase(id, pin, self._vault.seal(f"cases.pin|{id.hex()}", salt + stretched))

    def _open(self, db: Connection, new: _NewCase, list: List, now: datetime) -> _OpenCase:
        while True:
            number = make_number(self._vault.randoms(8))
            sealed = self._vault.seal(f"cases.number|{new.id.hex()}", number.encode())
            row = (
                new.id, named(self._vault, number), sealed, list, micros(now), new.sealed_pin,
                new.keyless,
            )  # fmt: skip
            if db.execute(_OPEN, row).rowcount:
                return _OpenCase(new.id, number, list)

    def _grown(self, db: Connection, ticket: Ticket) -> _OpenCase:
        """The case to add to; where ticket and case differ the minors' list holds (C16)."""
        number = ticket.number or ""
        row = db.execute(_CASE, (named(self._vault, number),)).fetchone()
        if row is None:
            raise TicketRefused("unknown")
        id, list, images = row
        return _OpenCase(id, number, "minors" if "minors" in {list, ticket.list} else list, images)

    def _tell_hashed(self, db: Connection, ticket: Ticket, hashed: Hashed) -> None:
        event = self._vault.digest("hashed", ticket.digest)
        body, at = encode_inbound(hashed), micros(hashed.at)
        tell(db, self._vault, ticket.conversation, event, body, at)

    async def standing(self, number: str) -> Standing | None:
        """What the case's person may be told now; None when there is no such case."""

        def job(db: Connection) -> Standing | None:
            row = db.execute(_ID, (named(self._vault, number),)).fetchone()
            return None if row is None else standing(db, row[0])

        return await self._engine.read(job)

    async def follow(self, number: str, conversation: ConversationId, on: bool) -> None:
        """Updates about this case to this conversation, or none."""
        row = (conversation, named(self._vault, number))
        await self._engine.write(lambda db: db.execute(_FOLLOW if on else _UNFOLLOW, row))


def usable(
    db: Connection, vault: Vault, digest: bytes, now: datetime, opens: Opens = "hashes"
) -> Ticket:
    """The ticket that opens this, when it can be used now; else TicketRefused."""
    row = db.execute(_TICKET, (digest, opens)).fetchone()
    if row is None:
        raise TicketRefused("unknown")
    conversation, list, sealed, expires_at, used_at = row
    if used_at is not None:
        raise TicketRefused("used")
    if expires_at <= micros(now):
        raise TicketRefused("expired")
    number = sealed and vault.open(f"ticket.number|{digest.hex()}", sealed).decode()
    return Ticket(digest, conversation, list, moment(expires_at), number, opens)


def named(vault: Vault, number: str) -> bytes:
    """What a case is looked up by, however its number was typed."""
    return vault.digest("number", (read_number(number) or number).encode())


def origin_of(vault: Vault, conversation: bytes) -> bytes:
    """What a conversation is called beside its cases: without the keys it leads to no chat."""
    return vault.digest("origin", conversation)
