"""What partners submit themselves (SubmitHashes), for those whose agreement allows it.

A submission is one case of the partner's own for each list: it is listed, told and withdrawn like
any other, and nobody can tell from the feed that it is not a person's.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

from bot.cases.eligibility import List
from bot.cases.hashes import Hash, Item, Kind, Media
from bot.cases.number import make_number
from bot.store.denials import denylist
from bot.store.exchanged import Partner, Submitted
from bot.store.feed import keep_word
from bot.store.jobs import Connection, Part
from bot.store.ledger import named
from bot.store.listing import Signal, claim_item, hash_id, let_one_go
from bot.store.schema import micros

_AT_ONCE: Final = 25
_KINDS: Final[dict[Signal, Kind]] = {"ImagePDQ": "pdq", "VideoMD5": "md5"}
_GONE: Final = ("Withdrawn", "Deleted")

_DEPOSIT = "select cases from deposit where partner = ? and list = ?"
_OPEN = """insert into cases(id, number_digest, number, list, status, created_at, pin)
  values (?, ?, ?, ?, 'Active', ?, ?)"""
_BIND = "insert into deposit values (?, ?, ?)"
_ALIVE = "update cases set status = 'Active', withdraw_at = null, erase = 0 where id = ?"


class Deposits(Part):
    """Partners' own hashes, in `Registry` over one database."""

    async def submit(
        self, partner: Partner, list: List, hashes: Sequence[Submitted], now: datetime
    ) -> int:
        """List what a partner submits, with its word on each; its word `Withdrawn` or `Deleted`
        lets its own go. How many are its own now: none that is on the denylist. Idempotent."""
        held = 0
        for start in range(0, len(hashes), _AT_ONCE):
            some = hashes[start : start + _AT_ONCE]
            held += await self._engine.write(partial(self._submit, partner, list, some, now))
        return held

    def _submit(
        self, partner: Partner, list: List, hashes: Sequence[Submitted], now: datetime,
        db: Connection,
    ) -> int:  # fmt: skip
        case, held = self._case(db, partner, list, now), 0
        denied = denylist(db, self._vault)
        for one in hashes:
            id = hash_id(self._vault, list, one.signal, one.value)
            if one.feedback in _GONE:
                let_one_go(db, case, id, now)
                continue
            media: Media = "image" if one.signal == "ImagePDQ" else "video"
            item = Item(media, (Hash(_KINDS[one.signal], "submitted", one.value),))
            if denied.holds(item):
                continue
            claim_item(db, self._vault, case, list, item, 0, now)
            keep_word(db, self._vault, id, partner, (one.feedback, one.tags), now)
            held += 1
        return held

    def _case(self, db: Connection, partner: Partner, list: List, now: datetime) -> bytes:
        row = db.execute(_DEPOSIT, (partner.id, list)).fetchone()
        if row is not None:
            db.execute(_ALIVE, row)
            return bytes(row[0])
        id, number = self._vault.randoms(16), make_number(self._vault.randoms(8))
        sealed = self._vault.seal(f"cases.number|{id.hex()}", number.encode())
        pin = self._vault.seal(f"cases.pin|{id.hex()}", self._vault.randoms(48))  # opens nothing
        db.execute(_OPEN, (id, named(self._vault, number), sealed, list, micros(now), pin))
        db.execute(_BIND, (partner.id, list, id))
        return id
