"""What a typed message changes: the answers it holds, wherever in the flow they are given."""

from dataclasses import replace

from bot.conversation.model import Meaning, NodeId, Slot, State
from bot.conversation.needs import CARDS, FACTS, ONE_COUNTRY, needs
from bot.conversation.walk import keep, latch


def leads_to(state: State, meaning: Meaning) -> NodeId | None:
    """The card that the needs lead to; None where the answer itself shows it."""
    place = next((CARDS[need] for need in needs(meaning) if need in CARDS), None)
    guessed = state.answer("country") is None and state.speaks in ONE_COUNTRY
    return None if place == "police" and guessed and not state.young else place


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
