"""Carries committed effects out: what is to be done, then what is to be said, in order.

An effect is settled once it is done; one that fails comes back later under the same id.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from bot import metrics
from bot.channels import Channel, Message, SendError, TryAgain, Unreachable
from bot.conversation.codec import (
    decode_effect,
    encode_inbound,
)
from bot.conversation.model import (
    CancelTimers,
    CaseChecked,
    CheckCase,
    DropTickets,
    Effect,
    Follow,
    Hush,
    KeepCase,
    Lower,
    Remove,
    Send,
    SetTimer,
    Speak,
    Withdraw,
)
from bot.conversation.picture import Fetch, NotTaken
from bot.log import log, where
from bot.passing import Passing
from bot.store import (
    WITHDRAW_AFTER,
    Arrival,
    Bundle,
    EffectId,
    Pending,
    Registry,
    Store,
)
from bot.taking import Taking
from bot.voice import Asked, Voice

BATCH: Final = 50
PAUSE: Final = 1.0
FIRST_RETRY: Final = timedelta(seconds=2)
LONGEST_RETRY: Final = timedelta(minutes=15)
MISSED: Final = 3
"""After so many tries in a row that failed, a door is in trouble."""
FETCHED_WITHIN: Final = timedelta(minutes=2)
"""After so long a picture that was being taken when the process ended is taken up again."""

Effects = Mapping[EffectId, Effect]
"""What is known of effects without reading their bytes."""


async def pause(error: Exception) -> None:
    """After a failure of the store itself: no storm of repeats."""
    log("store_failed", **where(error))
    await asyncio.sleep(PAUSE)


@dataclass(slots=True)
class Outbox:
    """The effects of some channels' conversations, one task a conversation at a time."""

    store: Store
    registry: Registry
    voice: Voice
    channels: Mapping[str, Channel]
    clock: Callable[[], datetime]
    wake: Callable[[], None]
    taking: Taking | None = None
    """Takes pictures, where that is open (C16)."""
    passing: Passing | None = None
    """Passes codes on to lists above Sala's own, where there are any."""
    _planned: list[tuple[Bundle, Effects]] = field(default_factory=list)
    _busy: dict[bytes, asyncio.Task[None]] = field(default_factory=dict)
    _look: set[bytes] = field(default_factory=set)
    """Conversations of which there may be more to do, once what is under way is done."""
    _fetching: dict[EffectId, asyncio.Task[None]] = field(default_factory=dict)
    _over: dict[bytes, list[EffectId]] = field(default_factory=dict)
    """What went out but could not be settled, by conversation: on a full disk it stays due."""
    _missed: dict[str, int] = field(default_factory=dict)

    def troubled(self) -> list[str]:
        """Doors whose platform took nothing at the last tries."""
        return [channel for channel, count in self._missed.items() if count >= MISSED]

    async def finish(self) -> None:
        """Wait for what was begun."""
        await asyncio.gather(*self._busy.values())
        await asyncio.gather(*self._fetching.values())

    def cancel(self) -> None:
        """Give up what was begun; it comes back at the next start."""
        for task in (*self._busy.values(), *self._fetching.values()):
            task.cancel()

    def plan(self, bundle: Bundle, effects: Effects) -> None:
        """A turn planned this just now, these effects among it."""
        self._planned.append((bundle, effects))

    def begin(self) -> int:
        """Begin what turns planned, where nothing is under way; how many were begun."""
        planned, self._planned = self._planned, []
        begun = 0
        for bundle, effects in planned:
            if bundle.conversation in self._busy:
                self._look.add(bundle.conversation)
            elif bundle.effects:
                self._carry(bundle, effects)
                begun += 1
            else:  # something older may be due first
                self.wake()
        return begun

    async def start(self) -> int:
        """Begin what was planned and all else that is due, a task a conversation; how many.

        What was under way before the look is left for the next one: it may have been settled
        while the store was read, and would go out twice.
        """
        started, before = self.begin(), set(self._busy)
        for bundle in await self.store.due(self._served(), self.clock(), BATCH):
            if bundle.conversation not in before:
                self._look.add(bundle.conversation)
                self._carry(bundle, {})
                started += 1
        return started

    def _served(self) -> list[str]:
        return [*self.channels, *(self.passing.channels if self.passing else ())]

    def _carry(self, bundle: Bundle, effects: Effects) -> None:
        self._busy[bundle.conversation] = asyncio.create_task(self._carry_out(bundle, effects))

    async def _carry_out(self, bundle: Bundle, effects: Effects) -> None:
        """What is to be done, then what is to be said; one that fails is tried again later."""
        try:
            bundle = await self._not_over(bundle)
            if self.passing and bundle.channel in self.passing.channels:
                await self._pass(self.passing, bundle)
                return
            decoded = await self._decoded(bundle, effects)
            sends = [(pending, effect) for pending, effect in decoded if isinstance(effect, Send)]
            for pending, effect in decoded:
                if isinstance(effect, Fetch):
                    await self._begin_fetch(bundle, pending.id, effect)
                elif not isinstance(effect, Send) and not await self._do(bundle, pending, effect):
                    sends.clear()
            for together in _together(sends, whole=self.channels[bundle.channel].together):
                if not await self._send(bundle, together):
                    break
        except Exception as error:  # what went out cannot be settled now: no storm of repeats
            await pause(error)
        finally:
            del self._busy[bundle.conversation]
            if bundle.conversation in self._look:
                self._look.discard(bundle.conversation)
                self.wake()

    async def _pass(self, passing: Passing, bundle: Bundle) -> None:
        """What goes up to one service goes together; what is not taken waits, all of it."""
        if not bundle.effects:
            return
        self._look.add(bundle.conversation)
        try:
            await passing.carry(bundle)
        except Exception as error:  # the loop must outlive any one service
            await self._failed(bundle, bundle.effects, error)
        else:
            metrics.effect(bundle.channel, "done", len(bundle.effects))
            await self._settle(bundle, [one.id for one in bundle.effects])

    async def _decoded(self, bundle: Bundle, known: Effects) -> list[tuple[Pending, Effect]]:
        """The effects up to the first that this Sala does not know, which is tried again later."""
        decoded: list[tuple[Pending, Effect]] = []
        for pending in bundle.effects:
            try:
                effect = known.get(pending.id) or decode_effect(pending.body)
                decoded.append((pending, effect))
            except Exception as error:
                await self._failed(bundle, [pending], error)
                break
        return decoded

    async def _do(self, bundle: Bundle, pending: Pending, effect: Effect) -> bool:
        """Whether there may still be somebody to be written to."""
        self._look.add(bundle.conversation)  # what is done may become an event
        try:
            await self._act(bundle, pending.id, effect)
        except Exception as error:  # the loop must outlive any one effect
            await self._failed(bundle, [pending], error)
            return not isinstance(error, Unreachable)
        metrics.effect(bundle.channel, "done")
        await self._settle(bundle, [pending.id])
        return True

    async def _not_over(self, bundle: Bundle) -> Bundle:
        """The bundle without what went out before, which is settled before anything else goes."""
        over = self._over.get(bundle.conversation)
        if not over:
            return bundle
        await self._settle(bundle, [])
        return replace(bundle, effects=tuple(one for one in bundle.effects if one.id not in over))

    async def _settle(self, bundle: Bundle, ids: Sequence[EffectId]) -> None:
        """These went out, and never will again from here, even while the store cannot be told."""
        over = self._over.setdefault(bundle.conversation, [])
        over += ids
        await self.store.settle(bundle.conversation, over)
        del self._over[bundle.conversation]

    async def _begin_fetch(self, bundle: Bundle, id: EffectId, fetch: Fetch) -> None:
        """Beside everything else, since it may take long and the person may need an answer now."""
        again = self.clock() + FETCHED_WITHIN
        await self.store.retry(bundle.conversation, [id], again)
        if id not in self._fetching:
            self._fetching[id] = asyncio.create_task(self._fetch(bundle, id, fetch))

    async def _fetch(self, bundle: Bundle, id: EffectId, fetch: Fetch) -> None:
        channel = self.channels[bundle.channel]
        try:
            problem = await self.taking.take(channel, bundle, id, fetch) if self.taking else "busy"
            if problem:
                await self._tell(bundle, id, NotTaken(self.clock(), fetch.ref, problem))
            await self.store.settle(bundle.conversation, [id])
        except Exception as error:  # it comes back, if it is wanted then
            log("effect_failed", channel=bundle.channel, **where(error))
        finally:
            del self._fetching[id]
            self.wake()

    async def _send(self, bundle: Bundle, sends: Sequence[tuple[Pending, Send]]) -> bool:
        """Whether these went out; they are settled then, and tried again later otherwise."""
        pending, began = [one for one, _ in sends], self.clock()
        ids = [one.id for one in pending]
        try:
            messages = await self._messages(bundle, sends)
            way = await self._way(bundle, pending)
            await self.channels[bundle.channel].send(bundle.address, messages, way)
        except Exception as error:  # the loop must outlive any one message
            sent = error.sent if isinstance(error, SendError) else 0
            await self._settle(bundle, ids[:sent])
            await self._failed(bundle, pending[sent:], error, began)
            return False
        self._missed.pop(bundle.channel, None)
        metrics.effect(bundle.channel, "sent", len(ids))
        await self._settle(bundle, ids)
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

    async def _failed(
        self,
        bundle: Bundle,
        pending: Sequence[Pending],
        error: Exception,
        began: datetime | None = None,
    ) -> None:
        ids = [one.id for one in pending]
        self._look.add(bundle.conversation)
        log("send_failed", channel=bundle.channel, attempt=pending[0].attempt, **where(error))
        outcome = _outcome(error)
        metrics.effect(bundle.channel, outcome, len(ids))
        if outcome in {"later", "failed"}:
            self._missed[bundle.channel] = self._missed.get(bundle.channel, 0) + 1
        if isinstance(error, Unreachable):
            await self.store.forget_address(bundle.conversation)
        elif isinstance(error, TryAgain):
            await self.store.retry(bundle.conversation, ids, error.again_at, began)
        else:
            wait = min(FIRST_RETRY * 2 ** min(pending[0].attempt, 10), LONGEST_RETRY)
            await self.store.retry(bundle.conversation, ids, self.clock() + wait)

    async def _act(self, bundle: Bundle, id: EffectId, effect: Effect) -> None:
        now = self.clock()
        match effect:
            case Remove() | Speak() if not bundle.address:
                pass  # nobody is there any more
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
            case Lower():
                await self.registry.lower(bundle.conversation)
            case DropTickets():
                await self.registry.drop_tickets(bundle.conversation)
            case Remove():
                await self.channels[bundle.channel].remove(bundle.address, effect.ref)
            case Speak():
                await self.channels[bundle.channel].speak(bundle.address, effect.language)
            case Send() | Fetch() | SetTimer() | CancelTimers() | Hush():
                raise ValueError("planned elsewhere")

    async def _check(self, bundle: Bundle, id: EffectId, check: CheckCase) -> None:
        now = self.clock()
        result = await self.registry.check_pin(check.number, check.pin, now, bundle.conversation)
        case = await self.registry.standing(check.number) if result.right else None
        leaving = case is not None and case.leaving
        answer = CaseChecked(now, check.purpose, check.number, result.right, result.wait, leaving)
        await self._tell(bundle, id, answer)

    async def _tell(self, bundle: Bundle, id: EffectId, answer: CaseChecked | NotTaken) -> None:
        """What came of an effect is an event of its conversation."""
        await self.store.receive(
            Arrival(
                channel=bundle.channel,
                event_id=id,
                conversation=bundle.conversation,
                address=bundle.address,
                body=encode_inbound(answer),
                at=answer.at,
            )
        )


def _outcome(error: Exception) -> metrics.Outcome:
    match error:
        case Unreachable():
            return "gone"
        case TryAgain():
            return "held" if error.again_at is None else "later"
        case _:
            return "failed"


def _together(
    sends: Sequence[tuple[Pending, Send]], *, whole: bool
) -> list[list[tuple[Pending, Send]]]:
    """Messages that went out together before, then those not tried yet; or each by itself."""
    if not whole:
        return [[one] for one in sends]
    return [list(group) for _, group in groupby(sends, key=lambda one: one[0].way)]
