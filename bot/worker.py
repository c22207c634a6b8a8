"""The imperative shell: claims conversations, hears, steps, commits; then carries effects out.

Time, chance and the world come in here and nowhere deeper. A turn is committed whole before any of
it is sent, and every effect carries an id derived from (conversation, version, index), so a crash
at any point repeats the same keys.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import Final, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from bot.channels import Channel
from bot.conversation.codec import (
    decode_inbound,
    decode_state,
    encode_effect,
    encode_state,
)
from bot.conversation.engine import step
from bot.conversation.model import (
    CancelTimers,
    Due,
    Effect,
    Event,
    Hush,
    Inbound,
    Media,
    Send,
    SetTimer,
    State,
    Timer,
    Typed,
    Unsent,
)
from bot.listening import hear
from bot.log import log, where
from bot.outbox import BATCH, Outbox, pause
from bot.store import (
    Claimed,
    EffectId,
    Planned,
    Registry,
    Store,
    Turn,
)
from bot.text import Texts
from bot.vault import Vault
from bot.voice import Voice

POLL: Final = 0.15
SWEEP: Final = timedelta(minutes=1)
DAY_BEGINS: Final = time(9)
DAY_ENDS: Final = time(20)


# ---------------------------------------------------------------- pure parts


def next_daytime(at: datetime, zone: ZoneInfo) -> datetime:
    """`at` when it is from 9 to 20 o'clock in the zone, else the next 9 o'clock there (C15)."""
    local = at.astimezone(zone)
    if DAY_BEGINS <= local.time() < DAY_ENDS:
        return at
    day = local.date() if local.time() < DAY_BEGINS else local.date() + timedelta(days=1)
    return datetime.combine(day, DAY_BEGINS, zone).astimezone(at.tzinfo)


def _ref(event: Inbound) -> str | None:
    return event.ref if isinstance(event, Typed | Media) else None


def _first(claimed: Claimed) -> Claimed:
    """The claim of what comes first alone, to find out what it is that fails."""
    if claimed.waiting:
        return replace(claimed, waiting=claimed.waiting[:1], rung=())
    return replace(claimed, rung=claimed.rung[:1])


# ---------------------------------------------------------------- the shell


@dataclass(slots=True)
class Worker:
    """Turns and sends for the conversations of some channels."""

    store: Store
    registry: Registry
    voice: Voice
    vault: Vault
    texts: Texts
    channels: Mapping[str, Channel]
    clock: Callable[[], datetime]
    zone: ZoneInfo
    _awake: asyncio.Event = field(default_factory=asyncio.Event)
    _swept: datetime | None = None
    outbox: Outbox = field(init=False)

    def __post_init__(self) -> None:
        self.outbox = Outbox(
            self.store, self.registry, self.voice, self.channels, self.clock, self.wake
        )

    def wake(self) -> None:
        """There may be work."""
        self._awake.set()

    async def run(self) -> None:
        """Work until cancelled. A store that cannot be written for a while ends nothing."""
        try:
            while True:
                try:
                    await self._round()
                except Exception as error:  # a full disk, say: the next round may do
                    await pause(error)
        finally:
            self.outbox.cancel()

    async def _round(self) -> None:
        self._awake.clear()
        if not await self.turns():
            await self._sweep()
            await self.outbox.start()
            await self._rest()

    async def drain(self) -> None:
        """Work until nothing is left to do now (for a door that reads its own lines)."""
        while await self.turns() or await self.outbox.start():
            await self.outbox.finish()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(POLL):
                await self._awake.wait()
        except TimeoutError:
            pass

    async def _sweep(self) -> None:
        now = self.clock()
        if self._swept is None or now - self._swept >= SWEEP:
            self._swept = now
            await self.registry.sweep(now)

    # -- turns

    async def turns(self) -> int:
        """Step and commit every conversation that has something waiting; how many had."""
        claims = await self.store.claim(self.channels, self.clock(), BATCH)
        await asyncio.gather(*(self._turn(claimed) for claimed in claims))
        return len(claims)

    async def _turn(self, claimed: Claimed) -> None:
        try:
            turn = self._planned(claimed)
        except Exception as error:  # a poison event is set aside, the rest goes on
            if len(claimed.waiting) + len(claimed.rung) > 1:
                await self._turn(_first(claimed))
                return
            log("turn_parked", channel=claimed.channel, **where(error))
            await self.store.park(claimed)
            return
        await self.store.commit(claimed, turn)

    def _planned(self, claimed: Claimed) -> Turn:
        now = self.clock()
        state = decode_state(claimed.state) if claimed.state else State()
        planned = _Plan()
        for event in self._events(state, claimed, now):
            state, effects = step(state, self._heard(state, event))
            planned.add_step(effects)
        return Turn(
            state=encode_state(state),
            effects=tuple(
                self._effect(claimed, index, effect, now)
                for index, effect in enumerate(planned.effects)
            ),
            timers=tuple(planned.timers.items()),
            cancel_timers=planned.cancel_timers,
            hush=planned.hush,
        )

    def _events(self, state: State, claimed: Claimed, now: datetime) -> list[Inbound]:
        """What waits, but for messages that were taken back, here or before."""
        rung = [Due(now, cast(Timer, name)) for name in claimed.rung]
        waiting = [decode_inbound(one.body) for one in claimed.waiting]
        back = {*state.unsent, *(one.ref for one in waiting if isinstance(one, Unsent))}
        return [*(one for one in waiting if _ref(one) not in back), *rung]

    def _heard(self, state: State, event: Inbound) -> Event:
        return hear(state, event, self.texts) if isinstance(event, Typed) else event

    def _effect(self, claimed: Claimed, index: int, effect: Effect, now: datetime) -> Planned:
        place = (claimed.conversation, str(claimed.version).encode(), str(index).encode())
        id = EffectId(str(UUID(bytes=self.vault.digest("effect", *place), version=5)))
        daytime = isinstance(effect, Send) and effect.daytime
        rings = daytime and self.channels[claimed.channel].wakes
        due_at = next_daytime(now, self.zone) if rings else now
        return Planned(id, encode_effect(effect), due_at, said=isinstance(effect, Send))


@dataclass(slots=True)
class _Plan:
    """The effects of a turn, sorted: what is carried out later, what the turn itself writes."""

    effects: list[Effect] = field(default_factory=list)
    timers: dict[str, datetime] = field(default_factory=dict)
    cancel_timers: bool = False
    hush: bool = False

    def add_step(self, effects: Sequence[Effect]) -> None:
        """Hush drops what was said before this step, not what this step says."""
        if Hush() in effects:
            self.effects = [one for one in self.effects if not isinstance(one, Send)]
            self.hush = True
        for effect in effects:
            self._add(effect)

    def _add(self, effect: Effect) -> None:
        match effect:
            case SetTimer():
                self.timers[effect.timer] = effect.at
            case CancelTimers():
                self.timers.clear()
                self.cancel_timers = True
            case Hush():
                pass
            case _:
                self.effects.append(effect)
