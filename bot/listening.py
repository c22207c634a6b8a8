"""Hears a typed message against the open question: its numbers, its labels, its yes and no."""

import re
import unicodedata
from dataclasses import replace
from typing import Final, cast

from bot.cases.number import find_pin
from bot.conversation.flows import TABLE
from bot.conversation.model import CaseKeys, Meaning, NodeId, Said, State, Typed
from bot.conversation.needs import FACTS, needs
from bot.conversation.table import Ask
from bot.conversation.walk import HOME, buttons, resumed
from bot.text import Texts
from bot.understanding import understand
from bot.understanding.ages import ADULT, asked_age
from bot.understanding.answers import LITTLE, asks, denies, only_here, picked
from bot.understanding.feelings import fears
from bot.understanding.forms import clean, forms
from bot.understanding.ordinals import ordinal

_MARKS: Final = re.compile(r"[^\w\u0e31-\u0e4e+]+")
_THAI: Final = re.compile("[\u0e01-\u0e4e]")
_ENOUGH: Final = 3
"""Thai has no spaces: so many letters that stand in a label are its words…"""
_ALL: Final = 6
"""…and so many of a label that stand in a sentence."""
_BRIEF: Final = 40
"""Characters of an answer that can be nothing else."""
_TEEN: Final = range(13, ADULT)
_MEANT: Final = NodeId("ask.meant")
_COUNTRY: Final = NodeId("ask.country")
_ALARMED: Final = frozenset(map(NodeId, ("ask.country", "ask.alarm", "ask.safe")))
"""Where "I am alone" answers no question that waits behind."""
_NOT_MEANT: Final = "ask.meant.no"
_SITUATIONS: Final = frozenset(
    need for need, facts in FACTS.items() if any(slot == "situation" for slot, _ in facts)
)


def hear(state: State, typed: Typed, texts: Texts) -> Said:
    """The message understood, with the choice of the open question that its words name."""
    meaning = understand(typed.text, state.language, year=typed.at.year)
    meaning = _with_pin(state, meaning, typed.text)
    node = TABLE.get(state.node)
    if not isinstance(node, Ask):
        return Said(typed.at, meaning)
    words = typed.text.strip()
    if words.isdecimal() and len(words) <= 2:
        return _number(state, node, typed, int(words), meaning)
    if chosen := _by_place(state, node, typed):
        return chosen
    meaning = _in_question(node, meaning, words)
    labels = _labels(state, node, texts)
    value, of = _meant(node, meaning, words, labels), None
    thai = state.language == meaning.named_language == "th"  # spoken already: the country
    elsewhere = (meaning.named_language and not thai) or (
        meaning.answer is not None and "," not in words
    )
    if value is None and not elsewhere and (behind := _behind(state, node, words, texts)):
        node, value = behind
        labels, of = _labels(state, node, texts), node.id
    meaning = _answered(node, meaning, words, labels.get(value or ""))
    return Said(typed.at, _only_an_answer(meaning, words) if value else meaning, value, of)


def named(words: str, labels: dict[str, str], *, exact: bool = False) -> str | None:
    """The one choice whose label these words are, are part of, or hold; None when none or several.

    A label of one word inside a sentence names nothing: "tell me" is not "Me". With `exact` only
    the whole label names its choice, and a question names none.
    """
    said = _plain(words)
    if exact and asks(words):
        return None
    shown = {value: _plain(label) for value, label in labels.items()}
    for fits in (_same,) if exact else (_same, _part, _whole):
        found = [value for value, label in shown.items() if fits(said, label)]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _labels(state: State, node: Ask, texts: Texts) -> dict[str, str]:
    """What stands on the buttons of a question."""
    return {one.value: texts.say(one.label, state.speaks) for one in buttons(state, node)}


def _behind(state: State, node: Ask, words: str, texts: Texts) -> tuple[Ask, str] | None:
    """The question behind an aside, whose buttons are still on the screen, and the choice of it
    that the words name; or what may be said at any question: a country, "not what I meant"."""
    if _plain(words) == _plain(texts.say(_NOT_MEANT, state.speaks)):
        return cast(Ask, TABLE[_MEANT]), "no" if state.maybe else "else"
    country = picked(_COUNTRY, words)
    if country and country != "ZZ" and (country != "US" or _is_a_place(node, words)):
        return cast(Ask, TABLE[_COUNTRY]), country
    for id in (resumed(state), HOME) if node.aside else ():
        behind = TABLE.get(id)
        if isinstance(behind, Ask) and (value := _exactly(state, behind, words, texts)):
            return behind, value
    return None


def _is_a_place(node: Ask, words: str) -> bool:
    """Whether it is a country, and not "us", where the country is not asked for."""
    last = re.split(r"\W+", words.strip(" .!?"))[-1]
    if last.lower() != "us" or re.search(r"\bthe us$", _plain(words)):
        return True
    return last == "US" and node.slot != "who"


