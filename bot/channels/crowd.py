"""The help card for whom a chat app's door cannot serve: who writes more than a person can is not
heard for a while, and who waits too long for an answer, because of others or of a fault, is not
left with nothing. The card is made beforehand and needs neither ear nor database.

Nothing is shown after a line that stood alone: somebody is looking (C9).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from bot.channels import Message
from bot.channels.pace import Pace
from bot.conversation.model import Language

MOST: Final = 60
"""Messages and taps of one person within a while that are heard."""
WITHIN: Final = timedelta(minutes=1)
LATE: Final = 15.0
"""Seconds without an answer after which the card comes."""
_REMEMBERED: Final = 10_000

Cards = Mapping[Language, Message]


class Crowd:
    """Who writes by one door, by what their conversation is found by; in this process alone.

    `late` None: answers do not go out here, so that nobody can be known to wait.
    """

    def __init__(self, late: float | None = LATE) -> None:
        self.late = late
        self._pace = Pace()
        self._told: OrderedDict[bytes, tuple[Language, bool]] = OrderedDict()
        self._waits: dict[bytes, asyncio.TimerHandle] = {}

    def hears(self, key: bytes, now: datetime) -> bool:
        """Count a message or tap; False when they were too many."""
        return self._pace.allows(key, "heard", now, MOST, WITHIN)

    def waits(self, key: bytes, overdue: Callable[[], None]) -> None:
        """Somebody waits for an answer; `overdue` is called when none goes out in time."""
        if self.late is not None and key not in self._waits and len(self._waits) < _REMEMBERED:
            loop = asyncio.get_running_loop()
            self._waits[key] = loop.call_later(self.late, self._overdue, key, overdue)

    def _overdue(self, key: bytes, overdue: Callable[[], None]) -> None:
        del self._waits[key]
        overdue()

    def rests(self, key: bytes) -> None:
        """Nobody waits there any more: blocked, or the words were taken back."""
        waiting = self._waits.pop(key, None)
        if waiting:
            waiting.cancel()

    def answered(self, key: bytes, message: Message) -> None:
        """This went out."""
        self.rests(key)
        self._told[key] = message.language, message.alone
        self._told.move_to_end(key)
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)

    def cards(
        self, key: bytes, cards: Cards, now: datetime, guess: Language | None = None
    ) -> Sequence[Message]:
        """What to show now: the card in the person's language, in every one while none is known;
        nothing to whom it was shown just now, or after a line that stood alone."""
        language, alone = self._told.get(key, (guess, False))
        if alone or not self._pace.allows(key, "card", now, 1, WITHIN):
            return ()
        return tuple(cards.values()) if language is None else tuple(
            card for one, card in cards.items() if one == language
        )  # fmt: skip
