"""The imperative shell: claims conversations, hears, steps, commits; then carries effects out.

Time, chance and the world come in here and nowhere deeper. A turn is committed whole before any of
it is sent, and every effect carries an id derived from (conversation, version, index), so a crash
at any point repeats the same keys.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from bot.conversation.walk import Step
from bot.listening import hear
from bot.log import log, where
from bot.metrics import TURNS
from bot.outbox import BATCH, Outbox, pause
from bot.passing import Passing
from bot.store import (
    Claimed,
    EffectId,
    Planned,
    Registry,
    Store,
    Turn,
)
from bot.taking import Taking
from bot.text import Texts
from bot.vault import Vault
from bot.voice import Voice

POLL: Final = 0.15
SWEEP: Final = timedelta(minutes=1)
TYPED: Final = b'"Typed"'
"""What an encoded event of typed words holds."""
STUCK: Final = timedelta(seconds=30)
"""After so long without finishing a round the worker counts as not working."""
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
    taking: Taking | None = None
    passing: Passing | None = None
    _awake: asyncio.Event = field(default_factory=asyncio.Event)
    _swept: datetime | None = None
    _rounded: datetime | None = None
    _look_at: float = 0.0
    outbox: Outbox = field(init=False)

    def __post_init__(self) -> None:
        self.outbox = Outbox(
            self.store,
            self.registry,
            self.voice,
            self.channels,
            self.clock,
            self.wake,
            self.taking,
            self.passing,
        )

    def wake(self) -> None:
        """There may be work."""
        self._awake.set()

    async def run(self) -> None:
        """Work until cancelled. A store that cannot be written for a while ends nothing."""
        self._rounded = self.clock()
        try:
            while True:
                try:
                    await self._round()
                    self._rounded = self.clock()
                except Exception as error:  # a full disk, say: the next round may do
                    await pause(error)
        finally:
            self._rounded = None
            self.outbox.cancel()

    def works(self) -> bool:
        """Whether it runs and finished a round lately."""
        return self._rounded is not None and self.clock() - self._rounded < STUCK

    async def _round(self) -> None:
        """What arrived here just now is turned at once; the store is looked through for the rest,
        when there is nothing new and otherwise as often as when nobody writes."""
        self._awake.clear()
        now = asyncio.get_running_loop().time()
        turned = await self._turn_all(self.store.fresh(self.channels))
        self.outbox.begin()
        if not turned or now >= self._look_at:
            self._look_at = now + POLL
            if await self.turns():
                self._look_at = now
                return
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
            if self.passing:
                await self.passing.look()

    # -- turns

    async def turns(self) -> int:
        """Step and commit every conversation that has something waiting; how many had."""
        return await self._turn_all(await self.store.claim(self.channels, self.clock(), BATCH))

    async def _turn_all(self, claims: Sequence[Claimed]) -> int:
        await asyncio.gather(*(self._turn(claimed) for claimed in claims))
        return len(claims)

    async def _turn(self, claimed: Claimed) -> None:
        """Commit what can be stepped; set aside exactly what cannot, which would always fail."""
        try:
            plan = await self._plan(claimed)
        except Exception as error:  # the state itself cannot be read
            await self._park(claimed, claimed.waiting[0].seq if claimed.waiting else None, error)
            return
        if plan.stepped:
            bad = {seq for seq, _ in plan.failed}
            good = tuple(one for one in claimed.waiting if one.seq not in bad)
            turn = self._turn_of(claimed, plan)
            planned = await self.store.commit(replace(claimed, waiting=good), turn)
            if planned is None:
                return
            TURNS.inc()
            ids = (one.id for one in turn.effects)
            effects = (effect for effect, _ in plan.effects)
            self.outbox.plan(planned, dict(zip(ids, effects, strict=True)))
        for seq, reason in plan.failed:
            if seq is not None or not plan.stepped:
                await self._park(claimed, seq, reason)

    async def _park(self, claimed: Claimed, seq: int | None, error: Exception) -> None:
        log("turn_parked", channel=claimed.channel, **where(error))
        await self.store.park(claimed if seq is not None else replace(claimed, waiting=()), seq)

    async def _plan(self, claimed: Claimed) -> "_Plan":
        """Words take the ear tens of milliseconds, in which the doors must go on answering."""
        if any(TYPED in one.body for one in claimed.waiting):
            return await asyncio.to_thread(self._planned, claimed)
        return self._planned(claimed)

    def _planned(self, claimed: Claimed) -> "_Plan":
        """What waits and what rang, stepped one by one, but for messages that were taken back."""
        now = self.clock()
        kept = claimed.state or encode_state(State())
        state, takes = decode_state(kept), self._takes(claimed.channel)
        plan = _Plan(state if state.takes == takes else replace(state, takes=takes), kept)
        events: list[tuple[int | None, Inbound]] = []
        for one in claimed.waiting:
            with plan.setting_aside(one.seq):
                events.append((one.seq, decode_inbound(one.body)))
        events += [(None, Due(now, cast(Timer, name))) for name in claimed.rung]
        back = {*plan.state.unsent, *(one.ref for _, one in events if isinstance(one, Unsent))}
        for seq, event in events:
            with plan.setting_aside(seq):
                if _ref(event) in back:
                    plan.stepped = True
                else:
                    plan.add_step(step(plan.state, self._heard(plan.state, event)))
        return plan

    def _takes(self, channel: str) -> bool:
        return self.taking is not None and self.channels[channel].fetches

    def _turn_of(self, claimed: Claimed, plan: "_Plan") -> Turn:
        now = self.clock()
        return Turn(
            state=plan.written,
            effects=tuple(
                self._effect(claimed, index, *written, now)
                for index, written in enumerate(plan.effects)
            ),
            timers=tuple(plan.timers.items()),
            cancel_timers=plan.cancel_timers,
            hush=plan.hush,
        )

    def _heard(self, state: State, event: Inbound) -> Event:
        return hear(state, event, self.texts) if isinstance(event, Typed) else event

    def _effect(
        self, claimed: Claimed, index: int, effect: Effect, body: bytes, now: datetime
    ) -> Planned:
        place = (claimed.conversation, str(claimed.version).encode(), str(index).encode())
        id = EffectId(str(UUID(bytes=self.vault.digest("effect", *place), version=5)))
        daytime = isinstance(effect, Send) and effect.daytime
        rings = daytime and self.channels[claimed.channel].wakes
        due_at = next_daytime(now, self.zone) if rings else now
        return Planned(id, body, due_at, said=isinstance(effect, Send))


@dataclass(slots=True)
class _Plan:
    """A turn in the making: the state, and effects sorted into what is carried out later and what
    the turn itself writes. `failed` are the events that made none, by their place in the inbox."""

    state: State
    written: bytes
    stepped: bool = False
    effects: list[tuple[Effect, bytes]] = field(default_factory=list)
    timers: dict[str, datetime] = field(default_factory=dict)
    cancel_timers: bool = False
    hush: bool = False
    failed: list[tuple[int | None, Exception]] = field(default_factory=list)

    @contextmanager
    def setting_aside(self, seq: int | None) -> Iterator[None]:
        """Whatever fails in the block is the fault of this event; the rest goes on."""
        try:
            yield
        except Exception as error:
            self.failed.append((seq, error))

    def add_step(self, done: Step) -> None:
        """Hush drops what was said before this step, not what this step says.

        A step that cannot be written changes nothing.
        """
        written = encode_state(done.state)
        effects = [(effect, encode_effect(effect)) for effect in done.effects]
        self.state, self.written, self.stepped = done.state, written, True
        if Hush() in done.effects:
            self.effects = [one for one in self.effects if not isinstance(one[0], Send)]
            self.hush = True
        for effect, body in effects:
            self._add(effect, body)

    def _add(self, effect: Effect, body: bytes) -> None:
        match effect:
            case SetTimer():
                self.timers[effect.timer] = effect.at
            case CancelTimers():
                self.timers.clear()
                self.cancel_timers = True
            case Hush():
                pass
            case _:
                self.effects.append((effect, body))
