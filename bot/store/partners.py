"""Partners in SQLite: their names, their lists, and their keys, which are kept as digests alone.

Keys change without a gap: after a rotation the former ones open for some days beside the new.
"""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, cast

from bot.cases.eligibility import List
from bot.store.exchanged import Partner, PartnerKeys, Scope
from bot.store.jobs import Connection, Part
from bot.store.schema import micros

OVERLAP: Final = timedelta(days=7)
"""How long former keys still open after a rotation, unless said otherwise."""

_ADD = """insert into partner(name, lists, fetch_digest, subscription_digest, feedback_digest,
  submit_digest, created_at, a_minute) values (?, ?, ?, ?, ?, ?, ?, ?)
  on conflict(name) do nothing"""
_COLUMNS = "partner.id, name, lists, a_minute, revoked_at is not null"
_KEYS: Final[dict[Scope, str]] = {
    scope: f"""select {_COLUMNS}, partner.{scope}_digest from partner
  where subscription_digest = :whose and revoked_at is null
  union all select {_COLUMNS}, former_keys.{scope}_digest
  from former_keys join partner on partner.id = partner
  where former_keys.subscription_digest = :whose and revoked_at is null and ends_at > :now"""  # noqa: S608  # the names are ours
    for scope in ("fetch", "feedback", "submit")
}
_PARTNERS = f"select {_COLUMNS} from partner order by name"  # noqa: S608  # the names are ours
_NAMED = "select id, submit_digest is not null from partner where name = ? and revoked_at is null"
_KEEP_FORMER = """insert into former_keys select subscription_digest, id, fetch_digest,
  feedback_digest, submit_digest, ? from partner where id = ?"""
_RENEW = """update partner set fetch_digest = ?, subscription_digest = ?, feedback_digest = ?,
  submit_digest = ? where id = ?"""
_REVOKE = "update partner set revoked_at = ? where id = ?"
_FORGET_FORMER = "delete from former_keys where partner = ?"
_ENDED = "delete from former_keys where ends_at <= ?"


class Partners(Part):
    """Who partners are, in `Registry` over one database."""

    async def add_partner(
        self, name: str, lists: Sequence[List], now: datetime, *, submits: bool = False,
        a_minute: int = 60,
    ) -> PartnerKeys:  # fmt: skip
        """A new partner and its keys; ValueError when the name is taken."""
        keys = self._new_keys(submits=submits)
        kept = ",".join(sorted(set(lists)))
        row = (name, kept, *self._digests(keys), micros(now), a_minute)
        if not await self._engine.write(lambda db: db.execute(_ADD, row).rowcount):
            raise ValueError("There is a partner of this name.")
        return keys

    async def rotate(self, name: str, now: datetime, overlap: timedelta = OVERLAP) -> PartnerKeys:
        """New keys for a partner; those it has open for `overlap` more, and no older ones at all.

        ValueError when there is no such partner, or it was revoked.
        """
        with_submit, without = self._new_keys(submits=True), self._new_keys(submits=False)

        def job(db: Connection) -> PartnerKeys:
            id, submits = _found(db, name)
            keys = with_submit if submits else without
            db.execute(_FORGET_FORMER, (id,))
            db.execute(_KEEP_FORMER, (micros(now + overlap), id))
            db.execute(_RENEW, (*self._digests(keys), id))
            return keys

        return await self._engine.write(job)

    async def revoke(self, name: str, now: datetime, *, former: bool = False) -> None:
        """From now on no key of the partner opens anything; `former`: none but its newest.

        ValueError when there is no such partner, or it was revoked.
        """

        def job(db: Connection) -> None:
            id, _ = _found(db, name)
            db.execute(_FORGET_FORMER, (id,))
            if not former:
                db.execute(_REVOKE, (micros(now), id))

        await self._engine.write(job)

    async def partner(self, key: str, subscription: str, scope: Scope) -> Partner | None:
        """The partner whose two keys these are, compared by digest; None otherwise."""
        values = {"whose": self._key("subscription", subscription), "now": micros(self._clock())}
        rows = await self._engine.read(lambda db: db.execute(_KEYS[scope], values).fetchall())
        given = self._key(scope, key)
        for *row, digest in rows:
            if digest is not None and self._vault.same(digest, given):
                return _partner(row)
        return None

    async def partners(self) -> list[Partner]:
        """All partners by name, revoked ones among them."""
        rows = await self._engine.read(lambda db: db.execute(_PARTNERS).fetchall())
        return [_partner(row) for row in rows]

    async def readers(self, list: List) -> tuple[str, ...]:
        """Names of the partners whose agreement covers this list, today."""
        return tuple(
            one.name for one in await self.partners() if list in one.lists and not one.revoked
        )

    def _new_keys(self, *, submits: bool) -> PartnerKeys:
        fetch, subscription, feedback, submit = (
            urlsafe_b64encode(self._vault.randoms(32)).decode().rstrip("=") for _ in range(4)
        )
        return PartnerKeys(fetch, subscription, feedback, submit if submits else None)

    def _digests(self, keys: PartnerKeys) -> tuple[bytes | None, ...]:
        return (
            self._key("fetch", keys.fetch_key),
            self._key("subscription", keys.subscription_key),
            self._key("feedback", keys.feedback_key),
            self._key("submit", keys.submit_key) if keys.submit_key else None,
        )

    def _key(self, scope: str, key: str) -> bytes:
        return self._vault.digest("partner key", scope.encode(), key.encode())


def drop_ended_keys(db: Connection, now: datetime) -> None:
    """Former keys whose days are over are kept no longer."""
    db.execute(_ENDED, (micros(now),))


def _found(db: Connection, name: str) -> tuple[int, bool]:
    row = db.execute(_NAMED, (name,)).fetchone()
    if row is None:
        raise ValueError("There is no partner of this name, or it was revoked.")
    id, submits = row
    return id, bool(submits)


def _partner(row: Sequence[object]) -> Partner:
    id, name, lists, a_minute, revoked = row
    split = tuple(cast(List, list) for list in str(lists).split(",") if list)
    return Partner(cast(int, id), str(name), split, cast(int, a_minute), bool(revoked))
