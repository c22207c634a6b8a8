"""What a typed message changes: the answers it holds, wherever in the flow they are given."""

from dataclasses import replace
from typing import Final

from bot.conversation.model import Button, Intent, Language, Meaning, MessageId, NodeId, Slot, State
from bot.conversation.shows import Show
from bot.conversation.walk import keep, latch

SURE: Final = 0.7
"""Below this confidence nothing is answered directly."""
CERTAIN: Final = 0.9
"""What cannot be undone, or could tell a victim off, needs this much."""

FACTS: Final[dict[Intent, tuple[tuple[Slot, str], ...]]] = {
    "threat_money": (("situation", "money"),),
    "already_paid": (("situation", "money"),),
    "threat_images": (("situation", "more"),),
    "already_sent_more": (("situation", "more"),),
    "image_already_posted": (("situation", "posted"),),
    "ai_deepfake": (("situation", "ai"),),
    "i_am_a_parent": (("who", "guardian"),),
    "trusted_adult": (("who", "guardian"),),
    "adult_image_of_adult": (("who", "self"), ("age", "adult")),
    "adult_image_before_18": (("who", "self"), ("age", "under18")),
    "no_longer_have_image": (("image", "none"),),
    "ex_partner": (("near", "yes"),),
    "stranger_scammer": (("near", "no"),),
}
"""Answers that a need already gives. Only questions still open are filled by them."""

PLACES: Final[dict[Intent, NodeId]] = {
    "case_status": NodeId("status"),
    "withdraw_case": NodeId("withdraw"),
    "delete_my_data": NodeId("ask.delete"),
    "change_language": NodeId("ask.language"),
    "talk_to_human": NodeId("people"),
    "tell_parents_fear": NodeId("tell"),
}
"""Needs that have a place of their own in the table."""

ANSWERS: Final = frozenset[Intent]({
    "what_is_this", "am_i_eligible", "is_it_free", "is_it_anonymous", "do_you_see_my_photo",
    "how_hashing_works", "already_paid", "already_sent_more", "ex_partner", "stranger_scammer",
    "no_longer_have_image", "video_instead", "which_platforms", "how_long", "report_to_police",
    "legal_rights", "block_and_report", "thanks", "goodbye", "off_topic", "perpetrator",
})  # fmt: skip
"""Needs answered in words (`answer.<intent>`), after which the open question is asked again."""

SHOWN: Final[dict[Intent, Show]] = {
    "which_platforms": "readers",
    "how_long": "readers",
    "report_to_police": "police",
    "legal_rights": "law",
}
"""What is shown with such an answer."""

_APPS: Final = Button(MessageId("home.apps"), NodeId("home"), "apps")
_POLICE: Final = Button(MessageId("home.police"), NodeId("home"), "police")
BESIDE: Final[dict[Intent, Button]] = {
    "which_platforms": _APPS,
    "block_and_report": _APPS,
    "report_to_police": _POLICE,
    "legal_rights": _POLICE,
}
"""The way from such an answer to a card: an app's own steps, a country's police and law."""

CARDS: Final[dict[Intent, NodeId]] = {
    need: NodeId(button.value) for need, button in BESIDE.items() if need != "which_platforms"
}
"""Where such an answer leads by itself, when nothing else is to be answered first."""

ONE_COUNTRY: Final = frozenset[Language]({"th"})
"""Languages spoken in one of the countries alone: its card is shown, and another may be chosen."""


def leads_to(state: State, meaning: Meaning) -> NodeId | None:
    """The card that the needs lead to; None where the answer itself shows it."""
    place = next((CARDS[need] for need in needs(meaning) if need in CARDS), None)
    guessed = state.answer("country") is None and state.speaks in ONE_COUNTRY
    return None if place == "police" and guessed else place


def needs(meaning: Meaning) -> tuple[Intent, ...]:
    """The needs that are sure enough to act on, the most urgent first."""
    if meaning.intent is None or meaning.confidence < SURE:
        return ()
    if meaning.intent == "perpetrator" and meaning.confidence < CERTAIN:
        return ()
    return (meaning.intent, *(one for one in meaning.also if one != meaning.intent))


def sign_of_minor(state: State, meaning: Meaning) -> State:
    """Latched when the message says the writer, or whoever is in the image, is under 18 (C16)."""
    if meaning.own_age is not None and meaning.own_age < 13:
        state = replace(state, young=True)
    ages = (meaning.own_age, meaning.image_age)
    if any(age is not None and age < 18 for age in ages) or _speaks_of_a_child(state, meaning):
        return latch(state)
    return latch(state) if "adult_image_before_18" in needs(meaning) else state


def learn(state: State, meaning: Meaning) -> State:
    """The state with every answer the message holds; an answer given before is not overwritten."""
    state = sign_of_minor(state, meaning)
    for slot, value in _facts(state, meaning):
        if state.answer(slot) in {None, "other"}:
            state = keep(state, slot, value)
    return state


def _facts(state: State, meaning: Meaning) -> tuple[tuple[Slot, str], ...]:
    facts = [fact for need in needs(meaning) for fact in FACTS.get(need, ())]
    if state.minor and (meaning.own_age or meaning.image_age or meaning.their_age):
        facts.append(("age", "under18"))
    elif meaning.image_age is not None:
        facts.append(("age", "adult"))
    if meaning.platform and needs(meaning):
        facts.append(("platform", meaning.platform))
    return tuple(facts)


def _speaks_of_a_child(state: State, meaning: Meaning) -> bool:
    """Whether the age named is that of the young person, not of the one who threatens."""
    cares = {"i_am_a_parent", "trusted_adult"} & {*needs(meaning)}
    cares_already = state.answer("who") in {"guardian", "friend"}
    young = meaning.their_age is not None and meaning.their_age < 18
    return young and bool(cares or cares_already)
