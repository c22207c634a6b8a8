"""C10: under 13 the words stay simple to the end, and lead to someone the child feels safe with."""

import pytest

from bot.conversation.model import Hashed
from tests.test_conversation import AGREE, AT, HERE, MONEY, NUMBER, OWN, SELF, Talk, opened

POLICE = ("report_to_police", "legal_rights")


def child(*presses):
    """A child of 11 who pressed these."""
    return opened(OWN).say(own_age=11).press(*presses)


def plain(talk):
    """Whether all that is said at length is said in a child's words."""
    return [id for id in talk.said if id.endswith(".simple")]


def test_c10_the_steps_and_whom_to_tell_are_in_a_childs_words():
    talk = child(MONEY)
    assert plain(talk.press("home=steps")) == ["steps.1.simple", "steps.2.simple"]
    assert plain(talk.press("home=tell")) == ["ask.near.simple"]
    assert plain(talk.press("ask.near=no")) == ["tell.someone.1.simple", "tell.someone.2.simple"]
    close = child(MONEY).press("home=tell", "ask.near=yes")
    assert plain(close) == ["tell.close.simple"]
    assert close.sends[0].show == "child_lines"
    assert plain(child(MONEY).say(feeling="what_now")) == ["steps.1.simple", "steps.2.simple"]


def test_c10_the_way_to_the_codes_is_in_a_childs_words_to_its_end():
    talk = child(MONEY, SELF, HERE)
    assert talk.said == ["readers.simple", "consent.simple"]
    assert child(MONEY, SELF, HERE, "ask.consent=no").said[0] == "consent.later.simple"
    made = talk.press(AGREE)(Hashed(AT, NUMBER, 1))
    assert made.said[:2] == ["case.made.1.simple", "case.made.2.simple"]


@pytest.mark.parametrize("need", POLICE)
def test_c10_a_child_is_told_of_the_police_without_the_law(need):
    talk = child(MONEY).say(need)
    assert talk.said == ["police.simple", "ask.who"]
    assert talk.sends[0].show == "child_lines"
    assert "law" not in child(MONEY).press("home=police").said
    assert Talk().say(need, own_age=11).said[:2] == ["hello", "police.simple"]


def test_c10_am_i_in_trouble_is_answered_with_you_did_nothing_wrong():
    assert child(MONEY).say(worry="police").said[0] == "worry.police.simple"


@pytest.mark.parametrize(
    ("need", "answer"),
    [("is_it_anonymous", "private"), ("already_paid", "already_paid"),
     ("block_and_report", "block_and_report")],
)  # fmt: skip
def test_c10_long_answers_have_a_childs_words(need, answer):
    assert f"answer.{answer}.simple" in child(MONEY).say(need).said


def test_c10_a_child_who_helps_a_friend_or_holds_or_found_a_picture_hears_it_simply():
    friend = opened(OWN).say(own_age=11).say("trusted_adult").press(MONEY)
    assert plain(friend) == ["who.helper.1.simple", "who.helper.2.simple"]
    for value, route in (("holder", "holder_no_copy"), ("finder", "found")):
        talk = child(MONEY, "ask.who=other", f"ask.other={value}")
        talk = talk.press("ask.holder=else") if value == "holder" else talk
        assert plain(talk) == [f"route.{route}.simple"]
