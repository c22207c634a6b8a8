"""Which language a talk is in: the first words decide, later ones only by name or by a yes."""

from dataclasses import replace

from bot.conversation.model import Button, Language, Meaning, MessageId, NodeId, Said, Send, State
from bot.conversation.moves import repeat
from bot.conversation.walk import Step


def hear_language(state: State, meaning: Meaning) -> State:
    """The first words decide the language; later ones only by name."""
    if meaning.named_language:
        return replace(state, language=meaning.named_language, chosen_language=True)
    if meaning.language and not state.chosen_language:
        return replace(state, language=meaning.language, chosen_language=True)
    return state


def offer_language(state: State, language: Language) -> tuple[State, Send]:
    """The offer to go on in another language, and the state that knows of it."""
    button = Button(MessageId(f"language.{language}"), NodeId("ask.language"), language)
    offer = Send(MessageId("offer.language"), buttons=(button,), language=language)
    return replace(state, offered=language), offer


def offer_answered(before: State, state: State, event: Said) -> Step | None:
    """A plain yes or no right after another language was offered: to that, not to the question
    before it; only whether one is safe is never asked in vain."""
    answer = event.meaning.answer
    if answer == "yes":
        return repeat(replace(state, language=before.offered, chosen_language=True), event.at)
    unsafe = state.node == "ask.safe"
    return repeat(state, event.at) if answer == "no" and not unsafe else None
