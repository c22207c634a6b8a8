"""Hears a typed message against the open question: its numbers, its labels, its yes and no."""

import re
from dataclasses import replace
from typing import Final

from bot.cases.number import find_pin
from bot.conversation.flows import TABLE
from bot.conversation.model import CaseKeys, Meaning, Said, State, Typed
from bot.conversation.table import Ask
from bot.conversation.walk import buttons
from bot.text import Texts
from bot.understanding import understand

_MARKS: Final = re.compile(r"[^\w\u0e31-\u0e4e+]+")
_THAI: Final = re.compile("[\u0e01-\u0e4e]")
_ENOUGH: Final = 3
"""Thai has no spaces: so many letters that stand in a label are its words…"""
_ALL: Final = 6
"""…and so many of a label that stand in a sentence."""


def hear(state: State, typed: Typed, texts: Texts) -> Said:
    """The message understood, with the choice of the open question that its words name."""
    meaning = _with_pin(state, understand(typed.text, state.language), typed.text)
    node = TABLE.get(state.node)
    if not isinstance(node, Ask):
        return Said(typed.at, meaning)
    words = typed.text.strip()
    if words.isdecimal() and len(words) <= 2:
        return _number(state, node, typed, int(words), meaning)
    labels = {one.value: texts.say(one.label, state.speaks) for one in buttons(state, node)}
    picked = named(words, labels)
    command = None if picked and _plain(words) == _plain(labels[picked]) else meaning.command
    return Said(typed.at, replace(meaning, command=command), picked)


def named(words: str, labels: dict[str, str]) -> str | None:
    """The one choice whose label these words are, are part of, or hold; None when none or several.

    A label of one word inside a sentence names nothing: "tell me" is not "Me".
    """
    said = _plain(words)
    shown = {value: _plain(label) for value, label in labels.items()}
    for fits in (_same, _part, _whole):
        found = [value for value, label in shown.items() if fits(said, label)]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _number(state: State, node: Ask, typed: Typed, number: int, meaning: Meaning) -> Said:
    """A bare number is a choice by its place; past the choices of an age question, an age."""
    offered = buttons(state, node)
    image_age = number if node.slot == "age" else None
    meaning = replace(meaning, own_age=None, image_age=image_age)
    if 1 <= number <= len(offered):
        return Said(typed.at, replace(meaning, image_age=None), offered[number - 1].value)
    return Said(typed.at, meaning)


def _with_pin(state: State, meaning: Meaning, text: str) -> Meaning:
    """Where keys are asked for, six digits alone are the PIN."""
    if meaning.case or state.node not in {"ask.keys", "ask.pin"}:
        return meaning
    pin = find_pin(text)
    return replace(meaning, case=CaseKeys("", pin)) if pin else meaning


def _plain(words: str) -> str:
    return _MARKS.sub(" ", words.casefold()).strip()


def _same(said: str, label: str) -> bool:
    return said == label


def _part(said: str, label: str) -> bool:
    if _THAI.search(said):
        return len(said) >= _ENOUGH and said in label
    return bool(said) and f" {said} " in f" {label} "


def _whole(said: str, label: str) -> bool:
    if _THAI.search(label):
        return len(label) >= _ALL and label in said
    return " " in label and f" {label} " in f" {said} "
