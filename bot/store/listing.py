"""Hashes and who claims them (C13): a hash stays listed while one case holds it, and every change
of it moves it to the end of the feed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Literal, get_args

from bot.cases.eligibility import List
from bot.cases.hashes import Hash, Item, Kind, Media
from bot.cases.status import Claim, Feedback, Standing, fold
from bot.store.jobs import Connection
from bot.store.schema import micros, moment
from bot.vault import Vault

Signal = Literal["ImagePDQ", "VideoMD5"]
_ALWAYS: Final = 2**62
_Row = dict[str, Any]
SIGNALS: Final[tuple[Signal, ...]] = get_args(Signal)

_ADVANCE = """update edge set change = change + ?, modified = max(modified, ?)
  returning change, modified"""
_HELD = "select 1 from claim where cases = ? and hash = ? and status = 'Active'"
_HELD_OF = "select hash from claim where cases = ? and status = 'Active' and hash in ({})"
_LIST = """insert into hash values
  (:id, :list, :kind, :signal, :value, :quality, 'Active', :modified, :change)
  on conflict(id) do update set
  status = 'Active', modified = excluded.modified, change = excluded.change"""
_CLAIM = """insert into claim(cases, hash, image, variant, registered_at, status, change, posted_at,
  told_at) values (:cases, :id, :image, :variant, :at, 'Active', :change, :posted_at, :told_at)
  on conflict(cases, hash) do update set image = excluded.image, variant = excluded.variant,
  registered_at = excluded.registered_at, status = 'Active', change = excluded.change,
  posted_at = excluded.posted_at, told_at = excluded.told_at, "left" = null"""
_HOLDS = """select hash from claim
  where cases = ? and (status = 'Active' or ? = 1) and posted_at <= ? and change <= ?"""
_ELSEWHERE = """select hash.id, kind, signal, value, quality, image, variant, posted_at
  from claim join hash on hash.id = hash
  where cases = ? and claim.status = 'Active' and list != ?"""
_LET_GO = "update claim set status = 'Withdrawn' where cases = ? and hash = ?"
_FORGET_MARKS = "delete from likeness where cases = ? and posted_at <= ?"
_LEFT = 'update claim set "left" = ? where cases = ? and hash = ?'
_ERASE_CLAIM = "delete from claim where cases = ? and hash = ?"
_MARK = """update hash set change = :change, modified = :modified, status = case
  when exists (select 1 from claim where hash = :id and status = 'Active') then 'Active'
  else 'Withdrawn' end
  where id = :id"""
_UNSHARED = """delete from hash where id = ? and signal is null
  and not exists (select 1 from claim where hash = hash.id)"""
_CLAIMS = """select claim.hash, registered_at, claim.status, claim.change, list, "left"
  from claim join hash on hash.id = claim.hash where cases = ? and signal is not null"""
_WORDS = """select feedback.hash, name, value, feedback.at from claim
  join feedback on feedback.hash = claim.hash join partner on partner.id = partner
  where cases = ? and (via is null or exists (
    select 1 from service where service.name = via and told_at >= since))"""
_FETCHED = "select list, name, through from fetched join partner on partner.id = partner"
# Of what went up to services: which took this case's code, up to which change. A case that was not
# told of the service learns nothing from another that holds the same code (C13).
_RAISED = """select claim.hash, label, through from claim
  join raised on raised.hash = claim.hash join service on service.name = raised.service
  where cases = ? and told_at >= since"""
_CASE = """select status, images, withdraw_at is not null and status = 'Active',
  created_at from cases where id = ?"""


def hash_id(vault: Vault, list: List, name: str, value: str) -> bytes:
    """The name of a hash on a list; `name` is its signal, or its kind when it has none."""
    return vault.digest("hash", list.encode(), name.encode(), value.encode())


def claim_item(
    db: Connection, vault: Vault, case: bytes, list: List, item: Item, image: int, now: datetime,
    told: datetime | None = None,
) -> bool:  # fmt: skip
    """List an item's hashes for a case; whether any of them was not the case's already.

    `told`: since when its person knew where codes go; without it they go to no other list.
    """
    common: _Row = {"cases": case, "image": image, "posted_at": micros(now)}
    common |= {"told_at": micros(told) if told else 0}
    rows: dict[bytes, _Row] = {}
    for hash in item.hashes:
        row = _row(vault, list, item.media, hash) | common
        rows.setdefault(row["id"], row)
    among = _HELD_OF.format(", ".join("?" * len(rows)))
    held = {id for (id,) in db.execute(among, (case, *rows))}
    new = [row for id, row in rows.items() if id not in held]
    _claim(db, new, now)
    return bool(new)


def _claim(db: Connection, rows: Sequence[_Row], now: datetime) -> None:
    """A claim counts from now: what partners said before is not told to it (C13)."""
    if not rows:
        return
    last, modified = advance(db, now, len(rows))
    for change, row in enumerate(rows, last + 1 - len(rows)):
        row |= {"change": change, "modified": modified, "at": micros(now)}
    db.executemany(_LIST, rows)
    db.executemany(_CLAIM, rows)


def move_claims(db: Connection, vault: Vault, case: bytes, to: List, now: datetime) -> None:
    """Put what the case claims on another list instead, as if it had been registered there now."""
    columns = ("kind", "signal", "value", "quality", "image", "variant", "posted_at")
    for old, *held in db.execute(_ELSEWHERE, (case, to)).fetchall():
        row = dict(zip(columns, held, strict=True)) | {"cases": case, "list": to}
        row |= {"told_at": 0}  # its person was told of the other list
        value = vault.open(f"hash.value|{old.hex()}", row["value"])
        id = hash_id(vault, to, row["signal"] or row["kind"], value.decode())
        _claim(db, [row | {"id": id, "value": vault.seal(f"hash.value|{id.hex()}", value)}], now)
        _withdraw(db, case, old, now)


def _row(vault: Vault, list: List, media: Media, hash: Hash) -> _Row:
    signal = _signal(media, hash.kind)
    id = hash_id(vault, list, signal or hash.kind, hash.value)
    value = vault.seal(f"hash.value|{id.hex()}", hash.value.encode())
    row: _Row = {"id": id, "list": list, "signal": signal, "value": value}
    return row | {"kind": hash.kind, "quality": hash.quality, "variant": hash.variant}


def let_go(
    db: Connection, case: bytes, now: datetime, *, erase: bool = False,
    posted_until: datetime | None = None, listed_until: int = _ALWAYS,
) -> None:  # fmt: skip
    """Withdraw the case's claims, or (`erase`) remove them; a hash nobody holds is withdrawn.

    `listed_until`: a place in the feed; what was listed behind it stays. What its pictures were
    told apart by is forgotten with them.
    """
    until = micros(posted_until) if posted_until else _ALWAYS
    db.execute(_FORGET_MARKS, (case, until))
    for (id,) in db.execute(_HOLDS, (case, erase, until, listed_until)).fetchall():
        if erase:
            db.execute(_ERASE_CLAIM, (case, id))
            mark(db, id, now)
            db.execute(_UNSHARED, (id,))
        else:
            _withdraw(db, case, id, now)


def _withdraw(db: Connection, case: bytes, hash: bytes, now: datetime) -> None:
    """The case claims the hash no more; who reads past this change has seen it."""
    db.execute(_LET_GO, (case, hash))
    db.execute(_LEFT, (mark(db, hash, now), case, hash))


def let_one_go(db: Connection, case: bytes, hash: bytes, now: datetime) -> None:
    """Withdraw the case's claim of one hash, if it has one that is not withdrawn."""
    if db.execute(_HELD, (case, hash)).fetchone():
        _withdraw(db, case, hash, now)


