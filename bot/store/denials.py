"""The denylist in SQLite: pictures that are registered for nobody, as their sealed codes.

The operator denies pictures of everybody's (wallpapers, icons, logos). Where several partners
refuse a hash that none of them blocked, its number waits for the operator's decision: deciding
by itself would let strangers' answers lift a person's protection, and a refusal would tell who
else has the same file that it was registered (C13).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from bot.cases.hashes import Item
from bot.store.jobs import Connection, Part
from bot.store.schema import micros, moment
from bot.vault import Vault

NEAR: Final = 31
"""Two PDQ hashes at most so many bits apart are of one picture (partners' own limit)."""
SEVERAL: Final = 3
"""Partners that have to refuse a hash before the operator is asked about it."""

State = Literal["asked", "denied", "allowed"]

_ADD = """insert into denial(digest, kind, value, state, source, at) values (?, ?, ?, ?, ?, ?)
  on conflict(digest) do update set state = 'denied' where excluded.state = 'denied'"""
_DENIED = "select digest, kind, value from denial where state = 'denied' order by number"
_REFUSED = """select count(*) from feedback where hash = :id and value = 'NotBlocked'
  and not exists (select 1 from feedback where hash = :id
    and value in ('Blocked', 'PendingReview'))"""
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


def is_denied(db: Connection, vault: Vault, items: Sequence[Item]) -> bool:
    """Whether any of these pictures or videos looks like one on the denylist."""
    near, same = _codes(db, vault)
    for hash in (hash for item in items for hash in item.hashes):
        if hash.kind != "pdq":
            if hash.value in same:
                return True
            continue
        bits = int(hash.value, 16)
        if any((bits ^ other).bit_count() <= NEAR for other in near):
            return True
    return False


def _codes(db: Connection, vault: Vault) -> tuple[list[int], set[str]]:
    near: list[int] = []
    same: set[str] = set()
    for digest, kind, sealed in db.execute(_DENIED):
        value = vault.open(f"denial.value|{digest.hex()}", sealed).decode()
        if kind == "pdq":
            near.append(int(value, 16))
        else:
            same.add(value)
    return near, same


def ask_if_refused(db: Connection, vault: Vault, hash: bytes, now: datetime) -> None:
    """Put a hash that several partners refused, and none blocked, before the operator, once."""
    (refused,) = db.execute(_REFUSED, {"id": hash}).fetchone()
    if refused >= SEVERAL:
        kind, sealed = db.execute(_OF_HASH, (hash,)).fetchone()
        value = vault.open(f"hash.value|{hash.hex()}", sealed).decode()
        _add(db, vault, kind, value, "asked", "partners", now)


def _add(
    db: Connection, vault: Vault, kind: str, value: str, state: State, source: str, now: datetime
) -> int:
    digest = vault.digest("denial", kind.encode(), value.encode())
    sealed = vault.seal(f"denial.value|{digest.hex()}", value.encode())
    new = db.execute(_KNOWN, (digest,)).fetchone() is None
    db.execute(_ADD, (digest, kind, sealed, state, source, micros(now)))
    return int(new)
