"""The store and the registry in a PostgreSQL database, for as many processes as wanted.

A process works for a conversation while it holds it: it claims those nobody holds (`skip locked`,
so that nobody waits for another's claim) and holds them until they have nothing left, or, should it
die, for half a minute. All times of holding are the server's own.
"""

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Self

from bot.store import Bundle, Claimed, ConversationId, StoreError
from bot.store.ended import End, Ended
from bot.store.jobs import Clock, Connection
from bot.store.lateness import Key
from bot.store.pg_engine import PostgresEngine, one_by_one
from bot.store.pg_schema import forget_seen
from bot.store.pg_sql import PgConnection
from bot.store.pg_turns import UNTIL, PgTurns
from bot.store.retention import end_once_more
from bot.store.schema import micros
from bot.store.whole import WholeStore, utc_now
from bot.vault import Vault

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
NOBODYS: Final = b""
"""About no conversation in particular, and yet nothing of cases or partners."""

_FREE: Final = "(held_by is null or held_by = ? or held_until < clock_timestamp())"
# The last column: held by this process, and for a while yet.
_OURS: Final = (
    "coalesce(held_by = ? and held_until > clock_timestamp() + interval '15 seconds', false)"
)
_WAITS = f"""select waits, id, {_OURS} from conversation
  where channel = ? and waits is not null and {_FREE} order by waits limit ?"""  # noqa: S608  # ours
_RINGS = f"""select rings_at, id, {_OURS} from conversation
  where channel = ? and rings_at <= ? and {_FREE} order by rings_at limit ?"""  # noqa: S608  # ours
_SENDS = f"""select send_at, id, {_OURS} from conversation
  where channel = ? and send_at <= ? and waits is null and {_FREE}
  order by send_at limit ?"""  # noqa: S608  # ours
_TAKE = f"""update conversation set held_by = ?, held_until = {UNTIL} where id in (
  select id from conversation where id = any(?) and {_FREE} for no key update skip locked)
  returning id"""  # noqa: S608  # ours
_LEAVE = "update conversation set held_by = null where id = any(?) and held_by = ?"

# Alike to `lateness.py`'s, for all of them in one go.
_OWING = """select id, owed from (select one.id, case
  when one.event = '' and exists (select 1 from conversation where conversation.id = one.id)
    or exists (select 1 from inbox where inbox.event = one.event)
    or exists (select 1 from outbox where conversation = one.id and said = 1
      and (attempt > 0 or due_at <= ?)) then 1
  when exists (select 1 from outbox where conversation = one.id and said = 1 and due_at <= ?)
  then 0 end as owed
  from unnest(cast(? as bytea[]), cast(? as bytea[])) as one(event, id)) as found
  where owed is not null"""
_ANSWERING = """select 1 from conversation where id = ? and held_until > clock_timestamp()
  and held_by is not null and exists (select 1 from outbox
    where conversation = conversation.id and said = 1 and (attempt > 0 or due_at <= ?))"""

_NUMBERED: Final = (
    ("inbox", "seq"), ("outbox", "seq"), ("partner", "id"), ("denial", "number"),
)  # fmt: skip

_BACK: Final = """select number_digest from cases
  where number_digest = any(:erased) or number_digest = any(:withdrawn) and status = 'Active'"""
_BEHIND: Final = "select 1 from edge where change < ?"

# What was written before can be written over when the disk is full; what is sorted here needs room.
_LITTLE: Final = "set local work_mem = '64kB'"
_ROOM: Final = """select count(*) from (
  select md5(cast(n as text)) as one from generate_series(1, 3000) as n order by one) as sorted"""

_Found = tuple[int, ConversationId, bool]


