"""The way to the shelf in a talk: an app's card, a country's police and law, whom lines are for."""

import pytest

from bot.conversation.model import Country, Intent, NodeId, Send, State
from bot.conversation.rules import age_of
from tests.test_conversation import GUARDIAN, MONEY, OWN, Talk, opened


def card(talk: Talk) -> list[tuple[str | None, str | None]]:
    """What was shown of platforms, and for which list."""
    return [(one.platform, one.list) for one in talk.sends if one.show == "platform"]


def test_an_app_is_asked_for_and_its_card_shown() -> None:
    talk = opened(OWN, MONEY).press("home=apps")
    assert talk.state.node == "ask.platform"
    assert card(talk.press("ask.platform=telegram")) == [("telegram", "minors")]
    assert talk.press("platform.card=itself").said[0] == "platform.itself"
    assert talk.state.node == "ask.who", "the question that was open comes back"


def test_the_second_page_leads_back_to_the_first_and_to_any_other_app() -> None:
    talk = opened(OWN).press("home=apps", "ask.platform=more")
    assert talk.state.node == "ask.platform.more"
    assert talk.press("ask.platform.more=first").state.node == "ask.platform"
    talk.press("ask.platform=more", "ask.platform.more=other")
    assert talk.said[0] == "platform.other"


def test_an_app_that_is_not_on_the_page_may_be_typed() -> None:
    talk = opened(OWN).press("home=apps").say(platform="reddit")
    assert [name for name, _ in card(talk)] == ["reddit"]
    assert talk.press("platform.card=another").state.node == "ask.platform"


def test_another_app_typed_at_a_card_shows_that_one() -> None:
    talk = opened(OWN).press("home=apps", "ask.platform=line").say(platform="instagram")
    assert [name for name, _ in card(talk)] == ["instagram"]


def test_the_app_once_named_is_not_asked_for_again() -> None:
    talk = opened(OWN).press("home=apps", "ask.platform=line", "platform.card=on")
    assert [name for name, _ in card(talk.press("home=apps"))] == ["line"]


def test_a_wish_to_report_that_names_the_app_shows_its_card_at_once() -> None:
    talk = opened(OWN, MONEY).say("block_and_report", platform="x")
    assert [name for name, _ in card(talk)] == ["x"]
    assert talk.press("platform.card=on").state.node == "ask.who"


def test_c3_first_aid_goes_before_an_apps_card_and_the_app_is_remembered() -> None:
    talk = opened(OWN)
    talk.say("image_already_posted", also=("block_and_report",), platform="tiktok")
    assert "firstaid.posted.1" in talk.said
    assert card(talk) == []
    assert talk.state.answer("platform") == "tiktok"


def test_an_app_named_alone_shows_its_card() -> None:
    talk = opened(OWN, MONEY).say(platform="tiktok")
    assert [name for name, _ in card(talk)] == ["tiktok"]
    assert talk.press("platform.card=on").state.node == "ask.who"


def test_an_app_named_in_passing_is_no_wish() -> None:
    talk = opened(OWN, MONEY).say("thanks", platform="tiktok")
    assert card(talk) == []


def test_police_and_law_ask_for_the_country_once() -> None:
    talk = opened(OWN, MONEY).press("home=police")
    assert talk.state.node == "ask.where"
    told: list[tuple[str | None, Country | None]] = [("police", "ES"), ("law", "ES")]
    talk.press("ask.where=ES")
    assert [(one.show, one.country) for one in talk.sends[:2]] == told
    talk.press("home=police")
    assert [(one.show, one.country) for one in talk.sends[:2]] == told


@pytest.mark.parametrize("need", ["report_to_police", "legal_rights"])
def test_a_question_about_police_or_law_asks_for_the_country_and_then_answers(need: Intent) -> None:
    talk = opened(OWN, MONEY).say(need)
    assert talk.said == [f"answer.{need}", "ask.country"]
    numbers = "police" if need == "report_to_police" else None
    assert (talk.sends[0].show, talk.sends[0].buttons) == (numbers, ())
    talk.say(picked="MX")
    assert [(one.show, one.country) for one in talk.sends[:2]] == [("police", "MX"), ("law", "MX")]
    assert talk.state.node == "ask.who"


@pytest.mark.parametrize(
    ("need", "show"), [("report_to_police", "police"), ("legal_rights", "law")]
)
def test_in_thai_the_one_likely_country_is_shown_and_another_may_be_chosen(
    need: Intent, show: str
) -> None:
    talk = opened(OWN, MONEY, language="th").say(need, language="th")
    answer = talk.sends[0]
    assert (answer.show, answer.country) == (show, None)
    assert [one.data for one in answer.buttons] == ["home=police"]
    assert talk.press("home=police").state.node == "ask.where"


def test_a_question_how_to_report_asks_for_the_app() -> None:
    talk = opened(OWN, MONEY).say("block_and_report")
    assert talk.said == ["answer.block_and_report", "ask.platform"]


def test_an_answer_beside_something_new_has_the_way_to_the_card_as_a_button() -> None:
    talk = opened(OWN).say("threat_money", also=("report_to_police",))
    assert "firstaid.threat.1" in talk.said
    (answer,) = [one for one in talk.sends if one.text == "answer.report_to_police"]
    assert [one.data for one in answer.buttons] == ["home=police"]
    talk = opened(OWN, MONEY).say("which_platforms")
    assert [one.data for one in talk.sends[0].buttons] == ["home=apps"]


def test_whom_lines_are_for_is_taken_from_what_was_answered() -> None:
    adult = State(node=NodeId("home")).with_answer("age", "adult")
    assert age_of(adult) == "adult"
    assert age_of(adult.with_answer("who", "guardian")) is None
    assert age_of(State()) is None
    assert age_of(opened(OWN).say(own_age=15).state) == "under18"


def test_lines_go_out_for_that_age() -> None:
    talk = opened(OWN, MONEY, GUARDIAN, "ask.age=under18").press("home=people")
    (people,) = [one for one in talk.sends if one.show == "people"]
    assert isinstance(people, Send)
    assert people.age == "under18"
