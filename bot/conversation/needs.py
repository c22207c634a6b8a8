"""What people need, as data: what each need says about them, where it leads, what answers it."""

from typing import Final

from bot.conversation.model import Button, Intent, Language, Meaning, MessageId, NodeId, Slot, Worry
from bot.conversation.shows import Show

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
    "trusted_adult": (("helps", "yes"),),
    "adult_image_of_adult": (("who", "self"),),
    "adult_image_before_18": (("who", "self"), ("age", "under18")),
    "no_longer_have_image": (("image", "none"),),
    "ex_partner": (("near", "yes"),),
    "stranger_scammer": (("near", "no"),),
}
"""Answers that a need already gives. Only questions still open are filled by them.

That an image shows an adult is never guessed from words: a number said so, or the person chose it.
"""

PLACES: Final[dict[Intent, NodeId]] = {
    "case_status": NodeId("status"),
    "withdraw_case": NodeId("withdraw"),
    "delete_my_data": NodeId("ask.delete"),
    "change_language": NodeId("ask.language"),
    "talk_to_human": NodeId("people"),
    "tell_parents_fear": NodeId("tell"),
}
"""Needs that have a place of their own in the table."""

ANSWERS: Final[dict[Intent, str]] = {
    "what_is_this": "what_is_this",
    "am_i_eligible": "am_i_eligible",
    "adult_image_of_adult": "am_i_eligible",
    "adult_image_before_18": "am_i_eligible",
    "is_it_free": "is_it_free",
    "is_it_anonymous": "private",
    "do_you_see_my_photo": "private",
    "how_hashing_works": "private",
    "trusted_adult": "trusted_adult",
    "i_am_a_parent": "trusted_adult",
    "already_paid": "already_paid",
    "already_sent_more": "already_sent_more",
    "ex_partner": "ex_partner",
    "stranger_scammer": "stranger_scammer",
    "no_longer_have_image": "no_longer_have_image",
    "video_instead": "video_instead",
    "which_platforms": "which_platforms",
    "how_long": "how_long",
    "report_to_police": "report_to_police",
    "legal_rights": "legal_rights",
    "block_and_report": "block_and_report",
    "thanks": "thanks",
    "goodbye": "thanks",
    "off_topic": "off_topic",
    "perpetrator": "perpetrator",
}
"""Needs answered in words (`answer.<name>`), after which the open question is asked again. Needs
that are easily taken for each other share an answer that serves both."""

HARMS: Final = {"money": "threat", "more": "threat"}
"""Situations whose first aid begins alike."""

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

GREETINGS: Final = frozenset[Intent]({"greeting", "thanks", "goodbye"})
"""Needs that are met, and nothing more said of them."""
FAREWELLS: Final = frozenset[Intent]({"thanks", "goodbye"})
"""After which nothing is asked."""


OFFERED: Final[dict[Intent, Intent]] = {
    "adult_image_of_adult": "am_i_eligible",
    "adult_image_before_18": "am_i_eligible",
    "do_you_see_my_photo": "is_it_anonymous",
    "how_hashing_works": "is_it_anonymous",
}
"""The need under whose name another is offered, where both are answered alike."""

GUESSES: Final[tuple[Intent, ...]] = (
    "threat_money", "threat_images", "already_paid", "already_sent_more", "image_already_posted",
    "ai_deepfake", "ex_partner", "stranger_scammer", "i_am_a_parent", "trusted_adult",
    "am_i_eligible", "is_it_free", "is_it_anonymous", "what_is_this", "no_longer_have_image",
    "video_instead", "which_platforms", "how_long", "report_to_police", "legal_rights",
    "block_and_report", "case_status", "withdraw_case", "delete_my_data", "change_language",
    "talk_to_human", "tell_parents_fear",
)  # fmt: skip
"""Needs that are offered when a message was not sure to be understood."""
AT_ONCE: Final = 3
LIKELY: Final = 0.06
"""A guess less likely than this is not offered."""


def guesses(meaning: Meaning, beside: tuple[Intent, ...] = ()) -> tuple[Intent, ...]:
    """What the message may have meant, likeliest first, but for what was answered already."""
    answered = {first_answer(one) for one in beside}
    found: list[Intent] = []
    for intent, chance in ((meaning.intent, meaning.confidence), *meaning.alternatives):
        offered = OFFERED.get(intent, intent) if intent else None
        if offered is None or offered not in GUESSES or offered in found or chance < LIKELY:
            continue
        if first_answer(offered) not in answered:
            found.append(offered)
    return tuple(found[:AT_ONCE])


def first_answer(intent: Intent) -> str:
    """What someone with this need is answered first; needs with the same one may be mixed up."""
    facts = dict(FACTS.get(intent, ()))
    if intent in PLACES:
        return PLACES[intent]
    if "situation" in facts:
        return f"firstaid.{HARMS.get(facts['situation'], facts['situation'])}"
    return f"answer.{ANSWERS.get(intent, intent)}"


_CERTAIN: Final = frozenset[Intent]({"perpetrator", "withdraw_case", "delete_my_data"})


_NOT_WORRIED: Final[dict[Worry, frozenset[Intent]]] = {
    "police": frozenset(
        {"report_to_police", "legal_rights", "no_longer_have_image", "am_i_eligible"}
    ),
    "permission": frozenset({"tell_parents_fear", "i_am_a_parent", "am_i_eligible"}),
    "operator": frozenset({"what_is_this", "is_it_anonymous", "stranger_scammer", "off_topic"}),
    "duty": frozenset(
        {
            "report_to_police",
            "block_and_report",
            "legal_rights",
            "is_it_anonymous",
            "do_you_see_my_photo",
            "tell_parents_fear",
        }
    ),
    "phoneless": frozenset(
        {"tell_parents_fear", "change_language", "which_platforms", "block_and_report"}
    ),
    "proof": frozenset({"block_and_report", "image_already_posted"}),
    "seen": frozenset({"is_it_anonymous", "do_you_see_my_photo", "how_hashing_works"}),
}
"""What a worry is easily taken for, and what who has it does not want to hear."""


_HARMED: Final = frozenset[Intent]({
    "i_am_a_parent", "stranger_scammer", "threat_money", "threat_images", "already_paid",
    "already_sent_more", "tell_parents_fear",
})  # fmt: skip
"""Who says any of this is never told off, whatever else the words sound like."""


def needs(meaning: Meaning) -> tuple[Intent, ...]:
    """The needs that are sure enough to act on, the most urgent first."""
    if meaning.intent is None or meaning.confidence < SURE:
        return ()
    if meaning.intent in _CERTAIN and meaning.confidence < CERTAIN:
        return ()
    found = (meaning.intent, *(one for one in meaning.also if one != meaning.intent))
    mistaken = _NOT_WORRIED[meaning.worry] if meaning.worry else frozenset[Intent]()
    if _HARMED & {*found}:
        mistaken |= {"perpetrator"}
    return tuple(one for one in found if one not in mistaken)