class PostgresStore(PgTurns, WholeStore):
    """`Store` and `Registry` over a PostgreSQL database (docs/architecture.md)."""

    _passing_by = " for no key update skip locked"

    @classmethod
    def open(
        cls,
        url: str,
        vault: Vault,
        clock: Clock = utc_now,
        retention_months: int = 24,
        here: Collection[str] | None = None,
        ended: Ended | None = None,
    ) -> Self:
        """The store in this database, its tables made or brought up to date as needed.

        What ends is written down in `ended`, and an older copy of the database forgets it again.

        What arrives here of the channels `here` (None: of all) is worked for here, unless another
        process holds its conversation; of others it waits for whoever claims it.
        NewerSchema when a newer Sala wrote it; Unreadable when it was sealed with other keys.
        """
        now = clock()
        if ended:
            ended.drop_old(now)
        first = partial(_end_again, list(ended.since(-1)) if ended else [], now)
        engine = PostgresEngine(url, vault, first)
        store = cls(engine, vault, clock, retention_months)
        engine.together = store.together
        store._ended = ended
        store._me = int.from_bytes(vault.randoms(7), "big")
        store._here = here
        store._held = set()
        return store

    async def prove_writable(self) -> None:
        """Write something that changes nothing, and something that needs room on the disk."""
        await super().prove_writable()
        await self._engine.read(_find_room)

    async def claim(self, channels: Collection[str], now: datetime, limit: int) -> list[Claimed]:
        """Up to `limit` conversations with work that no other process holds."""
        at = micros(now)

        def look(db: Connection) -> list[_Found]:
            waits = self._found(db, _WAITS, channels, limit)
            return waits + self._found(db, _RINGS, channels, limit, at)

        ids = await self._hold(await self._engine.read(look), limit)
        if not ids:
            return []
        claims = await self._engine.read(lambda db: self._claims(db, ids, at))
        for one in claims:
            self._fresh.pop(one.conversation, None)
        return claims

    async def due(self, channels: Collection[str], now: datetime, limit: int) -> list[Bundle]:
        """Effects to carry out now, of conversations that no other process holds."""
        at = micros(now)
        found = await self._engine.read(lambda db: self._found(db, _SENDS, channels, limit, at))
        ids = await self._hold(found, limit)
        if not ids:
            return []
        return await self._engine.read(lambda db: self._bundles(db, ids, at))

    def _found(
        self, db: Connection, query: str, channels: Collection[str], limit: int, *at: int
    ) -> list[_Found]:
        found: list[_Found] = []
        for channel in channels:
            found += db.execute(query, (self._me, channel, *at, self._me, limit)).fetchall()
        return sorted(found)

    async def _hold(self, found: Iterable[_Found], limit: int) -> list[ConversationId]:
        """Those of them that are held by this process now, in their order."""
        sure = dict.fromkeys(id for _, id, _ in found)
        ids = list(sure)[:limit]
        open = [id for _, id, ours in found if not ours and id in ids]
        if not open:
            return ids
        taken = {id for (id,) in await self._engine.write(self._take(open), NOBODYS)}
        self._held |= taken
        return [id for id in ids if id in taken or id not in open]

    def _take(self, ids: list[ConversationId]) -> Any:
        return lambda db: db.execute(_TAKE, (self._me, ids, self._me)).fetchall()

    def _owing(
        self, db: Connection, keys: Sequence[Key], sending: int, now: int
    ) -> list[tuple[ConversationId, bool]]:
        events, ids = [event for event, _ in keys], [id for _, id in keys]
        found = db.execute(_OWING, (sending, now, events, ids))
        return [(id, bool(owed)) for id, owed in found]

    def _answering(self, db: Connection, seen: Claimed) -> bool:
        now = micros(self._clock())
        return bool(db.execute(_ANSWERING, (seen.conversation, now)).fetchone())

    async def sweep(self, now: datetime) -> int:
        """As everywhere; and the days are forgotten whose events nobody sends again."""
        today = (now - _EPOCH).days
        await self._engine.write(lambda db: forget_seen(db, today))
        return await super().sweep(now)

    def _moved_in(self, db: Connection) -> None:
        for table, column in _NUMBERED:
            db.execute(
                f"""select setval(pg_get_serial_sequence('{table}', '{column}'),
                  coalesce(max({column}), 1), max({column}) is not null) from {table}"""  # noqa: S608
            )

    async def close(self) -> None:
        """Finish what was accepted, let go of what was held, and close."""
        ids, self._held = list(self._held), set()
        if ids:
            with suppress(StoreError):  # the server may be gone: then its half minute runs out
                await self._engine.write(lambda db: db.execute(_LEAVE, (ids, self._me)), NOBODYS)
        await super().close()


def _end_again(ends: list[End], now: datetime, db: PgConnection) -> None:
    """Each machine wrote down what it ended, and somebody may have opened a restored copy before:
    so all of it counts, whatever place the feed is at."""
    numbers: dict[bool, list[bytes]] = {True: [], False: []}
    for one in ends:
        numbers[one.erased].append(one.number)
    which = {"erased": numbers[True], "withdrawn": numbers[False]}
    back = {number for (number,) in db.execute(_BACK, which)}
    last = max((one.change for one in ends), default=0)
    if back or db.execute(_BEHIND, (last,)).fetchone():
        one_by_one(db)
        for one in ends:
            if one.number in back or one.change == last:
                end_once_more(db, one, now)


def _find_room(db: Connection) -> None:
    db.execute(_LITTLE)
    db.execute(_ROOM).fetchone()
