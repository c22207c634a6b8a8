"""Alarms, and the silence after them: what is said at once (C8, C9), and what ends the silence."""

from datetime import datetime

from bot.conversation.flows import TABLE
from bot.conversation.model import Alarm, Meaning, NodeId, Said, State
from bot.conversation.moves import heard_again, pick, speaking, talk_now
from bot.conversation.needs import GREETINGS, needs
from bot.conversation.table import Ask, Option
from bot.conversation.walk import Step, enter


def hard(meaning: Meaning) -> Alarm | None:
    """The alarm that pauses the flow; someone who reads along goes before danger (C9)."""
    sign = meaning.alarm
    if sign is None or sign.kind == "under_13" or sign.tier == "soft":
        return None
    if sign.kind == "immediate_danger" and "abuser_present" in meaning.also:
        return "abuser_present"
    return sign.kind


def alarmed(state: State, alarm: Alarm, meaning: Meaning, at: datetime) -> Step:
    """What an alarm is answered, before anything is asked."""
    if alarm == "abuser_present":
        named = {meaning.alarm and meaning.alarm.kind, meaning.intent, *meaning.also}
        danger = "immediate_danger" in named
        return enter(state, NodeId("bland.danger" if danger else "bland"), at)
    place = "danger" if alarm == "immediate_danger" else "self_harm"
    if alarm == "self_harm" and meaning.of_other:
        place = "self_harm.other"
    return enter(speaking(state), NodeId(place), at)


def waking(state: State, event: Said) -> State | Step:
    """In silence: the turn that these words make, or the state in which they are heard.

    After a soft sign alone, whatever asks for something plainly is heard; any other words, and
    all words after a hard sign, only answer whether one can talk (C9).
    """
    if state.doubt and _plain(event):
        return heard_again(state)
    node = TABLE[NodeId("ask.talk_now")]
    asked = state.node == node.id and event.of is None
    option = named(node, event) if asked and isinstance(node, Ask) else None
    if option is None or not isinstance(node, Ask):
        return talk_now(state, event.at)
    return pick(speaking(state), node, option, event.at)


def named(node: Ask, event: Said) -> Option | None:
    """The choice that the words name, or that a plain yes, no or unsure means; "no, in English"
    asks for a language and answers nothing."""
    meant = None if event.meaning.named_language else event.meaning.answer
    return node.option(event.picked) or node.meant(meant)


def _plain(event: Said) -> bool:
    """Whether the words ask for something by themselves, and nobody seems to read along."""
    meaning = event.meaning
    if event.picked and not event.of:
        return False
    if meaning.alarm:
        return meaning.alarm.kind != "abuser_present"
    asked = (
        event.of, meaning.command, meaning.named_language, meaning.case, meaning.platform,
        meaning.worry, meaning.feeling,
    )  # fmt: skip
    return any(asked) or bool({*needs(meaning)} - GREETINGS - {"off_topic"})
