"""What ends in SQLite: withdrawals that are due, and everything that was kept for its time.

A case whose time is over is withdrawn first and erased a month later, so that partners can see
it; the tombstone of a hash that nobody claims goes another month after that, once every partner of
its list has fetched it, or after half a year.
"""

from calendar import monthrange
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from bot.store.ended import End, Ended
from bot.store.jobs import Connection, Part
from bot.store.ledger import named, origin_of
from bot.store.listing import let_go
from bot.store.partners import drop_ended_keys
from bot.store.schema import micros, moment

SEEN_WITHIN: Final = timedelta(days=30)
"""How long a partner has to see a withdrawal before it is erased."""
SEEN_AT_LAST: Final = timedelta(days=180)
"""How long a tombstone waits for a partner that does not fetch it."""
VISIT_IDLE: Final = timedelta(days=30)
SET_ASIDE: Final = timedelta(days=30)
"""How long a message that nothing could be made of is kept, sealed, for whoever mends it."""
_GUESSES_KEPT: Final = timedelta(days=1)
_AT_ONCE: Final = 50
"""Cases or conversations that one sweep ends of each kind, so that it holds up nobody for long."""

_PLAN = """update cases set withdraw_at = min(coalesce(withdraw_at, :at), :at),
  erase = max(erase, :erase) where number_digest = :number and (status = 'Active' or :erase = 1)"""
_KEEP = """update cases set withdraw_at = null, erase = 0
  where number_digest = ? and status = 'Active'"""
_DUE = "select id from cases where withdraw_at <= ?"
_IS_DUE = "select erase, number_digest from cases where id = ? and withdraw_at <= ?"
_CLOSE = "update cases set status = 'Withdrawn', withdraw_at = null where id = ?"
_ERASE = "delete from cases where id = ?"
_EDGE = "select change from edge"
_AT_LEAST = "update edge set change = max(change, ?)"
_NUMBERED = "select id from cases where number_digest = ?"
_CLOSE_EMPTY = """update cases set status = 'Withdrawn', withdraw_at = null
  where id = :id and status = 'Active'
  and not exists (select 1 from claim where cases = :id and status = 'Active')"""
_FORGET_TRIES = "delete from guess where number_digest = ?"

_OLD_CLAIMS = """select distinct cases from claim
  where status = 'Active' and posted_at <= ? limit ?"""
_OVER = """select id from cases
  where status = 'Withdrawn' and withdraw_at is null and created_at <= ? limit ?"""
_HOLDS_NOTHING = """update cases set status = 'Withdrawn', withdraw_at = :at, erase = 1
  where id = :id and not exists (select 1 from claim where cases = :id and status = 'Active')"""
_IDLE = "select id from conversation where active_at <= ? limit ?"
# Nobody comes back to these once the visit has ended.
_IDLE_VISITS = """select id from conversation
  where channel in ('browser', 'terminal') and active_at <= ? limit ?"""
_END = "delete from conversation where id = ? and active_at <= ?"
_END_ORIGIN = "delete from origin where conversation = ?"
_END_TICKETS = "delete from ticket where conversation = ?"

_DROP_TICKETS = "delete from ticket where expires_at <= ?"
_DROP_GUESSES = "delete from guess where next_try_at <= ?"
_DROP_READINGS = "delete from reading where at <= ?"
_DROP_PARKED = "delete from inbox where parked = 1 and at <= ?"
_DROP_TOMBSTONES = """delete from hash where status = 'Withdrawn' and modified <= :seen
  and not exists (select 1 from claim where hash = hash.id)
  and (modified <= :at_last or signal is null
    or not exists (select 1 from raised where hash = hash.id and gone = 0) and not exists (
    select 1 from partner left join fetched
      on fetched.partner = partner.id and fetched.list = hash.list
    where revoked_at is null and ',' || lists || ',' like '%,' || hash.list || ',%'
      and partner.created_at <= hash.modified * 1000000 and coalesce(through, 0) < hash.change))"""

_Job = Callable[[Connection], str | None]


