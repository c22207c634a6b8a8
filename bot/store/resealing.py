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

    async def reseal(self) -> AsyncIterator[int]:
        """Seal anew what is not sealed with the first key; how many, group by group."""
        for one in SEALED:
            after: Key | None = None
            while keys := await self._engine.read(partial(_found, one, self._vault.head, after)):
                yield await self._engine.write(partial(_renew, one, self._vault, keys))
                after = keys[-1]
        await self._engine.scrub()


def ends_alone(path: Path, vault: Vault, end: Callable[[], None]) -> bool:
    """Call `end` when nothing in the file needs another key than the first, and nobody else has the
    file open nor can open it meanwhile: who still seals with another key would. Whether it was."""
    with closing(_alone(path)) as db:
        try:
            db.execute("begin exclusive")
        except sqlite3.OperationalError:
            return False
        if any(_found(one, vault.head, None, db) for one in SEALED):
            return False
        end()
        return True


def _alone(path: Path) -> "sqlite3.Connection":
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    for pragma in ("busy_timeout = 0", "locking_mode = exclusive"):
        db.execute(f"pragma {pragma}").fetchall()
    return db


def _found(one: Sealed, head: bytes, after: Key | None, db: Connection) -> list[Key]:
    """Keys of the next rows whose value was sealed otherwise."""
    names, column = ", ".join(one.key), one.column
    other = f"{column} not like '[%'" if one.shown else f"substr({column}, 1, 5) != :head"
    query = f"select {names}, {column} from {one.table} where {other}"  # noqa: S608  # the names are ours
    if after:
        query += f" and ({names}) > ({', '.join(f':{name}' for name in one.key)})"
    which = {"head": head, **dict(zip(one.key, after or (), strict=False))}
    found: list[Key] = []
    for *key, value in db.execute(f"{query} order by {names}", which):
        if not _raw(one, value).startswith(head):
            found.append(tuple(key))
            if len(found) == _AT_ONCE:
                break
    return found


def _renew(one: Sealed, vault: Vault, keys: list[Key], db: Connection) -> int:
    which = " and ".join(f"{name} = ?" for name in one.key)
    look = f"select {one.column} from {one.table} where {which}"  # noqa: S608  # the names are ours
    write = f"update {one.table} set {one.column} = ? where {which}"  # noqa: S608
    rows = list(_renewed(one, vault, keys, lambda key: db.execute(look, key).fetchone()))
    for row in rows:
        db.execute(write, row)
    return len(rows)


def _renewed(
    one: Sealed, vault: Vault, keys: list[Key], look: Callable[[Key], Any]
) -> Iterator[Key]:
    """What stands there now: it may have been written, or be gone, since it was found."""
    for key in keys:
        row = look(key)
        if row and row[0] and not (one.shown and row[0].startswith("[")):
            plain = vault.open(one.place(key), _raw(one, row[0]))
            sealed = vault.seal(one.place(key), plain)
            yield b64encode(sealed).decode() if one.shown else sealed, *key


def _raw(one: Sealed, value: Any) -> bytes:
    return b64decode(value) if one.shown else value
