"""The turn engine's tables: events wait, turns are committed, effects are handed out."""

from collections.abc import Callable, Collection, Iterable, Sequence
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
from bot.store.jobs import Alike, Clock, Connection, Part, Runs
from bot.store.rows import (
    Attempted,
    Effect,
    Kept,
    Met,
    Moved,
    Settled,
    Turned,
    effect_place,
    opened,
    place,
    way_place,
)
from bot.store.schema import micros
from bot.vault import Vault

SEEN_DAYS: Final = 3
_FRESH_MOST: Final = 1_000
DAY: Final = 86_400_000_000

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
  select ?2, id, ?3, ?4, ?5 from conversation
  where id = ?1 and (address is not null or ?5 = 0)
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
        id, active_at = arrival.conversation, micros(self._clock())
        address = self._vault.seal(place("conversation.address", id), arrival.address)
        body = self._vault.seal(place("inbox.body", event), arrival.body)
        kept = Kept(event, id, arrival.channel, address, body, micros(arrival.at), active_at)
        met = await self._engine.write(Alike("keep", self._keep_event, kept), id)
        if met:
            self._fresh.pop(id, None)
            if met.alone and len(self._fresh) < _FRESH_MOST:
                waiting = (Waiting(met.seq, arrival.body),)
                self._fresh[id] = Claimed(id, arrival.channel, met.version, met.state, waiting)
        return met is not None

    def _keep_event(self, db: Connection, one: Kept) -> Met | None:
        self._forget_seen(db, min(one.at, one.active_at) // DAY - SEEN_DAYS)
        if not db.execute(_FIRST_TIME, (one.event, one.at // DAY)).rowcount:
            return None
        row = (one.conversation, one.channel, one.address, one.active_at)
        version, state, alone = db.execute(_MEET, row).fetchone()
        kept = db.execute(_KEEP_EVENT, (one.event, one.conversation, one.body, one.at))
        if not kept.rowcount:
            return None  # it waits, or is parked, for longer than it is remembered
        seq = cast(int, kept.lastrowid)
        db.execute(_WAIT, (seq, one.conversation))
        if db.execute(_RELEASE, (one.conversation,)).rowcount:
            refresh(db, one.conversation)
        return Met(seq, version, state, bool(alone))

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
            return self._claims(db, list(dict.fromkeys(ids))[:limit], at)

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
        where = place("conversation.state", sealed.conversation)
        return sealed.state and opened(self._vault, where, sealed.state)

    def _claims(self, db: Connection, ids: Sequence[ConversationId], at: int) -> list[Claimed]:
        return [self._claimed(db, id, at) for id in ids]

    def _claimed(self, db: Connection, id: ConversationId, at: int) -> Claimed:
        channel, version, sealed, rings_at = db.execute(_STATE, (id,)).fetchone()
        rings = rings_at is not None and rings_at <= at
        rung = [name for (name,) in db.execute(_RUNG, (id, at))] if rings else []
        return self._claim_of(id, (channel, version, sealed), db.execute(_WAITING, (id,)), rung)

    def _claim_of(
        self, id: ConversationId, kept: Sequence[Any], waiting: Iterable[Any], rung: Iterable[str]
    ) -> Claimed:
        channel, version, sealed = kept
        state = sealed and opened(self._vault, place("conversation.state", id), sealed)
        events = [
            Waiting(seq, opened(self._vault, place("inbox.body", event), body))
            for seq, event, body in waiting
        ]
        return Claimed(id, channel, version, state, tuple(events), tuple(rung))

    async def commit(self, claimed: Claimed, turn: Turn) -> Bundle | None:
        """Write the turn whole; None, with nothing written, when the conversation moved on.

        A conversation without an address keeps no messages: there is nobody to send them to.
        """
        id = claimed.conversation
        turned = Turned(
            id, claimed.version, self._vault.seal(place("conversation.state", id), turn.state),
            tuple([one.seq for one in claimed.waiting]), claimed.rung,
            tuple([(name, micros(at)) for name, at in turn.timers]), turn.cancel_timers, turn.hush,
            tuple([self._row(id, effect) for effect in turn.effects]),
        )  # fmt: skip
        moved = await self._engine.write(Alike("turn", self._turn, turned), id)
        return moved and self._planned(claimed, turn, *moved)

    def _turn(self, db: Connection, turned: Turned) -> Moved | None:
        """The sealed address, and whether something is older than the turn; None if too late."""
        id = turned.conversation
        moved: Moved | None = db.execute(_MOVE, (turned.state, id, turned.version)).fetchone()
        if moved is None:
            return None
        db.executemany(_CONSUME, [(seq, id) for seq in turned.consumed])
        if turned.rung:
            db.executemany(_UNSET, [(id, name) for name in turned.rung])
        if turned.cancel_timers:
            db.execute(_UNSET_ALL, (id,))
        if turned.timers:
            db.executemany(_SET, [(id, *timer) for timer in turned.timers])
        if turned.hush:
            db.execute(_DROP_SAID, (id,))
        db.executemany(_PLAN, turned.effects)
        refresh(db, id)
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
        return opened(self._vault, place("conversation.address", id), sealed) if sealed else b""

    def _row(self, id: ConversationId, effect: Planned) -> Effect:
        body = self._vault.seal(effect_place(id, effect.id), effect.body)
        due_at = None if effect.due_at is None else micros(effect.due_at)
        return id, effect.id, due_at, body, effect.said

    async def state(self, conversation: ConversationId) -> bytes | None:
        """The conversation's state as it stands now; None before its first turn."""
        row = await self._engine.read(lambda db: db.execute(_STATE, (conversation,)).fetchone())
        sealed = row and row[2]
        return sealed and self._vault.open(place("conversation.state", conversation), sealed)

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
            return self._bundles(db, _first(db, _SENDS, channels, limit, at)[:limit], at)

        return await self._engine.read(job)

    def _bundles(self, db: Connection, ids: Sequence[ConversationId], at: int) -> list[Bundle]:
        return [self._bundle(db, id, at) for id in ids]

    def _bundle(self, db: Connection, id: ConversationId, at: int) -> Bundle:
        where = db.execute(_WHERE, (id,)).fetchone()
        rows = db.execute(_PENDING, (id, at)).fetchall()
        return self._bundle_of(id, where, rows, db.execute(_SAYING, (id,)), at)

    def _bundle_of(
        self, id: ConversationId, where: Sequence[Any], pending: Iterable[Any],
        saying: Iterable[Any], at: int,
    ) -> Bundle:  # fmt: skip
        (channel, sealed), rows = where, [*pending]
        for *row, due_at in saying if sealed else ():
            if due_at is None or due_at > at:
                break
            rows.append(row)
        address = self._address(id, sealed)
        return Bundle(id, channel, address, tuple(self._pending(id, *row) for row in rows))

    def _pending(
        self, id: ConversationId, effect: str, body: bytes, attempt: int, way: bytes | None
    ) -> Pending:
        plain = opened(self._vault, effect_place(id, effect), body)
        went = way and opened(self._vault, way_place(id, effect), way)
        return Pending(EffectId(effect), plain, attempt, went)

    async def settle(self, conversation: ConversationId, ids: Sequence[EffectId]) -> None:
        """These effects are done; forget them."""
        value = (conversation, tuple(ids))
        await self._engine.write(Alike("settle", self._settle, value), conversation)

    def _settle(self, db: Connection, done: Settled) -> None:
        id, ids = done
        db.executemany(_SETTLE, [(id, effect) for effect in ids])
        refresh(db, id)

    async def attempt(
        self, conversation: ConversationId, ids: Sequence[EffectId], way: bytes
    ) -> None:
        """These messages go out now, together and in this way."""
        rows = tuple([
            (self._vault.seal(way_place(conversation, id), way), conversation, id) for id in ids
        ])  # fmt: skip
        await self._engine.write(Alike("attempt", self._attempt, rows), conversation)

    def _attempt(self, db: Connection, rows: Attempted) -> None:
        db.executemany(_ATTEMPT, rows)

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
    if db.execute(_FIRST_TIME, (event, at // DAY)).rowcount:
        sealed = vault.seal(place("inbox.body", event), body)
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
