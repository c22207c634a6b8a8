"""Turns in PostgreSQL, many at once: each statement is a journey to the server, so what a group
holds of one kind is written, and what was claimed is read, by a few statements for all of it.

A conversation occurs once in what is given here (`PostgresEngine`), and the rows are locked.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from bot.store import Bundle, Claimed, ConversationId
from bot.store.jobs import Connection
from bot.store.rows import Attempted, Effect, Kept, Met, Moved, Settled, Turned
from bot.store.turns import DAY, SEEN_DAYS, Turns

UNTIL: Final = "clock_timestamp() + interval '30 seconds'"
_FREE: Final = """(conversation.held_by is null or conversation.held_by = excluded.held_by
  or conversation.held_until < clock_timestamp())"""

# Of the days before, nothing is forgotten here: they go as a whole (`sweep`). The number in the
# inbox is drawn first, so that the conversation is written once.
_KEEP: Final = f"""with arrived as (select distinct on (event) * from unnest(cast(? as bytea[]),
    cast(? as bytea[]), cast(? as text[]), cast(? as bytea[]), cast(? as bytea[]),
    cast(? as bigint[]), cast(? as bigint[]), cast(? as bigint[]))
    as one(event, id, channel, address, body, at, active_at, me)),
  new as (insert into seen select event, at / {DAY} from arrived
    where not exists (select 1 from seen where digest = event and day >= at / {DAY} - {SEEN_DAYS})
      and not exists (select 1 from inbox where inbox.event = arrived.event)
    on conflict do nothing returning digest),
  numbered as (select arrived.*, nextval(pg_get_serial_sequence('inbox', 'seq')) as seq
    from arrived join new on digest = event),
  met as (insert into conversation(id, channel, address, active_at, waits, held_by, held_until)
    select id, channel, address, active_at, seq, nullif(me, 0),
      case when me != 0 then {UNTIL} end from numbered order by id
    on conflict(id) do update set channel = excluded.channel, address = excluded.address,
      active_at = greatest(conversation.active_at, excluded.active_at),
      waits = coalesce(conversation.waits, excluded.waits),
      held_by = case when excluded.held_by is not null and {_FREE}
        then excluded.held_by else conversation.held_by end,
      held_until = case when excluded.held_by is not null and {_FREE}
        then excluded.held_until else conversation.held_until end
    returning id, version, state, waits, rings_at, active_at, held_by),
  kept as (insert into inbox(seq, event, conversation, body, at)
    select seq, event, id, body, at from numbered)
  select event, seq, version, state, coalesce(held_by = me, false),
    waits = seq and coalesce(rings_at > met.active_at, true),
    exists (select 1 from outbox where conversation = met.id and due_at is null)
  from numbered join met using (id)"""  # noqa: S608  # ours
_RELEASE: Final = "update outbox set due_at = 0 where conversation = any(?) and due_at is null"

# While another holds what is older, it goes on with what is new as well.
_THEIRS: Final = """held_by != :me and held_until > clock_timestamp()
  and exists (select 1 from outbox where conversation = conversation.id)"""
_MOVE: Final = f"""update conversation set state = turn.state, version = conversation.version + 1,
  held_by = case when {_THEIRS} then held_by else :me end,
  held_until = case when {_THEIRS} then held_until else {UNTIL} end
  from unnest(cast(:ids as bytea[]), cast(:states as bytea[]), cast(:versions as bigint[]))
    as turn(id, state, version)
  where conversation.id = turn.id and conversation.version = turn.version
  returning conversation.id, address,
    exists (select 1 from outbox where conversation = conversation.id)"""  # noqa: S608  # ours
_CONSUME: Final = "delete from inbox where seq = any(?) and conversation = any(?)"
_UNSET: Final = """delete from timer using unnest(cast(? as bytea[]), cast(? as text[]))
  as one(id, rung) where conversation = id and name = rung"""
_UNSET_ALL: Final = "delete from timer where conversation = any(?)"
_SET: Final = """insert into timer
  select * from unnest(cast(? as bytea[]), cast(? as text[]), cast(? as bigint[]))
  on conflict(conversation, name) do update set due_at = excluded.due_at"""
_DROP_SAID: Final = "delete from outbox where conversation = any(?) and said = 1"
_PLAN: Final = """insert into outbox(conversation, id, due_at, body, said)
  select to_whom, effect, nullif(at, -1), sealed, says
  from unnest(cast(? as bytea[]), cast(? as text[]), cast(? as bigint[]), cast(? as bytea[]),
    cast(? as bigint[])) with ordinality as one(to_whom, effect, at, sealed, says, place)
  join conversation on conversation.id = to_whom and (address is not null or says = 0)
  order by place
  on conflict(conversation, id) do nothing"""
_SETTLE: Final = """delete from outbox using unnest(cast(? as bytea[]), cast(? as text[]))
  as one(to_whom, effect) where conversation = to_whom and outbox.id = effect"""
_ATTEMPT: Final = """update outbox set way = one.way
  from unnest(cast(? as bytea[]), cast(? as bytea[]), cast(? as text[]))
    as one(way, to_whom, effect)
  where conversation = to_whom and outbox.id = effect"""
_REFRESH: Final = """update conversation set
  waits = (select min(seq) from inbox where conversation = conversation.id and parked = 0),
  rings_at = (select min(timer.due_at) from timer where conversation = conversation.id),
  send_at = (select min(at) from (
    select min(due_at) as at from outbox where conversation = conversation.id and said = 0
    union all select case when address is not null then
      (select due_at from outbox where conversation = conversation.id and said = 1
        order by seq limit 1) end) as sends)
  where conversation.id = any(?)"""

_LET_GO: Final = """update conversation set held_by = null
  where id = any(?) and held_by = ? and waits is null and send_at is null returning id"""

_CLAIMED: Final = "select id, channel, version, state, rings_at from conversation where id = any(?)"
_WAITING: Final = """select one.id, seq, event, body from unnest(cast(? as bytea[])) as one(id),
  lateral (select seq, event, body from inbox where conversation = one.id and parked = 0
    order by seq limit 100) as waiting order by one.id, seq"""
_RUNG: Final = """select conversation, name from timer
  where conversation = any(?) and due_at <= ? order by conversation, due_at, name"""
_WHERE: Final = "select id, channel, address from conversation where id = any(?)"
_PENDING: Final = """select one.id, outbox.id, body, attempt, way
  from unnest(cast(? as bytea[])) as one(id), lateral (select * from outbox
    where conversation = one.id and said = 0 and due_at <= ? order by seq limit 50) as outbox
  order by one.id, seq"""
_SAYING: Final = """select one.id, outbox.id, body, attempt, way, due_at
  from unnest(cast(? as bytea[])) as one(id), lateral (select * from outbox
    where conversation = one.id and said = 1 order by seq limit 50) as outbox
  order by one.id, seq"""

_first: Final = itemgetter(0)
Many = Callable[[Connection, Sequence[Any]], Sequence[Any]]


class PgTurns(Turns):
    """`Store`, where a group's jobs of a kind are one."""

    _me: int
    _here: Collection[str] | None
    _held: set[ConversationId]

    @property
    def together(self) -> Mapping[str, Many]:
        """How many jobs of a kind are run in one go; what each gives, in their order."""
        return {
            "keep": self._keep_all, "turn": self._turn_all, "settle": self._settle_all,
            "attempt": self._attempt_all,
        }  # fmt: skip

    def _keep_all(self, db: Connection, kept: Sequence[Kept]) -> list[Met | None]:
        """An event is kept once, also when it came twice at the same time."""
        rows = [
            (one.event, one.conversation, one.channel, one.address, one.body, one.at, one.active_at,
             self._me if self._here is None or one.channel in self._here else 0)
            for one in kept
        ]  # fmt: skip
        met = {event: row for event, *row in db.execute(_KEEP, _columns(rows))}
        if released := [one.conversation for one in kept if met.get(one.event, [False])[-1]]:
            db.execute(_RELEASE, (released,))
            refresh_all(db, released)
        found: list[Met | None] = []
        for one in kept:
            row = met.pop(one.event, None)
            if row is None:
                found.append(None)
                continue
            seq, version, state, ours, alone, _ = row
            if ours:
                self._held.add(one.conversation)
            found.append(Met(seq, version, state, ours and alone))
        return found

    def _turn_all(self, db: Connection, turned: Sequence[Turned]) -> list[Moved | None]:
        ids, states, versions = _columns([(t.conversation, t.state, t.version) for t in turned])
        values = {"me": self._me, "ids": ids, "states": states, "versions": versions}
        moved = {id: (address, older) for id, address, older in db.execute(_MOVE, values)}
        self._held.update(moved)
        _write_turns(db, [one for one in turned if one.conversation in moved])
        return [moved.get(one.conversation) for one in turned]

    def _settle_all(self, db: Connection, done: Sequence[Settled]) -> list[None]:
        _many(db, _SETTLE, [(id, effect) for id, effects in done for effect in effects])
        self._all_changed(db, [id for id, _ in done])
        return [None] * len(done)

    def _changed(self, db: Connection, id: ConversationId) -> None:
        self._all_changed(db, [id])

    def _all_changed(self, db: Connection, ids: Sequence[ConversationId]) -> None:
        """Who has nothing left to be done is let go."""
        refresh_all(db, ids)
        gone = db.execute(_LET_GO, (list(ids), self._me)).fetchall()
        self._held.difference_update(id for (id,) in gone)

    def _attempt_all(self, db: Connection, attempted: Sequence[Attempted]) -> list[None]:
        _many(db, _ATTEMPT, [row for rows in attempted for row in rows])
        return [None] * len(attempted)

    # -- what is read

    def _claims(self, db: Connection, ids: Sequence[ConversationId], at: int) -> list[Claimed]:
        kept = {id: row for id, *row in db.execute(_CLAIMED, (list(ids),))}
        waiting = _by_first(db.execute(_WAITING, (list(ids),)))
        ringing = [id for id in ids if (kept[id][-1] or at + 1) <= at]
        rung = _by_first(db.execute(_RUNG, (ringing, at))) if ringing else {}
        return [
            self._claim_of(id, kept[id][:3], waiting.get(id, []), map(_first, rung.get(id, [])))
            for id in ids
        ]

    def _bundles(self, db: Connection, ids: Sequence[ConversationId], at: int) -> list[Bundle]:
        kept = {id: row for id, *row in db.execute(_WHERE, (list(ids),))}
        pending = _by_first(db.execute(_PENDING, (list(ids), at)))
        saying = _by_first(db.execute(_SAYING, (list(ids),)))
        return [
            self._bundle_of(id, kept[id], pending.get(id, []), saying.get(id, []), at) for id in ids
        ]


