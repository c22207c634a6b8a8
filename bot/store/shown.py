"""Everything that is kept about one case, opened and readable: what can be handed over.

Of what several cases share only what is this case's own (C13): a code without its place in the
feed, partners' words that came after it was registered, tries without who tried.
"""

import json
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from bot.store.jobs import Connection, Part
from bot.store.ledger import named, origin_of
from bot.store.moving import TABLES
from bot.store.resealing import SEALED
from bot.store.schema import moment
from bot.vault import Vault

Row = dict[str, Any]

OF_THE_CASE: Final = {
    "cases": "id = :case",
    "guess": "number_digest = :number",
    "claim": "cases = :case",
    "likeness": "cases = :case",
    "origin": "cases = :case",
    "hash": "id in (select hash from claim where cases = :case)",
    "feedback": """exists (select 1 from claim join partner on partner.id = feedback.partner
      where cases = :case and claim.hash = feedback.hash and registered_at <= feedback.at
      and (via is null or exists (
        select 1 from service where service.name = via and told_at >= since)))""",
}
"""The rows of these tables that are about a case."""
OF_ITS_TALKS: Final = {
    "conversation": "id = :talk",
    "inbox": "conversation = :talk",
    "outbox": "conversation = :talk",
    "timer": "conversation = :talk",
    "ticket": "conversation = :talk",
}
"""And of these, those of the conversations it was registered from or that follow it."""
_SHARED: Final = {
    "hash": ("status", "modified", "change"),
    "guess": ("by",),
}
"""What would tell of other cases and persons."""
_PLACES: Final = {(one.table, one.column): one for one in SEALED}
_CASE: Final = "select id, follower from cases where number_digest = ?"
_TALKS: Final = "select id from conversation"
_ORIGINS: Final = "select conversation from origin where cases = ?"
_DENIED: Final = "select number, state, source, at from denial where digest = ? and at >= ?"
_OPENED: Final = "select created_at from cases where id = ?"
_PARTNERS: Final = "select id, name from partner"


class Shown(Part):
    """One case, whole."""

    async def everything(self, number: str) -> dict[str, list[Row]] | None:
        """Each table with its rows about this case; None when there is no such case."""

        def job(db: Connection) -> dict[str, list[Row]] | None:
            name = named(self._vault, number)
            row = db.execute(_CASE, (name,)).fetchone()
            return None if row is None else self._everything(db, name, *row)

        return await self._engine.read(job)

    def _everything(
        self, db: Connection, name: bytes, case: bytes, follower: bytes | None
    ) -> dict[str, list[Row]]:
        which = {"case": case, "number": name}
        shown = {
            table: list(_rows(db, self._vault, table, where, which))
            for table, where in OF_THE_CASE.items()
        }
        for table, where in OF_ITS_TALKS.items():
            shown[table] = [
                row
                for talk in self._talks(db, case, follower)
                for row in _rows(db, self._vault, table, where, {"talk": talk})
            ]
        return shown | {"denial": list(self._denied(db, case, shown["hash"]))}

    def _talks(self, db: Connection, case: bytes, follower: bytes | None) -> list[bytes]:
        """A case does not name its conversations: each is asked whether it is one of them."""
        origins = {origin for (origin,) in db.execute(_ORIGINS, (case,))}
        talks = [id for (id,) in db.execute(_TALKS)]
        return [id for id in talks if id == follower or origin_of(self._vault, id) in origins]

    def _denied(self, db: Connection, case: bytes, hashes: list[Row]) -> Iterator[Row]:
        (since,) = db.execute(_OPENED, (case,)).fetchone()
        for hash in hashes:
            digest = self._vault.digest("denial", hash["kind"].encode(), hash["value"].encode())
            for number, state, source, at in db.execute(_DENIED, (digest, since)).fetchall():
                yield {"number": number, "state": state, "source": source, "at": _time(at)}


def _rows(
    db: Connection, vault: Vault, table: str, where: str, which: dict[str, bytes]
) -> Iterator[Row]:
    columns = TABLES[table][1]
    names = ", ".join(f'"{one}"' for one in columns)
    partners = dict(db.execute(_PARTNERS).fetchall())
    query = f"select {names} from {table} where {where} order by {names}"  # noqa: S608  # the names are ours
    for values in db.execute(query, which).fetchall():
        row = dict(zip(columns, values, strict=True))
        own = [name for name in columns if name not in _SHARED.get(table, ())]
        shown = {name: _shown(vault, table, name, row) for name in own}
        yield shown | ({"partner": partners[row["partner"]]} if "partner" in row else {})


def _shown(vault: Vault, table: str, column: str, row: Row) -> Any:
    value, sealed = row[column], _PLACES.get((table, column))
    if sealed and value and not (sealed.shown and value.startswith("[")):
        raw = b64decode(value) if sealed.shown else value
        return _readable(vault.open(sealed.place(tuple(row[one] for one in sealed.key)), raw))
    if isinstance(value, bytes):
        return value.hex()
    if value and (column == "at" or column.endswith("_at")):
        return _time(value)
    return value


def _time(kept: int) -> str:
    return moment(kept).isoformat()


def _readable(plain: bytes) -> Any:
    with suppress(ValueError):
        text = plain.decode()
        with suppress(ValueError):
            found = json.loads(text)
            return found if isinstance(found, dict | list) else text
        return text
    return plain.hex()
