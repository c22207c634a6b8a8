"""Who was heard by a chat app's door and is left without an answer, because of a crowd or a fault,
is shown the help card. The card is made beforehand and needs no ear.

What became of a message is looked up in the store some seconds later, so that it does not matter
which process answers, and whether any does; and there stands whether somebody may be looking: then
nothing is shown (C9).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from bot.channels import Message
from bot.channels.pace import Pace
from bot.conversation.codec import decode_inbound, decode_state
from bot.conversation.model import Gone, Language, Opened, State, Typed, Unsent
from bot.log import log, where
from bot.store import Claimed, ConversationId, StoreError
from bot.store.lateness import WITHIN, Spend, Wait
from bot.understanding.alarms import signs
from bot.understanding.forms import clean, forms

LATE: Final = 15.0
"""Seconds without an answer after which the card comes."""
PATIENCE: Final = timedelta(minutes=10)
"""Who wrote longer ago is not written to by a door: the answer itself comes."""
EVERY: Final = 1.0
"""Seconds between two looks."""
_REMEMBERED: Final = 20_000

Cards = Mapping[Language, Message]


class Looks(Protocol):
    """The store, as it is asked here."""

    async def unanswered(
        self, waits: Sequence[Wait], now: datetime
    ) -> tuple[list[Claimed], list[ConversationId]]:
        """As `Lateness.unanswered`."""
        ...

    async def show_card(
        self, seen: Claimed, spend: Spend, now: datetime, *, owed: bool = True
    ) -> bool | None:
        """As `Lateness.show_card`."""
        ...


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who waits; `show` shows them something at once, if it still can; `spend` says what
    of their address is used up by it.

    `guess` is the language of their app. No word of theirs is in it.
    """

    wait: Wait
    at: datetime
    show: Callable[[Sequence[Message]], None]
    spend: Spend = field(default=lambda address: address)
    guess: Language | None = None


class Lookout:
    """Who waits by the doors of this process; looked after by `run`.

    `alone`: no other process has such doors, so that nothing needs to be written to show a card
    once, and a full disk hinders none.
    """

    def __init__(
        self,
        store: Looks,
        cards: Cards,
        clock: Callable[[], datetime],
        late: float = LATE,
        every: float = EVERY,
        *,
        unheard: Cards | None = None,
        alone: bool = True,
    ) -> None:
        """`cards` are for who is not answered, `unheard` for who is not heard any more."""
        self._store = store
        self._cards = cards
        self._unheard = unheard or cards
        self._clock = clock
        self._late = timedelta(seconds=late)
        self._every = every
        self._alone = alone
        self._pace = Pace()
        self._guests: deque[tuple[datetime, Guest]] = deque()

    def waits(self, guest: Guest) -> None:
        """They are looked after once their answer is late."""
        if len(self._guests) < _REMEMBERED:
            self._guests.append((self._clock() + self._late, guest))

    def shows(self, guest: Guest) -> None:
        """They are shown the card at the next look, unless somebody may be looking."""
        if len(self._guests) < _REMEMBERED:
            self._guests.appendleft((self._clock(), guest))

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._every)
            try:
                await self.look()
            except Exception as error:  # it must outlive any one guest
                log("task_ended", **where(error))

    async def look(self) -> None:
        """Show the card to whom the answer is late. What the store cannot say now is asked of it
        again."""
        now = self._clock()
        due = self._due(now)
        if not due:
            return
        try:
            waits = [one.wait for one in due.values()]
            left, coming = await self._store.unanswered(waits, now)
            again = await asyncio.gather(*(self._left(due[one.conversation], one) for one in left))
            again += [due[id] for id in coming]
        except StoreError as error:
            log("store_failed", **where(error))
            again = list(due.values())
        self._guests.extend((now + self._late, one) for one in again if one)

    def _due(self, now: datetime) -> dict[bytes, Guest]:
        """Of each conversation the last that is due: its answer comes after those before."""
        due: dict[bytes, Guest] = {}
        while self._guests and self._guests[0][0] <= now:
            _, guest = self._guests.popleft()
            if now - guest.at < PATIENCE:
                due[guest.wait.conversation] = guest
        return due

    async def _left(self, guest: Guest, seen: Claimed) -> Guest | None:
        """Show the card; the guest, when they are to be looked at again."""
        looked = await asyncio.to_thread(_unseen, seen)
        if looked is None:
            return None
        shown = await self._may_show(guest, seen)
        if shown:
            cards = self._cards if guest.wait.event_id else self._unheard
            guest.show(chosen(cards, looked.language or guest.guess))
        return guest if shown is None else None

    async def _may_show(self, guest: Guest, seen: Claimed) -> bool | None:
        now = self._clock()
        if self._alone:
            return self._pace.allows(seen.conversation, "card", now, 1, WITHIN)
        owed = guest.wait.event_id is not None
        return await self._store.show_card(seen, guest.spend, now, owed=owed)


def chosen(cards: Cards, language: Language | None) -> tuple[Message, ...]:
    """The card in this language, in every one while none is known."""
    return tuple(card for one, card in cards.items() if language in {None, one})


@dataclass(frozen=True, slots=True)
class _Unseen:
    """Nobody seems to be looking."""

    language: Language | None


def _unseen(seen: Claimed) -> _Unseen | None:
    """None when somebody may be looking, by the state or by words that wait for their turn; when
    the last of these were taken back; when any of it cannot be read."""
    try:
        state = decode_state(seen.state) if seen.state else State()
        events = [decode_inbound(one.body) for one in seen.waiting]
    except Exception:
        return None
    if state.silent or (events and isinstance(events[-1], Gone | Unsent)):
        return None
    if any(_of_a_reader(one.text) for one in events if isinstance(one, Typed)):
        return None
    opened = (one.language for one in events if isinstance(one, Opened))
    return _Unseen(state.language or next(opened, None))


def _of_a_reader(words: str) -> bool:
    return any(one.kind == "abuser_present" for one in signs(forms(clean(words))))
