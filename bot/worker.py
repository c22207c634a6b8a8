"""The imperative shell: claims conversations, hears, steps, commits; then carries effects out.

Time, chance and the world come in here and nowhere deeper. A turn is committed whole before any of
it is sent, and every effect carries an id derived from (conversation, version, index), so a crash
at any point repeats the same keys.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from itertools import groupby
from typing import Final, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from bot.channels import Channel, Message, SendError, TryAgain, Unreachable
from bot.conversation.codec import (
    decode_effect,
    decode_inbound,
    decode_state,
    encode_effect,
    encode_inbound,
    encode_state,
)
from bot.conversation.engine import step
from bot.conversation.model import (
    CancelTimers,
    CaseChecked,
    CheckCase,
    Due,
    Effect,
    Event,
    Follow,
    Hush,
    Inbound,
    KeepCase,
    Media,
    Remove,
    Send,
    SetTimer,
    Speak,
    State,
    Timer,
    Typed,
    Unsent,
    Withdraw,
)
from bot.listening import hear
from bot.log import log, where
from bot.store import (
    WITHDRAW_AFTER,
    Arrival,
    Bundle,
    Claimed,
    EffectId,
    Pending,
    Planned,
    Registry,
    Store,
    Turn,
)
from bot.text import Texts
from bot.vault import Vault
from bot.voice import Asked, Voice

BATCH: Final = 50
POLL: Final = 0.15
PAUSE: Final = 1.0
SWEEP: Final = timedelta(minutes=1)
DAY_BEGINS: Final = time(9)
DAY_ENDS: Final = time(20)
FIRST_RETRY: Final = timedelta(seconds=2)
LONGEST_RETRY: Final = timedelta(minutes=15)


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


def _together(sends: Sequence[tuple[Pending, Send]]) -> list[list[tuple[Pending, Send]]]:
    """Messages that went out together before, and then those not tried yet."""
    return [list(group) for _, group in groupby(sends, key=lambda one: one[0].way)]


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
    _busy: dict[bytes, asyncio.Task[None]] = field(default_factory=dict)
    _swept: datetime | None = None

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
                    await self._pause(error)
        finally:
            for task in self._busy.values():
                task.cancel()

    async def _round(self) -> None:
        self._awake.clear()
        if not await self.turns():
            await self._sweep()
            await self._start_sends()
            await self._rest()

    async def _pause(self, error: Exception) -> None:
        log("store_failed", **where(error))
        await asyncio.sleep(PAUSE)

    async def drain(self) -> None:
        """Work until nothing is left to do now (for a door that reads its own lines)."""
        while await self.turns() or await self._start_sends():
            await asyncio.gather(*self._busy.values())

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

    # -- sends

    async def _start_sends(self) -> int:
        started = 0
        for bundle in await self.store.due(self.channels, self.clock(), BATCH):
            if bundle.conversation not in self._busy:
                task = asyncio.create_task(self._carry_out(bundle))
                self._busy[bundle.conversation] = task
                started += 1
        return started

    async def _carry_out(self, bundle: Bundle) -> None:
        """What is to be done, then what is to be said; one that fails is tried again later."""
        try:
            decoded = await self._decoded(bundle)
            sends = [(pending, effect) for pending, effect in decoded if isinstance(effect, Send)]
            for pending, effect in decoded:
                if not isinstance(effect, Send):
                    await self._do(bundle, pending, effect)
            for together in _together(sends):
                if not await self._send(bundle, together):
                    break
        except Exception as error:  # what went out cannot be settled now: no storm of repeats
            await self._pause(error)
        finally:
            del self._busy[bundle.conversation]
            self.wake()

    async def _decoded(self, bundle: Bundle) -> list[tuple[Pending, Effect]]:
        """The effects up to the first that this Sala does not know, which is tried again later."""
        decoded: list[tuple[Pending, Effect]] = []
        for pending in bundle.effects:
            try:
                decoded.append((pending, decode_effect(pending.body)))
            except Exception as error:
                await self._failed(bundle, [pending], error)
                break
        return decoded

    async def _do(self, bundle: Bundle, pending: Pending, effect: Effect) -> None:
        try:
            await self._act(bundle, pending.id, effect)
        except Exception as error:  # the loop must outlive any one effect
            await self._failed(bundle, [pending], error)
        else:
            await self.store.settle(bundle.conversation, [pending.id])

    async def _send(self, bundle: Bundle, sends: Sequence[tuple[Pending, Send]]) -> bool:
        """Whether these went out; they are settled then, and tried again later otherwise."""
        pending = [one for one, _ in sends]
        ids = [one.id for one in pending]
        try:
            messages = await self._messages(bundle, sends)
            way = await self._way(bundle, pending)
            await self.channels[bundle.channel].send(bundle.address, messages, way)
        except Exception as error:  # the loop must outlive any one message
            sent = error.sent if isinstance(error, SendError) else 0
            await self.store.settle(bundle.conversation, ids[:sent])
            await self._failed(bundle, pending[sent:], error)
            return False
        await self.store.settle(bundle.conversation, ids)
        return True

    async def _messages(
        self, bundle: Bundle, sends: Sequence[tuple[Pending, Send]]
    ) -> list[Message]:
        now = self.clock()
        asked = [Asked(pending.id, send, bundle.conversation, now) for pending, send in sends]
        return [await self.voice.message(one) for one in asked]

    async def _way(self, bundle: Bundle, pending: Sequence[Pending]) -> bytes | None:
        """The way of the first try, kept before it; the same again for a repeat."""
        if pending[0].way is not None:
            return pending[0].way
        way = self.channels[bundle.channel].way(bundle.address, self.clock())
        if way is not None:
            await self.store.attempt(bundle.conversation, [one.id for one in pending], way)
        return way

    async def _failed(self, bundle: Bundle, pending: Sequence[Pending], error: Exception) -> None:
        ids = [one.id for one in pending]
        log("send_failed", channel=bundle.channel, attempt=pending[0].attempt, **where(error))
        if isinstance(error, Unreachable):
            await self.store.forget_address(bundle.conversation)
        elif isinstance(error, TryAgain):
            await self.store.retry(bundle.conversation, ids, error.again_at)
        else:
            wait = min(FIRST_RETRY * 2 ** pending[0].attempt, LONGEST_RETRY)
            await self.store.retry(bundle.conversation, ids, self.clock() + wait)

    async def _act(self, bundle: Bundle, id: EffectId, effect: Effect) -> None:
        now = self.clock()
        match effect:
            case CheckCase():
                await self._check(bundle, id, effect)
            case Withdraw():
                at = now if effect.at_once else now + WITHDRAW_AFTER
                await self.registry.withdraw(effect.number, at, erase=effect.erase)
                await self.registry.sweep(now)
            case KeepCase():
                await self.registry.keep(effect.number)
            case Follow():
                await self.registry.follow(effect.number, bundle.conversation, effect.on)
            case Remove():
                await self.channels[bundle.channel].remove(bundle.address, effect.ref)
            case Speak():
                await self.channels[bundle.channel].speak(bundle.address, effect.language)
            case Send() | SetTimer() | CancelTimers() | Hush():
                raise ValueError("planned elsewhere")

    async def _check(self, bundle: Bundle, id: EffectId, check: CheckCase) -> None:
        now = self.clock()
        result = await self.registry.check_pin(check.number, check.pin, now)
        answer = CaseChecked(now, check.purpose, check.number, result.right, result.wait)
        await self.store.receive(
            Arrival(
                channel=bundle.channel,
                event_id=id,
                conversation=bundle.conversation,
                address=bundle.address,
                body=encode_inbound(answer),
                at=now,
            )
        )


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
