"""The transient path in the conversation (C16): offered late, agreed to, bounded, adults alone."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.conversation.codec import (
    decode_effect,
    decode_inbound,
    encode_effect,
    encode_inbound,
)
from bot.conversation.engine import step
from bot.conversation.model import (
    AlarmSign,
    CaseChecked,
    CaseKeys,
    Chose,
    DropTickets,
    Gone,
    Hashed,
    Lower,
    Media,
    NodeId,
    Opened,
    Remove,
    Send,
    TooLong,
    Unsent,
    Withdraw,
)
from bot.conversation.picture import Content, Fetch, NotTaken, PinShown
from bot.conversation.rules import may_take
from bot.conversation.sent import MOST_BYTES, MOST_FILM
from tests.test_conversation import (
    ADULT,
    AGREE,
    AT,
    GUARDIAN,
    HERE,
    MINOR,
    MONEY,
    NUMBER,
    OWN,
    SELF,
    SHARED,
    Talk,
)

TO_APP = (OWN, MONEY, SELF, ADULT, HERE, AGREE)
TROUBLE, CHAT, YES = "app=trouble", "app=chat", "ask.take=yes"
TEN = timedelta(minutes=10)


def choices(talk):
    return [one.value for one in talk.sends[-1].buttons]


def picture(ref="7", at=AT, **content):
    kept = {"file": "file", "sent_at": at} | content
    return Media(at, "image", ref, content=Content(**kept))


def at_app(*presses, takes=True):
    return Talk(takes=takes).open().press(*(presses or TO_APP))


def waiting(**more):
    talk = at_app().press(TROUBLE, CHAT, YES)
    assert talk.said == ["take.wait"]
    talk.state = replace(talk.state, **more)
    return talk


def taking():
    talk = waiting()(picture())
    assert talk.did(Fetch) == [Fetch("7", "file")]
    return talk


# ---------------------------------------------------------------- offered


def test_c16_another_way_is_offered_only_after_the_page_failed_here():
    talk = at_app()
    assert "chat" not in choices(talk)
    assert talk.press(TROUBLE).said == ["hash.trouble", "app.open.adults"]
    assert "chat" in choices(talk)


@pytest.mark.parametrize(
    "way",
    [
        (OWN, MONEY, SELF, MINOR, HERE, AGREE),
        (OWN, MONEY, SELF, "ask.age=unsure", HERE, AGREE),
        (OWN, MONEY, GUARDIAN, MINOR, "ask.image.guardian=theirs", AGREE),
        (SHARED, MONEY, SELF, ADULT, HERE, AGREE),
    ],
)
def test_c16_never_for_under_18_or_unsure_or_where_others_read_along(way):
    talk = at_app(*way).press(TROUBLE)
    assert "chat" not in choices(talk)
    assert talk.press(CHAT).said[-1].startswith("app.open.")
    talk.press(YES)
    assert talk.state.awaited is None
    assert talk(picture()).did(Fetch) == []


def test_c16_never_where_the_door_takes_none():
    talk = at_app(takes=False).press(TROUBLE)
    assert "chat" not in choices(talk)
    assert talk.press(CHAT, YES).state.awaited is None


@pytest.mark.parametrize("press", [CHAT, YES])
def test_c16_a_button_of_before_opens_nothing_after_a_sign_of_under_18(press):
    talk = at_app().press(TROUBLE, CHAT).say(own_age=16).press(press)
    assert talk.state.awaited is None
    assert "take.wait" not in talk.said


def test_c16_without_the_agreement_to_codes_there_is_no_other_way():
    talk = Talk(takes=True).open().press(OWN, MONEY, SELF, ADULT, HERE, CHAT, YES)
    assert talk.state.awaited is None


# ---------------------------------------------------------------- agreed


def test_c6_what_it_means_is_said_before_the_agreement():
    talk = at_app().press(TROUBLE, CHAT)
    assert talk.said == ["take.means", "ask.take"]
    assert talk.sends[-1].show == "operator"
    assert choices(talk) == ["yes", "no"]
    assert talk.state.awaited is None


def test_a_picture_before_the_answer_is_not_opened_and_the_question_stands():
    talk = at_app().press(TROUBLE, CHAT)(picture())
    assert talk.effects[0] == Remove("7")
    assert talk.said == ["take.early", "ask.take"]


def test_not_now_leads_back_to_the_page():
    assert at_app().press(TROUBLE, CHAT, "ask.take=no").said == ["app.open.adults"]


def test_words_that_only_sound_like_yes_agree_to_nothing():
    talk = at_app().press(TROUBLE, CHAT).say("greeting")
    assert talk.said == ["here", "ask.take"]
    assert talk.say(answer="yes").said == ["take.wait"]


@pytest.mark.parametrize("need", ["do_you_see_my_photo", "how_hashing_works"])
def test_who_asks_whether_it_is_seen_is_told_how_it_is_here(need):
    assert at_app().press(TROUBLE, CHAT).say(need).said == ["take.seen", "ask.take"]
    assert waiting().say(need).said == ["take.seen", "take.wait"]
    assert at_app().say(need).said == ["answer.private", "app.open.adults"]


def test_words_while_a_picture_is_awaited_are_not_called_a_mistake():
    assert waiting().say(None).said == ["take.wait"]


# ---------------------------------------------------------------- taken


def test_c16_the_one_picture_that_was_asked_for_is_taken_and_nothing_else_is_said():
    talk = taking()
    assert talk.said == []
    assert talk.did(Remove) == [], "it leaves the chat after it was fetched"


def test_c16_what_nobody_asked_for_is_never_fetched():
    everywhere = [Talk(takes=True), *(at_app(*TO_APP[:n]) for n in range(1, 7))]
    everywhere += [at_app().press(TROUBLE), at_app().press(TROUBLE, CHAT)]
    everywhere += [waiting().press("take.wait=later"), waiting().press("take.wait=page")]
    for talk in everywhere:
        talk(picture())
        assert talk.did(Fetch) == []
        assert talk.did(Remove) == [Remove("7")]
        assert {"media", "take.early"} & {*talk.said}


def test_c16_in_an_aside_nothing_is_fetched_and_the_wait_goes_on_after_it():
    talk = waiting().say(command="help")(picture())
    assert talk.did(Fetch) == []
    talk.press("help=go_on")
    assert talk.said == ["take.wait"]
    assert talk(picture("8")).did(Fetch) == [Fetch("8", "file")]


def test_c16_a_picture_sent_before_the_agreement_is_not_fetched_however_late_it_comes():
    early = picture(sent_at=AT - timedelta(seconds=6))
    talk = waiting()(early)
    assert talk.did(Fetch) == []
    assert talk.said == ["media", "take.wait"]


def test_c16_after_ten_minutes_it_must_be_agreed_to_anew():
    assert waiting()(picture(at=AT + TEN)).did(Fetch)
    talk = waiting()(picture(at=AT + TEN + timedelta(seconds=1)))
    assert talk.effects[0] == Remove("7")
    assert talk.said == ["take.late", "take.means", "ask.take"]
    assert talk.state.awaited is None


def test_a_picture_too_large_is_not_fetched():
    assert waiting()(picture(size=MOST_BYTES)).did(Fetch)
    talk = waiting()(picture(size=MOST_BYTES + 1))
    assert talk.effects[0] == Remove("7")
    assert talk.said == ["take.size", "take.wait"]


def test_a_video_may_be_larger_and_is_fetched_as_one():
    film = picture(size=MOST_FILM, media="video")
    assert waiting()(film).did(Fetch) == [Fetch("7", "file", media="video")]
    assert waiting()(picture(size=MOST_FILM + 1, media="video")).said == ["take.size", "take.wait"]


@pytest.mark.parametrize(
    "event", [Media(AT, "video", "7"), Media(AT, "file", "7"), replace(picture(), ref=None)]
)
def test_what_is_no_picture_is_not_fetched(event):
    talk = waiting()(event)
    assert talk.did(Fetch) == []
    assert talk.said == ["take.kind", "take.wait"]


def test_one_picture_at_a_time_and_an_album_is_told_so_once():
    album = [replace(picture(ref), album="a") for ref in "789"]
    talk = waiting()(album[0])
    assert talk.did(Fetch) == [Fetch("7", "file")]
    assert talk(album[1]).said == ["take.one", "take.wait"]
    assert talk.did(Remove) == [Remove("8")]
    assert talk(album[2]).effects == (Remove("9"),)


# ---------------------------------------------------------------- what came of it


def test_the_case_is_made_the_message_is_spoken_of_and_the_next_may_come():
    talk = taking()(Hashed(AT, NUMBER, 1, here=True))
    assert talk.said == ["take.made", "case.made.2", "take.delete", "take.next"]
    assert talk(picture("8")).did(Fetch) == [Fetch("8", "file", NUMBER)]
    talk(Hashed(AT, NUMBER, 2, here=True))
    assert talk.said == ["take.added", "take.delete", "take.next"]
    assert talk.press("take.next=done").said == ["ask.updates"]
    assert talk.state.awaited is None


def test_after_three_pictures_it_goes_on_by_itself():
    talk = taking()(Hashed(AT, NUMBER, 1, here=True))
    for n in (2, 3):
        talk(picture(str(n)))(Hashed(AT, NUMBER, n, here=True))
    assert talk.said == ["take.added", "take.delete", "ask.updates"]
    assert talk(picture("9")).did(Fetch) == []


@pytest.mark.parametrize("problem", ["gone", "size", "kind", "plain", "full", "busy", "not_taken"])
def test_what_went_wrong_is_said_and_the_next_try_is_open(problem):
    talk = taking()(NotTaken(AT, "7", problem))
    assert talk.said == [f"take.{problem}", "take.wait"]
    assert talk(picture("8")).did(Fetch) == [Fetch("8", "file")]


def test_after_three_tries_it_must_be_agreed_to_anew():
    talk = waiting()
    for ref in ("1", "2", "3"):
        talk(picture(ref))(NotTaken(AT, ref, "kind"))
    assert talk.said == ["take.kind", "take.means", "ask.take"]


def test_an_answer_nobody_waits_for_any_more_is_not_said():
    assert taking()(NotTaken(AT, "other", "kind")).effects == ()
    assert taking().press("take.wait=later")(NotTaken(AT, "7", "kind")).effects == ()
    assert taking().say(command="help")(NotTaken(AT, "7", "kind")).effects == ()


def test_a_case_made_in_silence_is_told_when_they_can_talk():
    talk = taking().say(alarm=AlarmSign("abuser_present", "hard"))
    assert talk(Hashed(AT, NUMBER, 1, here=True)).effects == ()
    talk.say("greeting").press("ask.talk_now=yes")
    assert talk.said == ["take.made.quiet", "case.made.2", "take.delete", "ask.updates"]


def shows(talk):
    return [one.show for one in talk.did(Send)]


def test_c12_the_page_with_the_pin_is_offered_once_when_the_case_is_made():
    talk = taking()(Hashed(AT, NUMBER, 1, here=True))
    assert shows(talk)[0] == "pin"
    talk(picture("8"))(Hashed(AT, NUMBER, 2, here=True))
    assert "pin" not in shows(talk)
    for later in ("home=status", "home=withdraw", "ask.delete=chat", "app=again"):
        assert "pin" not in shows(talk.press(later))


def test_c9_after_a_silence_no_page_shows_a_pin_to_whoever_says_they_can_talk():
    talk = taking().say(alarm=AlarmSign("abuser_present", "hard"))
    talk(Hashed(AT, NUMBER, 1, here=True)).say("greeting").press("ask.talk_now=yes")
    assert "pin" not in shows(talk)


def test_a_case_whose_pin_was_shown_is_keyless_no_more_and_nothing_is_said_of_it():
    talk = taking()(Hashed(AT, NUMBER, 1, here=True))
    assert talk(PinShown(AT, "another")).state.keyless
    assert talk(PinShown(AT, NUMBER)).effects == ()
    assert not talk.state.keyless
    assert talk.press("ask.delete=chat").said == ["delete.chat"]


def test_a_picture_that_the_case_holds_is_said_to_be_there_and_how_to_unsend_it():
    talk = taking()(Hashed(AT, NUMBER, 1, here=True))(picture("8"))(NotTaken(AT, "8", "already"))
    assert talk.said == ["take.already", "take.delete", "take.next"]
    talk(picture("9"))(NotTaken(AT, "9", "already"))
    assert talk.said == ["take.already", "take.delete", "ask.updates"]


def test_c12_a_chat_that_alone_leads_to_its_case_is_not_cleared_without_saying_so():
    talk = taking()(Hashed(AT, NUMBER, 1, here=True)).press("ask.delete=chat")
    assert talk.said == ["ask.keyless"]
    assert talk.press("ask.keyless=no").said == ["take.next"]
    talk.press("ask.keyless=both")
    assert talk.said == ["keyless.erased"]
    assert talk.did(Withdraw) == [Withdraw(NUMBER, at_once=False, erase=True)]
    assert talk.state.number is None
    talk = taking()(Hashed(AT, NUMBER, 1, here=True)).press("ask.keyless=chat")
    assert talk.said == ["keyless.chat"]
    assert talk.did(Withdraw) == []


def test_a_case_with_a_pin_or_already_leaving_is_cleared_as_ever():
    assert taking()(Hashed(AT, NUMBER, 1)).press("ask.delete=chat").said == ["delete.chat"]
    known = taking()(CaseChecked(AT, "status", NUMBER, True))
    assert known.press("ask.delete=chat").said == ["delete.chat"]
    leaving = taking()(Hashed(AT, NUMBER, 1, here=True)).press("home=withdraw", "ask.keys=lost")
    assert leaving.press("ask.delete=chat").said == ["delete.chat"]


def test_a_page_that_adds_to_a_case_without_pin_is_not_said_to_have_shown_one():
    talk = taking()(Hashed(AT, NUMBER, 1, here=True))(Hashed(AT, NUMBER, 2))
    assert talk.said == ["take.added", "ask.updates"]
    assert talk(Hashed(AT, "another", 1)).said[0] == "case.made.1"


def test_a_case_of_the_page_stays_what_it_was():
    assert taking()(Hashed(AT, NUMBER, 1)).said[0] == "case.made.1"


# ---------------------------------------------------------------- what speaks against it


SIGNS = [{"own_age": 16}, {"image_age": 17}, {"own_age": 12}, {"intent": "adult_image_before_18"}]


@pytest.mark.parametrize("talk", [waiting, taking])
@pytest.mark.parametrize("sign", SIGNS)
def test_c16_any_sign_of_under_18_cancels_it_at_once_and_for_good(sign, talk):
    talk = talk().say(**sign)
    assert talk.state.awaited is None
    assert talk.did(Lower) == [Lower()]
    assert talk.did(DropTickets) == [DropTickets()]
    assert "take.wait" not in talk.said
    talk.press(OWN, SELF, ADULT, HERE, AGREE, TROUBLE, CHAT, YES)
    assert talk(picture("8")).did(Fetch) == []


@pytest.mark.parametrize(
    "beside", [{"command": "help"}, {"case": CaseKeys(NUMBER)}, {"intent": "talk_to_human"}]
)
def test_c16_no_aside_leads_a_latched_talk_back_to_sending(beside):
    talk = waiting().say(own_age=16, **beside)
    assert talk.state.resume == NodeId("may_hash")
    assert talk.say(command="help").press("help=go_on").said[-1] == "consent.minors"


@pytest.mark.parametrize(
    "event",
    [
        Gone(AT),
        Chose(AT, NodeId("ask.who"), "guardian"),
        Chose(AT, NodeId("ask.age"), "under18"),
        Chose(AT, NodeId("ask.phone"), "shared"),
        Chose(AT, NodeId("ask.consent"), "no"),
    ],
)
def test_c16_whatever_it_stood_on_taken_back_takes_it_back(event):
    assert taking()(event).state.awaited is None


def test_stop_and_someone_looking_end_the_wait():
    assert taking().say(command="stop").state.awaited is None
    talk = taking().say(alarm=AlarmSign("abuser_present", "hard"))
    assert talk.state.awaited is None
    assert talk(picture("8")).did(Fetch) == []


def test_a_message_taken_back_is_not_taken():
    assert taking()(Unsent(AT, "7")).state.awaited.ref is None
    assert taking()(Unsent(AT, "other")).state.awaited.ref == "7"
    assert waiting()(Unsent(AT, "7")).state.awaited is not None
    assert Talk()(Unsent(AT, "7")).state.awaited is None


def test_a_message_taken_back_counts_as_a_try():
    talk = waiting()
    for ref in ("1", "2", "3"):
        talk(picture(ref))(Unsent(AT, ref))
    assert talk(picture("4")).did(Fetch) == []
    assert talk.said == ["take.late", "take.means", "ask.take"]


def test_switched_off_in_between_nothing_is_fetched():
    talk = waiting(takes=False)(picture())
    assert talk.did(Fetch) == []
    assert talk.said[0] == "take.late"
    assert "ask.take" not in talk.said


def test_the_page_opened_again_or_too_long_words_change_nothing():
    talk = waiting()(Opened(AT))
    assert talk.said == ["take.wait"]
    assert talk(TooLong(AT)).said == ["too_long", "take.wait"]
    assert may_take(talk.state)


# ---------------------------------------------------------------- kept


def test_what_is_kept_of_it_is_read_again_and_names_nothing_when_printed():
    event, effect = picture(), Fetch("7", "file", NUMBER)
    assert decode_inbound(encode_inbound(event)) == event
    assert decode_inbound(encode_inbound(NotTaken(AT, "7", "kind"))) == NotTaken(AT, "7", "kind")
    assert decode_effect(encode_effect(effect)) == effect
    state, _ = step(taking().state, Opened(AT))
    for one in (event, effect, NotTaken(AT, "canary", "kind"), state.awaited):
        assert not any(secret in repr(one) for secret in ("'file'", "'7'", "canary"))
