"""Typed words against the open question."""

from datetime import UTC, datetime

import pytest

from bot.conversation.model import CaseKeys, NodeId, State, Typed
from bot.listening import hear, named
from bot.text import load_texts

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
LABELS = {"own": "Yes, only me", "shared": "No, or not sure", "me": "Me"}


def heard(words, node, language="en"):
    state = State(node=NodeId(node), language=language, chosen_language=True)
    return hear(state, Typed(AT, words), load_texts())


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("Yes, only me", "own"),
        ("yes only me!", "own"),
        ("only me", "own"),
        ("well yes only me i think", "own"),
        ("not sure", "shared"),
        ("me", "me"),
        ("tell me", None),
        ("", None),
        ("something else", None),
    ],
)
def test_words_name_the_one_choice_they_are_part_of_or_hold(words, value):
    assert named(words, LABELS) == value


def test_words_that_fit_two_choices_name_none():
    assert named("18", {"minor": "Under 18", "adult": "18 or older"}) is None


def test_thai_needs_no_spaces():
    labels = {"own": "ใช่ มีแค่ฉัน", "shared": "ไม่ใช่ / ไม่แน่ใจ"}
    assert named("มีแค่ฉัน", labels) == "own"
    assert named("ใช่ มีแค่ฉันคนเดียวเลย", labels) == "own"
    assert named("ใช่", labels) is None


def test_a_number_is_a_choice_by_its_place_and_past_them_an_age():
    assert heard("1", "ask.age").picked == "under18"
    assert heard("16", "ask.age").meaning.image_age == 16
    assert heard("16", "ask.age").meaning.own_age is None
    assert heard("16", "ask.who").meaning.image_age is None
    assert heard("99", "ask.who").picked is None


def test_six_digits_are_a_pin_only_where_keys_are_asked_for():
    assert heard("482913", "ask.pin").meaning.case == CaseKeys("", "482913")
    assert heard("482913", "ask.who").meaning.case is None


def test_a_global_word_that_is_a_label_is_that_choice():
    said = heard("Language", "help")
    assert (said.picked, said.meaning.command) == ("language", None)
    assert heard("stop", "help").meaning.command == "stop"


def test_without_an_open_question_words_are_only_understood():
    assert heard("1", "start").picked is None
