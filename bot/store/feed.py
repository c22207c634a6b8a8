"""Partners in SQLite: what they may read, that they read it, and what they answered."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Final, Literal, cast
from uuid import UUID

from bot.cases.eligibility import List
from bot.cases.status import FeedbackValue, HashStatus
from bot.conversation.codec import encode_inbound
from bot.conversation.model import News
from bot.store import Page, Partner, PartnerKeys, Record
from bot.store.engine import Connection, Part
from bot.store.listing import SIGNALS, Signal, hash_id, mark, standing
from bot.store.schema import micros
from bot.store.turns import tell

Word = tuple[str, FeedbackValue, tuple[str, ...]]
_WORDS_AT_ONCE: Final = 25
"""Words of one transaction: a long answer does not keep first messages waiting."""

_ADD = """insert into partner values (null, ?, ?, ?, ?, ?, ?) on conflict(name) do nothing"""
_KEYS: Final = """select id, name, lists, iif(? = 'fetch', fetch_digest, feedback_digest)
  from partner where subscription_digest = ?"""
_PARTNERS = "select id, name, lists from partner order by name"
_BEFORE = "select change from hash where modified < ? order by modified desc, change desc limit 1"
_PAGE = """select id, modified, signal, value, status, change from hash
  where list = ? and signal is not null and change > ? order by change limit ?"""
_CASES = "select cases, status from claim where hash = ? order by cases"
_FEEDBACK = """select name, value, tags from feedback join partner on partner.id = partner
  where hash = ? order by name"""
_READ = "insert into reading values (?, ?, ?, ?, ?, ?)"
_FETCHED = """insert into fetched select :partner, :list, :last
  where not exists (select 1 from hash where list = :list and signal is not null
    and change < :first and change > ifnull(
      (select through from fetched where partner = :partner and list = :list), 0))
  on conflict(partner, list) do update set through = max(through, excluded.through)"""
_KNOWN = "select 1 from hash where id = ? and signal is not null"
_OLD_WORD = "select value, tags from feedback where hash = ? and partner = ?"
_WORD = """insert into feedback values (?, ?, ?, ?, ?) on conflict(hash, partner)
  do update set value = excluded.value, tags = excluded.tags, at = excluded.at"""
_FOLLOWED = """select id, number, follower from claim join cases on cases.id = claim.cases
  where hash = ? and claim.status = 'Active' and follower is not null"""
_EDGE = "select change from edge"

_Row = tuple[bytes, int, Signal, bytes, HashStatus, int]


class Feed(Part):
    """The partners' half of `Registry` over one SQLite file."""

    async def add_partner(self, name: str, lists: Sequence[List], now: datetime) -> PartnerKeys:
        """A new partner and its keys; ValueError when the name is taken."""
        fetch, subscription, feedback = (
            urlsafe_b64encode(self._vault.randoms(32)).decode().rstrip("=") for _ in range(3)
        )
        row = (
            name, ",".join(sorted(set(lists))), self._key("fetch", fetch),
            self._key("subscription", subscription), self._key("feedback", feedback), micros(now),
        )  # fmt: skip
        if not await self._engine.write(lambda db: db.execute(_ADD, row).rowcount):
            raise ValueError("There is a partner of this name.")
        return PartnerKeys(fetch, subscription, feedback)

    async def partner(
        self, key: str, subscription: str, scope: Literal["fetch", "feedback"]
    ) -> Partner | None:
        """The partner whose two keys these are, compared by digest; None otherwise."""
        whose = self._key("subscription", subscription)
        row = await self._engine.read(lambda db: db.execute(_KEYS, (scope, whose)).fetchone())
        if row is None or not self._vault.same(row[3], self._key(scope, key)):
            return None
        return _partner(row[:3])

    def _key(self, scope: str, key: str) -> bytes:
        return self._vault.digest("partner key", scope.encode(), key.encode())

    async def partners(self) -> list[Partner]:
        """All partners by name."""
        rows = await self._engine.read(lambda db: db.execute(_PARTNERS).fetchall())
        return [_partner(row) for row in rows]

    async def readers(self, list: List) -> tuple[str, ...]:
        """Names of the partners whose agreement covers this list, today."""
        return tuple(one.name for one in await self.partners() if list in one.lists)

    async def feed(
        self, partner: Partner, lists: Sequence[List], start: int, after: int | None, limit: int,
        now: datetime,
    ) -> Page:  # fmt: skip
        """Records modified at or after `start` (unix seconds), oldest change first.

        The read is on record before the page is handed out. A partner counts as a reader of all
        up to the page's end only if it left out nothing before.
        """
        readable = sorted(set(lists) & set(partner.lists))
        rows, records = await self._engine.read(
            lambda db: self._page(db, readable, start, after or 0, limit)
        )
        await self._engine.write(lambda db: _on_record(db, partner, readable, rows[:limit], now))
        checkpoint = max([start, *(record.modified for record in records)])
        return Page(records, checkpoint, rows[limit - 1][-1] if len(rows) > limit else None)

    def _page(
        self, db: Connection, lists: Sequence[List], start: int, after: int, limit: int
    ) -> tuple[list[_Row], tuple[Record, ...]]:
        """The page's rows, one more when there is more, and its records."""
        (before,) = db.execute(_BEFORE, (start,)).fetchone() or (0,)
        rows: list[_Row] = []
        for name in lists:
            rows += db.execute(_PAGE, (name, max(before, after), limit + 1)).fetchall()
        rows = sorted(rows, key=lambda row: row[-1])[: limit + 1]
        return rows, tuple(self._record(db, row) for row in rows[:limit])

    def _record(self, db: Connection, row: _Row) -> Record:
        id, modified, signal, sealed, status, _ = row
        cases = db.execute(_CASES, (id,)).fetchall()
        words = db.execute(_FEEDBACK, (id,)).fetchall()
        return Record(
            modified,
            signal,
            self._vault.open(f"hash.value|{id.hex()}", sealed).decode(),
            status,
            tuple((str(UUID(bytes=case, version=4)), held) for case, held in cases),
            tuple((name, value, tuple(json.loads(tags))) for name, value, tags in words),
        )

    async def give_feedback(
        self, partner: Partner, words: Sequence[Word], now: datetime
    ) -> int:  # fmt: skip
        """Keep a partner's latest word on hashes (lower-case hex) of its lists, and tell the cases
        that wanted updates when what they would be told changed.

        How many words named such a hash. The same word again moves nothing in the feed.
        """
        named = 0
        for start in range(0, len(words), _WORDS_AT_ONCE):
            some = words[start : start + _WORDS_AT_ONCE]
            named += await self._engine.write(partial(self._hear, partner, some, now))
        return named

    def _hear(self, partner: Partner, words: Sequence[Word], now: datetime, db: Connection) -> int:
        heard = [(self._meant(db, partner, value), word, tags) for value, word, tags in words]
        followed = {
            case: (number, follower)
            for ids, _, _ in heard
            for id in ids
            for case, number, follower in db.execute(_FOLLOWED, (id,))
        }
        before = {case: standing(db, case) for case in followed}
        for ids, word, tags in heard:
            for id in ids:
                _keep_word(db, id, partner, word, tags, now)
        for case, (number, follower) in followed.items():
            if standing(db, case) != before[case]:
                self._tell_news(db, case, number, follower, now)
        return sum(bool(ids) for ids, _, _ in heard)

    def _meant(self, db: Connection, partner: Partner, value: str) -> list[bytes]:
        ids = [
            hash_id(self._vault, list, signal, value)
            for list in partner.lists
            for signal in SIGNALS
        ]
        return [id for id in ids if db.execute(_KNOWN, (id,)).fetchone()]

    def _tell_news(
        self, db: Connection, case: bytes, sealed: bytes, follower: bytes, now: datetime
    ) -> None:
        number = self._vault.open(f"cases.number|{case.hex()}", sealed).decode()
        at, (edge,) = micros(now), db.execute(_EDGE).fetchone()
        event = self._vault.digest("news", case, str(at).encode(), str(edge).encode())
        tell(db, self._vault, follower, event, encode_inbound(News(now, number)), at)


def _partner(row: tuple[int, str, str]) -> Partner:
    id, name, lists = row
    return Partner(id, name, tuple(cast(List, list) for list in lists.split(",") if list))


def _on_record(
    db: Connection, partner: Partner, lists: Sequence[List], rows: Sequence[_Row], now: datetime
) -> None:
    first, last = (rows[0][-1], rows[-1][-1]) if rows else (None, None)
    log = (partner.id, micros(now), ",".join(lists), first, last, len(rows))
    db.execute(_READ, log)
    if rows:
        for list in lists:
            span = {"partner": partner.id, "list": list, "first": first, "last": last}
            db.execute(_FETCHED, span)


def _keep_word(
    db: Connection, hash: bytes, partner: Partner, word: str, tags: Iterable[str], now: datetime
) -> None:
    """A word said again counts as said now (C13), but the hash has not changed."""
    kept = json.dumps(list(tags), ensure_ascii=False)
    old = db.execute(_OLD_WORD, (hash, partner.id)).fetchone()
    db.execute(_WORD, (hash, partner.id, word, kept, micros(now)))
    if old != (word, kept):
        mark(db, hash, now)
