"""Numbers about cases and the exchange, for the operator and for the public: counts alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bot.cases.eligibility import List
from bot.cases.status import Standing
from bot.store.jobs import Connection, Part
from bot.store.ledger import named
from bot.store.listing import standing
from bot.store.schema import micros, moment

_MINE = "cases.id not in (select cases from deposit)"
_STATES = f"""select list, status, count(*), cast(coalesce(sum(images), 0) as bigint) from cases
  where {_MINE} group by list, status order by list, status"""  # noqa: S608  # the condition is ours
_LISTED = """select list, status, count(*) from hash where signal is not null
  group by list, status order by list, status"""
_CASE = """select id, list, created_at, withdraw_at, follower is not null from cases
  where number_digest = ?"""
_READS = """select name, lists, a_minute, created_at, revoked_at, submit_digest is not null,
  (select max(ends_at) from former_keys where partner = partner.id),
  (select max(at) from reading where partner = partner.id and at > :since),
  (select count(*) from reading where partner = partner.id and at > :since),
  (select coalesce(sum(count), 0) from reading where partner = partner.id and at > :since),
  (select count(*) from feedback where partner = partner.id)
  from partner order by name"""
_BEHIND = """select name, list, (select count(*) from hash where hash.list = lists.list
  and signal is not null and change > coalesce((select through from fetched
    where fetched.partner = partner.id and fetched.list = lists.list), 0))
  from partner join (select 'adults' as list union select 'minors') as lists
    on ',' || partner.lists || ',' like '%,' || lists.list || ',%'
  where revoked_at is null order by name, list"""

# Each is (what, list, how many) of one month; what is erased since is not counted any more.
_MONTH: Final = (
    f"""select 'cases opened', list, count(*) from cases
      where created_at >= :start and created_at < :end and {_MINE} group by list""",  # noqa: S608
    f"""select 'pictures and videos registered', list, count(*) from (
      select distinct cases.id, image, hash.list from claim join hash on hash.id = claim.hash
      join cases on cases.id = claim.cases
      where posted_at >= :start and posted_at < :end and {_MINE}) as posted group by list""",  # noqa: S608
    """select 'hashes submitted by partners', hash.list, count(*) from claim
      join hash on hash.id = claim.hash join deposit on deposit.cases = claim.cases
      where posted_at >= :start and posted_at < :end group by hash.list""",
    """select 'hashes withdrawn', list, count(*) from hash where status = 'Withdrawn'
      and signal is not null and modified * 1000000 >= :start and modified * 1000000 < :end
      group by list""",
    """select 'answer ' || feedback.value, list, count(*) from feedback
      join hash on hash.id = hash where at >= :start and at < :end group by list, feedback.value""",
    """select 'pages read by partners', list, count(*) from reading
      where at >= :start and at < :end group by list""",
)


@dataclass(frozen=True, slots=True)
class CaseState:
    """A case for the operator: its list, its days, and what its person is told."""

    list: List
    opened: datetime
    withdraws: datetime | None
    followed: bool
    standing: Standing


@dataclass(frozen=True, slots=True)
class PartnerState:
    """What a partner did since a day, in numbers."""

    name: str
    lists: str
    a_minute: int
    since: datetime
    revoked: datetime | None
    submits: bool
    former_until: datetime | None
    last_read: datetime | None
    reads: int
    records: int
    answers: int


Row = tuple[str, str, int]


class Figures(Part):
    """Counts over one database."""

    async def case_state(self, number: str) -> CaseState | None:
        """One case as its operator may see it; None when there is no such case."""

        def job(db: Connection) -> CaseState | None:
            row = db.execute(_CASE, (named(self._vault, number),)).fetchone()
            if row is None:
                return None
            id, list, opened, withdraws, followed = row
            due = None if withdraws is None else moment(withdraws)
            return CaseState(list, moment(opened), due, bool(followed), standing(db, id))

        return await self._engine.read(job)

    async def case_counts(self) -> list[tuple[str, str, int, int]]:
        """(list, status, cases, pictures) of persons' cases."""
        return await self._engine.read(lambda db: db.execute(_STATES).fetchall())

    async def listed(self) -> list[Row]:
        """(list, status, hashes) of what partners are given."""
        return await self._engine.read(lambda db: db.execute(_LISTED).fetchall())

    async def behind(self) -> list[Row]:
        """(partner, list, changes it has not fetched)."""
        return await self._engine.read(lambda db: db.execute(_BEHIND).fetchall())

    async def partner_states(self, since: datetime) -> list[PartnerState]:
        """What each partner did since then."""
        values = {"since": micros(since)}
        rows = await self._engine.read(lambda db: db.execute(_READS, values).fetchall())
        return [_state(row) for row in rows]

    async def month(self, start: datetime, end: datetime) -> list[Row]:
        """(what, list, how many) of the time from start to before end."""
        values = {"start": micros(start), "end": micros(end)}

        def job(db: Connection) -> list[Row]:
            return [row for query in _MONTH for row in _sorted(db, query, values)]

        return await self._engine.read(job)


def _sorted(db: Connection, query: str, values: dict[str, int]) -> Iterator[Row]:
    yield from sorted(db.execute(query, values).fetchall())


def _state(row: tuple[object, ...]) -> PartnerState:
    name, lists, a_minute, since, revoked, submits, former, last, *counts = row
    times = [None if one is None else moment(int(str(one))) for one in (revoked, former, last)]
    reads, records, answers = (int(str(one)) for one in counts)
    return PartnerState(
        str(name), str(lists), int(str(a_minute)), moment(int(str(since))), times[0],
        bool(submits), times[1], times[2], reads, records, answers,
    )  # fmt: skip
