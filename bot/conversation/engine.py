"""The step: one event, one turn. Global words first, alarms next, then the flow table.

`step(state, event) -> Step(state, effects)` is pure: time comes in with the event, and the same
state and event give the same effects.
"""

from dataclasses import replace
from typing import Final, assert_never

from bot.conversation.flows import TABLE
from bot.conversation.model import (
    CancelTimers,
    CaseChecked,
    Chose,
    DropTickets,
    Due,
    Effect,
    Event,
    Gone,
    Hashed,
    Hush,
    Lower,
    Media,
    News,
    NodeId,
    Opened,
    Said,
    Send,
    Speak,
    State,
    TooLong,
    Unsent,
    Withdraw,
)
from bot.conversation.moves import awake, pick, repeat, speaking, talk_now
from bot.conversation.picture import NotTaken, PinShown
from bot.conversation.sent import guarded, made, not_taken, pin_shown, refused, sent, taken_back
from bot.conversation.table import Ask, Line
from bot.conversation.walk import HOME, START, Step, enter, question, send
from bot.conversation.words import said

UNSENT: Final = 8
"""How many messages taken back are remembered, for those that arrive late."""


def step(state: State, event: Event) -> Step:
    """The turn that this event makes."""
    done = _step(state, event)
    done = Step(guarded(done.state), done.effects)
    more: list[Effect] = []
    if done.state.minor and not state.minor:
        more += [Lower(), DropTickets()]
    if done.state.language and done.state.language != state.language:
        more.append(Speak(done.state.language))
    return Step(done.state, (*done.effects, *more))


def _step(state: State, event: Event) -> Step:  # noqa: PLR0911, PLR0912  # a line an event
    match event:
        case Said():
            return said(state, event)
        case Chose():
            return _chose(awake(state), event)
        case Opened():
            return _opened(state, event)
        case Media():
            return sent(awake(state), event)
        case Unsent():
            state = taken_back(state, event.ref)
            return Step(replace(state, unsent=(*state.unsent, event.ref)[-UNSENT:]))
        case TooLong():
            return refused(awake(state), "too_long", event.at)
        case Hashed():
            return _hashed(state, event)
        case NotTaken():
            return not_taken(state, event)
        case PinShown():
            return Step(pin_shown(state, event))
        case CaseChecked():
            return _checked(state, event)
        case News():
            return _news(state)
        case Due():
            return _due(state)
        case Gone():
            return Step(replace(state, stopped=True), (CancelTimers(), Hush()))
        case _:
            assert_never(event)


# ---------------------------------------------------------------- opened, chose


def _opened(state: State, event: Opened) -> Step:
    if state.silent:
        return Step(state)
    if state.node == START:
        state = replace(state, language=state.language or event.language)
    return repeat(state, event.at)


def _chose(state: State, event: Chose) -> Step:
    node = TABLE.get(event.node)
    option = node.option(event.value) if isinstance(node, Ask) else None
    if not isinstance(node, Ask) or option is None:
        return repeat(state, event.at)
    if state.silent and not state.doubt and node.id != "ask.talk_now":
        return talk_now(state, event.at)
    return pick(speaking(state), node, option, event.at)


# ---------------------------------------------------------------- the case speaks


def _hashed(state: State, event: Hashed) -> Step:
    keyless, place = made(state, event)
    taken = state.awaited and replace(state.awaited, ref=None)
    state = replace(state, number=event.number, images=event.images, keyless=keyless)
    state = replace(state, awaited=taken, node=HOME, resume=None)
    if state.silent:
        return Step(replace(state, resume=place))
    return enter(awake(state), place, event.at)


def _checked(state: State, event: CaseChecked) -> Step:
    if state.silent:
        return Step(state)
    if not event.right:
        waiting = Line("case.wait", values=(("minutes", str(-(-event.wait // 60))),))
        if event.wait:
            return Step(state, (send(state, waiting),))
        return enter(state, NodeId("case.wrong"), event.at)
    state = replace(state, number=event.number, checking=None, leaving=event.leaving)
    state = replace(state, keyless=False)
    if event.purpose == "status":
        return enter(state, NodeId("status.show"), event.at)
    erase = event.purpose == "erase"
    done = enter(state, NodeId("erased" if erase else "withdrawn"), event.at)
    return Step(done.state, (Withdraw(event.number, at_once=True, erase=erase), *done.effects))


def _news(state: State) -> Step:
    """One neutral line, once until it is read; nothing to a phone that others read (C2, C15)."""
    if state.news or not _may_push(state):
        return Step(state)
    return Step(replace(state, news=True), _push(state, "news"))


def _due(state: State) -> Step:
    return Step(state, _push(state, "ask.how") if _may_push(state) else ())


def _may_push(state: State) -> bool:
    return state.answer("phone") == "own" and not state.silent and not state.stopped


def _push(state: State, id: str) -> tuple[Send, ...]:
    node = TABLE[NodeId(id)]
    return tuple(replace(one, daytime=True) for one in question(state, node))
