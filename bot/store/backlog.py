"""How long what waits has waited, and whether the database can be written: for whoever watches."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bot.store.jobs import Connection, Part
from bot.store.schema import micros

MOST: Final = 1_000
"""So many are counted: more is no news."""
NOBODYS: Final = b""
"""About no conversation in particular, and yet nothing of cases or partners."""

_PROOF = "update proof set id = id"  # a row that stays as it is; its page is written all the same
_EVENT = """select at from conversation join inbox on inbox.seq = waits
  where channel = ? and waits is not null order by waits limit 1"""
# What was released by the person's own word (0) goes with the answer, which has a time.
_EFFECT = """select send_at from conversation
  where channel = ? and send_at > 0 and send_at <= ? and waits is null order by send_at limit 1"""
_DUE = f"""select count(*) from (select 1 from conversation
  where channel = ? and send_at <= ? and waits is null limit {MOST}) as due"""  # noqa: S608  # ours
_PARKED = "select count(*) from inbox where parked = 1"


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for these channels' doors and worker, in seconds and in numbers."""

    event_seconds: float
    """Since the oldest event that has not had its turn was received; 0 without one."""
    effect_seconds: float
    """Since the oldest effect was due that nobody has carried out; 0 without one."""
    due: int
    """Conversations with an effect that is due, at most MOST."""
    parked: int
    """Events of all channels that were set aside, which nobody answers."""


class Watched(Part):
    """What can be asked of the store about itself."""

    async def prove_writable(self) -> None:
        """Write something that changes nothing; StoreError when that cannot be done."""
        await self._engine.write(lambda db: db.execute(_PROOF), NOBODYS)

    async def backlog(self, channels: Collection[str], now: datetime) -> Backlog:
        """What waits now."""
        at = micros(now)

        def job(db: Connection) -> Backlog:
            events = [row for one in channels for row in db.execute(_EVENT, (one,))]
            effects = [row for one in channels for row in db.execute(_EFFECT, (one, at))]
            due = sum(int(db.execute(_DUE, (one, at)).fetchone()[0]) for one in channels)
            parked = int(db.execute(_PARKED).fetchone()[0])
            return Backlog(_age(events, at), _age(effects, at), due, parked)

        return await self._engine.read(job)


def _age(found: list[tuple[int]], now: int) -> float:
    """Of the oldest; a clock that was put back makes nothing young."""
    return max([0, *(now - at for (at,) in found)]) / 1_000_000
