"""The ear: turns a typed message into a `Meaning`, offline and without keeping anything.

Alarms, ages, global words and case numbers are rules that stay; the guess at the intent is a first
small rule set. Everything it knows is in data/*.toml, read when this module is first imported.
"""

from typing import Final

from bot.cases.number import find_number, find_pin, without_keys
from bot.conversation.model import AlarmSign, CaseKeys, Intent, Language, Meaning
from bot.understanding.ages import Ages, ages
from bot.understanding.alarms import signs
from bot.understanding.feelings import feeling
from bot.understanding.forms import LIMIT, clean, forms
from bot.understanding.intents import Guess, guesses
from bot.understanding.platforms import platform
from bot.understanding.words import answer, command, language, named_language

__all__ = ["LIMIT", "understand"]

ALTERNATIVES: Final = 3
SURE: Final = 0.9
NEEDED: Final = 0.7
"""From here a further guess is named in `also`."""
CHILD: Final = 13
"""Below this age of the writer the words become simpler (C10)."""
URGENT: Final[tuple[Intent, ...]] = (
    "self_harm", "immediate_danger", "abuser_present", "under_13", "threat_images", "threat_money",
    "already_sent_more", "already_paid", "image_already_posted", "ai_deepfake", "tell_parents_fear",
    "talk_to_human", "delete_my_data", "withdraw_case",
)  # fmt: skip


def understand(text: str, hint: Language | None = None, *, year: int | None = None) -> Meaning:
    """What `text` says. Reads at most LIMIT characters, raises nothing, remembers nothing.

    `hint` is the conversation's language: it wins where the text could be either. `year` is the
    current year (CE); without it years of birth are not read, for this function has no clock.
    """
    cleaned = clean(text)
    keys = _case(cleaned)
    cleaned = without_keys(cleaned) if keys else cleaned
    message = forms(cleaned)
    said = ages(message, year)
    danger = signs(message)
    alarm = _alarm(danger, said)
    found = _with_alarms(guesses(message), danger, said)
    intent, confidence = found[0] if found else (None, 0.0)
    return Meaning(
        language=language(cleaned, message, hint),
        intent=intent,
        confidence=confidence,
        alternatives=found[1 : 1 + ALTERNATIVES],
        alarm=alarm,
        also=_also(found),
        command=command(message),
        answer=answer(message),
        own_age=said.own,
        their_age=said.their,
        image_age=said.image,
        case=keys,
        named_language=named_language(message),
        feeling=feeling(message),
        platform=platform(message),
    )


def _alarm(danger: tuple[AlarmSign, ...], said: Ages) -> AlarmSign | None:
    """Hard signs first, then a child's own age, then soft signs."""
    if danger and danger[0].tier == "hard":
        return danger[0]
    if _is_child(said):
        return AlarmSign("under_13", "hard")
    return danger[0] if danger else None


def _is_child(said: Ages) -> bool:
    """A bare number may be anything; it is left to the question it answers."""
    return said.own is not None and said.own < CHILD and not said.bare


def _with_alarms(
    found: tuple[Guess, ...], danger: tuple[AlarmSign, ...], said: Ages
) -> tuple[Guess, ...]:
    """The guesses, with hard signs before all else and soft ones after."""
    hard: list[Guess] = [(sign.kind, SURE) for sign in danger if sign.tier == "hard"]
    if _is_child(said):
        hard.append(("under_13", SURE))
    soft: list[Guess] = [(sign.kind, 0.3) for sign in danger if sign.tier == "soft"]
    return (*hard, *found, *soft)


def _also(found: tuple[Guess, ...]) -> tuple[Intent, ...]:
    """The further needs, most urgent first."""
    further = [intent for intent, score in found[1:] if score >= NEEDED]
    order = {intent: place for place, intent in enumerate(URGENT)}
    return tuple(sorted(further, key=lambda intent: order.get(intent, len(URGENT))))[:ALTERNATIVES]


def _case(text: str) -> CaseKeys | None:
    number = find_number(text[:2_000])
    return CaseKeys(number, find_pin(text[:2_000])) if number else None
