"""The turn engine's tables: events wait, turns are committed, effects are handed out."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any, Final, cast

from bot.store import (
    Arrival,
    Bundle,
    Claimed,
    ConversationId,
    EffectId,
    Pending,
    Planned,
    Turn,
    Waiting,
)
from bot.store.jobs import Clock, Connection, Part, Runs
from bot.store.schema import micros
from bot.vault import Vault

SEEN_DAYS: Final = 3
_FRESH_MOST: Final = 1_000
_DAY: Final = 86_400_000_000

# A limit stands in the statement itself: SQLite plans a statement anew for each bound one.

_FIRST_TIME = "insert into seen values (?, ?) on conflict do nothing"
_FORGET_SEEN = "delete from seen where digest in (select digest from seen where day < ? limit 20)"
_MEET = """insert into conversation(id, channel, address, active_at) values (?, ?, ?, ?)
  on conflict(id) do update set channel = excluded.channel, address = excluded.address,
  active_at = max(conversation.active_at, excluded.active_at)
  returning version, state, waits is null and coalesce(rings_at > active_at, true)"""
_KEEP_EVENT = """insert into inbox(event, conversation, body, at) values (?, ?, ?, ?)
  on conflict(event) do nothing"""
_HOLD = "update conversation set version = version where id = ?"
_WAIT = "update conversation set waits = ? where id = ? and waits is null"
_RELEASE = "update outbox set due_at = 0 where conversation = ? and due_at is null"
_REFRESH = """update conversation set
  waits = (select min(seq) from inbox where conversation = :id and parked = 0),
  rings_at = (select min(due_at) from timer where conversation = :id),
  send_at = (select min(at) from (
    select min(due_at) as at from outbox where conversation = :id and said = 0
    union all select case when address is not null then
      (select due_at from outbox where conversation = :id and said = 1 order by seq limit 1) end
    ) as sends)
  where id = :id"""

_WAITS = """select waits, id from conversation
  where channel = ? and waits is not null order by waits"""
_RINGS = """select rings_at, id from conversation
  where channel = ? and rings_at <= ? order by rings_at"""
_SENDS = """select send_at, id from conversation
  where channel = ? and send_at <= ? and waits is null order by send_at"""
_STATE = "select channel, version, state, rings_at from conversation where id = ?"
_WAITING = """select seq, event, body from inbox
  where conversation = ? and parked = 0 order by seq limit 100"""
_RUNG = "select name from timer where conversation = ? and due_at <= ? order by due_at, name"
_WHERE = "select channel, address from conversation where id = ?"
_PENDING = """select id, body, attempt, way from outbox
  where conversation = ? and said = 0 and due_at <= ? order by seq limit 50"""
_SAYING = """select id, body, attempt, way, due_at from outbox
  where conversation = ? and said = 1 order by seq limit 50"""

_MOVE = """update conversation set state = ?, version = version + 1 where id = ? and version = ?
  returning address, exists (select 1 from outbox where conversation = conversation.id)"""
_CONSUME = "delete from inbox where seq = ? and conversation = ?"
_PARK = "update inbox set parked = 1 where seq = ? and conversation = ?"
_UNSET = "delete from timer where conversation = ? and name = ?"
_UNSET_ALL = "delete from timer where conversation = ?"
_SET = """insert into timer values (?, ?, ?)
  on conflict(conversation, name) do update set due_at = excluded.due_at"""
_DROP_SAID = "delete from outbox where conversation = ? and said = 1"
_PLAN = """insert into outbox(id, conversation, due_at, body, said)
  select :id, :conversation, :due_at, :body, :said
  from conversation where id = :conversation and (address is not null or :said = 0)
  on conflict(conversation, id) do nothing"""
_SETTLE = "delete from outbox where conversation = ? and id = ?"
_RETRY = """update outbox set attempt = attempt + 1,
  way = case when cast(:at as bigint) is not null then way end,
  due_at = case when :at is null
    and :since < (select active_at from conversation where id = :conversation) then 0 else :at end
  where conversation = :conversation and id = :id"""
_ATTEMPT = "update outbox set way = ? where conversation = ? and id = ?"
_FORGET = "update conversation set address = null where id = ?"
_PARKED = "select count(*) from inbox where parked = 1"


class Turns(Part):
    """`Store` over one database."""

    def __init__(self, engine: Runs, vault: Vault, clock: Clock, months: int = 24) -> None:
        super().__init__(engine, vault, clock, months)
        self._forgotten = 0  # of the days before this one no event is remembered any more
        self._fresh: dict[ConversationId, Claimed] = {}  # their states are sealed

    async def receive(self, arrival: Arrival) -> bool:
        """Keep an event for its turn; False when this (channel, event_id) was seen before."""
        event = self._vault.digest("event", arrival.channel.encode(), arrival.event_id.encode())
        at, id = micros(arrival.at), arrival.conversation
        address = self._vault.seal(_place("conversation.address", id), arrival.address)
        body = self._vault.seal(_place("inbox.body", event), arrival.body)
        active_at = micros(self._clock())
        oldest = min(at, active_at) // _DAY - SEEN_DAYS

        def job(db: Connection) -> Claimed | bool:
            self._forget_seen(db, oldest)
            if not db.execute(_FIRST_TIME, (event, at // _DAY)).rowcount:
                return False
            row = (id, arrival.channel, address, active_at)
            version, state, alone = db.execute(_MEET, row).fetchone()
            alone = self._met(db, arrival) and alone
            kept = db.execute(_KEEP_EVENT, (event, id, body, at))
            if not kept.rowcount:
                return False  # it waits, or is parked, for longer than it is remembered
            seq = cast(int, kept.lastrowid)
            db.execute(_WAIT, (seq, id))
            if db.execute(_RELEASE, (id,)).rowcount:
                refresh(db, id)
            waiting = (Waiting(seq, arrival.body),)
            return not alone or Claimed(id, arrival.channel, version, state, waiting)

        kept = await self._engine.write(job, id)
        if kept:
            self._fresh.pop(id, None)
        if isinstance(kept, Claimed) and len(self._fresh) < _FRESH_MOST:
            self._fresh[id] = kept
        return bool(kept)

    def _met(self, db: Connection, arrival: Arrival) -> bool:
        """Whether this process may turn what arrived without a look; its row is there now."""
        return True

    def _forget_seen(self, db: Connection, before: int) -> None:
        """Forget a few of the days before this one, until none is left to be forgotten."""
        if before > self._forgotten and not db.execute(_FORGET_SEEN, (before,)).rowcount:
            self._forgotten = before

    async def claim(self, channels: Collection[str], now: datetime, limit: int) -> list[Claimed]:
        """Up to `limit` conversations with work, those whose event waits longest first.

        A claim holds at most 100 events; the rest comes with the next.
        """
        at = micros(now)

        def job(db: Connection) -> list[Claimed]:
            ids = _first(db, _WAITS, channels, limit) + _first(db, _RINGS, channels, limit, at)
            return [self._claimed(db, id, at) for id in list(dict.fromkeys(ids))[:limit]]

        claims = await self._engine.read(job)
        for one in claims:
            self._fresh.pop(one.conversation, None)
        return claims

    def fresh(self, channels: Collection[str]) -> list[Claimed]:
        """Conversations whose only event arrived here just now, without a look at the file.

        Another process may have taken one meanwhile: then its version is not the one that is here.
        """
        ids = [id for id, one in self._fresh.items() if one.channel in channels]
        found = [self._fresh.pop(id) for id in ids]
        return [
            Claimed(one.conversation, one.channel, one.version, self._state(one), one.waiting)
            for one in found
        ]

    def _state(self, sealed: Claimed) -> bytes | None:
        place = _place("conversation.state", sealed.conversation)
        return sealed.state and self._vault.open(place, sealed.state)

    def _claimed(self, db: Connection, id: ConversationId, at: int) -> Claimed:
        channel, version, sealed, rings_at = db.execute(_STATE, (id,)).fetchone()
        state = sealed and self._vault.open(_place("conversation.state", id), sealed)
        waiting = tuple(
            Waiting(seq, self._vault.open(_place("inbox.body", event), body))
            for seq, event, body in db.execute(_WAITING, (id,))
        )
        rings = rings_at is not None and rings_at <= at
        rung = tuple(name for (name,) in db.execute(_RUNG, (id, at))) if rings else ()
        return Claimed(id, channel, version, state, waiting, rung)

    async def commit(self, claimed: Claimed, turn: Turn) -> Bundle | None:
        """Write the turn whole; None, with nothing written, when the conversation moved on.

        A conversation without an address keeps no messages: there is nobody to send them to.
        """
        id = claimed.conversation
        state = self._vault.seal(_place("conversation.state", id), turn.state)
        rows = [self._row(id, effect) for effect in turn.effects]

        def job(db: Connection) -> tuple[bytes | None, bool] | None:
            moved = self._moved(db, state, id, claimed.version)
            if moved is None:
                return None
            _consume(db, claimed)
            _set_timers(db, id, turn)
            if turn.hush:
                db.execute(_DROP_SAID, (id,))
            db.executemany(_PLAN, rows)
            refresh(db, id)
            return moved

        moved = await self._engine.write(job, id)
        return moved and self._planned(claimed, turn, *moved)

    def _moved(
        self, db: Connection, state: bytes, id: ConversationId, version: int
    ) -> tuple[bytes | None, bool] | None:
        """The sealed address, and whether something is older than the turn; None if too late."""
        moved: tuple[bytes | None, bool] | None = db.execute(_MOVE, (state, id, version)).fetchone()
        return moved

    def _planned(self, claimed: Claimed, turn: Turn, sealed: bytes | None, older: bool) -> Bundle:
        """What `due` would find of this turn now, when nothing older is before it."""
        id, now = claimed.conversation, self._clock()
        done = [one for one in turn.effects if not one.said]
        said = [one for one in turn.effects if one.said and sealed]
        due = [one for one in done if one.due_at and one.due_at <= now]
        due += takewhile(lambda one: one.due_at is not None and one.due_at <= now, said)
        effects = () if older else tuple(Pending(one.id, one.body, 0) for one in due)
        return Bundle(id, claimed.channel, self._address(id, sealed), effects)

    def _address(self, id: ConversationId, sealed: bytes | None) -> bytes:
        return self._vault.open(_place("conversation.address", id), sealed) if sealed else b""

    def _row(self, id: ConversationId, effect: Planned) -> dict[str, Any]:
        body = self._vault.seal(effect_place(id, effect.id), effect.body)
        due_at = None if effect.due_at is None else micros(effect.due_at)
        row = {"id": effect.id, "conversation": id, "due_at": due_at, "body": body}
        return row | {"said": effect.said}

    async def state(self, conversation: ConversationId) -> bytes | None:
        """The conversation's state as it stands now; None before its first turn."""

        def job(db: Connection) -> bytes | None:
            row = db.execute(_STATE, (conversation,)).fetchone()
            sealed = row and row[2]
            return sealed and self._vault.open(_place("conversation.state", conversation), sealed)

        return await self._engine.read(job)

    async def park(self, claimed: Claimed, seq: int | None = None) -> None:
        """Set aside this waiting event of a claim, or the first; without one, drop the timers."""
        id = claimed.conversation
        first = claimed.waiting[0].seq if claimed.waiting else None
        parked = first if seq is None else seq

        def job(db: Connection) -> None:
            if parked is not None:
                db.execute(_PARK, (parked, id))
            else:
                db.executemany(_UNSET, [(id, name) for name in claimed.rung])
            refresh(db, id)

        await self._engine.write(job, id)

    async def due(self, channels: Collection[str], now: datetime, limit: int) -> list[Bundle]:
        """Effects to carry out now, what is done first; a message not due ends its bundle.

        A conversation with an event waiting comes after its turn."""
        at = micros(now)

        def job(db: Connection) -> list[Bundle]:
            ids = _first(db, _SENDS, channels, limit, at)
            return [self._bundle(db, id, at) for id in ids[:limit]]

        return await self._engine.read(job)

    def _bundle(self, db: Connection, id: ConversationId, at: int) -> Bundle:
        channel, sealed = db.execute(_WHERE, (id,)).fetchone()
        rows = db.execute(_PENDING, (id, at)).fetchall()
        for *row, due_at in db.execute(_SAYING, (id,)) if sealed else ():
            if due_at is None or due_at > at:
                break
            rows.append(row)
        address = self._address(id, sealed)
        return Bundle(id, channel, address, tuple(self._pending(id, *row) for row in rows))

    def _pending(
        self, id: ConversationId, effect: str, body: bytes, attempt: int, way: bytes | None
    ) -> Pending:
        plain = self._vault.open(effect_place(id, effect), body)
        went = way and self._vault.open(_way_place(id, effect), way)
        return Pending(EffectId(effect), plain, attempt, went)

    async def settle(self, conversation: ConversationId, ids: Sequence[EffectId]) -> None:
        """These effects are done; forget them."""
        rows = [(conversation, id) for id in ids]
        await self._change(conversation, lambda db: db.executemany(_SETTLE, rows))

    async def attempt(
        self, conversation: ConversationId, ids: Sequence[EffectId], way: bytes
    ) -> None:
        """These messages go out now, together and in this way."""
        rows = [
            (self._vault.seal(_way_place(conversation, id), way), conversation, id) for id in ids
        ]
        await self._engine.write(lambda db: db.executemany(_ATTEMPT, rows), conversation)

    async def retry(
        self,
        conversation: ConversationId,
        ids: Sequence[EffectId],
        at: datetime | None,
        since: datetime | None = None,
    ) -> None:
        """Once more at a time, or (None) held until the next inbound event after `since`."""
        due_at = None if at is None else micros(at)
        began = None if since is None else micros(since)
        same = {"at": due_at, "since": began, "conversation": conversation}
        rows = [same | {"id": id} for id in ids]
        await self._change(conversation, lambda db: db.executemany(_RETRY, rows))

    async def forget_address(self, conversation: ConversationId) -> None:
        """Drop the address and every message waiting to be sent."""

        def job(db: Connection) -> None:
            db.execute(_FORGET, (conversation,))
            db.execute(_DROP_SAID, (conversation,))

        await self._change(conversation, job)

    async def _change(self, id: ConversationId, change: Callable[[Connection], object]) -> None:
        def job(db: Connection) -> None:
            change(db)
            self._changed(db, id)

        await self._engine.write(job, id)

    def _changed(self, db: Connection, id: ConversationId) -> None:
        """Something of the conversation's outbox was done, put off or dropped."""
        refresh(db, id)

    async def parked(self) -> int:
        """How many events were set aside."""
        return await self._engine.read(lambda db: int(db.execute(_PARKED).fetchone()[0]))

    async def close(self) -> None:
        """Finish what was accepted and close."""
        await self._engine.close()


