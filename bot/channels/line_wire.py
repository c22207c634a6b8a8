"""Sending on LINE: by the reply token while it lasts, which is free, else as a push with a key.

A push repeated with its key goes out once. LINE forgets the key after 24 hours; a push that had no
clear answer all that time goes out all the same, since it may never have
(https://developers.line.biz/en/docs/messaging-api/retrying-api-request/). A reply has no key: when
its repeat is told "Invalid reply token" within the token's minute, the first try was the one that
used it; after a crash that is likely and not sure, so what is urgent is pushed then.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from bot.channels import Message, Plain, SendError, TryAgain, Unreachable
from bot.channels.crowd import Crowd
from bot.channels.fetching import NotFetched
from bot.channels.line_address import (
    DEAD,
    PUSH,
    USABLE,
    Address,
    Token,
    Tokens,
    read_address,
    read_way,
    write_address,
    write_way,
)
from bot.channels.line_api import LineApi, Outcome, Quota, Refused
from bot.channels.line_faces import Face, render
from bot.conversation.model import Language
from bot.text import Texts, language_of

AT_ONCE: Final = 5
RESERVE: Final = 0.2
"""The part of the month's pushes that is kept for people who are writing now."""
PRESENT: Final = timedelta(minutes=10)
REREAD: Final = timedelta(minutes=10)
SOON: Final = timedelta(seconds=2)
MOST_SHOWN: Final = 20
"""People who are shown at once that an answer is coming: in a crowd the answers come first."""
GLANCE: Final = 0.8
"""Seconds a webhook's answer, due within two, may wait to learn a newcomer's language."""
PATIENCE: Final = 0.7
"""Seconds an answer may take before the chat shows that it is coming."""


def alias(language: Language) -> str:
    """The name under which a language's rich menu is found."""
    return f"sala-{language}"


