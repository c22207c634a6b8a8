"""The denylist in SQLite: pictures that are registered for nobody, as their sealed codes.

The operator denies pictures of everybody's (wallpapers, icons, logos). A hash that several partners
refused, and none blocked, feeds it too: from then on no new code within partners' own limit of it
is listed for anybody. Whoever registers such a copy holds the refused hash itself instead, which
partners go on comparing: nobody's protection ends by partners' word, nobody is refused by it, and
who has the same file cannot tell that it was registered (C13). The operator is asked, and denies
it to everybody or lets it through for good.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

from bot.cases.eligibility import List
from bot.cases.hashes import Hash, Item
from bot.store.jobs import Connection, Part
from bot.store.listing import hash_id
from bot.store.schema import micros, moment
from bot.vault import Vault

NEAR: Final = 31
"""Two PDQ hashes at most so many bits apart are of one picture (partners' own limit)."""
SEVERAL: Final = 3
"""Partners that have to refuse a hash before no copy of it is listed and the operator is asked."""

State = Literal["asked", "denied", "allowed"]

_ADD = """insert into denial(digest, kind, value, state, source, at) values (?, ?, ?, ?, ?, ?)
  on conflict(digest) do update set state = 'denied' where excluded.state = 'denied'"""
_CODES = "select digest, kind, value from denial where state = ? order by number"
# Only partners of an agreement refuse, each once: who answers through another list may be one of
# them again. A word for the person counts whoever said it.
_REFUSED = """select count(*) from feedback join partner on partner.id = partner
  where hash = :id and value = 'NotBlocked' and via is null and revoked_at is null
  and not exists (select 1 from feedback where hash = :id
    and value in ('Blocked', 'PendingReview', 'Met'))"""
_WAITS = "select 1 from denial where state = 'asked' limit 1"
_ASK_NO_MORE = "delete from denial where digest = ? and state = 'asked'"
_OF_HASH = "select kind, value from hash where id = ?"
_KNOWN = "select 1 from denial where digest = ?"
_QUEUE = "select number, state, source, kind, at from denial where state = ? order by number"
_DECIDE = "update denial set state = ? where number = ?"


@dataclass(frozen=True, slots=True)
class Denial:
    """One line of the queue: numbers alone, nothing of the picture."""

    number: int
    state: State
    source: str
    kind: str
    at: datetime


class Denials(Part):
    """What is registered for nobody, over one database."""

    async def deny(self, items: Sequence[Item], now: datetime) -> int:
        """Register nothing more that looks like these pictures; how many codes were new."""
        codes = [(hash.kind, hash.value) for item in items for hash in item.hashes]

        def job(db: Connection) -> int:
            return sum(_add(db, self._vault, *code, "denied", "operator", now) for code in codes)

        return await self._engine.write(job)

    async def denials(self, state: State) -> list[Denial]:
        """What stands on the denylist, was let through, or waits to be decided."""
        rows = await self._engine.read(lambda db: db.execute(_QUEUE, (state,)).fetchall())
        return [
            Denial(number, held, source, kind, moment(at))
            for number, held, source, kind, at in rows
        ]

    async def decide(self, number: int, state: State) -> None:
        """Deny, or let through, what waits under this number. ValueError when there is none."""
        if not await self._engine.write(lambda db: db.execute(_DECIDE, (state, number)).rowcount):
            raise ValueError("There is no such number in the queue.")


@dataclass(frozen=True, slots=True)
class Denylist:
    """The denied codes, opened once for all that is compared with them."""

    near: tuple[int, ...] = field(repr=False)
    same: frozenset[str] = field(repr=False)

    def holds(self, item: Item) -> bool:
        """Whether a picture or video looks like one of them."""
        return any(self._is_one(hash) for hash in item.hashes)

    def _is_one(self, hash: Hash) -> bool:
        if hash.kind != "pdq":
            return hash.value in self.same
        bits = int(hash.value, 16)
        return any((bits ^ other).bit_count() <= NEAR for other in self.near)


def denylist(db: Connection, vault: Vault) -> Denylist:
    """What is registered for nobody now."""
    codes = list(_codes(db, vault, "denied"))
    near = tuple(int(value, 16) for kind, value in codes if kind == "pdq")
    return Denylist(near, frozenset(value for kind, value in codes if kind != "pdq"))


def _codes(db: Connection, vault: Vault, state: State) -> Iterator[tuple[str, str]]:
    for digest, kind, sealed in db.execute(_CODES, (state,)).fetchall():
        yield kind, vault.open(f"denial.value|{digest.hex()}", sealed).decode()


def carried(db: Connection, vault: Vault, list: List, items: Sequence[Item]) -> tuple[Item, ...]:
    """The items as they are listed: for a code near one that several partners refuse stands that
    one, which a partner matches with the same picture."""
    refused = tuple(value for kind, value in _codes(db, vault, "asked") if kind == "pdq")
    if not refused:
        return tuple(items)
    still: dict[str, bool] = {}

    def listed(hash: Hash) -> Hash:
        if hash.kind != "pdq":
            return hash
        for value in sorted(_near(hash.value, refused), key=lambda one: _apart(one, hash.value)):
            if value not in still:
                still[value] = _refused(db, hash_id(vault, list, "ImagePDQ", value))
            if still[value]:
                return replace(hash, value=value)
        return hash

    return tuple(replace(one, hashes=tuple(listed(hash) for hash in one.hashes)) for one in items)


def _near(value: str, others: Sequence[str]) -> Iterator[str]:
    return (other for other in others if _apart(value, other) <= NEAR)


def _apart(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def _refused(db: Connection, hash: bytes) -> bool:
    (refused,) = db.execute(_REFUSED, {"id": hash}).fetchone()
    return bool(refused >= SEVERAL)


def ask_if_refused(db: Connection, vault: Vault, hash: bytes, now: datetime) -> None:
    """After a new word on a hash: that several partners refuse it, and none blocked it, is put
    before the operator once; when that is so no more, nothing waits. What was decided stays."""
    refused = _refused(db, hash)
    if not refused and db.execute(_WAITS).fetchone() is None:
        return
    kind, sealed = db.execute(_OF_HASH, (hash,)).fetchone()
    value = vault.open(f"hash.value|{hash.hex()}", sealed).decode()
    if refused:
        _add(db, vault, kind, value, "asked", "partners", now)
    else:
        db.execute(_ASK_NO_MORE, (vault.digest("denial", kind.encode(), value.encode()),))


def _add(
    db: Connection, vault: Vault, kind: str, value: str, state: State, source: str, now: datetime
) -> int:
    digest = vault.digest("denial", kind.encode(), value.encode())
    sealed = vault.seal(f"denial.value|{digest.hex()}", value.encode())
    new = db.execute(_KNOWN, (digest,)).fetchone() is None
    db.execute(_ADD, (digest, kind, sealed, state, source, micros(now)))
    return int(new)
