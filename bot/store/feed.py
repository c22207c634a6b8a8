"""What partners read and say, in SQLite: the feed, that they read it, and what they answered."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from bot.cases.eligibility import List
from bot.cases.status import FeedbackValue, HashStatus
from bot.conversation.codec import encode_inbound
from bot.conversation.model import News
from bot.store import Page, Partner, Record
from bot.store.denials import ask_if_refused
from bot.store.jobs import Connection, Part
from bot.store.listing import SIGNALS, Signal, hash_id, let_one_go, mark, standing
from bot.store.schema import micros
from bot.store.turns import tell
from bot.vault import Vault

Word = tuple[str, FeedbackValue, tuple[str, ...]]
_AHEAD: Final = 60
"""Seconds that the feed's time may be led ahead of the clock by those who read and answer."""
_WORDS_AT_ONCE: Final = 25
"""Words of one transaction: a long answer does not keep first messages waiting."""

_BEFORE = "select change from hash where modified < ? order by modified desc, change desc limit 1"
# A page in one statement, each hash looked up once: a row for every claim and word of it.
_PAGE = """select page.id, modified, signal, page.value, page.status, page.change,
  cases, claim.status, name, feedback.value, tags
  from (select id, modified, signal, value, status, change from hash
    where list = ? and signal is not null and change > ? order by change limit ?) as page
  left join claim on claim.hash = page.id
  left join feedback on feedback.hash = page.id
  left join partner on partner.id = partner and via is null
  order by page.change"""
_READ = "insert into reading values (?, ?, ?, ?, ?, ?)"
_FETCHED = """insert into fetched select :partner, :list, :last
  where not exists (select 1 from hash where list = :list and signal is not null
    and change < :first and change > coalesce(
      (select through from fetched where partner = :partner and list = :list), 0))
  on conflict(partner, list) do update set through = max(fetched.through, excluded.through)"""
_LATER = "select 1 from hash where list = ? and signal is not null and change > ? limit 1"
_SEAL = "update edge set modified = max(modified, ?)"
_KNOWN = "select 1 from hash where id = ? and signal is not null"
_OLD_WORD = "select value, tags from feedback where hash = ? and partner = ?"
KEEP: Final = """insert into feedback values (?, ?, ?, ?, ?) on conflict(hash, partner)
  do update set value = excluded.value, tags = excluded.tags, at = excluded.at"""
_FOLLOWED = """select id, number, follower from claim join cases on cases.id = claim.cases
  where hash = ? and claim.status = 'Active' and follower is not null"""
_OWN = """select deposit.cases from deposit join claim on claim.cases = deposit.cases
  where partner = ? and hash = ?"""
_EDGE = "select change from edge"

_Row = tuple[bytes, int, int]
"""A hash's id, when it was modified, its change."""
_Joined = tuple[
    bytes, int, Signal, bytes, HashStatus, int, bytes | None, HashStatus, str | None, FeedbackValue,
    str,
]  # fmt: skip
_Many = TypeVar("_Many", bound=tuple[object, ...])


class Feed(Part):
    """The lists as partners read them, in `Registry` over one database."""

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
        more = len(rows) > limit
        sealed = await self._engine.write(
            lambda db: _on_record(db, partner, readable, rows[:limit], now, last=not more)
        )
        newest = max([0, *(record.modified for record in records)])
        return Page(records, max(start, newest + sealed), rows[limit - 1][-1] if more else None)

    def _page(
        self, db: Connection, lists: Sequence[List], start: int, after: int, limit: int
    ) -> tuple[list[_Row], tuple[Record, ...]]:
        """The page's rows, one more when there is more, and its records."""
        (before,) = db.execute(_BEFORE, (start,)).fetchone() or (0,)
        edge = max(before, after)
        found: list[tuple[_Row, Record]] = []
        for name in lists:
            found += self._records(db.execute(_PAGE, (name, edge, limit + 1)))
        if len(lists) > 1:
            found.sort(key=_by_change)
        page = found[: limit + 1]
        return [row for row, _ in page], tuple([record for _, record in page[:limit]])

    def _records(self, rows: Iterable[_Joined]) -> list[tuple[_Row, Record]]:
        """Of each hash, in their order; a hash comes with all its claims by all its words."""
        found: list[tuple[_Row, Record]] = []
        cases: tuple[tuple[str, HashStatus], ...]
        words: tuple[Word, ...]
        last = 0
        for id, modified, signal, sealed, status, change, case, held, source, word, tags in rows:
            cases = () if case is None else ((_opaque(case), held),)
            words = () if source is None else ((source, word, _opened(self._vault, id, tags)),)
            if change == last:
                row, old = found[-1]
                cases, words = _joined(old.cases, cases), _joined(old.feedback, words)
                found[-1] = row, old._replace(cases=cases, feedback=words)
                continue
            last, row = change, (id, modified, change)
            value = self._vault.open(f"hash.value|{id.hex()}", sealed).decode()
            found.append((row, Record(modified, signal, value, status, cases, words)))
        return found

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

        def keep() -> None:
            for ids, word, tags in heard:
                for id in ids:
                    keep_word(db, self._vault, id, partner, (word, tags), now)

        telling(db, self._vault, [id for ids, _, _ in heard for id in ids], now, keep)
        return sum(bool(ids) for ids, _, _ in heard)

    def _meant(self, db: Connection, partner: Partner, value: str) -> list[bytes]:
        ids = [
            hash_id(self._vault, list, signal, value)
            for list in partner.lists
            for signal in SIGNALS
        ]
        return [id for id in ids if db.execute(_KNOWN, (id,)).fetchone()]