def _by_place(state: State, node: Ask, typed: Typed) -> Said | None:
    """A choice named by its place, with what is asked behind it; an agreement stands alone."""
    offered, said = buttons(state, node), ordinal(typed.text)
    if said is None or said[0] > len(offered) or (node.exact and said[1]):
        return None
    place, rest = said
    meaning = understand(rest, state.language, year=typed.at.year) if rest else Meaning()
    return Said(typed.at, replace(meaning, answer=None), offered[place - 1].value)


def _exactly(state: State, node: Ask, words: str, texts: Texts) -> str | None:
    """The choice that the words name by its whole label, or in words of their own."""
    value = named(words, _labels(state, node, texts), exact=True)
    if value is None and state.node not in _ALARMED:
        value = picked(node.id, words)
    return value if value and node.option(value) else None


def _meant(node: Ask, meaning: Meaning, words: str, labels: dict[str, str]) -> str | None:
    """The choice that the words name by its label, or in words of their own."""
    asked = "ask.country" if node.slot == "country" else node.id
    bare = meaning.answer is not None and "," not in words  # no part of a label that begins so
    value = named(words, labels, exact=node.exact or bare) or picked(asked, words)
    if value is None and node.id == "ask.situation":
        return _feared(meaning, words)
    return value if value and node.option(value) else None


def _answered(node: Ask, meaning: Meaning, words: str, label: str | None) -> Meaning:
    """What is no wish of its own when it answers: "Language" as a label, Thai as a country."""
    if label is None:
        return meaning
    if node.slot == "country":
        meaning = replace(meaning, named_language=None)
    again = node.id == "ask.delete" and meaning.command == "delete"
    same = _plain(words) == _plain(label)
    return replace(meaning, command=None) if same or again else meaning


def _only_an_answer(meaning: Meaning, words: str) -> Meaning:
    """A few words that answer the question are that answer: nothing is guessed into them. Only
    what the rules take for certain stays."""
    if len(words) > _BRIEF:
        return meaning
    if meaning.alarm and meaning.alarm.tier == "hard":
        return meaning
    return replace(meaning, alarm=None, intent=None, confidence=0.0, alternatives=(), also=())


def _feared(meaning: Meaning, words: str) -> str | None:
    told = _SITUATIONS & {*needs(meaning)}
    return "afraid" if not told and fears(forms(clean(words))) else None


def _in_question(node: Ask, meaning: Meaning, words: str) -> Meaning:
    """What only this question makes of the words: an age in the image, a yes that is none."""
    agreed = not (asks(words) or denies(words) or only_here(words))
    if node.exact and meaning.answer == "yes" and not agreed:
        meaning = replace(meaning, answer=None)
    if node.slot != "age" or meaning.image_age is not None:
        return meaning
    age = asked_age(forms(clean(words)))
    if age is None and meaning.their_age is not None and meaning.their_age < ADULT:
        age = meaning.their_age
    if age is None or (age >= ADULT and asks(words)):
        return meaning
    return replace(meaning, image_age=age, own_age=None, answer=None)


def _number(state: State, node: Ask, typed: Typed, number: int, meaning: Meaning) -> Said:
    """A bare number is a choice by its place; past the choices, an age.

    At an age question it is the age in the image; elsewhere 13 to 17 is the writer's own (C16).
    It is said in no language.
    """
    offered = buttons(state, node)
    meaning = replace(meaning, own_age=None, image_age=None, language=None)
    if 1 <= number <= len(offered):
        return Said(typed.at, meaning, offered[number - 1].value)
    if node.slot == "age":
        return Said(typed.at, replace(meaning, image_age=number))
    return Said(typed.at, replace(meaning, own_age=number) if number in _TEEN else meaning)


def _with_pin(state: State, meaning: Meaning, text: str) -> Meaning:
    """Where keys are asked for, six digits alone are the PIN."""
    if meaning.case or state.node not in {"ask.keys", "ask.pin"}:
        return meaning
    pin = find_pin(text)
    return replace(meaning, case=CaseKeys("", pin)) if pin else meaning


def _plain(words: str) -> str:
    """Words without marks and, in Latin letters, without accents; "don't" and "dont" are one."""
    folded = unicodedata.normalize("NFD", words.casefold())
    return _MARKS.sub(" ", re.sub("[\u0300-\u036f’‘`´']", "", folded)).strip()


def _same(said: str, label: str) -> bool:
    return said == label


def _part(said: str, label: str) -> bool:
    if _THAI.search(said):
        return len(said) >= _ENOUGH and said not in LITTLE and said in label
    return bool(said) and f" {said} " in f" {label} "


def _whole(said: str, label: str) -> bool:
    if _THAI.search(label):
        return len(label) >= _ALL and label in said
    return " " in label and f" {label} " in f" {said} "
