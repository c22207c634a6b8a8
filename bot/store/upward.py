"""What goes up to lists above Sala's own: planned into the one outbox, sent, answered.

Each service is a conversation of its own in the outbox, under a channel nobody else serves. A code
goes up only while a person holds it, on the service's one list, who was told of the service before
it was made.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final, Literal

from bot.cases.eligibility import List
from bot.cases.status import Answer
from bot.store import ConversationId
from bot.store.denials import ask_if_refused
from bot.store.feed import KEEP, telling
from bot.store.jobs import Connection, Part
from bot.store.listing import Signal, hash_id
from bot.store.rows import effect_place
from bot.store.schema import micros, moment
from bot.store.turns import refresh

AT_ONCE: Final = 200

# Partners' own codes, and those that were moved to this list, have told_at 0.
_HELD = """exists (select 1 from claim where claim.hash = hash.id and claim.status = 'Active'
  and told_at >= service.since)"""
_NEW = f"""select hash.id, hash.change from service
  join hash on hash.list = service.list and hash.change > service.change
  left join raised on raised.service = service.name and raised.hash = hash.id
  where service.name = ? and signal is not null and (
    exists (select 1 from claim where claim.hash = hash.id and told_at >= service.since
      and max(claim.change, coalesce("left", 0)) > coalesce(raised.through, 0)
      and (claim.status = 'Active' or raised.hash is not null))
    or (raised.gone = 0 and not {_HELD}))
  order by hash.change limit ?"""  # noqa: S608  # the conditions are ours
_PASSED = """update service set change = max(change, coalesce(?, (select change from edge)))
  where name = ?"""
_NOW = f"""select hash.id, signal, value, hash.change, not {_HELD}
  from service join hash on hash.list = service.list
  left join raised on raised.service = service.name and raised.hash = hash.id
  where service.name = ? and hash.id = ? and signal is not null
    and (raised.hash is not null or {_HELD})"""  # noqa: S608  # the condition is ours
_RAISED = """insert into raised(service, hash, through, gone) values (?, ?, ?, ?)
  on conflict(service, hash) do update set through = excluded.through, gone = excluded.gone"""
_SERVICE = "select list, address, since, checkpoint, own from service where name = ?"
_FORGET = "delete from raised where service = ?"
_SERVE = """insert into service select ?, ?, ?, ?, ?, change, ?, ? from edge where true
  on conflict(name) do update set address = excluded.address, since = excluded.since,
  change = excluded.change, checkpoint = excluded.checkpoint, own = excluded.own"""
_MEET = """insert into conversation(id, channel, active_at) values (?, ?, ?)
  on conflict(id) do update set active_at = excluded.active_at"""
_PLAN = """insert into outbox(id, conversation, due_at, body, said) values (?, ?, ?, ?, 0)
  on conflict(conversation, id) do nothing"""
_HEARD = "update raised set heard = 1 where service = ? and hash = ?"
_UP = "select heard from raised where service = ? and hash = ? and gone = 0"
_OLD_WORD = "select value from feedback where hash = ? and partner = ?"
_CHECKED = "update service set checkpoint = ? where name = ?"
_SOURCE = """insert into partner(name, lists, fetch_digest, subscription_digest, feedback_digest,
  created_at, via) values (?, '', ?, ?, ?, ?, ?) on conflict(name) do nothing"""
_NAMED = "select id from partner where name = ?"
_STATE = """select name, address, since,
  (select count(*) from outbox where conversation = :talk),
  (select coalesce(max(attempt), 0) from outbox where conversation = :talk),
  (select count(*) from raised where service = name and gone = 0),
  (select count(*) from raised where service = name and gone = 1),
  (select count(*) from feedback join raised on raised.hash = feedback.hash
    join partner on partner.id = partner where service = service.name and via = service.name)
  from service where name = :name"""


@dataclass(frozen=True, slots=True)
class Raisable:
    """A code that goes up, as it stands now: listed, or let go (`gone`) by all whose it was."""

    hash: bytes
    signal: Literal["ImagePDQ", "VideoMD5"]
    value: str = field(repr=False)
    gone: bool
    change: int
    entry: str
    """What it is called there: 32 hex digits, which say nothing of it."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service that was tried and is served, for people who were told of it after `since`."""

    name: str
    list: List
    address: str
    since: datetime
    checkpoint: str
    own: str
    """What it calls Sala: words of that name are Sala's own."""


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A service in numbers."""

    name: str
    address: str
    since: datetime
    waiting: int
    attempts: int
    listed: int
    let_go: int
    answers: int


AnsweredAbove = tuple[Literal["ImagePDQ", "VideoMD5"], str, str, Answer]
"""(signal, hash, who, what)."""


def channel_of(name: str) -> str:
    """The outbox's name for a service."""
    return f"upward.{name}"