def refresh(db: Connection, conversation: bytes) -> None:
    """Bring a conversation's `waits`, `rings_at` and `send_at` up to date with its rows."""
    db.execute(_REFRESH, {"id": conversation})


def tell(db: Connection, vault: Vault, id: bytes, event: bytes, body: bytes, at: int) -> None:
    """Put an event of Sala's own into a conversation that is known; it releases nothing held."""
    if not db.execute(_HOLD, (id,)).rowcount:
        return
    if db.execute(_FIRST_TIME, (event, at // _DAY)).rowcount:
        sealed = vault.seal(_place("inbox.body", event), body)
        db.execute(_KEEP_EVENT, (event, id, sealed, at))
        refresh(db, id)


def _first(
    db: Connection, query: str, channels: Collection[str], limit: int, *values: int
) -> list[ConversationId]:
    """Conversations in the order of the query's first column, over all channels.

    One index seek a channel: a channel nobody serves any more costs nothing to pass by.
    """
    found: list[tuple[int, bytes]] = []
    for channel in channels:
        found += db.execute(f"{query} limit {limit:d}", (channel, *values)).fetchall()
    return [ConversationId(id) for _, id in sorted(found)]


def _consume(db: Connection, claimed: Claimed) -> None:
    id = claimed.conversation
    db.executemany(_CONSUME, [(event.seq, id) for event in claimed.waiting])
    if claimed.rung:
        db.executemany(_UNSET, [(id, name) for name in claimed.rung])


def _set_timers(db: Connection, id: ConversationId, turn: Turn) -> None:
    if turn.cancel_timers:
        db.execute(_UNSET_ALL, (id,))
    if turn.timers:
        db.executemany(_SET, [(id, name, micros(at)) for name, at in turn.timers])


def _place(column: str, row: bytes) -> str:
    return f"{column}|{row.hex()}"


def _way_place(conversation: ConversationId, effect: str) -> str:
    return f"outbox.way|{conversation.hex()}|{effect}"


def effect_place(conversation: ConversationId, effect: str) -> str:
    """Where an effect's body is sealed for."""
    return f"outbox.body|{conversation.hex()}|{effect}"