class Retention(Part):
    """How things end, in `Registry` over one database."""

    _ended: Ended | None = None
    """Where it is written down beside the database."""

    async def withdraw(self, number: str, at: datetime, *, erase: bool) -> None:
        """Plan the withdrawal of this case's claims; the earliest time asked for holds."""
        row = {"at": micros(at), "erase": erase, "number": named(self._vault, number)}
        await self._engine.write(lambda db: db.execute(_PLAN, row))

    async def keep(self, number: str) -> None:
        """Undo a planned withdrawal that has not taken effect."""
        row = (named(self._vault, number),)
        await self._engine.write(lambda db: db.execute(_KEEP, row))

    async def sweep(self, now: datetime) -> int:
        """Carry out withdrawals that are due, drop expired tickets and what was kept for its time;
        how many cases changed. What was erased is then gone from the file's bytes too."""
        cutoff = months_before(now, self._months)
        done = [
            *await self._each(_DUE, (micros(now),), lambda id: _take_effect(id, now, self._ended)),
            *await self._each(
                _OLD_CLAIMS, (micros(cutoff), _AT_ONCE), lambda id: _run_out(id, cutoff, now)
            ),
            *await self._each(_OVER, (micros(cutoff), _AT_ONCE), lambda id: _close_over(id, now)),
        ]
        ended = [
            *await self._end(_IDLE_VISITS, now - VISIT_IDLE),
            *await self._end(_IDLE, cutoff),
        ]
        dropped = await self._engine.write(lambda db: _drop_old(db, now, cutoff))
        if dropped or ended or "erased" in done:
            await self._engine.scrub()
        return len(done)

    async def _end(self, query: str, idle_since: datetime) -> list[str]:
        values = (micros(idle_since), _AT_ONCE)
        return await self._each(query, values, lambda id: self._end_talk(id, idle_since))

    def _end_talk(self, id: bytes, idle_since: datetime) -> _Job:
        origin = origin_of(self._vault, id)

        def job(db: Connection) -> str | None:
            if not db.execute(_END, (id, micros(idle_since))).rowcount:
                return None
            db.execute(_END_ORIGIN, (origin,))
            db.execute(_END_TICKETS, (id,))
            return "ended"

        return job

    async def _each(
        self, query: str, values: tuple[Any, ...], job: Callable[[bytes], _Job]
    ) -> list[str]:
        """What happened to those that the query finds, each in a transaction of its own."""
        ids = await self._engine.read(lambda db: db.execute(query, values).fetchall())
        outcomes = [await self._engine.write(job(id)) for (id,) in ids]
        return [outcome for outcome in outcomes if outcome]


def months_before(now: datetime, months: int) -> datetime:
    """The same time so many calendar months ago, or the last day of a shorter month."""
    year, month = divmod(now.year * 12 + now.month - 1 - months, 12)
    _, last = monthrange(year, month + 1)
    return now.replace(year=year, month=month + 1, day=min(now.day, last))


def end_again(db: Connection, ended: Ended, now: datetime) -> bool:
    """In a database that is older than what was written down, end what had ended; whether it was.

    The feed goes on behind what partners read before.
    """
    (change,) = db.execute(_EDGE).fetchone()
    ends = list(ended.since(change))
    for one in ends:
        end_once_more(db, one, now)
    return bool(ends)


def end_once_more(db: Connection, one: End, now: datetime) -> None:
    """What was done to a case, done to the case of a restored copy; to any other it does nothing.

    What was posted or listed since then stays.
    """
    db.execute(_AT_LEAST, (one.change,))
    for (id,) in db.execute(_NUMBERED, (one.number,)).fetchall():
        if one.erased:
            _erase(db, id, one.number, now)
        else:
            let_go(db, id, now, posted_until=moment(one.at), listed_until=one.change)
            db.execute(_CLOSE_EMPTY, {"id": id})


def _erase(db: Connection, id: bytes, number: bytes, now: datetime) -> None:
    let_go(db, id, now, erase=True)
    db.execute(_ERASE, (id,))
    db.execute(_FORGET_TRIES, (number,))


def _take_effect(id: bytes, now: datetime, ended: Ended | None) -> _Job:
    def job(db: Connection) -> str | None:
        row = db.execute(_IS_DUE, (id, micros(now))).fetchone()
        if row is None:
            return None
        erase, number = row
        if erase:
            _erase(db, id, number, now)
        else:
            let_go(db, id, now)
            db.execute(_CLOSE, (id,))
        if ended:  # before it is so: what is written down and was lost is ended at the next opening
            ended.add(now, number, db.execute(_EDGE).fetchone()[0], erased=bool(erase))
        return "erased" if erase else "withdrawn"

    return job


def _run_out(id: bytes, cutoff: datetime, now: datetime) -> _Job:
    """Withdraw what was posted before the cutoff; a case left with nothing ends a month later."""

    def job(db: Connection) -> str:
        let_go(db, id, now, posted_until=cutoff)
        _close_if_empty(db, id, now)
        return "run out"

    return job


def _close_over(id: bytes, now: datetime) -> _Job:
    def job(db: Connection) -> None:
        _close_if_empty(db, id, now)

    return job


def _close_if_empty(db: Connection, id: bytes, now: datetime) -> None:
    db.execute(_HOLDS_NOTHING, {"id": id, "at": micros(now + SEEN_WITHIN)})


def _drop_old(db: Connection, now: datetime, cutoff: datetime) -> int:
    """How many hashes and messages set aside were dropped for good."""
    db.execute(_DROP_TICKETS, (micros(now),))
    db.execute(_DROP_GUESSES, (micros(now - _GUESSES_KEPT),))
    db.execute(_DROP_READINGS, (micros(cutoff),))
    drop_ended_keys(db, now)
    parked = db.execute(_DROP_PARKED, (micros(now - SET_ASIDE),)).rowcount
    long_ago = {
        "seen": int((now - SEEN_WITHIN).timestamp()),
        "at_last": int((now - SEEN_AT_LAST).timestamp()),
    }
    return int(parked + db.execute(_DROP_TOMBSTONES, long_ago).rowcount)
