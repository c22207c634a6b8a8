"""Who is left without an answer: what became of messages that a door kept, asked some time later,
and which door shows the help card, where several stand beside each other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bot.store import Claimed, ConversationId
from bot.store.jobs import Connection
from bot.store.rows import opened, place
from bot.store.schema import micros
from bot.store.turns import DAY, Turns

Spend = Callable[[bytes], bytes]
"""The address as it stays once the card goes out by it."""
Key = tuple[bytes, ConversationId]
"""An event's digest (empty: whatever became of it) and its conversation."""
WITHIN: Final = timedelta(minutes=1)
"""For so long, at least, no second card is shown to a person."""

SENDING: Final = timedelta(seconds=5)
"""What is to be said since so lately may be on its way, or answer a later message."""

# An event is in the inbox until its turn, and for good when it was set aside; then the answer is
# in the outbox until it went out.
_OWED = """select case
  when :event = x'' and exists (select 1 from conversation where id = :id)
    or exists (select 1 from inbox where event = :event)
    or exists (select 1 from outbox where conversation = :id and said = 1
      and (attempt > 0 or due_at <= :sending)) then 1
  when exists (select 1 from outbox where conversation = :id and said = 1 and due_at <= :now) then 0
  end"""
_STANDS = """select version, address,
  (select max(seq) from (select seq from inbox where conversation = ? and parked = 0
    order by seq limit 100) as waiting),
  exists (select 1 from outbox where conversation = ? and way is not null)
  from conversation where id = ?"""
_SHOWN = "select 1 from seen where digest = ?"
_SHOW = "insert into seen values (?, ?) on conflict do nothing"
_SPEND = "update conversation set address = ? where id = ?"


@dataclass(frozen=True, slots=True)
class Wait:
    """An event that a door kept. Without `event_id`: somebody waits whatever became of it."""

    channel: str
    conversation: ConversationId
    event_id: str | None = None


class Lateness(Turns):
    """What a door asks that hears nothing of the answers."""

    async def unanswered(
        self, waits: Sequence[Wait], now: datetime
    ) -> tuple[list[Claimed], list[ConversationId]]:
        """The conversations that still owe an answer to one of these, as they stand, nothing of
        them claimed; and those of which that has to be asked again, since something has just begun
        to be said in them."""
        keys = [self._event_of(one) for one in waits]

        def job(db: Connection) -> tuple[list[Claimed], list[ConversationId]]:
            found = self._owing(db, keys, micros(now - SENDING), micros(now))
            owing = dict.fromkeys(id for id, owed in found if owed)
            coming = dict.fromkeys(id for id, _ in found if id not in owing)
            return self._claims(db, list(owing), 0), list(coming)

        return await self._engine.read(job)

    def _event_of(self, wait: Wait) -> Key:
        if wait.event_id is None:
            return b"", wait.conversation
        parts = (wait.channel.encode(), wait.event_id.encode())
        return self._vault.digest("event", *parts), wait.conversation

    def _owing(
        self, db: Connection, keys: Sequence[Key], sending: int, now: int
    ) -> list[tuple[ConversationId, bool]]:
        """Those that owe an answer (True), or say something just now."""
        found = []
        for event, id in keys:
            asked = {"event": event, "id": id, "sending": sending, "now": now}
            (owed,) = db.execute(_OWED, asked).fetchone()
            if owed is not None:
                found.append((id, bool(owed)))
        return found

    async def show_card(
        self, seen: Claimed, spend: Spend, now: datetime, *, owed: bool = True
    ) -> bool | None:
        """Whether the card is to be shown now, by whoever is told so and by nobody else within a
        minute. None: the conversation is not as it was `seen` any more or, while an answer is
        `owed`, one is on its way; so it has to be looked at again."""
        id, minute = seen.conversation, micros(now) // micros_of(WITHIN)
        marks = [self._vault.digest("card", id, b"%d" % one) for one in (minute - 1, minute)]
        newest = seen.waiting[-1].seq if seen.waiting else None

        def job(db: Connection) -> bool | None:
            stands = db.execute(_STANDS, (id, id, id)).fetchone()
            if stands is None:
                return False
            version, sealed, last, trying = stands
            if (version, last) != (seen.version, newest):
                return None
            if owed and (trying or self._answering(db, seen)):
                return None
            if any(db.execute(_SHOWN, (one,)).fetchone() for one in marks):
                return False
            if not sealed:
                return False
            db.execute(_SHOW, (marks[-1], micros(now) // DAY))
            self._spend(db, id, sealed, spend)
            return True

        return await self._engine.write(job, id)

    def _spend(self, db: Connection, id: ConversationId, sealed: bytes, spend: Spend) -> None:
        where = place("conversation.address", id)
        address = opened(self._vault, where, sealed)
        if (left := spend(address)) != address:
            db.execute(_SPEND, (self._vault.seal(where, left), id))

    def _answering(self, db: Connection, seen: Claimed) -> bool:
        """Whether another process, which is alive, has the answer in hand."""
        return False


def micros_of(time: timedelta) -> int:
    """A time's length as it is kept."""
    return time // timedelta(microseconds=1)
