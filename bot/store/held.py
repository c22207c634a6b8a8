"""What a case knows its pictures by, to tell one that is sent again (bot/cases/likeness.py).

A pHash is sealed in a place of its own, read for its own case alone, and goes with the claims.
"""

from collections import defaultdict
from datetime import datetime

from bot.cases.hashes import Item
from bot.cases.likeness import Held, is_still, is_upright
from bot.store.jobs import Connection
from bot.store.schema import micros
from bot.vault import Vault


class HeldAlready(Exception):
    """The case holds this picture or video already."""


_KEEP = """insert into likeness values (?, ?, ?, ?) on conflict(cases, image)
  do update set phash = excluded.phash, posted_at = excluded.posted_at"""
_MARKS = "select image, phash from likeness where cases = ?"
_PDQS = """select image, variant, hash.id, value from claim join hash on hash.id = hash
  where cases = ? and kind = 'pdq' and claim.status = 'Active'"""


def keep_phash(
    db: Connection, vault: Vault, case: bytes, image: int, item: Item, now: datetime
) -> None:
    """Keep the pHash of a case's picture, if it has one."""
    if item.phash is not None:
        sealed = vault.seal(_place(case, image), item.phash.encode())
        db.execute(_KEEP, (case, image, sealed, micros(now)))


def held(db: Connection, vault: Vault, case: bytes) -> list[Held]:
    """The pictures and videos that the case holds now."""
    pdqs: defaultdict[int, list[str]] = defaultdict(list)
    films: set[int] = set()
    for image, variant, id, sealed in db.execute(_PDQS, (case,)):
        if is_upright("pdq", variant):
            films |= {image} if is_still(variant) else set()
            pdqs[image].append(vault.open(f"hash.value|{id.hex()}", sealed).decode())
    marks = {
        image: vault.open(_place(case, image), sealed).decode()
        for image, sealed in db.execute(_MARKS, (case,))
    }
    return [
        Held(tuple(values), marks.get(image), "video" if image in films else "image")
        for image, values in pdqs.items()
    ]


def _place(case: bytes, image: int) -> str:
    return f"likeness.phash|{case.hex()}|{image}"