def mark(db: Connection, hash: bytes, now: datetime) -> int:
    """The hash has changed: it goes to the end of the feed, to the place that is returned."""
    change, modified = advance(db, now)
    db.execute(_MARK, {"id": hash, "change": change, "modified": modified})
    return change


def advance(db: Connection, now: datetime, by: int = 1) -> tuple[int, int]:
    """The next place in the feed (the last of so many), and its time in unix seconds, which never
    goes back."""
    change, modified = db.execute(_ADVANCE, (by, int(now.timestamp()))).fetchone()
    return change, modified


def standing(db: Connection, case: bytes) -> Standing:
    """What the case's person may be told: a partner has its hash once it read past the claim."""
    status, images, leaving, opened = db.execute(_CASE, (case,)).fetchone()
    words: dict[bytes, list[Feedback]] = {}
    for hash, partner, value, at in db.execute(_WORDS, (case,)):
        words.setdefault(hash, []).append(Feedback(partner, value, moment(at)))
    fetched = db.execute(_FETCHED).fetchall()
    raised: dict[bytes, list[tuple[str, int]]] = {}
    for hash, label, through in db.execute(_RAISED, (case,)):
        raised.setdefault(hash, []).append((label, through))

    def past(place: int | None, list: List, hash: bytes) -> tuple[str, ...]:
        reads = [(name, through) for read, name, through in fetched if read == list]
        took = reads + raised.get(hash, [])
        return tuple(name for name, through in took if place is not None and through >= place)

    claims = [
        Claim(
            moment(at),
            claimed,
            past(change, list, hash),
            tuple(words.get(hash, ())),
            past(left, list, hash),
        )
        for hash, at, claimed, change, list, left in db.execute(_CLAIMS, (case,))
    ]
    return replace(fold(status, images, claims), leaving=bool(leaving), opened=moment(opened))


def _signal(media: Media, kind: Kind) -> Signal | None:
    """What partners call it; an image's file hashes are kept from them."""
    if kind == "pdq":
        return "ImagePDQ"
    return "VideoMD5" if kind == "md5" and media == "video" else None