def refresh_all(db: Connection, conversations: Sequence[bytes]) -> None:
    """Bring `waits`, `rings_at` and `send_at` of these up to date with their rows."""
    db.execute(_REFRESH, (list(conversations),))


def _write_turns(db: Connection, turned: Sequence[Turned]) -> None:
    consumed = [(seq, one.conversation) for one in turned for seq in one.consumed]
    _many(db, _CONSUME, consumed)
    _many(db, _UNSET, [(one.conversation, name) for one in turned for name in one.rung])
    _some(db, _UNSET_ALL, [one.conversation for one in turned if one.cancel_timers])
    _many(db, _SET, [(one.conversation, *timer) for one in turned for timer in one.timers])
    _some(db, _DROP_SAID, [one.conversation for one in turned if one.hush])
    _many(db, _PLAN, [_planned(effect) for one in turned for effect in one.effects])
    _some(db, _REFRESH, [one.conversation for one in turned])


def _planned(effect: Effect) -> tuple[Any, ...]:
    id, name, due_at, body, said = effect
    return id, name, -1 if due_at is None else due_at, body, int(said)


def _many(db: Connection, statement: str, rows: Sequence[Sequence[Any]]) -> None:
    """One statement for all rows, each of its values a column of them; none for none."""
    if rows:
        db.execute(statement, _columns(rows))


def _some(db: Connection, statement: str, ids: Sequence[bytes]) -> None:
    if ids:
        db.execute(statement, (list(ids),))


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _by_first(rows: Iterable[Sequence[Any]]) -> dict[bytes, list[Sequence[Any]]]:
    """What follows the first of each, in their order; rows come together by their first."""
    return {id: [row[1:] for row in some] for id, some in groupby(rows, _first)}
