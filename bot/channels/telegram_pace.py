"""How fast Telegram may be written to: a message a second in a chat, 25 a second in all.

Telegram publishes no exact limits; its FAQ names about 1 and 30 (core.telegram.org/bots/faq).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

CHAT: Final = 1.0
ALL: Final = 1 / 25
SPARE: Final = 1 / 4
"""Of what Telegram bears, so much is left beside the answers for what is shown past them."""
_REMEMBERED: Final = 10_000

Sleep = Callable[[float], Awaitable[object]]


class Pace:
    """Lets callers through one after the other. `clock` counts seconds, as `sleep` does."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        every: float = ALL,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._every = every
        self._chats: dict[int, float] = {}
        self._next = 0.0

    def beside(self, every: float) -> "Pace":
        """Another by the same clock, which lets one through in so many seconds."""
        return Pace(self._clock, self._sleep, every)

    async def turn(self, chat: int) -> None:
        """Return when this chat may be written to. A chat that waits holds no other back."""
        await self._until(self._chats.get(chat, 0.0))
        at = max(self._clock(), self._next)
        self._next = at + self._every
        self._forget()
        self._chats[chat] = at + CHAT
        await self._until(at)

    async def _until(self, at: float) -> None:
        wait = at - self._clock()
        if wait > 0:
            await self._sleep(wait)

    def _forget(self) -> None:
        if len(self._chats) >= _REMEMBERED:
            now = self._clock()
            self._chats = {chat: at for chat, at in self._chats.items() if at > now}