class Upward(Part):
    """What goes up and what comes back, over one database."""

    def _talk(self, name: str) -> ConversationId:
        return ConversationId(self._vault.digest("conversation", b"upward", name.encode()))

    async def serve(
        self, name: str, label: str, list: List, address: str, checkpoint: str, own: str,
        now: datetime,
    ) -> None:  # fmt: skip
        """The service was tried: who is told of it from now on has codes passed on to it. Again it
        changes nothing, unless the address is another: nothing of before has gone up there."""
        since = micros(now)

        def job(db: Connection) -> None:
            old = db.execute(_SERVICE, (name,)).fetchone()
            if old is None or old[1] != address:
                db.execute(_FORGET, (name,))
                db.execute(_SERVE, (name, label, list, address, since, checkpoint, own))

        await self._engine.write(job)

    async def service(self, name: str) -> Service | None:
        """The service, if it was tried."""
        row = await self._engine.read(lambda db: db.execute(_SERVICE, (name,)).fetchone())
        return row and Service(name, row[0], row[1], moment(row[2]), *row[3:])

    async def plan_raising(self, name: str, now: datetime) -> int:
        """Put what changed on the service's list into the outbox, in one transaction with how far
        it was looked through; how many. Each change goes in once."""

        def job(db: Connection) -> int:
            found = db.execute(_NEW, (name, AT_ONCE)).fetchall()
            through = found[-1][1] if len(found) == AT_ONCE else None
            if found:
                self._plan(db, name, found, now)
            db.execute(_PASSED, (through, name))
            return len(found)

        return await self._engine.write(job)

    def _plan(
        self, db: Connection, name: str, found: Sequence[tuple[bytes, int]], now: datetime
    ) -> None:
        talk = self._talk(name)
        db.execute(_MEET, (talk, channel_of(name), micros(now)))
        for hash, change in found:
            id = self._vault.digest("raise", name.encode(), hash, str(change).encode()).hex()
            body = self._vault.seal(effect_place(talk, id), hash.hex().encode())
            db.execute(_PLAN, (id, talk, micros(now), body))
        refresh(db, talk)

    async def raisable(self, name: str, hashes: Sequence[bytes]) -> list[Raisable]:
        """These codes as they stand now; none that never went up and that nobody holds any more."""

        def job(db: Connection) -> list[Raisable]:
            rows = (db.execute(_NOW, (name, hash)).fetchone() for hash in dict.fromkeys(hashes))
            return [self._raisable(name, row) for row in rows if row]

        return await self._engine.read(job)

    def _raisable(self, name: str, row: tuple[bytes, Signal, bytes, int, int]) -> Raisable:
        id, signal, sealed, change, gone = row
        value = self._vault.open(f"hash.value|{id.hex()}", sealed).decode()
        entry = self._vault.digest("entry", name.encode(), id).hex()
        return Raisable(id, signal, value, bool(gone), change, entry)

    async def has_raised(self, name: str, codes: Sequence[Raisable]) -> None:
        """The service took these."""
        rows = [(name, one.hash, one.change, one.gone) for one in codes]
        await self._engine.write(lambda db: db.executemany(_RAISED, rows))

    async def heard_above(
        self, name: str, label: str, seen: Sequence[tuple[Signal, str]],
        words: Sequence[AnsweredAbove], now: datetime,
    ) -> None:  # fmt: skip
        """Keep what was said there of codes that went up, and tell their cases of what is new.

        What had been said before a code was first seen there is told to nobody (C13).
        """
        service = await self.service(name)
        if service is not None:
            said = dict[tuple[Signal, str], list[AnsweredAbove]]()
            for word in (one for one in words if one[2] != service.own):
                said.setdefault((word[0], word[1]), []).append(word)
            for signal, value in seen:
                id = hash_id(self._vault, service.list, signal, value)
                some = said.get((signal, value), [])
                await self._engine.write(partial(self._hear_above, name, label, id, some, now))

    def _hear_above(
        self, name: str, label: str, hash: bytes, words: Sequence[AnsweredAbove], now: datetime,
        db: Connection,
    ) -> None:  # fmt: skip
        row = db.execute(_UP, (name, hash)).fetchone()
        if row is None:
            return
        at = micros(now) if row[0] else 0
        keep: Callable[[], None] = partial(self._keep, db, (name, label), hash, words, at)
        telling(db, self._vault, [hash], now, keep)
        db.execute(_HEARD, (name, hash))

    def _keep(
        self, db: Connection, service: tuple[str, str], hash: bytes, words: Sequence[AnsweredAbove],
        at: int,
    ) -> None:  # fmt: skip
        """A word that is said again was not said now. Partners here are not shown it."""
        for _, _, source, value in words:
            partner = self._source(db, service, source)
            old = db.execute(_OLD_WORD, (hash, partner)).fetchone()
            if old is None or old[0] != value:
                db.execute(KEEP, (hash, partner, value, "[]", at))
                ask_if_refused(db, self._vault, hash, self._clock())

    def _source(self, db: Connection, service: tuple[str, str], source: str) -> int:
        """Who answers through a service is a partner that reads nothing and has no keys."""
        via, label = service
        name, digests = f"{source} ({label})", [self._vault.randoms(16) for _ in range(3)]
        db.execute(_SOURCE, (name, *digests, micros(self._clock()), via))
        return int(db.execute(_NAMED, (name,)).fetchone()[0])

    async def heard_until(self, name: str, checkpoint: str) -> None:
        """Where the next look at the service begins."""
        await self._engine.write(lambda db: db.execute(_CHECKED, (checkpoint, name)))

    async def service_state(self, name: str) -> ServiceState | None:
        """The service in numbers; None when it was not tried."""
        values = {"name": name, "talk": self._talk(name)}
        row = await self._engine.read(lambda db: db.execute(_STATE, values).fetchone())
        return row and ServiceState(row[0], row[1], moment(row[2]), *row[3:])
