"""Needs in words: what answers them, each answer once."""

from collections.abc import Collection
from typing import Final

from bot.conversation.model import Intent, Meaning, Send, State
from bot.conversation.needs import ANSWERS, BESIDE, CARDS, SHOWN, needs
from bot.conversation.sent import in_chat
from bot.conversation.table import Line
from bot.conversation.walk import send

PLAINER: Final = frozenset({"private", "block_and_report", "already_paid"})
"""Answers with words of their own for under 13."""
_OF_LAW: Final = frozenset({"report_to_police", "legal_rights"})


def answers(
    state: State,
    meaning: Meaning,
    *,
    led: bool = False,
    but: Collection[str] = frozenset[str](),
) -> tuple[Send, ...]:
    """What answers the needs in words, each answer once, two at most; `led`: a card follows, so
    no way to it is needed."""
    found: dict[str, Intent] = {}
    for need in needs(meaning):
        said = _said_by_the_flow(state, need, led) or need not in ANSWERS
        if not said and ANSWERS[need] not in but:
            found.setdefault(ANSWERS[need], need)
    return tuple(_answer(state, need, led and need in CARDS) for need in [*found.values()][:2])


def _said_by_the_flow(state: State, need: Intent, led: bool) -> bool:
    """An age under 18 is met by its own line, a parent by the steps once it is known what for."""
    if ANSWERS.get(need) in _OF_LAW:
        return led and state.young
    if ANSWERS.get(need) == "am_i_eligible":
        return state.minor
    return need == "i_am_a_parent" and state.answer("situation") is not None


def _answer(state: State, need: Intent, led: bool) -> Send:
    """With the police, emergency numbers go out before the country is asked (C8). A child hears
    of the police in words of a child, and no law."""
    answer = ANSWERS[need]
    unknown = need == "report_to_police" and state.answer("country") is None
    shown = SHOWN.get(need) if unknown or not led else None
    button = BESIDE.get(need) if not led else None
    if state.young and answer in _OF_LAW:
        return send(state, Line("police.simple", show="child_lines"))
    simple = f"answer.{answer}.simple" if answer in PLAINER else None
    line = Line(in_chat(state, f"answer.{answer}"), shown, simple)
    return send(state, line, (button,) if button else ())
