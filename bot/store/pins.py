"""PINs in SQLite: shown once to who made a case in a chat; tries slow down whoever tries, and an
unknown number answers the same.

Tries count for each conversation by itself, so that nobody locks a case's person out by guessing;
only very many of them, from anywhere, close the number for the day, and never to the chat that made
the case.
"""

import asyncio
from datetime import datetime
from typing import Final, cast

from bot.cases.number import make_pin
from bot.conversation.codec import encode_inbound
from bot.conversation.picture import PinShown
from bot.store import ConversationId, PinResult, Registered, Ticket, TicketRefused
from bot.store.jobs import Connection, Part
from bot.store.ledger import named, origin_of, usable
from bot.store.schema import micros
from bot.store.turns import tell

FREE_TRIES: Final = 3
FIRST_WAIT: Final = 60
LONGEST_WAIT: Final = 3_600
TRIES_A_DAY: Final = 30
"""Wrong tries of one number in a day, by whomever, before it is read no more that day."""
_ANYBODY: Final = b"*"
_SECOND: Final = 1_000_000
_DAY: Final = 86_400 * _SECOND

_PIN = "select id, pin from cases where number_digest = ?"
_OWN = """select 1 from cases join origin on origin.cases = id
  where number_digest = ? and origin.conversation = ?"""
_GUESS = "select tries, next_try_at from guess where number_digest = ? and by = ?"
_TRIED = """insert into guess values (?, ?, ?, ?) on conflict(number_digest, by)
  do update set tries = excluded.tries, next_try_at = excluded.next_try_at"""
_OPENED = "delete from guess where number_digest = ? and by = ?"
_MADE_HERE = """select id, images, keyless from cases join origin on origin.cases = id
  where number_digest = ? and origin.conversation = ? and status = 'Active'"""
_SHOWN = "update cases set pin = ?, keyless = 0 where id = ?"
_USE = "update ticket set used_at = ? where digest = ?"
_TAKE_BACK = "update guess set tries = tries - 1 where number_digest = ? and by = ? and tries > 0"


class Pins(Part):
    """`Registry.show_pin` and `check_pin` over one database."""

    async def show_pin(self, digest: bytes, now: datetime) -> Registered:
        """Use a ticket: a fresh PIN for the case, which was made in the ticket's conversation and
        has shown none yet. TicketRefused, and nothing changed, otherwise."""
        await self._engine.read(lambda db: usable(db, self._vault, digest, now, "pin"))
        pin, salt = make_pin(self._vault.randoms(8)), self._vault.randoms(16)
        stretched = await asyncio.to_thread(self._vault.stretch, pin.encode(), salt)

        def job(db: Connection) -> Registered:
            ticket = usable(db, self._vault, digest, now, "pin")
            id, images = self._keyless(db, ticket)
            sealed = self._vault.seal(f"cases.pin|{id.hex()}", salt + stretched)
            db.execute(_SHOWN, (sealed, id))
            db.execute(_USE, (micros(now), digest))
            self._tell_shown(db, ticket, now)
            return Registered(ticket.number or "", pin, images)

        return await self._engine.write(job)

    def _keyless(self, db: Connection, ticket: Ticket) -> tuple[bytes, int]:
        """The ticket's case and its pictures, while its PIN was not shown."""
        origin = origin_of(self._vault, ticket.conversation)
        name = named(self._vault, ticket.number or "")
        row = db.execute(_MADE_HERE, (name, origin)).fetchone()
        if row is None:
            raise TicketRefused("unknown")
        id, images, keyless = row
        if not keyless:
            raise TicketRefused("used")
        return id, images

    def _tell_shown(self, db: Connection, ticket: Ticket, now: datetime) -> None:
        event = self._vault.digest("pin shown", ticket.digest)
        body = encode_inbound(PinShown(now, ticket.number or ""))
        tell(db, self._vault, ticket.conversation, event, body, micros(now))

    async def check_pin(
        self, number: str, pin: str, now: datetime, by: ConversationId | None = None
    ) -> PinResult:
        """Compare in constant time; slower after wrong tries. An unknown number is a wrong PIN.

        A try counts before it is read, so that tries at the same time do not get round the wait;
        a right one forgets the wrong ones of its conversation, and so does a day without any.
        """
        whose = (named(self._vault, number), by or b"")
        origin = origin_of(self._vault, by or b"")
        wait, kept = await self._engine.write(lambda db: self._try(db, *whose, origin, now))
        if kept is None:
            return PinResult(right=False, wait=wait)
        stretched = await asyncio.to_thread(self._vault.stretch, pin.encode(), kept[:16])
        if not self._vault.same(stretched, kept[16:]):
            return PinResult(right=False, wait=wait)
        await self._engine.write(lambda db: _forgive(db, *whose))
        return PinResult(right=True)

    def _try(
        self, db: Connection, name: bytes, by: bytes, origin: bytes, now: datetime
    ) -> tuple[int, bytes | None]:
        """Seconds until the next try, and salt and stretched PIN when this one is to be read."""
        at, own = micros(now), bool(db.execute(_OWN, (name, origin)).fetchone())
        if wait := max(_own_wait(db, name, by, at), 0 if own else _day_wait(db, name, at)):
            return wait, None
        wait = _count(db, name, by, at, own=own)
        row = db.execute(_PIN, (name,)).fetchone()
        if row is None:
            return wait, self._vault.token("no case", name)[:16] + self._vault.randoms(32)
        id, sealed = row
        return wait, self._vault.open(f"cases.pin|{id.hex()}", sealed)


def _own_wait(db: Connection, name: bytes, by: bytes, at: int) -> int:
    _, next_try_at = db.execute(_GUESS, (name, by)).fetchone() or (0, at)
    return _seconds(next_try_at - at)


def _day_wait(db: Connection, name: bytes, at: int) -> int:
    """Until the day that began with the first wrong try is over, when there were too many."""
    tries, ends = db.execute(_GUESS, (name, _ANYBODY)).fetchone() or (0, at)
    return _seconds(ends - at) if tries >= TRIES_A_DAY else 0


def _count(db: Connection, name: bytes, by: bytes, at: int, *, own: bool) -> int:
    """Count a try for its conversation and for the number; the wait after it. The day does not
    close the number to the chat that made the case: else anybody could keep its person out."""
    tries, _ = db.execute(_GUESS, (name, by)).fetchone() or (0, at)
    wait = _wait_after(tries + 1)
    db.execute(_TRIED, (name, by, tries + 1, at + wait * _SECOND))
    all_tries, ends = db.execute(_GUESS, (name, _ANYBODY)).fetchone() or (0, at)
    if ends <= at:
        all_tries, ends = 0, at + _DAY
    db.execute(_TRIED, (name, _ANYBODY, all_tries + 1, ends))
    return wait if own else max(wait, _day_wait(db, name, at))


def _forgive(db: Connection, name: bytes, by: bytes) -> None:
    db.execute(_OPENED, (name, by))
    db.execute(_TAKE_BACK, (name, _ANYBODY))


def _wait_after(tries: int) -> int:
    over = tries - FREE_TRIES
    return 0 if over < 0 else cast(int, min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(over, 10)))


def _seconds(time: int) -> int:
    return max(0, -(-time // _SECOND))
