"""What a store and a worker must come to, whatever happens on the way: one person's conversation as
a few plain fields, stepped by the pure engine alone. Whatever differs from it is a fault."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from bot.channels import Message, SendError, TryAgain, Unreachable
from bot.conversation.engine import step
from bot.conversation.model import (
    CancelTimers,
    Due,
    Effect,
    Event,
    Hush,
    Language,
    Send,
    SetTimer,
    Speak,
    State,
    Timer,
)
from bot.outbox import FIRST_RETRY, LONGEST_RETRY
from bot.text import load_texts

TEXTS: Final = load_texts()
NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass
class Saying:
    """A message that is to go out. `id`: it was seen going out; `sent`: in the work under way.

    Not `sure`: a process died on it, so it may come once more.
    """

    send: Send
    id: str = ""
    sent: bool = False
    sure: bool = True

    def is_this(self, message: Message) -> bool:
        """Whether a message that goes out is this one."""
        if self.id:
            return message.id == self.id
        return TEXTS.say(self.send.text, self.send.language, **dict(self.send.values)) in (
            message.text
        )


@dataclass
class Person:
    """One conversation. Messages go neither before `soonest` nor, when they can, after `latest`."""

    state: State = field(default_factory=State)
    version: int = 0
    is_met: bool = False
    has_address: bool = False
    waiting: list[Event] = field(default_factory=list)
    timers: dict[Timer, datetime] = field(default_factory=dict)
    outbox: list[Saying] = field(default_factory=list)
    languages: list[Language] = field(default_factory=list)
    soonest: datetime | None = None
    latest: datetime | None = None
    speaking_by: datetime | None = None
    dropped: tuple[list[Saying], list[Language]] = ([], [])
    """What fell with the address."""

    def as_now(self) -> "Person":
        """A copy."""
        return deepcopy(self)

    def arrives(self, event: Event, *, from_sala: bool = False) -> None:
        """An event was acknowledged. Sala's own releases nothing that is held."""
        self.waiting.append(event)
        if not from_sala:
            self.is_met = self.has_address = True
            if self.latest == NEVER:
                self.soonest = self.latest = None

    # -- turns

    def turns(self, now: datetime) -> None:
        """One turn of all that waits and all that rang, if there is any."""
        rung = sorted(name for name, at in self.timers.items() if at <= now)
        events: list[Event] = [*self.waiting, *(Due(now, name) for name in rung)]
        if not events:
            return
        for name in rung:
            del self.timers[name]
        for event in events:
            done = step(self.state, event)
            self.state = done.state
            if Hush() in done.effects:
                self.outbox.clear()
                self.soonest = self.latest = None
            for effect in done.effects:
                self._plans(effect)
        self.waiting.clear()
        self.version += 1

    def _plans(self, effect: Effect) -> None:
        match effect:
            case SetTimer():
                self.timers[effect.timer] = effect.at
            case CancelTimers():
                self.timers.clear()
            case Send() if self.has_address:
                self.outbox.append(Saying(effect))
            case Speak():
                self.languages.append(effect.language)

    # -- sends

    def hears(self, messages: Sequence[Message], now: datetime) -> None:
        """These go out to the person now, in this order."""
        assert self.soonest is None or now >= self.soonest, "too soon"
        for message in messages:
            one = next((one for one in self.outbox if one.is_this(message) and not one.sent), None)
            assert one is not None, "twice, or never to be said"
            before = self.outbox[: self.outbox.index(one)]
            assert all(other.sent or not other.sure for other in before), "out of order, or lost"
            one.id, one.sent = message.id, True
        if messages:
            self.soonest = self.latest = None

    def fails(self, error: SendError, now: datetime) -> None:
        """What was not sent comes later, or never."""
        if isinstance(error, Unreachable):
            self.has_address = False
            self.dropped = ([one for one in self.outbox if not one.sent], self.languages)
            self.outbox, self.languages = [one for one in self.outbox if one.sent], []
            self.soonest = self.latest = None
        elif isinstance(error, TryAgain):
            self.soonest = self.latest = error.again_at or NEVER
        else:
            self.soonest, self.latest = now + FIRST_RETRY, now + LONGEST_RETRY

    def speaks(self, language: Language) -> None:
        """The chat's menus are in this language now."""
        assert self.has_address, "to nobody"
        if language in self.languages:
            self.languages.remove(language)

    def rests(self, now: datetime) -> None:
        """All work that could be done is done."""
        self.outbox = [one for one in self.outbox if not one.sent]
        if self.latest is None or now >= self.latest:
            assert not any(one.sure for one in self.outbox), "lost"
            self.outbox.clear()
        assert not self.languages or (self.speaking_by and now < self.speaking_by)

    def died(self, version: int, *, has_address: bool, before: "Person") -> "Person":
        """The process died at work, and this version is what is there."""
        if version == before.version != self.version:
            assert not any(one.sent for one in self.outbox), "said before it was kept"
            return before
        assert version == self.version, "a turn more, or less"
        for one in self.outbox:
            one.sure, one.sent = one.sure and not one.sent, False
        assert self.has_address <= has_address, "an address was lost"
        if has_address and not self.has_address:  # it was to be forgotten
            self.has_address = True
            self.outbox += self.dropped[0]
            self.languages += self.dropped[1]
        self.soonest = None
        return self
