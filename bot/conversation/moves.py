"""Moves that every turn may make: repeat the question, take an answer, ask "can you talk?"."""

from dataclasses import replace
from datetime import datetime

from bot.conversation.model import (
    NodeId,
    Send,
    State,
)
from bot.conversation.table import Ask, Option
from bot.conversation.walk import START, Step, ask_again, enter, take


def awake(state: State) -> State:
    """The person is here again after `stop`."""
    return replace(state, stopped=False) if state.stopped else state


def repeat(state: State, at: datetime, *said: Send) -> Step:
    """Say something, then put the open question once more; a talk not begun yet begins."""
    if state.node == START:
        state, effects = enter(state, START, at)
        return Step(state, (*said, *effects))
    return Step(state, (*said, *ask_again(state)))


def pick(state: State, node: Ask, option: Option, at: datetime) -> Step:
    """Keep this answer and go where it leads."""
    return enter(take(state, node, option), option.then, at)


def talk_now(state: State, at: datetime) -> Step:
    """Before anything else: can they talk now? (C9)"""
    return enter(state, NodeId("ask.talk_now"), at)
