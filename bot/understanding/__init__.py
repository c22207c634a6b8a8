"""The ear: turns a typed message into a `Meaning`, offline and without keeping anything.

Ages, global words, case numbers and the hard signs of danger are rules; the intent and the soft
signs are learned from utterances (learning.py). All of it is in data/, read at the first import.
"""

import re
from typing import Final

from bot.cases.number import find_number, find_pin, without_keys
from bot.conversation.model import (
    Alarm,
    AlarmSign,
    CaseKeys,
    Intent,
    Language,
    Meaning,
    Worry,
)
from bot.conversation.needs import FACTS
from bot.understanding.ages import ADULT, Ages, ages
from bot.understanding.alarms import signs
from bot.understanding.encoder import encoder
from bot.understanding.feelings import feeling, rues
from bot.understanding.forms import LIMIT, Forms, clean, forms, readings
from bot.understanding.heads import Judgement, further, judge
from bot.understanding.others import of_other
from bot.understanding.platforms import platform
from bot.understanding.seen import alone, puzzled
from bot.understanding.threats import of_writer, own, posted, threat, unpaid
from bot.understanding.words import answer, command, language, named_language, phrase
from bot.understanding.worries import worry

__all__ = ["LIMIT", "understand"]

Guess = tuple[Intent, float]

ALTERNATIVES: Final = 3
SURE: Final = 0.9
SOFT: Final[dict[Language, float]] = {"th": 0.6, "en": 0.43, "es": 0.53}
LETTERED: Final = 0.7
"""How much an alarm must sound beside the likeliest ordinary need to be asked about, and where only
letters are heard. Measured on voices that were held out, each in turn."""
FLOOR: Final[dict[Alarm, float]] = {
    "self_harm": 0.1,
    "immediate_danger": 0.1,
    "abuser_present": 0.25,
}
"""…and how much by itself: "no, thanks" sounds like nothing much, and a little as if overheard."""
FAINT: Final = 0.001
PLAIN: Final = 0.85
"""What is done beside who does it is hardly a guess by itself, but may be by far the only one."""
_RELATIONS: Final = frozenset[Intent](
    {"i_am_a_parent", "trusted_adult", "ex_partner", "stranger_scammer"}
)
_DEEDS: Final = frozenset(
    need for need, facts in FACTS.items() if any(slot == "situation" for slot, _ in facts)
)
TOLD: Final = 0.75
"""How sure a threat is that the rules hear and what was learned does not."""
LIKELY: Final = 0.7
PERHAPS: Final = 0.4
"""How sure something else must be to be met instead, or to be asked about first."""
_NOT_THREATENED: Final[frozenset[Intent]] = frozenset(
    {"perpetrator", "greeting", "thanks", "goodbye", "off_topic"}
)
"""What someone who is threatened does not come with."""
DOUBT: Final = 0.1
"""Below this a sign that only the rules hear is asked about, not taken for certain…"""
ALIKE: Final = 0.3
ALIKER: Final = 4
"""…and where the look-alikes of danger sound so much, and so many times as loud as danger."""
SHORT: Final = 8
"""A message of so many characters says little by itself…"""
CLEAR: Final = 0.35
LOUD: Final = 0.5
LOUDER: Final = 0.7
"""…and must be so loud; words of plain fear louder still, and a single word the most."""
_NOT_FELT: Final = frozenset[Intent]({
    "withdraw_case", "delete_my_data", "off_topic", "greeting", "thanks", "goodbye", "what_is_this",
    "legal_rights",
})  # fmt: skip
CHILD: Final = 13
"""Below this age of the writer the words become simpler (C10)."""
URGENT: Final[tuple[Intent, ...]] = (
    "self_harm", "immediate_danger", "abuser_present", "under_13", "threat_images", "threat_money",
    "already_sent_more", "already_paid", "image_already_posted", "ai_deepfake", "tell_parents_fear",
    "talk_to_human", "delete_my_data", "withdraw_case",
)  # fmt: skip
_HELPERS: Final = frozenset[Intent]({"i_am_a_parent", "trusted_adult"})
_PRIVATE: Final[frozenset[Intent]] = frozenset(
    {"is_it_anonymous", "do_you_see_my_photo", "how_hashing_works"}
)
_PICTURED: Final = re.compile("[\u2600-\u27bf\U0001f300-\U0001faff]")
"""Emoji say something by themselves."""
_SHOWN: Final[frozenset[Intent]] = frozenset(
    {"adult_image_of_adult", "adult_image_before_18", "am_i_eligible"}
)