def telling(
    db: Connection, vault: Vault, hashes: Sequence[bytes], now: datetime, keep: Callable[[], None]
) -> None:
    """Keep words on these hashes, and tell the cases that wanted updates when what they would be
    told changed."""
    followed = {
        case: (number, follower)
        for id in hashes
        for case, number, follower in db.execute(_FOLLOWED, (id,))
    }
    before = {case: standing(db, case) for case in followed}
    keep()
    for case, (number, follower) in followed.items():
        if standing(db, case) != before[case]:
            _tell_news(db, vault, case, number, follower, now)


def _tell_news(
    db: Connection, vault: Vault, case: bytes, sealed: bytes, follower: bytes, now: datetime
) -> None:
    number = vault.open(f"cases.number|{case.hex()}", sealed).decode()
    at, (edge,) = micros(now), db.execute(_EDGE).fetchone()
    event = vault.digest("news", case, str(at).encode(), str(edge).encode())
    tell(db, vault, follower, event, encode_inbound(News(now, number)), at)


def _joined(some: tuple[_Many, ...], more: tuple[_Many, ...]) -> tuple[_Many, ...]:
    return tuple(sorted({*some, *more}))


def _by_change(found: tuple[_Row, Record]) -> int:
    return found[0][-1]


def _opaque(case: bytes) -> str:
    """A case's random id as a UUID (version 4)."""
    digits = case.hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _on_record(
    db: Connection, partner: Partner, lists: Sequence[List], rows: Sequence[_Row], now: datetime,
    *, last: bool,
) -> bool:  # fmt: skip
    """Whether the second of the newest record is over: the partner may go on after it.

    It is once a last page left nothing out, because what changes from now on is of a later second;
    but whoever reads and answers in turns cannot lead the feed's time far ahead of the clock.
    """
    first, through = (rows[0][-1], rows[-1][-1]) if rows else (None, None)
    log = (partner.id, micros(now), ",".join(lists), first, through, len(rows))
    db.execute(_READ, log)
    if through is None:
        return False
    for list in lists:
        span = {"partner": partner.id, "list": list, "first": first, "last": through}
        db.execute(_FETCHED, span)
    if not last or any(db.execute(_LATER, (list, through)).fetchone() for list in lists):
        return False
    newest = rows[-1][1]
    if newest >= int(now.timestamp()) + _AHEAD:
        return False
    db.execute(_SEAL, (newest + 1,))
    return True


def keep_word(
    db: Connection, vault: Vault, hash: bytes, partner: Partner,
    said: tuple[FeedbackValue, Iterable[str]], now: datetime,
) -> None:  # fmt: skip
    """A word said again counts as said now (C13), but the hash has not changed."""
    word, tags = said[0], tuple(said[1])
    old = db.execute(_OLD_WORD, (hash, partner.id)).fetchone()
    db.execute(KEEP, (hash, partner.id, word, _sealed(vault, hash, tags), micros(now)))
    if word in {"Withdrawn", "Deleted"}:
        for (case,) in db.execute(_OWN, (partner.id, hash)).fetchall():
            let_one_go(db, case, hash, now)
    if old is None or (old[0], _opened(vault, hash, old[1])) != (word, tags):
        mark(db, hash, now)
        ask_if_refused(db, vault, hash, now)


def _sealed(vault: Vault, hash: bytes, tags: tuple[str, ...]) -> str:
    """Partners' own words, which could name somebody."""
    plain = json.dumps(tags, ensure_ascii=False)
    if not tags:
        return plain
    return b64encode(vault.seal(f"feedback.tags|{hash.hex()}", plain.encode())).decode()


def _opened(vault: Vault, hash: bytes, kept: str) -> tuple[str, ...]:
    """Also those of older files, which kept them as JSON."""
    if not kept.startswith("["):
        kept = vault.open(f"feedback.tags|{hash.hex()}", b64decode(kept)).decode()
    return tuple(json.loads(kept))
