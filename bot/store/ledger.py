"""Cases in SQLite: tickets become cases, a PIN opens them, a withdrawal closes them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, cast

from bot.cases.eligibility import List
from bot.cases.hashes import Item
from bot.cases.number import make_number, make_pin, read_number
from bot.cases.status import Standing
from bot.conversation.codec import encode_inbound
from bot.conversation.model import Hashed
from bot.store import (
    ConversationId,
    PinResult,
    Registered,
    Ticket,
    TicketRefused,
    TooManyImages,
)
from bot.store.engine import Connection, Part
from bot.store.listing import claim_item, let_go, standing
from bot.store.schema import micros, moment
from bot.store.turns import tell

MAX_IMAGES: Final = 30
"""Pictures and videos one case may hold; one post brings ten at most."""
FREE_TRIES: Final = 3
FIRST_WAIT: Final = 60
LONGEST_WAIT: Final = 3_600
_GUESSES_KEPT: Final = timedelta(days=1)
_SECOND: Final = 1_000_000

_ISSUE = "insert into ticket values (?, ?, ?, ?, ?, null) on conflict do nothing"
_TICKET = "select conversation, list, number, expires_at, used_at from ticket where digest = ?"
_NEWEST = """select digest from ticket where conversation = ? and used_at is null
  and expires_at > ? order by expires_at desc limit 1"""
_USE = "update ticket set used_at = ? where digest = ?"
_OPEN = """insert into cases(id, number_digest, number, list, status, created_at, pin)
  values (?, ?, ?, ?, 'Active', ?, ?) on conflict(number_digest) do nothing"""
_CASE = "select id, list, iif(status = 'Active', images, 0) from cases where number_digest = ?"
_GROW = "update cases set images = ?, list = ?, status = 'Active' where id = ?"
_ID = "select id from cases where number_digest = ?"
_PIN = "select id, pin from cases where number_digest = ?"
_GUESS = "select tries, next_try_at from guess where number_digest = ?"
_TRIED = """insert into guess values (?, ?, ?) on conflict(number_digest)
  do update set tries = excluded.tries, next_try_at = excluded.next_try_at"""
_OPENED = "delete from guess where number_digest = ?"
_FOLLOW = """update cases set follower = (select id from conversation where id = ?)
  where number_digest = ?"""
_UNFOLLOW = "update cases set follower = null where follower = ? and number_digest = ?"
_PLAN = """update cases set withdraw_at = min(ifnull(withdraw_at, :at), :at),
  erase = max(erase, :erase) where number_digest = :number and (status = 'Active' or :erase)"""
_KEEP = "update cases set withdraw_at = null, erase = 0 where number_digest = ?"
_DUE = "select id from cases where withdraw_at <= ?"
_IS_DUE = "select erase, number_digest from cases where id = ? and withdraw_at <= ?"
_CLOSE = "update cases set status = 'Withdrawn', withdraw_at = null where id = ?"
_ERASE = "delete from cases where id = ?"
_DROP_TICKETS = "delete from ticket where expires_at <= ?"
_DROP_GUESSES = "delete from guess where next_try_at <= ?"


@dataclass(frozen=True, slots=True)
class _NewCase:
    id: bytes
    pin: str = field(repr=False)
    sealed_pin: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _OpenCase:
    id: bytes
    number: str = field(repr=False)
    list: List
    images: int = 0


class Ledger(Part):
    """The cases' half of `Registry` over one SQLite file."""

    async def issue(self, ticket: Ticket) -> None:
        """Keep a ticket; issuing the same digest again changes nothing."""
        row = self._ticket_row(ticket)
        await self._engine.write(lambda db: db.execute(_ISSUE, row))

    def _ticket_row(self, ticket: Ticket) -> tuple[object, ...]:
        number = ticket.number and self._vault.seal(
            f"ticket.number|{ticket.digest.hex()}", ticket.number.encode()
        )
        expires_at = micros(ticket.expires_at)
        return ticket.digest, ticket.conversation, ticket.list, number, expires_at

    async def renew(
        self, conversation: ConversationId, digest: bytes, now: datetime
    ) -> Ticket | None:
        """A new ticket in place of the conversation's newest that can still be used, or None."""

        def job(db: Connection) -> Ticket | None:
            row = db.execute(_NEWEST, (conversation, micros(now))).fetchone()
            if row is None:
                return None
            renewed = replace(self._usable(db, row[0], now), digest=digest)
            db.execute(_USE, (micros(now), row[0]))
            db.execute(_ISSUE, self._ticket_row(renewed))
            return renewed

        return await self._engine.write(job)

    async def look(self, digest: bytes, now: datetime) -> Ticket:
        """The ticket, when it can be used now; else TicketRefused."""
        return await self._engine.read(lambda db: self._usable(db, digest, now))

    def _usable(self, db: Connection, digest: bytes, now: datetime) -> Ticket:
        row = db.execute(_TICKET, (digest,)).fetchone()
        if row is None:
            raise TicketRefused("unknown")
        conversation, list, sealed, expires_at, used_at = row
        if used_at is not None:
            raise TicketRefused("used")
        if expires_at <= micros(now):
            raise TicketRefused("expired")
        number = sealed and self._vault.open(f"ticket.number|{digest.hex()}", sealed).decode()
        return Ticket(digest, conversation, list, moment(expires_at), number)

    async def register(self, digest: bytes, items: Sequence[Item], now: datetime) -> Registered:
        """Use the ticket, open (or grow) its case, list its hashes, tell its conversation.

        TicketRefused, also when the case to grow is gone, or TooManyImages writes nothing.
        """
        ticket = await self.look(digest, now)
        new = await asyncio.to_thread(self._new_case) if ticket.number is None else None
        return await self._engine.write(lambda db: self._register(db, digest, items, now, new))

    def _register(
        self, db: Connection, digest: bytes, items: Sequence[Item], now: datetime,
        new: _NewCase | None,
    ) -> Registered:  # fmt: skip
        ticket = self._usable(db, digest, now)
        case = self._open(db, new, ticket.list, now) if new else self._grown(db, ticket)
        images = case.images
        for item in items:
            images += claim_item(db, self._vault, case.id, case.list, item, images + 1, now)
        if images > MAX_IMAGES:
            raise TooManyImages
        db.execute(_GROW, (images, case.list, case.id))
        db.execute(_USE, (micros(now), digest))
        self._tell_hashed(db, ticket, Hashed(now, case.number, images))
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
            row = (new.id, self._named(number), sealed, list, micros(now), new.sealed_pin)
            if db.execute(_OPEN, row).rowcount:
                return _OpenCase(new.id, number, list)

    def _grown(self, db: Connection, ticket: Ticket) -> _OpenCase:
        """The case to add to; where ticket and case differ the minors' list holds (C16)."""
        number = ticket.number or ""
        row = db.execute(_CASE, (self._named(number),)).fetchone()
        if row is None:
            raise TicketRefused("unknown")
        id, list, images = row
        return _OpenCase(id, number, "minors" if "minors" in {list, ticket.list} else list, images)

    def _tell_hashed(self, db: Connection, ticket: Ticket, hashed: Hashed) -> None:
        event = self._vault.digest("hashed", ticket.digest)
        body, at = encode_inbound(hashed), micros(hashed.at)
        tell(db, self._vault, ticket.conversation, event, body, at)

    async def check_pin(self, number: str, pin: str, now: datetime) -> PinResult:
        """Compare in constant time; slower after wrong tries. An unknown number is a wrong PIN.

        A try counts before it is read, so that tries at the same time do not get round the wait;
        a right one forgets the wrong ones, and so does a day without any.
        """
        named, at = self._named(number), micros(now)
        wait, kept = await self._engine.write(lambda db: self._try(db, named, at))
        if kept is None:
            return PinResult(right=False, wait=wait)
        stretched = await asyncio.to_thread(self._vault.stretch, pin.encode(), kept[:16])
        if not self._vault.same(stretched, kept[16:]):
            return PinResult(right=False, wait=wait)
        await self._engine.write(lambda db: db.execute(_OPENED, (named,)))
        return PinResult(right=True)

    def _try(self, db: Connection, named: bytes, at: int) -> tuple[int, bytes | None]:
        """Seconds until the next try, and salt and stretched PIN when this one is to be read."""
        tries, next_try_at = db.execute(_GUESS, (named,)).fetchone() or (0, at)
        if next_try_at > at:
            return -(-(next_try_at - at) // _SECOND), None
        wait = _wait_after(tries + 1)
        db.execute(_TRIED, (named, tries + 1, at + wait * _SECOND))
        row = db.execute(_PIN, (named,)).fetchone()
        if row is None:
            return wait, self._vault.token("no case", named)[:16] + self._vault.randoms(32)
        id, sealed = row
        return wait, self._vault.open(f"cases.pin|{id.hex()}", sealed)

    async def standing(self, number: str) -> Standing | None:
        """What the case's person may be told now; None when there is no such case."""

        def job(db: Connection) -> Standing | None:
            row = db.execute(_ID, (self._named(number),)).fetchone()
            return None if row is None else standing(db, row[0])

        return await self._engine.read(job)

    async def follow(self, number: str, conversation: ConversationId, on: bool) -> None:
        """Updates about this case to this conversation, or none."""
        row = (conversation, self._named(number))
        await self._engine.write(lambda db: db.execute(_FOLLOW if on else _UNFOLLOW, row))

    async def withdraw(self, number: str, at: datetime, *, erase: bool) -> None:
        """Plan the withdrawal of this case's claims; the earliest time asked for holds."""
        row = {"at": micros(at), "erase": erase, "number": self._named(number)}
        await self._engine.write(lambda db: db.execute(_PLAN, row))

    async def keep(self, number: str) -> None:
        """Undo a planned withdrawal that has not taken effect."""
        row = (self._named(number),)
        await self._engine.write(lambda db: db.execute(_KEEP, row))

    async def sweep(self, now: datetime) -> int:
        """Carry out withdrawals that are due and drop expired tickets; how many cases changed.

        What was erased is then gone from the file's bytes too.
        """
        at = micros(now)
        ids = await self._engine.read(lambda db: db.execute(_DUE, (at,)).fetchall())
        outcomes = [await self._engine.write(self._take_effect(id, now)) for (id,) in ids]
        await self._engine.write(lambda db: _drop_old(db, now))
        if "erased" in outcomes:
            await self._engine.scrub()
        return sum(outcome is not None for outcome in outcomes)

    def _take_effect(self, id: bytes, now: datetime) -> Callable[[Connection], str | None]:
        def job(db: Connection) -> str | None:
            row = db.execute(_IS_DUE, (id, micros(now))).fetchone()
            if row is None:
                return None
            erase, named = row
            let_go(db, id, now, erase=bool(erase))
            db.execute(_ERASE if erase else _CLOSE, (id,))
            if erase:
                db.execute(_OPENED, (named,))
            return "erased" if erase else "withdrawn"

        return job

    def _named(self, number: str) -> bytes:
        return self._vault.digest("number", (read_number(number) or number).encode())


def _wait_after(tries: int) -> int:
    over = tries - FREE_TRIES
    return 0 if over < 0 else cast(int, min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(over, 10)))


def _drop_old(db: Connection, now: datetime) -> None:
    db.execute(_DROP_TICKETS, (micros(now),))
    db.execute(_DROP_GUESSES, (micros(now - _GUESSES_KEPT),))