def understand(text: str, hint: Language | None = None, *, year: int | None = None) -> Meaning:
    """What `text` says. Reads at most LIMIT characters, raises nothing, remembers nothing.

    `hint` is the conversation's language: it wins where the text could be either. `year` is the
    current year (CE); without it years of birth are not read, for this function has no clock.
    """
    cleaned = clean(text)
    keys = _case(cleaned)
    cleaned = without_keys(cleaned) if keys else cleaned
    message = forms(cleaned)
    said, spoken, wish = ages(message, year), language(cleaned, message, hint), command(message)
    judged = _judged(message, spoken or hint or "en") if _says_more(message, said, wish) else None
    felt, fear = feeling(message), worry(message)
    soft = SOFT[spoken or hint or "en"]
    danger = _danger(signs(message), judged, soft, _careful(message, felt, said))
    danger = _unwatched(danger, fear, message)
    guessed = _shown(judged.intents, said) if judged else ()
    guessed = _felt(guessed) if felt else guessed
    if rues(message):
        guessed = tuple(one for one in guessed if one[0] != "perpetrator")
    if own(message):
        guessed = tuple(one for one in guessed if one[0] not in _HELPERS)
    if unpaid(message):
        guessed = _unpaid(guessed)
    if named := phrase(message) or _asked(fear, guessed):
        guessed = ((named, SURE), *(one for one in guessed if one[0] != named))
    guessed, beside = _together(_shared(_threatened(guessed, message), message))
    if _is_child(said):  # what is told beside the age is not lost behind it
        beside = (*beside, *(one for one, chance in guessed[:1] if chance >= LIKELY))
    found = _with_alarms(guessed, danger, said)
    intent, confidence = found[0] if found else (None, 0.0)
    return Meaning(
        language=spoken,
        intent=intent,
        confidence=confidence,
        alternatives=found[1 : 1 + ALTERNATIVES],
        alarm=_alarm(danger, said),
        also=() if fear == "seen" else _also(intent, beside, danger, message, judged),
        command=wish,
        answer=answer(message),
        own_age=said.own,
        their_age=said.their,
        image_age=said.image,
        case=keys,
        named_language=named_language(message),
        feeling=felt,
        worry=fear,
        of_other=bool(danger) and of_other(message),
        platform=platform(message),
    )


def _says_more(message: Forms, said: Ages, wish: object) -> bool:
    """Whether there is anything to guess beyond a global word, a number, a yes or no."""
    short = len(message.plain.split()) == 1 and answer(message) is not None
    readable = bool(message.latin or message.thai or _PICTURED.search(message.plain))
    return readable and wish is None and not said.bare and not short


def _judged(message: Forms, spoken: Language) -> Judgement:
    return judge(readings(message, spoken), encoder())


def _careful(message: Forms, felt: object, said: Ages) -> float:
    """How loud a learned sign must be at least: plain fear is met as such, an age is an age, and a
    word or two say little by themselves."""
    alone = " " not in message.plain and not message.thai
    if alone or any((said.own, said.their, said.image)):
        return LOUDER
    short = len(message.plain) <= SHORT
    return LOUD if felt else (CLEAR if short else 0.0)


def _felt(found: tuple[Guess, ...]) -> tuple[Guess, ...]:
    """ "Make it stop" takes nothing back, and "what do I do?" is not off the topic."""
    return tuple(one for one in found if one[0] not in _NOT_FELT)


def _unpaid(found: tuple[Guess, ...]) -> tuple[Guess, ...]:
    """Who has not paid is asked for money, and did not pay."""
    chances = dict(found)
    paid = chances.pop("already_paid", 0.0)
    if not paid:
        return found
    chances["threat_money"] = round(min(1.0, chances.get("threat_money", 0.0) + paid), 3)
    return tuple(sorted(chances.items(), key=lambda one: -one[1]))


def _danger(
    heard: tuple[AlarmSign, ...], judged: Judgement | None, soft: float, least: float
) -> tuple[AlarmSign, ...]:
    """What the rules and the learned ear hear together, hard before soft.

    The learned ear guards the rules as idioms do: danger and a reader that it finds most unlikely
    are asked about instead (never dropped); plain words of dying are never doubted. A deaf ear
    counts as a soft sign.
    """
    if judged is None:
        return heard
    loud = dict(judged.alarms)
    total = sum(loud.values())
    alike = judged.alike >= max(ALIKE, ALIKER * total)
    doubted = not judged.deaf and (total < DOUBT or alike)
    signs = [
        AlarmSign(one.kind, "soft") if doubted and one.kind != "self_harm" else one for one in heard
    ]
    known = {sign.kind for sign in heard}
    soft = LETTERED if judged.lettered else soft
    heard_too = [
        one for one in loud if judged.beside[one] >= soft and loud[one] >= max(FLOOR[one], least)
    ]
    signs += [AlarmSign(one, "soft") for one in heard_too if one not in known]
    if judged.deaf and not signs:
        signs.append(AlarmSign("self_harm", "soft"))
    return tuple(signs)


def _unwatched(
    danger: tuple[AlarmSign, ...], fear: Worry | None, message: Forms
) -> tuple[AlarmSign, ...]:
    """Who only asks who sees this, or says that the other one is gone, has no reader beside."""
    if puzzled(message):
        return tuple(one for one in danger if one.tier == "hard")
    left = tuple(one for one in danger if one.kind != "abuser_present")
    return left if fear == "seen" or alone(message) else danger


def _asked(fear: Worry | None, found: tuple[Guess, ...]) -> Intent | None:
    """The need of who asks who sees this, where none of its kind was guessed."""
    if fear != "seen" or (found and found[0][0] in _PRIVATE):
        return None
    return "is_it_anonymous"


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


