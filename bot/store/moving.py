"""Moves everything from one database to another: written out row by row, sealed as it is kept.

A file is one line of what it is, a line for each row, and one with the digest of all before it.
Databases that hold the same give the same file but for its first line, whichever they are.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from functools import partial
from hashlib import sha256
from itertools import groupby, islice
from typing import Any, Final, TextIO

from bot.store import StoreError
from bot.store.jobs import Connection, Part
from bot.store.schema import VERSION

# Each table, its columns, the first of which (so many) are its key: parents before children.
TABLES: Final[dict[str, tuple[int, tuple[str, ...]]]] = {
    "conversation": (1, (
        "id", "channel", "version", "state", "address", "waits", "rings_at", "send_at",
        "active_at", "lowered",
    )),
    "inbox": (1, ("seq", "event", "conversation", "body", "at", "parked")),
    "seen": (1, ("digest", "day")),
    "outbox": (1, (
        "seq", "id", "conversation", "due_at", "attempt", "body", "said", "way",
    )),
    "timer": (2, ("conversation", "name", "due_at")),
    "cases": (1, (
        "id", "number_digest", "number", "list", "status", "created_at", "pin", "follower",
        "images", "withdraw_at", "erase", "keyless",
    )),
    "guess": (2, ("number_digest", "by", "tries", "next_try_at")),
    "hash": (1, (
        "id", "list", "kind", "signal", "value", "quality", "status", "modified", "change",
    )),
    "claim": (2, (
        "cases", "hash", "image", "variant", "registered_at", "status", "change", "posted_at",
        "left", "told_at",
    )),
    "edge": (1, ("id", "change", "modified")),
    "partner": (1, (
        "id", "name", "lists", "fetch_digest", "subscription_digest", "feedback_digest",
        "created_at", "submit_digest", "revoked_at", "a_minute", "via",
    )),
    "feedback": (2, ("hash", "partner", "value", "tags", "at")),
    "fetched": (2, ("partner", "list", "through")),
    "reading": (6, ("partner", "at", "list", "first", "last", "count")),
    "ticket": (1, (
        "digest", "conversation", "list", "number", "expires_at", "used_at", "opens",
    )),
    "origin": (2, ("conversation", "cases")),
    "likeness": (2, ("cases", "image", "phash", "posted_at")),
    "former_keys": (1, (
        "subscription_digest", "partner", "fetch_digest", "feedback_digest", "submit_digest",
        "ends_at",
    )),
    "deposit": (2, ("partner", "list", "cases")),
    "service": (1, (
        "name", "label", "list", "address", "since", "change", "checkpoint", "own",
    )),
    "raised": (2, ("service", "hash", "through", "gone", "heard")),
    "denial": (1, ("number", "digest", "kind", "value", "state", "source", "at")),
}  # fmt: skip
_AT_ONCE: Final = 500
_NAME: Final = "sala"


class Unmovable(StoreError):
    """The file is none of ours, of another version or other keys, or there is no room for it."""


class Moving(Part):
    """Everything in and out of one database."""

    async def write_out(self, file: TextIO | None) -> str:
        """Write all that is kept, as it is at one moment; the digest of it, also without a file."""
        first = json.dumps({_NAME: VERSION, "keys": self._keys()})
        return await self._engine.read(partial(_write, file=file, first=first))

    async def read_in(self, file: TextIO) -> None:
        """Fill an empty database with what was written out, whole or not at all.

        Unmovable when the file is not whole, is of another version or other keys, or when the
        database holds something already.
        """
        about = _parsed(file.readline())
        if not isinstance(about, dict) or about.get(_NAME) != VERSION:
            raise Unmovable(f"This is no file of `sala export` of version {VERSION}.")
        if about.get("keys") != self._keys():
            raise Unmovable("It was written with other keys: use its key file (SALA_KEY_FILE).")

        start = file.tell()

        def job(db: Connection) -> None:
            file.seek(start)
            _read(db, file)
            self._moved_in(db)

        await self._engine.write(job)

    def _keys(self) -> str:
        """Equal for equal keys, and tells nothing of them."""
        return self._vault.digest("moving").hex()

    def _moved_in(self, db: Connection) -> None:
        """Rows with numbers of their own are there: new ones go on after them."""


def _write(db: Connection, file: TextIO | None, first: str) -> str:
    digest = sha256()
    if file:
        file.write(first + "\n")
    for name in TABLES:
        for row in rows(db, name):
            line = json.dumps([name, *map(_plain, row)], ensure_ascii=False, separators=(",", ":"))
            digest.update(line.encode() + b"\n")
            if file:
                file.write(line + "\n")
    if file:
        file.write(json.dumps({"sha256": digest.hexdigest()}) + "\n")
    return digest.hexdigest()


def rows(db: Connection, name: str) -> Iterator[tuple[Any, ...]]:
    """A table's rows in the order of their keys."""
    key, columns = TABLES[name]
    names = [f'"{one}"' for one in columns]
    first = ", ".join(names[:key])
    query = f"select {', '.join(names)} from {name}"  # noqa: S608  # the names are ours
    if name == "reading":  # it has no key, and equal rows
        yield from sorted(db.execute(query).fetchall(), key=repr)
        return
    held = db.execute(f"{query} order by {first} limit {_AT_ONCE}").fetchall()
    after = f"{query} where ({first}) > ({', '.join('?' * key)}) order by {first} limit {_AT_ONCE}"
    while held:
        yield from held
        held = db.execute(after, held[-1][:key]).fetchall()


def _read(db: Connection, file: TextIO) -> None:
    for name in TABLES:
        if name != "edge" and db.execute(f"select 1 from {name} limit 1").fetchone():  # noqa: S608
            raise Unmovable("There is something in this database: an empty one is needed.")
    db.execute("delete from edge")
    digest = sha256()
    while lines := list(islice(file, _AT_ONCE)):
        end = _parsed(lines.pop()) if lines[-1].startswith("{") else None
        digest.update("".join(lines).encode())
        if end is not None and end != {"sha256": digest.hexdigest()}:
            break
        _insert(db, [_parsed(line) for line in lines])
        if end is not None:
            return
    raise Unmovable("The file is not whole, or was changed.")


def _insert(db: Connection, kept: Iterable[Any]) -> None:
    for name, some in groupby(kept, key=_table):
        columns = TABLES[name][1]
        names = ", ".join(f'"{one}"' for one in columns)
        places = ", ".join("?" * len(columns))
        found = [[_valued(one) for one in row[1:]] for row in some]
        db.executemany(f"insert into {name}({names}) values ({places})", found)  # noqa: S608


def _table(row: Any) -> str:
    if isinstance(row, list) and row and row[0] in TABLES:
        return str(row[0])
    raise Unmovable("The file is not whole, or was changed.")


def _plain(value: Any) -> Any:
    """Bytes are a list of one text."""
    return [b64encode(value).decode()] if isinstance(value, bytes) else value


def _valued(value: Any) -> Any:
    return b64decode(value[0]) if isinstance(value, list) else value


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None
