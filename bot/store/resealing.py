"""Seals anew, with the first key of the ring, what another key sealed.

In small groups, each a write of its own, so that nobody waits for it and it may be ended at any
moment and begun again.
"""

from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bot.store.jobs import Connection, Part
from bot.vault import Vault

if TYPE_CHECKING:
    import sqlite3
else:
    from sqlite_utils.utils import sqlite3  # the SQLite that Sala uses

_AT_ONCE: Final = 100
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column of sealed values, and what names a row. `shown`: kept as base64, or plain JSON."""

    table: str
    column: str
    key: tuple[str, ...]
    shown: bool = False

    def place(self, key: Key) -> str:
        """Where the row's value is sealed for."""
        parts = key[:1] if self.shown else key
        named = [one.hex() if isinstance(one, bytes) else str(one) for one in parts]
        return "|".join((f"{self.table}.{self.column}", *named))


SEALED: Final = (
    Sealed("conversation", "state", ("id",)),
    Sealed("conversation", "address", ("id",)),
    Sealed("inbox", "body", ("event",)),
    Sealed("outbox", "body", ("conversation", "id")),
    Sealed("outbox", "way", ("conversation", "id")),
    Sealed("cases", "number", ("id",)),
    Sealed("cases", "pin", ("id",)),
    Sealed("hash", "value", ("id",)),
    Sealed("feedback", "tags", ("hash", "partner"), shown=True),
    Sealed("ticket", "number", ("digest",)),
    Sealed("likeness", "phash", ("cases", "image")),
    Sealed("denial", "value", ("digest",)),
    Sealed("proof", "sealed", ("id",)),
)
"""Everything that is kept sealed."""


class Resealing(Part):
    """What `sala rotate` does to the database."""

    _passing_by = ""
    """What is added where a row is read to be written, so that nobody's write is lost."""

    async def reseal(self) -> AsyncIterator[int]:
        """Seal anew what is not sealed with the first key; how many, group by group.

        With other processes beside it, what they just write to is left out: look again.
        """
        for one in SEALED:
            after: Key | None = None
            while page := await self._engine.read(partial(_page, one, self._vault.head, after)):
                if keys := [key for key, other in page if other]:
                    job = partial(renew, one, self._vault, keys, passing_by=self._passing_by)
                    yield await self._engine.write(job)
                after = page[-1][0]
        await self._engine.scrub()


def ends_alone(path: Path, vault: Vault, end: Callable[[], None]) -> bool:
    """Call `end` when nothing in the file needs another key than the first, and nobody else has the
    file open nor can open it meanwhile: who still seals with another key would. Whether it was."""
    with closing(_alone(path)) as db:
        try:
            db.execute("begin exclusive")
        except sqlite3.OperationalError:
            return False
        if needs_another(db, vault):
            return False
        end()
        return True


def _alone(path: Path) -> "sqlite3.Connection":
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    for pragma in ("busy_timeout = 0", "locking_mode = exclusive"):
        db.execute(f"pragma {pragma}").fetchall()
    return db


def needs_another(db: Connection, vault: Vault) -> bool:
    """Whether anything is sealed with another key than the first."""
    return any(_needs_another(one, vault.head, db) for one in SEALED)


def _needs_another(one: Sealed, head: bytes, db: Connection) -> bool:
    query = f"select 1 from {one.table} where "  # noqa: S608  # the names are ours
    if not one.shown:
        query += f"substr({one.column}, 1, {len(head)}) != ? limit 1"
        return db.execute(query, (head,)).fetchone() is not None
    # Five bytes are six letters and two thirds: the seventh is one of four.
    begins = [b64encode(head + bytes([more])).decode()[:7] for more in range(0, 256, 64)]
    query += (
        f"{one.column} not like '[%' and substr({one.column}, 1, 7) not in (?, ?, ?, ?) limit 1"
    )
    return db.execute(query, begins).fetchone() is not None


def _page(one: Sealed, head: bytes, after: Key | None, db: Connection) -> list[tuple[Key, bool]]:
    """The next rows in the order of their keys, and whether another key sealed them."""
    names, column = ", ".join(one.key), one.column
    query = f"select {names}, {column} from {one.table}"  # noqa: S608  # the names are ours
    if after:
        query += f" where ({names}) > ({', '.join('?' * len(after))})"
    rows = db.execute(f"{query} order by {names} limit {_AT_ONCE}", after or ()).fetchall()
    return [(tuple(key), _is_others(one, head, value)) for *key, value in rows]


def _is_others(one: Sealed, head: bytes, value: Any) -> bool:
    if not value or (one.shown and value.startswith("[")):
        return False
    return not _raw(one, value).startswith(head)


def renew(one: Sealed, vault: Vault, keys: list[Key], db: Connection, passing_by: str = "") -> int:
    """Seal these rows' values anew, in two statements; how many."""
    names, which = ", ".join(one.key), " and ".join(f"{name} = ?" for name in one.key)
    places = ", ".join([f"({', '.join('?' * len(one.key))})"] * len(keys))
    look = f"select {names}, {one.column} from {one.table} where ({names}) in (values {places})"  # noqa: S608  # the names are ours
    write = f"update {one.table} set {one.column} = ? where {which}"  # noqa: S608
    there = db.execute(f"{look}{passing_by}", [part for key in keys for part in key]).fetchall()
    rows = list(_renewed(one, vault, there))
    if rows:
        db.executemany(write, rows)
    return len(rows)


def _renewed(one: Sealed, vault: Vault, there: list[tuple[Any, ...]]) -> Iterator[Key]:
    """What stands there now: it may have been written, or be gone, since it was found."""
    for *key, value in there:
        if value and not (one.shown and value.startswith("[")):
            place = one.place(tuple(key))
            sealed = vault.seal(place, vault.open(place, _raw(one, value)))
            yield b64encode(sealed).decode() if one.shown else sealed, *key


def _raw(one: Sealed, value: Any) -> bytes:
    return b64decode(value) if one.shown else value