def _threatened(found: tuple[Guess, ...], message: Forms) -> tuple[Guess, ...]:
    """Who is threatened is never the one who threatens, nor only greets, nor helps another."""
    demand = threat(message)
    if demand is None:
        return found
    done = posted(message)
    chances = dict(found)
    likelier = chances.get("threat_money", 0.0) > chances.get("threat_images", 0.0)
    money = demand == "money" or (demand == "bare" and likelier)
    need: Intent = "threat_money" if money else "threat_images"
    need = "image_already_posted" if done else need
    unfit = _unfit(message)
    left = tuple(
        one
        for one in found
        if one[0] not in unfit or (one[0] == "trusted_adult" and one[1] >= SURE)
    )
    first, chance = left[0] if left and left[0] == found[0] else (need, 0.0)
    others = tuple(one for one in left if one[0] not in {first, need})
    if chance >= LIKELY and (done or first != "image_already_posted"):
        return left
    if first in _RELATIONS:  # who does it is another need of the message
        return ((first, chance), (need, TOLD), *others)
    if chance >= PERHAPS and first not in _DEEDS:
        return ((first, chance), (need, min(chance, 1 - chance)), *others)
    return ((need, TOLD), *(one for one in left if one[0] != need))


def _shared(found: tuple[Guess, ...], message: Forms) -> tuple[Guess, ...]:
    """Whose own pictures were posted, as the rules hear, is met so where nothing else is sure."""
    told = posted(message) and of_writer(message) and threat(message) is None
    if not told or (found and found[0][1] >= LIKELY):
        return found
    left = (one for one in found if one[0] not in {"image_already_posted", "perpetrator"})
    return (("image_already_posted", TOLD), *left)


def _unfit(message: Forms) -> frozenset[Intent]:
    """What the message is not, where it says that the writer is threatened."""
    if threat(message) is None:
        return frozenset()
    return _NOT_THREATENED | ({"trusted_adult"} if of_writer(message) else set[Intent]())


def _shown(found: tuple[Guess, ...], said: Ages) -> tuple[Guess, ...]:
    """Numbers are invisible to what was learned: the ages said decide between the three needs
    that differ by age alone."""
    if not found or found[0][0] not in _SHOWN or (said.own or said.image) is None:
        return found
    before = said.image is not None and said.image < ADULT
    grown = said.own is None or said.own >= ADULT
    right: Intent = "am_i_eligible"
    if grown:
        right = "adult_image_before_18" if before else "adult_image_of_adult"
    (_, chance), rest = found[0], [one for one in found if one[0] != right]
    return ((right, chance), *rest)


def _together(found: tuple[Guess, ...]) -> tuple[tuple[Guess, ...], tuple[Intent, ...]]:
    """Who does it and what they do are two needs of one message, not two guesses at one: as sure
    as both together. Who says an age beside what was done asks for no more than help with that."""
    if not found:
        return found, ()
    (first, chance), *rest = found
    deed = _deed(rest)
    if deed is None or first not in _RELATIONS | _SHOWN:
        return found, ()
    together = round(min(chance + deed[1], 1.0), 3)
    others = [one for one in rest if one != deed]
    if first in _SHOWN:
        return ((deed[0], together), (first, chance), *others), ()
    return ((first, together), deed, *others), (deed[0],)


def _deed(rest: list[Guess]) -> Guess | None:
    """What is done to the person, when that is told at all and by far one thing."""
    deeds = [one for one in rest if one[0] in _DEEDS]
    told = sum(chance for _, chance in deeds)
    plain = bool(deeds) and deeds[0][1] >= max(FAINT, PLAIN * told)
    return deeds[0] if plain else None


def _with_alarms(
    found: tuple[Guess, ...], danger: tuple[AlarmSign, ...], said: Ages
) -> tuple[Guess, ...]:
    """The guesses, with hard signs before all else; soft ones are no need of their own."""
    hard: list[Guess] = [(sign.kind, SURE) for sign in danger if sign.tier == "hard"]
    if _is_child(said):
        hard.append(("under_13", SURE))
    return (*hard, *found)


def _also(
    intent: Intent | None,
    beside: tuple[Intent, ...],
    danger: tuple[AlarmSign, ...],
    message: Forms,
    judged: Judgement | None,
) -> tuple[Intent, ...]:
    """The further needs, most urgent first: other alarms, and what single clauses say."""
    others: list[Intent] = [sign.kind for sign in danger if sign.tier == "hard"]
    others += beside
    if judged:
        if danger:
            others += [one for one, chance in judged.intents[:1] if chance >= 0.7]
        others += further(message.plain, judged)
    order = {need: place for place, need in enumerate(URGENT)}
    unfit = _unfit(message)
    found = [one for one in dict.fromkeys(others) if one != intent and one not in unfit]
    return tuple(sorted(found, key=lambda need: order.get(need, len(URGENT))))[:ALTERNATIVES]


def _case(text: str) -> CaseKeys | None:
    number = find_number(text[:2_000])
    return CaseKeys(number, find_pin(text[:2_000])) if number else None
