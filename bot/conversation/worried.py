"""Worries have words of their own: they go before all else that a message is answered with."""

from typing import Final

from bot.conversation.model import Button, Meaning, MessageId, NodeId, Send, State, Worry
from bot.conversation.needs import needs
from bot.conversation.rules import helping
from bot.conversation.shows import Show
from bot.conversation.table import Line
from bot.conversation.walk import send

PEOPLE: Final = Button(MessageId("home.people"), NodeId("home"), "people")
FEARS: Final = frozenset[Worry | None]({"police", "permission"})
"""Worries that are themselves the harm of which the message tells."""

PLAINER: Final = frozenset[Worry]({"police"})
"""Worries whose answer has words of its own for under 13."""

_SHOWN: Final[dict[Worry, Show]] = {"operator": "operator"}
_BESIDE: Final = frozenset[Worry]({"police", "duty", "phoneless"})
"""Worries to whose answer belong people who know more."""


def worried(state: State, meaning: Meaning) -> tuple[Send, ...]:
    """The answer to the message's worry, if it holds one.

    Who holds a picture against someone is not told how to keep it, or whom to trust.
    """
    worry = meaning.worry
    if worry is None or "perpetrator" in needs(meaning):
        return ()
    if worry == "police" and meaning.intent == "report_to_police" and helping(state) == "helper":
        worry = "duty"  # a teacher who asks has no picture of their own to decide about
    simple = f"worry.{worry}.simple" if worry in PLAINER else None
    line = Line(f"worry.{worry}", _SHOWN.get(worry), simple)
    return (send(state, line, (PEOPLE,) if worry in _BESIDE else ()),)