class LineChannel(Plain):
    """Sends to LINE. Used in one running loop, and closed with `close()`."""

    name: Final = "line"
    wakes: Final = True
    fetches = True

    def __init__(
        self,
        api: LineApi,
        clock: Callable[[], datetime],
        texts: Texts,
        liff: str = "",
        patience: float = PATIENCE,
        glance: float = GLANCE,
    ) -> None:
        self.api = api
        self.clock = clock
        self.texts = texts
        self.liff = liff
        self.patience = patience
        self.glance = glance
        self.crowd = Crowd()
        self._tokens = Tokens()
        self._budget = Budget(api, clock)
        self._menus: dict[str, str] = {}
        self._menus_read: datetime | None = None
        self._showing: set[asyncio.Task[None]] = set()
        self._closed = False

    async def close(self) -> None:
        """End what still runs and the connections."""
        self._closed = True
        for task in self._showing:
            task.cancel()
        await asyncio.gather(*self._showing, return_exceptions=True)
        await self.api.close()

    def address(self, user: str, token: str | None, now: datetime) -> bytes:
        """The address of a person who was just heard."""
        return write_address(Address(user, now, self._tokens.newest(user, token, now)))

    async def language(self, user: str) -> Language | None:
        """The language of the person's app, where LINE tells it in time: a first guess."""
        try:
            async with asyncio.timeout(self.glance):
                return language_of(await self.api.language(user))
        except (Refused, TimeoutError):
            return None

    # -- the Channel protocol

    def way(self, address: bytes, now: datetime) -> bytes | None:
        """By the reply token while it is young and not used here, else a push."""
        token = self._usable(read_address(address), now)
        if token is None:
            return PUSH
        self._tokens.mark(token, "given")
        return write_way(token)

    async def send(
        self, address: bytes, messages: Sequence[Message], way: bytes | None = None
    ) -> None:
        """Send in order, five in a call. More than a reply holds goes before it, by push.

        So a reply is always the last call, and a repeat of what is left is the same call.
        """
        to, token = read_address(address), read_way(way)
        if token is None or self._over(token):
            await self._push_all(to, messages)
            return
        pushed = await self._pushed(to, messages[:-AT_ONCE], 0)
        here = messages[pushed:][:AT_ONCE]
        # Of an urgent one nothing is taken for delivered that only may have been.
        perhaps = not self._given(token) and not any(one.urgent for one in here)
        outcome = await self._replied(token, self._faces(here), repeat=perhaps)
        if outcome == "stale":
            await self._push_all(to, messages, pushed)
            return
        self._must_be_done(outcome, pushed)
        if pushed + len(here) < len(messages):
            raise TryAgain(pushed + len(here))

    async def speak(self, address: bytes, language: Language) -> None:
        """The chat's rich menu in this language, where one was set up; best effort."""
        try:
            menu = (await self._aliases()).get(alias(language))
            if menu:
                await self.api.link_menu(read_address(address).user, menu)
        except Refused:
            self._menus_read = None

    async def fetch(self, address: bytes, file: str, most: int) -> bytes:
        """The picture or video in the message `file`; LINE may have made it smaller."""
        try:
            return await self.api.content(file, most)
        except Refused:
            raise NotFetched("gone") from None

    def show(self, token: Token, messages: Sequence[Message]) -> None:
        """Show these past all that waits, by this reply token while it can be used: that is free,
        and in a crowd the month's pushes are for the answers. Best effort."""
        if token.younger(USABLE, self.clock()) and not self._closed:
            self._tokens.mark(token, "spent")
            self._aside(self.api.reply(token.value, self._faces(messages)))

    def coming(self, address: bytes) -> None:
        """Show that an answer is coming, when it takes longer than a moment. Best effort."""
        loop = asyncio.get_running_loop()
        loop.call_later(self.patience, self._show_coming, read_address(address))

    # -- replies

    def _usable(self, to: Address, now: datetime) -> Token | None:
        token = to.token
        if token and token.younger(USABLE, now) and not self._tokens.marked(token, "spent"):
            return token
        return None

    def _over(self, token: Token) -> bool:
        """Used here for other messages, so that these were not in that call."""
        return self._tokens.marked(token, "spent")

    def _given(self, token: Token) -> bool:
        return self._tokens.marked(token, "given")

    async def _replied(self, token: Token, faces: list[Face], *, repeat: bool) -> Outcome:
        """One reply, asked twice when the first answer was unclear."""
        outcome = await self._try_reply(token, faces)
        if outcome == "unclear":
            self._tokens.mark(token, "doubted")
            outcome = await self._try_reply(token, faces)
        perhaps = repeat or self._tokens.marked(token, "doubted")
        if outcome == "stale" and perhaps and token.younger(DEAD, self.clock()):
            outcome = "done"
        if outcome in {"done", "stale"}:
            self._tokens.mark(token, "spent")
        return outcome

    async def _try_reply(self, token: Token, faces: list[Face]) -> Outcome:
        try:
            await self.api.reply(token.value, faces)
        except Refused as refused:
            return refused.outcome
        return "done"

    # -- pushes

    async def _push_all(self, to: Address, messages: Sequence[Message], sent: int = 0) -> None:
        """The rest by push; what may not be pushed now rides on a new reply token, or is held."""
        pushed = await self._pushed(to, messages, sent)
        rest = messages[pushed : pushed + AT_ONCE]
        if not rest:
            return
        token = self._usable(to, self.clock())
        if token is None:
            raise TryAgain(pushed)
        outcome = await self._replied(token, self._faces(rest), repeat=False)
        self._must_be_done("month" if outcome == "stale" else outcome, pushed)
        if pushed + len(rest) < len(messages):
            raise TryAgain(pushed + len(rest))

    async def _pushed(self, to: Address, messages: Sequence[Message], sent: int) -> int:
        """How many are out, when all is pushed or the month's pushes do not allow more."""
        while sent < len(messages):
            chunk = messages[sent : sent + AT_ONCE]
            if not await self._budget.allows(to):
                break
            outcome = await self._try_push(to, chunk)
            self._budget.count(outcome)
            if outcome == "month":
                break
            self._must_be_done(outcome, sent)
            sent += len(chunk)
        return sent

    async def _try_push(self, to: Address, chunk: Sequence[Message]) -> Outcome:
        try:
            await self.api.push(to.user, self._faces(chunk), chunk[0].id)
        except Refused as refused:
            return refused.outcome
        return "done"

    # -- both

    def _faces(self, messages: Sequence[Message]) -> list[Face]:
        return [render(message, self.texts, self.liff) for message in messages]

    def _must_be_done(self, outcome: Outcome, sent: int) -> None:
        """Go on, or the SendError that says what is to be done about it."""
        match outcome:
            case "done":
                return
            case "month":
                raise TryAgain(sent)
            case "busy":
                wait = SOON * (1 + random.random())  # noqa: S311  # spreads load, hides nothing
                raise TryAgain(sent, self.clock() + wait)
            case "gone":
                raise Unreachable(sent)
            case "stale" | "unclear" | "refused":
                raise SendError(sent)

    # -- menus, and the dots

    async def _aliases(self) -> dict[str, str]:
        now = self.clock()
        if self._menus_read is None or now - self._menus_read > REREAD:
            self._menus = await self.api.aliases()
            self._menus_read = now
        return self._menus

    def _show_coming(self, to: Address) -> None:
        if len(self._showing) < MOST_SHOWN and self._usable(to, self.clock()) and not self._closed:
            self._aside(self.api.loading(to.user))

    def _aside(self, call: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(_tried(call))
        self._showing.add(task)
        task.add_done_callback(self._showing.discard)


async def _tried(call: Awaitable[None]) -> None:
    with suppress(Refused):
        await call


@dataclass(slots=True)
class Budget:
    """The month's pushes: the last part is kept for people who are writing now."""

    api: LineApi
    clock: Callable[[], datetime]
    _quota: Quota | None = None
    _read_at: datetime | None = None

    async def allows(self, to: Address) -> bool:
        """Whether this person may be pushed to. A quota that cannot be read forbids nothing."""
        if self.clock() - to.heard_at < PRESENT:
            return True
        quota = await self._current()
        if quota is None or quota.limit is None:
            return True
        return quota.limit - quota.used > quota.limit * RESERVE

    def count(self, outcome: Outcome) -> None:
        """A push went out, or the month's pushes are found used up."""
        if self._quota and self._quota.limit is not None:
            used = self._quota.limit if outcome == "month" else self._quota.used + 1
            self._quota = Quota(self._quota.limit, used)

    async def _current(self) -> Quota | None:
        now = self.clock()
        if self._read_at is None or now - self._read_at > REREAD:
            self._read_at = now
            try:
                self._quota = await self.api.quota()
            except Refused:
                self._quota = None
        return self._quota
