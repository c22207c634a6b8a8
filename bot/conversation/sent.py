"""What is sent into the chat and is not text: refused unopened, unless it is the picture or video
that was asked for and agreed to (C16)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from bot.cases.hashes import Media as ContentMedia
from bot.conversation.model import (
    Effect,
    Hashed,
    Media,
    NodeId,
    Remove,
    State,
)
from bot.conversation.moves import repeat, talk_now
from bot.conversation.picture import Awaited, Fetch, NotTaken, PinShown
from bot.conversation.rules import may_take
from bot.conversation.table import Line
from bot.conversation.walk import Step, enter, send

MOST_BYTES: Final = 10_000_000
"""Of one picture."""
MOST_FILM: Final = 50_000_000
"""Bytes of one video; Telegram hands over no more than 20 MB."""
SKEW: Final = timedelta(seconds=5)
"""How far the platform's clock may be behind ours: what it sent earlier was not asked for."""

AWAITING: Final = frozenset(map(NodeId, ("take.wait", "take.next")))
"""Where a picture is the answer; words that are not understood just bring the question again."""
TAKING: Final = AWAITING | {NodeId("ask.take")}
_OTHERWISE: Final = {
    "answer.private": "take.seen",
}


def sent(state: State, event: Media) -> Step:
    """Removed where that is possible; an album is answered once. Fetched only as agreed."""
    remove = (Remove(event.ref),) if event.ref else ()
    if event.album and event.album == state.album:
        return Step(state, remove)
    if state.node in AWAITING and not state.silent:
        return _offered(state, event, remove)
    words = "take.early" if state.node == "ask.take" else "media"
    return after(remove, refused(replace(state, album=event.album), words, event.at))


def refused(state: State, words: str, at: datetime) -> Step:
    """Say why something was not read, and put the open question once more."""
    return talk_now(state, at) if state.silent else repeat(state, at, send(state, Line(words)))


def after(effects: tuple[Effect, ...], step: Step) -> Step:
    """The step with these effects before its own."""
    return Step(step.state, (*effects, *step.effects))


def _offered(state: State, event: Media, remove: tuple[Remove, ...]) -> Step:
    """Where a picture is awaited: it is taken, or not and why."""
    awaited, content = state.awaited, event.content
    answered = replace(state, album=event.album)
    if awaited is None or not may_take(state) or _over(awaited, event.at):
        late = replace(answered, awaited=None)
        return after(remove, enter(late, NodeId("take.late"), event.at))
    if event.ref is None or content is None:
        return after(remove, refused(answered, "take.kind", event.at))
    if content.sent_at < awaited.since - SKEW:
        return after(remove, refused(answered, "media", event.at))
    if awaited.ref:
        return after(remove, refused(answered, "take.one", event.at))
    if content.size is not None and content.size > most_bytes(content.media):
        return after(remove, refused(answered, "take.size", event.at))
    taking = replace(awaited, left=awaited.left - 1, ref=event.ref)
    fetch = Fetch(event.ref, content.file, state.number, content.media)
    return Step(replace(state, awaited=taking), (fetch,))


def most_bytes(media: ContentMedia) -> int:
    """How large one may be."""
    return MOST_FILM if media == "video" else MOST_BYTES


def _over(awaited: Awaited, at: datetime) -> bool:
    return at > awaited.until or not (awaited.left or awaited.ref)


def made(state: State, event: Hashed) -> tuple[bool, NodeId]:
    """Whether the case has no PIN, and where it goes on: a new one is named, an old one grew.

    The mini-app shows the PIN of a case it made. For one that was made of a picture in the chat a
    page is offered once, when the case is made, and not after a silence: whoever holds the phone
    later gets none (C9, C12).
    """
    same = state.number == event.number
    keyless = state.keyless if same else event.here
    if event.here:
        made = "take.made.quiet" if state.silent else "take.made"
        return keyless, NodeId("take.added" if same else made)
    return keyless, NodeId("case.added" if keyless else "case.made")


def pin_shown(state: State, event: PinShown) -> State:
    """The person has the PIN of this case now."""
    return replace(state, keyless=False) if event.number == state.number else state


def not_taken(state: State, event: NotTaken) -> Step:
    """Say why; then the next try, or the agreement anew when there were enough.

    One that the case holds already is no failure: it goes on as after any that was added.
    """
    awaited = state.awaited
    if awaited is None or awaited.ref != event.ref:
        return Step(state)
    state = replace(state, awaited=replace(awaited, ref=None))
    if state.node not in AWAITING:
        return Step(state)
    if event.problem == "already":
        return enter(state, NodeId("take.already"), event.at)
    said = send(state, Line(f"take.{event.problem}"))
    if awaited.left:
        return repeat(state, event.at, said)
    return after((said,), enter(state, NodeId("take"), event.at))


def taken_back(state: State, ref: str) -> State:
    """The message was unsent: if it is the one that is being taken, it is not taken any more."""
    awaited = state.awaited
    if awaited is None or awaited.ref != ref:
        return state
    return replace(state, awaited=replace(awaited, ref=None))


def guarded(state: State) -> State:
    """Nothing is awaited, and no aside leads back to it, once anything speaks against it (C16)."""
    if not may_take(state):
        resume = NodeId("may_hash") if state.resume in TAKING else state.resume
        return replace(state, awaited=None, resume=resume)
    asked = state.node in AWAITING or state.resume in AWAITING
    return state if asked else replace(state, awaited=None)


def in_chat(state: State, id: str) -> str:
    """The answer that holds where a picture may come into the chat, in place of the usual one."""
    return _OTHERWISE.get(id, id) if state.node in TAKING else id
