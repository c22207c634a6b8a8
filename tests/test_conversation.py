"""The conversation, rule by rule (C1–C18), on message ids: what is said, not how it is worded."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.conversation.check import label_ids, message_ids, problems
from bot.conversation.codec import decode_state, encode_state
from bot.conversation.engine import step
from bot.conversation.flows import TABLE
from bot.conversation.model import (
    AlarmSign,
    CancelTimers,
    CaseChecked,
    CaseKeys,
    CheckCase,
    Chose,
    DropTickets,
    Due,
    Follow,
    Gone,
    Hashed,
    Hush,
    KeepCase,
    Lower,
    Meaning,
    Media,
    News,
    NodeId,
    Opened,
    Remove,
    Said,
    Send,
    SetTimer,
    Speak,
    State,
    TooLong,
    Unsent,
    Withdraw,
)
from bot.conversation.needs import ANSWERS, GREETINGS, GUESSES, HARMS
from bot.conversation.rules import ACTS, list_of, route_of
from bot.conversation.table import Ask, Decide, Do, Line, Option, ask, joined, tell
from bot.conversation.walk import ask_again, question

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
NUMBER = "K7Q-2XH-DPM"


class Talk:
    """A talk that serialises and re-reads its state between all turns."""

    def __init__(self, language="en", **known):
        self.state = State(language=language, chosen_language=language is not None, **known)
        self.effects = ()

    def __call__(self, event):
        state, self.effects = step(decode_state(encode_state(self.state)), event)
        assert decode_state(encode_state(state)) == state
        self.state = state
        return self

    def open(self):
        return self(Opened(AT))

    def say(self, intent=None, confidence=0.9, picked=None, **meaning):
        given = {"language": "en", "intent": intent, "confidence": confidence} | meaning
        return self(Said(AT, Meaning(**given), picked))

    def hear(self, meaning):
        return self(Said(AT, meaning))

    def press(self, *presses):
        for press in presses:
            node, value = press.split("=")
            self(Chose(AT, NodeId(node), value))
        return self

    @property
    def sends(self):
        return [one for one in self.effects if isinstance(one, Send)]

    @property
    def said(self):
        return [one.text for one in self.sends]

    def did(self, kind):
        return [one for one in self.effects if isinstance(one, kind)]


def opened(*presses, language="en"):
    return Talk(language).open().press(*presses)


OWN, SHARED = "ask.phone=own", "ask.phone=shared"
MONEY = "ask.situation=money"
SELF, GUARDIAN = "ask.who=self", "ask.who=guardian"
MINOR, ADULT = "ask.age=under18", "ask.age=adult"
HERE, AGREE = "ask.image=here", "ask.consent=yes"


def with_case(phone=OWN):
    talk = opened(phone, MONEY, SELF, ADULT, HERE, AGREE)
    return talk(Hashed(AT, NUMBER, 1))


# ---------------------------------------------------------------- the table


def test_the_table_has_no_problem():
    assert problems() == []


def test_the_model_check_finds_what_is_wrong():
    bad = {
        "leads nowhere": tell("home", then="gone"),
        "unknown rule": Decide(NodeId("home"), "nobody", ()),
        "unknown act": Do(NodeId("home"), "nothing", NodeId("home")),
        "no choice": Ask(NodeId("home"), (Line("home"),), ()),
        "yes": ask("home", options={"a": "home"}, says={"yes": "b"}),
        "condition": Ask(
            NodeId("home"), (Line("home"),), (Option("v" * 70, "l", NodeId("home"), "if"),)
        ),
    }
    found = {name: " ".join(problems({node.id: node})) for name, node in bad.items()}
    assert "which is nowhere" in found["leads nowhere"]
    assert "unknown rule" in found["unknown rule"]
    assert "unknown act" in found["unknown act"]
    assert "0 choices" in found["no choice"]
    assert "no choice at all" in found["condition"]
    assert "too long" in found["condition"]
    assert "unknown condition" in found["condition"]
    assert "which is no choice" in found["yes"]


def test_the_model_check_finds_the_lost_and_the_stuck():
    loop = joined([tell("one", then="two"), tell("two", then="one")])
    assert problems(loop) == [
        "one: no way out", "one: out of reach", "two: no way out", "two: out of reach",
    ]  # fmt: skip


def test_two_nodes_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two nodes"):
        joined([tell("one", then="one")], [ask("one", options={})])


def test_every_question_is_asked_by_one_message_with_its_choices():
    for node in TABLE.values():
        if isinstance(node, Ask):
            assert node.lines, node.id


# ---------------------------------------------------------------- C1–C4: the order of a first talk


def test_c1_the_first_message_says_who_we_are_before_anything_is_asked():
    assert opened().said == ["hello", "ask.phone"]


def test_c1_a_first_message_in_words_is_greeted_the_same():
    assert Talk().say("greeting").said == ["hello", "ask.phone"]


def test_c2_a_phone_that_others_read_is_told_how_to_hide_the_chat():
    assert opened(SHARED).said == ["phone.shared", "ask.situation"]


def test_c2_on_a_shared_phone_there_is_no_push_and_every_detail_needs_the_pin():
    talk = with_case(SHARED)
    assert talk.said == ["case.made.1", "case.made.2", "updates.shared", "home"]
    assert talk(News(AT, NUMBER)).effects == ()
    assert talk(Due(AT, "aftercare")).effects == ()
    assert talk.say("case_status").said == ["ask.keys.status"]


def test_c2_with_a_case_nobody_makes_a_shared_phone_their_own_by_a_button_or_by_going_back():
    pressed = with_case(SHARED).press(OWN)
    assert pressed.say("case_status").said == ["ask.keys.status"]
    assert pressed(News(AT, NUMBER)).effects == ()
    back = with_case(SHARED)
    while back.state.trail:
        back.say(command="back")
    assert back.press(OWN).say("case_status").said == ["ask.keys.status"]
    assert back.press("ask.delete=chat", OWN).state.answer("phone") == "own"


def test_c2_without_a_case_the_answer_about_the_phone_can_be_put_right():
    assert opened(SHARED).press(OWN).state.answer("phone") == "own"
    assert opened(SHARED).say(command="back").press(OWN).state.answer("phone") == "own"


@pytest.mark.parametrize("situation", ["money", "more", "posted", "afraid", "ai", "other"])
def test_c3_first_aid_comes_at_once_in_two_messages_before_who_and_age(situation):
    talk = opened(OWN, f"ask.situation={situation}")
    first = f"firstaid.{HARMS.get(situation, situation)}.1"
    assert talk.said == [first, f"firstaid.{situation}.2", "ask.who"]


def test_c4_one_question_a_message_with_a_choice_for_each_answer():
    talk = opened()
    assert [len(one.buttons) > 0 for one in talk.sends] == [False, True]


def test_c3_danger_is_answered_before_anything_else():
    talk = opened(OWN, "ask.situation=danger")
    assert talk.said == ["alarm.danger", "ask.country"]
    assert talk.sends[0].show == "danger"


# ---------------------------------------------------------------- words anywhere


def test_an_answer_given_out_of_order_is_used_not_asked_again():
    talk = Talk().say("threat_money", also=("i_am_a_parent",), their_age=11)
    assert talk.said == ["hello", "ack.helper", "ask.phone"]
    talk.press(OWN)
    assert talk.said == ["who.guardian.1", "who.guardian.2", "ask.image.guardian"]


def test_a_need_said_at_another_question_brings_first_aid_then():
    talk = opened(OWN, "ask.situation=other").say("threat_images")
    assert talk.said == ["firstaid.threat.1", "firstaid.more.2", "ask.who"]


def test_a_need_said_in_an_aside_goes_on_from_the_open_question():
    talk = opened(OWN, MONEY).say(command="help").say("i_am_a_parent")
    assert talk.said == ["who.guardian.1", "who.guardian.2", "ask.age.other"]


def test_the_number_or_the_words_of_a_choice_answer_like_the_button():
    assert opened().say(picked="own").said == ["ask.situation"]


def test_yes_and_no_in_words_answer_a_yes_or_no_question():
    talk = opened(OWN, MONEY, SELF, ADULT, HERE).say(answer="yes")
    assert talk.said == ["app.open.adults"]


@pytest.mark.parametrize("need", sorted(ANSWERS.keys() - {"perpetrator", "adult_image_before_18"}))
def test_a_question_is_answered_and_the_open_one_asked_again(need):
    talk = opened(OWN).say(need)
    assert f"answer.{ANSWERS[need]}" in talk.said
    assert talk.sends[-1].buttons


# ---------------------------------------------------------------- not sure, and not meant


UNSURE = Meaning(
    language="en",
    intent="threat_money",
    confidence=0.45,
    alternatives=(("already_paid", 0.2), ("do_you_see_my_photo", 0.1), ("how_long", 0.02)),
)


def test_what_was_not_surely_understood_is_offered_as_three_buttons():
    talk = opened(OWN).hear(UNSURE)
    assert talk.said == ["ask.meant"]
    assert [one.value for one in talk.sends[-1].buttons] == [
        "threat_money", "already_paid", "is_it_anonymous", "people", "else"
    ]  # fmt: skip


@pytest.mark.parametrize("need", GUESSES)
def test_a_guess_that_was_right_is_answered_like_the_words(need):
    sure = opened(OWN).say(need)
    guess = opened(OWN).hear(Meaning(intent=need, confidence=0.4)).press(f"ask.meant={need}")
    assert guess.said[0] == sure.said[0]
    assert guess.sends[-1].buttons


def test_something_else_asks_in_other_words_and_comes_back():
    talk = opened(OWN).hear(UNSURE).press("ask.meant=else")
    assert talk.said == ["meant.else", "ask.situation"]


def test_a_direct_answer_can_be_told_to_be_not_what_was_meant():
    talk = opened(OWN).hear(replace(UNSURE, intent="is_it_free", confidence=0.9))
    assert talk.said == ["answer.is_it_free", "ask.situation"]
    assert talk.sends[-1].buttons[-1].data == "ask.meant=no"
    talk.press("ask.meant=no")
    assert [one.value for one in talk.sends[-1].buttons] == [
        "already_paid", "is_it_anonymous", "people", "else"
    ]  # fmt: skip


@pytest.mark.parametrize("need", sorted(GREETINGS))
def test_a_greeting_or_thanks_needs_no_way_back(need):
    assert all(one.value != "no" for one in opened(OWN).say(need).sends[-1].buttons)


def test_a_soft_sign_is_asked_about_again_after_a_while():
    talk, soft = opened(OWN), AlarmSign("self_harm", "soft")
    assert "ask.safe" in talk.say("is_it_free", alarm=soft).said
    talk.press("ask.safe=ok")
    assert "ask.safe" not in talk.say("how_long", alarm=soft).said
    for _ in range(5):
        talk.say("is_it_free")
    assert "ask.safe" in talk.say("how_long", alarm=soft).said


def test_who_paid_is_told_to_call_the_bank_after_first_aid():
    talk = opened(OWN).say("already_paid")
    assert talk.said == [
        "firstaid.threat.1", "firstaid.money.2", "answer.already_paid", "ask.who"
    ]  # fmt: skip


def test_under_18_in_the_picture_is_met_by_its_own_line_not_by_who_may_come():
    talk = opened(OWN).say("adult_image_before_18", image_age=15)
    assert talk.said == ["minor.noted", "ask.situation"]


def test_a_parent_is_met_before_it_is_known_what_for_and_only_then():
    assert opened(OWN).say("i_am_a_parent").said == ["answer.trusted_adult", "ask.situation"]
    assert opened(OWN, MONEY).say("i_am_a_parent").said[0] == "who.guardian.1"


def test_fear_of_telling_is_met_before_whom_to_tell():
    talk = opened(OWN).say("tell_parents_fear", feeling="distress")
    assert talk.said == ["feeling.distress", "ask.near"]


def test_what_was_offered_once_offers_no_way_out_of_itself_and_full_rows_stay_full():
    sure = replace(UNSURE, intent="is_it_free", confidence=0.9)
    countries = opened(OWN).say(alarm=AlarmSign("immediate_danger", "hard"))
    assert "ask.country" in countries.said
    assert countries.hear(sure).sends[-1].buttons
    again = (
        opened(OWN, "ask.who=guardian")
        .hear(UNSURE)
        .hear(Meaning(intent="i_am_a_parent", confidence=0.9))
    )
    assert again.sends[-1].buttons


def test_keys_beside_a_question_are_checked_and_nothing_is_said_yet():
    talk = opened(OWN).say("is_it_free", case=CaseKeys(NUMBER, "123456"))
    assert talk.effects == (CheckCase("status", NUMBER, "123456"),)


def test_a_guess_does_not_overwrite_what_was_answered():
    talk = opened(OWN, MONEY).hear(Meaning(intent="threat_images", confidence=0.4))
    assert talk.press("ask.meant=threat_images").state.answer("situation") == "money"


def test_an_adult_in_the_picture_is_never_taken_from_words_alone():
    assert opened(OWN).say("adult_image_of_adult").state.answer("age") is None


def test_a_button_of_an_older_question_still_counts():
    talk = opened(OWN, MONEY, SELF).press("ask.situation=posted")
    assert talk.said == ["firstaid.posted.1", "firstaid.posted.2", "ask.age.self"]


def test_a_button_nobody_offered_asks_the_open_question_again():
    assert opened().press("ask.phone=moon").said == ["ask.phone"]
    assert opened().press("nowhere=x").said == ["ask.phone"]
    assert Talk().press("nowhere=x").said == ["hello", "ask.phone"]


def test_not_understood_asks_again_and_the_second_time_offers_people():
    talk = opened()
    assert talk.say().said == ["not_understood", "ask.phone"]
    assert talk.say().said == ["not_understood.again", "ask.phone"]
    assert talk.sends[0].buttons[0].value == "people"
    assert talk.press(OWN).say().said == ["not_understood", "ask.situation"]


def test_a_guess_below_the_threshold_is_not_acted_on():
    assert opened(OWN).say("threat_money", 0.6).said == ["ask.meant"]


def test_a_perpetrator_is_answered_only_when_it_is_certain():
    assert opened().say("perpetrator", 0.89).said == ["not_understood", "ask.phone"]
    assert opened().say("perpetrator", 0.9).said == ["answer.perpetrator", "ask.phone"]


def test_a_greeting_in_the_middle_hears_that_someone_is_here_and_the_question():
    assert opened(OWN).say("greeting").said == ["here", "ask.situation"]


# ---------------------------------------------------------------- commands and language


def test_help_back_and_the_question_that_was_open():
    talk = opened(OWN, MONEY).say(command="help")
    assert talk.said == ["help"]
    assert talk.press("help.x=1").said == ["help"]
    assert talk.press("help=go_on").said == ["ask.who"]
    assert talk.say(command="back").said == ["ask.situation"]
    assert talk.say(command="back").said == ["ask.phone"]
    assert talk.say(command="back").said == ["ask.phone"]


def test_back_over_a_question_without_a_slot_asks_it_again():
    talk = opened(OWN, MONEY, "ask.who=other", "ask.other=holder", "ask.holder=right")
    assert talk.say(command="back").said == ["ask.holder"]


def test_start_goes_home_once_the_situation_is_known():
    assert opened().say(command="start").said == ["hello", "ask.phone"]
    assert opened(OWN, MONEY).say(command="start").said == ["home"]


def test_the_first_words_decide_the_language_and_a_choice_changes_it():
    talk = Talk(None)(Said(AT, Meaning(language="th", intent="greeting", confidence=0.9)))
    assert {one.language for one in talk.sends} == {"th"}
    talk.say(command="language", language=None).press("ask.language=es")
    assert talk.said == ["ask.phone"]
    assert talk.sends[0].language == "es"


def test_a_language_nobody_can_tell_is_asked_for():
    talk = Talk(None)
    assert talk(Said(AT, Meaning())).said == ["ask.language"]
    assert talk.press("ask.language=th").said == ["hello", "ask.phone"]


def test_a_language_asked_for_by_name_is_spoken():
    assert opened().say(named_language="es").sends[0].language == "es"


def test_another_language_in_the_middle_is_offered_not_taken():
    talk = opened().say("greeting", language="th")
    assert talk.said == ["here", "ask.phone", "offer.language"]
    assert [one.language for one in talk.sends] == ["en", "en", "th"]


def test_the_page_opened_again_repeats_the_open_question():
    assert opened(OWN).open().said == ["ask.situation"]


def test_the_door_s_language_is_used_until_words_say_otherwise():
    talk = Talk(None)
    talk(Opened(AT, "th"))
    assert talk.sends[0].language == "th"
    assert talk.say("greeting", language="es").sends[0].language == "es"


# ---------------------------------------------------------------- C5: whom to tell


def test_c5_before_an_adult_is_named_we_ask_who_does_it():
    talk = opened(OWN, MONEY).say("tell_parents_fear")
    assert talk.said == ["ask.near"]


@pytest.mark.parametrize("answer", ["yes", "unsure"])
def test_c5_someone_close_or_unsure_means_no_parents_and_no_school(answer):
    talk = opened(OWN, MONEY).say("tell_parents_fear").press(f"ask.near={answer}")
    assert talk.said == ["tell.close", "home"]
    assert talk.sends[0].show == "child_lines"


def test_c5_a_stranger_means_an_adult_one_feels_safe_with():
    talk = opened(OWN, MONEY).say("tell_parents_fear").press("ask.near=no")
    assert talk.said == ["tell.someone.1", "tell.someone.2", "home"]


# ---------------------------------------------------------------- C6, C7, eligibility


@pytest.mark.parametrize(
    ("age", "list_"), [("adult", "adults"), ("under18", "minors"), ("unsure", "minors")]
)
def test_c6_c7_who_reads_the_list_then_consent_then_the_mini_app(age, list_):
    talk = opened(OWN, MONEY, SELF, f"ask.age={age}", HERE)
    assert talk.said == ["readers", f"consent.{list_}"]
    assert [one.show for one in talk.sends] == ["readers", "operator"]
    assert talk.sends[0].list == list_
    talk.press(AGREE)
    assert talk.said == [f"app.open.{list_}"]
    assert (talk.sends[0].show, talk.sends[0].list) == ("app", list_)


def test_c6_not_now_opens_no_mini_app_and_can_be_changed():
    talk = opened(OWN, MONEY, SELF, ADULT, HERE, "ask.consent=no")
    assert talk.said == ["consent.later", "home"]
    assert talk.press("app=again").said == ["readers", "consent.adults"]
    assert talk.press(AGREE).said == ["app.open.adults"]


ROUTES = [
    ((SELF, ADULT, "ask.image=none"), "route.no_image"),
    ((GUARDIAN, MINOR, "ask.image.guardian=theirs"), "route.guardian_on_their_device"),
    ((GUARDIAN, MINOR, "ask.image.guardian=here"), "route.guardian_no_copy.here"),
    ((GUARDIAN, MINOR, "ask.image.guardian=none"), "route.guardian_no_copy.none"),
    ((GUARDIAN, ADULT), "route.support_adult"),
    (("ask.who=friend", MINOR), "route.friend_no_copy"),
    (("ask.who=other", "ask.other=adult_friend", ADULT), "route.support_adult"),
    (("ask.who=other", "ask.other=proxy", MINOR), "route.proxy_minor"),
    (("ask.who=other", "ask.other=proxy", ADULT), "route.proxy_adult"),
    (("ask.who=other", "ask.other=finder"), "route.found"),
    (("ask.who=other", "ask.other=holder", "ask.holder=else"), "route.holder_no_copy"),
]


@pytest.mark.parametrize(("presses", "route"), ROUTES)
def test_every_way_of_the_eligibility_table_is_said(presses, route):
    talk = opened(OWN, MONEY, *presses)
    assert route in talk.said
    hashing = route == "route.guardian_on_their_device"
    assert talk.said[-1] == ("consent.theirs" if hashing else "home")


@pytest.mark.parametrize("choice", ["right", "forced"])
def test_i_shared_it_and_am_in_trouble_is_met_with_help_not_refusal(choice):
    talk = opened(OWN, MONEY, "ask.who=other", "ask.other=holder")
    assert talk.said == ["ask.holder"]
    assert talk.press(f"ask.holder={choice}").said == [
        f"holder.{choice}", "route.holder_no_copy", "home",
    ]  # fmt: skip


def test_a_helper_beside_the_person_has_the_person_s_own_rights():
    talk = opened(OWN, MONEY, "ask.who=other", "ask.other=helped", ADULT, HERE, AGREE)
    assert talk.sends[0].list == "adults"


def test_trouble_with_the_page_gives_advice_and_a_new_link():
    talk = opened(OWN, MONEY, SELF, ADULT, HERE, AGREE).press("app=trouble")
    assert talk.said == ["hash.trouble", "app.open.adults"]


# ---------------------------------------------------------------- C8–C10: alarms


@pytest.mark.parametrize(
    ("kind", "text", "show"),
    [("self_harm", "alarm.self_harm", "crisis"), ("immediate_danger", "alarm.danger", "danger")],
)
def test_c8_an_alarm_is_answered_at_once_and_the_flow_waits(kind, text, show):
    talk = opened(OWN, MONEY).say("self_harm", alarm=AlarmSign(kind, "hard"))
    assert talk.said == [text, "ask.country"]
    assert talk.sends[0].show == show
    talk.press("ask.country=TH")
    assert talk.said == ["alarm.lines", "ask.alarm"]
    assert talk.sends[0].country == "TH"
    assert talk.press("ask.alarm=on").said == ["alarm.resume", "ask.who"]


def test_c8_an_alarm_in_the_first_message_comes_before_the_greeting():
    talk = Talk().say(alarm=AlarmSign("self_harm", "hard"))
    assert talk.said[0] == "alarm.self_harm"
    said = talk.press("ask.country=ES", "ask.alarm=on").said
    assert said == ["alarm.resume", "hello", "ask.phone"]


def test_c8_who_does_not_know_the_country_keeps_the_likely_lines():
    talk = opened(OWN).say(alarm=AlarmSign("self_harm", "hard"))
    talk.hear(Meaning(answer="unsure"))
    assert talk.said == ["alarm.lines", "ask.alarm"]
    assert (talk.sends[0].show, talk.sends[0].country) == ("crisis", None)
    assert talk.press("ask.alarm=on").said == ["alarm.resume", "ask.situation"]


def test_c8_the_country_is_asked_once():
    talk = opened(OWN).say(alarm=AlarmSign("self_harm", "hard")).press("ask.country=MX")
    assert talk.say(alarm=AlarmSign("self_harm", "hard")).said == ["alarm.self_harm", "ask.alarm"]


def test_c8_a_soft_sign_is_answered_and_then_one_careful_question_stands_alone():
    talk = opened(OWN).say("is_it_free", alarm=AlarmSign("self_harm", "soft"))
    assert talk.said == ["answer.is_it_free", "ask.safe"]
    assert talk.press("ask.safe=ok").said == ["safe.ok", "ask.situation"]
    talk.say("is_it_free", alarm=AlarmSign("self_harm", "soft"))
    assert "ask.safe" not in talk.said
    assert talk.press("ask.safe=talk").said[0] == "alarm.self_harm"
    assert talk.press("ask.safe=danger").said[0] == "alarm.danger"


def test_c8_am_i_safe_no_is_met_with_the_crisis_lines():
    talk = opened(OWN).say(alarm=AlarmSign("self_harm", "soft")).say(answer="no")
    assert talk.said[:2] == ["alarm.unsafe.1", "alarm.unsafe.2"]
    shown = [one.show for one in talk.sends[:2]]
    assert shown == ["danger", "crisis"]


def test_c8_a_soft_sign_in_the_first_message_is_greeted_and_asked():
    talk = Talk().say("threat_money", alarm=AlarmSign("self_harm", "soft"))
    assert talk.said == ["hello", "ack", "ask.safe"]
    assert talk.press("ask.safe=ok").said == ["safe.ok", "ask.phone"]
    assert talk.press(OWN).said[0] == "firstaid.threat.1"


def test_c9_someone_is_looking_gets_one_bland_line_and_silence():
    talk = with_case().say(alarm=AlarmSign("abuser_present", "hard"))
    assert talk.said == ["bland"]
    assert talk.sends[0].buttons == ()
    assert talk.sends[0].show is None
    assert talk.did(CancelTimers)
    assert talk.did(Hush)
    assert talk(News(AT, NUMBER)).effects == ()


def test_c9_a_soft_sign_of_being_watched_only_asks_whether_one_can_talk():
    talk = opened(OWN).say("is_it_free", alarm=AlarmSign("abuser_present", "soft"))
    assert talk.said == ["ask.talk_now"]
    assert talk.say(answer="yes").said == ["ask.situation"]


def test_c9_in_silence_nothing_is_said_unasked():
    talk = opened(OWN, MONEY, SELF, ADULT, HERE, AGREE)
    talk.say(alarm=AlarmSign("abuser_present", "hard"))
    assert talk.open().effects == ()
    assert talk(Hashed(AT, NUMBER, 1)).effects == ()
    assert talk(CaseChecked(AT, "status", NUMBER, True)).effects == ()
    assert talk.say(command="status").said == ["ask.talk_now"]
    assert talk.say(answer="yes").said == ["case.made.1", "case.made.2", "ask.updates"]


def test_c9_then_the_first_question_is_whether_one_can_talk():
    talk = opened(OWN).say(alarm=AlarmSign("abuser_present", "hard"))
    assert talk.say().said == ["ask.talk_now"]
    assert talk.press(MONEY).said == ["ask.talk_now"]
    assert talk(Media(AT, "image")).said == ["ask.talk_now"]
    assert talk.say(answer="no").said == ["bland"]
    assert talk.say("greeting").said == ["ask.talk_now"]
    assert talk.say(answer="yes").said == ["ask.situation"]


def test_c9_danger_named_too_adds_one_short_line():
    talk = opened().say("immediate_danger", alarm=AlarmSign("abuser_present", "hard"))
    assert (talk.said, talk.sends[0].show) == (["bland"], "emergency_line")
    both = {"alarm": AlarmSign("immediate_danger", "hard"), "also": ("abuser_present",)}
    assert opened().say(**both).said == ["bland"]


def test_c8_an_alarm_is_answered_even_in_silence():
    talk = opened(OWN).say(alarm=AlarmSign("abuser_present", "hard"))
    assert talk.say(alarm=AlarmSign("self_harm", "hard")).said[0] == "alarm.self_harm"


def test_c10_under_13_gets_simpler_words_with_the_child_line_beside_the_help():
    talk = opened(OWN).say("threat_images", own_age=11, alarm=AlarmSign("under_13", "hard"))
    assert talk.said == ["firstaid.simple.1", "firstaid.simple.2", "young.lines", "ask.who"]
    assert talk.sends[-2].show == "child_lines"
    assert "young.lines" not in talk.say("threat_money", own_age=11).said


def test_c16_the_age_of_whoever_threatens_is_not_the_person_s_own():
    talk = opened(OWN, MONEY, SELF).say("threat_images", their_age=16)
    assert not talk.state.minor
    assert talk.state.answer("age") is None


def test_c10_a_parent_of_a_young_child_is_no_alarm():
    talk = opened(OWN, MONEY).say("i_am_a_parent", their_age=11)
    assert "young.lines" not in talk.said
    assert not talk.state.young


# ---------------------------------------------------------------- C11, C12: stop, delete, withdraw


def test_c11_delete_always_asks_what_is_meant():
    talk = opened(OWN).say(command="delete")
    assert talk.said == ["ask.delete"]
    assert [one.value for one in talk.sends[0].buttons] == ["pictures", "chat", "case", "no"]
    assert opened(OWN).say("delete_my_data").said == ["ask.delete"]
    assert talk.press("ask.delete=no").said == ["ask.situation"]
    assert talk.press("ask.delete=pictures").said == ["delete.pictures", "home"]


def test_c12_clearing_the_chat_is_immediate_and_keeps_the_hashes():
    talk = with_case().press("ask.delete=chat")
    assert talk.said == ["delete.chat"]
    assert talk.did(CancelTimers)
    assert talk.did(Follow) == [Follow(NUMBER, False)]
    assert not talk.did(Withdraw)
    assert talk.did(DropTickets)
    assert talk.state == State(language="en", chosen_language=True)
    assert talk.say("greeting").said == ["hello", "ask.phone"]


def test_c12_withdrawing_asks_for_the_pin_and_is_at_once_with_it():
    talk = with_case().say("withdraw_case")
    assert talk.said == ["ask.keys.withdraw"]
    talk.say(case=CaseKeys(NUMBER, "123456"))
    assert talk.effects == (CheckCase("withdraw", NUMBER, "123456"),)
    talk(CaseChecked(AT, "withdraw", NUMBER, True))
    assert talk.did(Withdraw) == [Withdraw(NUMBER, at_once=True)]
    assert talk.said == ["withdrawn", "home"]


def test_c12_without_the_pin_it_takes_48_hours_and_can_be_undone():
    talk = with_case().press("home=withdraw", "ask.keys=lost")
    assert talk.did(Withdraw) == [Withdraw(NUMBER, at_once=False)]
    assert talk.said == ["leave.waiting"]
    assert talk.press("leave.waiting=undo").did(KeepCase) == [KeepCase(NUMBER)]
    assert talk.said == ["kept", "home"]


def test_c12_the_undo_stays_on_offer_while_the_withdrawal_waits():
    talk = with_case().press("home=withdraw", "ask.keys=lost", "leave.waiting=ok")
    assert "undo" in [one.value for one in talk.sends[-1].buttons]
    assert "undo" not in [one.value for one in talk.press("home=undo").sends[-1].buttons]


def test_c12_whoever_holds_the_phone_cannot_withdraw_a_case_this_chat_does_not_know():
    talk = opened(OWN, MONEY).say("withdraw_case").press("ask.keys=lost")
    assert talk.said == ["leave.unknown", "home"]
    assert not talk.did(Withdraw)


def test_c12_erasing_the_case_goes_the_same_two_ways():
    talk = with_case().press("ask.delete=case")
    assert talk.said == ["ask.keys.erase"]
    assert talk.press("ask.keys=lost").did(Withdraw) == [Withdraw(NUMBER, False, erase=True)]
    talk = with_case().press("ask.delete=case").say(case=CaseKeys(NUMBER, "123456"))
    talk(CaseChecked(AT, "erase", NUMBER, True))
    assert talk.did(Withdraw) == [Withdraw(NUMBER, True, erase=True)]
    assert talk.said == ["erased"]
    assert talk.state.number is None


def test_erasing_with_no_case_clears_the_chat():
    talk = opened(OWN).press("ask.delete=case")
    assert talk.said == ["erase.nothing"]
    assert talk.state == State(language="en", chosen_language=True)


def test_c12_stop_and_leaving_end_messages_only():
    talk = with_case().press("ask.updates=yes").say(command="stop")
    assert talk.said == ["stopped"]
    assert talk.did(CancelTimers)
    assert talk.did(Follow) == [Follow(NUMBER, False)]
    assert not talk.did(Withdraw)
    assert talk(News(AT, NUMBER)).effects == ()
    assert with_case()(Gone(AT)).effects == (CancelTimers(), Hush())
    assert opened().say(command="stop").said == ["stopped"]


# ---------------------------------------------------------------- the case, updates, status


def test_the_mini_app_s_post_goes_on_by_itself():
    talk = opened(OWN, MONEY, SELF, ADULT, HERE, AGREE)(Hashed(AT, NUMBER, 2))
    assert talk.said == ["case.made.1", "case.made.2", "ask.updates"]
    assert dict(talk.sends[0].values) == {"number": NUMBER, "images": "2"}


def test_updates_and_aftercare_are_asked_once_and_opt_in():
    talk = with_case().press("ask.updates=yes")
    assert talk.did(Follow) == [Follow(NUMBER, True)]
    assert talk.said == ["updates.on", "ask.aftercare"]
    talk.press("ask.aftercare=yes")
    assert talk.did(SetTimer) == [SetTimer("aftercare", AT + timedelta(days=3))]
    assert talk(Hashed(AT, NUMBER, 2)).said == ["case.made.1", "case.made.2", "home"]
    no = with_case().press("ask.updates=no")
    assert no.said == ["updates.off", "ask.aftercare"]
    assert no.press("ask.aftercare=no").said == ["home"]


def test_aftercare_is_one_neutral_push_by_day():
    talk = with_case().press("ask.updates=yes", "ask.aftercare=yes")(Due(AT, "aftercare"))
    assert (talk.said, talk.sends[0].daytime) == (["ask.how"], True)
    assert talk.press("ask.how=new").said == ["ask.new", "ask.situation"]
    assert talk.press("ask.how=ok").said == ["how.ok", "ask.situation"]
    assert talk.press("ask.how=talk").said == ["people", "ask.country"]


def test_c15_news_is_one_neutral_line_by_day_until_it_is_read():
    talk = with_case().press("ask.updates=yes", "ask.aftercare=no")
    talk(News(AT, NUMBER))
    assert (talk.said, talk.sends[0].daytime, talk.sends[0].show) == (["news"], True, None)
    assert talk(News(AT, NUMBER)).effects == ()
    talk.press("news=show")
    assert (talk.said, talk.sends[0].show) == (["status.now", "home"], "status")
    assert talk(News(AT, NUMBER)).said == ["news"]


def test_status_from_any_door_needs_number_and_pin():
    talk = opened(OWN).say("case_status")
    assert talk.said == ["ask.keys.status"]
    assert talk.say(case=CaseKeys(NUMBER)).said == ["ask.pin"]
    talk.say(case=CaseKeys("", "482913"))
    assert talk.effects == (CheckCase("status", NUMBER, "482913"),)
    assert talk(CaseChecked(AT, "status", NUMBER, False)).said == ["case.wrong", "ask.keys.status"]
    waiting = talk(CaseChecked(AT, "status", NUMBER, False, 61))
    assert (waiting.said, waiting.sends[0].values[-1]) == (["case.wait"], ("minutes", "2"))
    assert talk(CaseChecked(AT, "status", NUMBER, True)).said == ["status.now", "home"]


def test_a_pin_without_a_number_asks_for_the_number():
    talk = opened(OWN).say("case_status").say(case=CaseKeys("", "482913"))
    assert not talk.did(CheckCase)


def test_lost_keys_are_answered_plainly():
    talk = opened(OWN).say("case_status").press("ask.keys=lost")
    assert talk.said == ["keys.lost.status", "home"]


def test_another_picture_asks_again_who_and_when():
    assert with_case().press("home=another").said == ["ask.who"]


# ---------------------------------------------------------------- C16, C18, what is sent in


@pytest.mark.parametrize("sign", [{"own_age": 16}, {"image_age": 15}])
def test_c16_any_sign_of_under_18_latches_the_minors_path_for_good(sign):
    talk = opened(OWN, MONEY, SELF).say("threat_images", **sign).press(ADULT, HERE)
    assert list_of(talk.state) == "minors"
    assert talk.said[-1] == "consent.minors"


def test_c16_even_clearing_the_chat_never_moves_up():
    talk = opened(OWN, MONEY, SELF, MINOR).press("ask.delete=chat")
    talk.say("greeting").press(OWN, MONEY, SELF, ADULT, HERE)
    assert route_of(talk.state) == "minors_list"


def test_an_adult_age_in_the_image_is_an_adult_image():
    talk = opened(OWN, MONEY, SELF).say(image_age=25)
    assert talk.said == ["ask.image"]
    assert not talk.state.minor


def test_c18_nobody_is_connected_the_lines_are_named():
    talk = opened(OWN).say("talk_to_human")
    assert (talk.said, talk.sends[0].show) == (["people", "ask.country"], "people")


@pytest.mark.parametrize(
    ("event", "text"), [(Media(AT, "image"), "media"), (TooLong(AT), "too_long")]
)
def test_what_cannot_be_read_is_said_and_nothing_is_lost(event, text):
    assert opened(OWN)(event).said == [text, "ask.situation"]
    assert Talk()(event).said == [text, "hello", "ask.phone"]


def test_what_now_repeats_the_steps():
    assert opened(OWN, MONEY).press("home=steps").said == ["steps.1", "steps.2", "home"]
    talk = opened(OWN, "ask.situation=danger").press("home=steps")
    assert talk.said == ["alarm.danger", "ask.country"]


def test_every_text_the_table_can_say_is_listed():
    texts = message_ids()
    assert {"firstaid.threat.1", "firstaid.simple.2", "consent.minors", "ask.age.other"} <= texts
    assert not any("{" in text for text in texts)
    assert label_ids() <= texts


def test_a_withdrawal_planned_without_a_case_plans_nothing():
    assert ACTS["withdraw_later"](State(), AT) == (State(), ())


def test_the_page_opened_again_after_stop_says_the_question_of_the_place():
    assert ask_again(State()) == ()
    assert question(State(), TABLE[NodeId("start")]) == ()


def test_what_was_sent_in_is_removed_and_an_album_is_answered_once():
    talk = opened(OWN)(Media(AT, "image", ref="7", album="a"))
    assert talk.effects[0] == Remove("7")
    assert talk.said == ["media", "ask.situation"]
    assert talk(Media(AT, "image", ref="8", album="a")).effects == (Remove("8"),)


def test_a_message_taken_back_is_remembered_for_when_it_arrives_late():
    assert opened()(Unsent(AT, "7")).state.unsent == ("7",)


def test_the_menus_follow_the_language():
    assert Talk(None).say("greeting", language="th").did(Speak) == [Speak("th")]
    assert opened().say("greeting").did(Speak) == []
    assert opened().press("ask.language=es").did(Speak) == [Speak("es")]


# ---------------------------------------------------------------- what a walk-through found


def test_c3_a_cry_for_help_gets_a_warm_line_before_the_first_question():
    assert Talk().say("threat_images").said == ["hello", "ack", "ask.phone"]
    assert opened().say("threat_images").said == ["ack", "ask.phone"]
    assert Talk().say(feeling="distress").said == ["hello", "ack", "ask.phone"]


def test_distress_and_what_now_are_never_met_with_not_understood():
    assert opened().say(feeling="distress").said == ["feeling.distress", "ask.phone"]
    assert opened().say(feeling="what_now").said == ["feeling.what_now", "ask.phone"]
    assert opened(OWN, MONEY).say(feeling="what_now").said == ["steps.1", "steps.2", "ask.who"]


@pytest.mark.parametrize("sign", [{"own_age": 15}, {"image_age": 16}])
def test_c16_a_late_sign_takes_back_the_adults_consent_and_link(sign):
    talk = opened(OWN, MONEY, SELF, ADULT, HERE, AGREE).say(**sign)
    assert talk.said == ["minor.noted", "readers", "consent.minors"]
    assert talk.did(Lower) == [Lower()]
    assert talk.did(DropTickets) == [DropTickets()]
    assert list_of(talk.state) == "minors"


def test_c16_signs_are_heard_in_silence_and_beside_a_case_number():
    talk = opened(OWN).say(alarm=AlarmSign("abuser_present", "hard")).say(own_age=15)
    assert talk.state.minor
    assert opened(OWN).say(own_age=15, case=CaseKeys(NUMBER, "123456")).state.minor
    assert opened(OWN).say(own_age=15, command="help").state.minor


def test_c16_a_picture_from_before_18_latches_even_when_the_age_was_answered():
    assert opened(OWN, MONEY, SELF, ADULT).say("adult_image_before_18").state.minor


def test_c16_the_way_for_under_18_is_explained_to_who_picks_18():
    talk = opened(OWN, MONEY, SELF).say(own_age=16).press("home=another", SELF, ADULT)
    assert "age.latched" in talk.said


def test_unsure_is_not_raised_by_an_old_button_but_by_going_back():
    talk = opened(OWN, MONEY, SELF, "ask.age=unsure").press(ADULT)
    assert talk.state.answer("age") == "unsure"
    talk.say(command="back").say(command="back").press(ADULT)
    assert talk.state.answer("age") == "adult"


def test_who_is_in_the_picture_changed_asks_everything_that_stood_on_it():
    talk = opened(OWN, MONEY, SELF, ADULT, HERE, AGREE).press(GUARDIAN)
    assert talk.said == ["who.guardian.1", "who.guardian.2", "ask.age.other"]
    assert talk.state.answer("consent") is None


def test_c12_the_owner_of_number_and_pin_can_undo_a_withdrawal_planned_elsewhere():
    talk = opened(OWN)(CaseChecked(AT, "status", NUMBER, True, leaving=True))
    assert "undo" in [one.value for one in talk.sends[-1].buttons]


def test_c8_help_shows_the_emergency_number():
    assert opened().say(command="help").sends[0].show == "danger"


def test_c8_for_someone_under_18_the_child_line_stands_with_the_crisis_lines():
    talk = opened(OWN, MONEY, SELF, MINOR).say(alarm=AlarmSign("self_harm", "hard"))
    assert talk.sends[0].show == "crisis_young"


def test_c3_a_parent_gets_words_for_a_parent():
    talk = opened(OWN).say("threat_money", also=("i_am_a_parent",))
    assert talk.said[:2] == ["who.guardian.1", "who.guardian.2"]


def test_agreeing_where_no_image_may_be_hashed_opens_nothing():
    talk = opened(OWN, MONEY, "ask.who=other", "ask.other=finder").press(AGREE)
    assert talk.said == ["home"]
