"""Moves that every turn may make: repeat the question, take an answer, ask "can you talk?"."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from bot.conversation.flows import TABLE
from bot.conversation.model import NodeId, Send, State
from bot.conversation.table import RESUME, Ask, Option
from bot.conversation.walk import START, Step, answered, ask_again, enter, resumed, take

ASKED: Final = 2
"""How often "can you talk now?" is asked on a soft sign alone."""


def awake(state: State) -> State:
    """The person is here again after `stop`; another language is offered for one message alone."""
    back = state.stopped or state.offered
    return replace(state, stopped=False, offered=None) if back else state


def repeat(state: State, at: datetime, *said: Send) -> Step:
    """Say something, then put the open question once more; a talk not begun yet begins."""
    if state.node == START:
        state, effects = enter(state, START, at)
        return Step(state, (*said, *effects))
    return Step(state, (*said, *ask_again(state)))


def pick(state: State, node: Ask, option: Option, at: datetime) -> Step:
    """Keep this answer and go where it leads."""
    return enter(take(state, node, option), option.then, at)


def agreed(state: State, guesses: Ask, at: datetime) -> Step:
    """A plain yes is the one guess that was shown; of several it is asked again which."""
    only = guesses.option(state.maybe[0]) if len(state.maybe) == 1 else None
    return pick(state, guesses, only, at) if only else repeat(state, at)


def talk_now(state: State, at: datetime) -> Step:
    """Before anything else: can they talk now? (C9) On a soft sign alone it is asked no more than
    twice; then the talk goes on where it stood."""
    if state.doubt == 1:
        return enter(speaking(state), RESUME, at)
    return enter(replace(state, silent=True, doubt=max(0, state.doubt - 1)), _TALK_NOW, at)


def perhaps_watched(state: State, at: datetime) -> Step:
    """A soft sign that someone reads along: one neutral question, and nothing that locks."""
    return talk_now(replace(state, doubt=ASKED + 1), at)


def speaking(state: State) -> State:
    """The silence is over."""
    return replace(state, silent=False, doubt=0)


def heard_again(state: State) -> State:
    """The silence is over, and what is said now meets the question behind "can you talk now?"."""
    return behind(speaking(state), _TALK_NOW)


def behind(state: State, aside: NodeId) -> State:
    """Stand at the question behind this aside, unless more waits there than a question."""
    place = resumed(state)
    node = TABLE[place]
    waits = not isinstance(node, Ask) or answered(state, node)
    if state.node != aside or (waits and place != START):
        return state
    return replace(state, node=place, resume=None)


_TALK_NOW: Final = NodeId("ask.talk_now")
