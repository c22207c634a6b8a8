"""Nobody is locked in by a question, and what is said fits the one who writes: rule by rule."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.conversation.engine import step
from bot.conversation.model import (
    AlarmSign,
    CancelTimers,
    CaseKeys,
    Hashed,
    Meaning,
    Media,
    NodeId,
    Said,
    State,
    TooLong,
    Typed,
)
from bot.listening import hear
from bot.text import load_texts
from bot.understanding import understand
from bot.understanding.forms import clean, forms
from bot.understanding.others import of_other
from bot.understanding.worries import worry
from tests.test_conversation import (
    ADULT,
    AGREE,
    GUARDIAN,
    HERE,
    MINOR,
    MONEY,
    NUMBER,
    OWN,
    SELF,
    Talk,
    opened,
    with_case,
)

AT = datetime(2026, 11, 26, 12, tzinfo=UTC)
WATCHED = AlarmSign("abuser_present", "soft")
READER = AlarmSign("abuser_present", "hard")
CLEARING = Meaning(intent="threat_money", confidence=0.4)


def watched(*presses):
    """A talk in which something sounded as if someone reads along."""
    talk = opened(*(presses or (OWN,))).say(alarm=WATCHED)
    assert talk.said == ["ask.talk_now"]
    return talk


# ---------------------------------------------------------------- a soft sign locks nothing


@pytest.mark.parametrize(
    ("said", "first"),
    [
        ({"command": "person"}, "people"),
        ({"command": "help"}, "help"),
        ({"command": "delete"}, "ask.delete"),
        ({"command": "back"}, "ask.phone"),
        ({"intent": "is_it_free"}, "answer.is_it_free"),
        ({"intent": "threat_money"}, "firstaid.threat.1"),
        ({"intent": "tell_parents_fear"}, "ask.near"),
        ({"feeling": "distress"}, "feeling.distress"),
        ({"worry": "police"}, "worry.police"),
        ({"platform": "instagram"}, "platform.card"),
        ({"named_language": "es"}, "ask.situation"),
        ({"alarm": AlarmSign("self_harm", "soft")}, "feeling.distress"),
        ({"alarm": AlarmSign("self_harm", "hard")}, "alarm.self_harm"),
        ({"alarm": AlarmSign("immediate_danger", "hard")}, "alarm.danger"),
        ({"own_age": 12, "alarm": AlarmSign("under_13", "hard")}, "young.lines"),
    ],
)
def test_c9_after_a_soft_sign_a_clear_word_is_heard_and_the_silence_is_over(said, first):
    talk = watched().say(**said)
    assert talk.said[0] == first
    assert not talk.state.silent
    assert "ask.talk_now" not in talk.said


def test_c9_after_a_soft_sign_other_words_are_asked_once_more_and_then_met_at_the_question():
    talk = watched()
    assert talk.say("off_topic").said == ["ask.talk_now"]
    assert talk.say("greeting").said == ["ask.situation"]
    assert not talk.state.silent


def test_c9_after_a_soft_sign_a_sticker_or_a_long_text_is_asked_about_once_too():
    assert watched()(Media(AT, "sticker")).said == ["ask.talk_now"]
    assert watched().say()(TooLong(AT)).said == ["ask.situation"]


def test_c9_the_same_soft_sign_again_does_not_lock_either():
    talk = watched()
    assert talk.say("is_it_free", alarm=WATCHED).said == ["ask.talk_now"]
    assert talk.say("is_it_free", alarm=WATCHED).said == ["ask.situation"]


def test_c9_after_a_soft_sign_a_button_counts():
    talk = watched().press(MONEY)
    assert talk.said[0] == "firstaid.threat.1"
    assert not talk.state.silent


def test_c9_after_a_soft_sign_case_and_pin_are_read():
    assert watched().say(case=CaseKeys(NUMBER)).said == ["ask.pin"]


def test_c9_not_now_after_a_soft_sign_is_silence_for_good():
    talk = watched().say(answer="no")
    assert talk.said == ["bland"]
    assert talk.did(CancelTimers)
    assert talk.say(command="person").said == ["ask.talk_now"]
    assert talk.say().said == ["ask.talk_now"]
    assert talk.say().said == ["ask.talk_now"]


def test_c9_after_a_soft_sign_the_words_of_the_choices_are_those_choices():
    assert typed(watched(), "not now").said == ["bland"]
    assert typed(watched(), "1").said == ["ask.situation"]


def test_c9_a_hard_sign_after_a_soft_one_is_silence_for_good():
    talk = watched().say(alarm=READER)
    assert talk.said == ["bland"]
    assert talk.say("is_it_free").said == ["ask.talk_now"]
    assert talk.press(MONEY).said == ["ask.talk_now"]


def test_c9_a_soft_sign_first_of_all_begins_the_talk_after_the_answer():
    talk = Talk().say("threat_money", alarm=WATCHED)
    assert talk.said == ["ask.talk_now"]
    assert talk.say("is_it_free").said == ["hello", "answer.is_it_free", "ask.phone"]
    assert talk.press(OWN).said[0] == "firstaid.threat.1"


def test_c18_what_was_told_beside_a_soft_sign_is_not_asked_again():
    talk = opened(OWN).say("threat_money", alarm=WATCHED)
    assert talk.said == ["ask.talk_now"]
    assert talk.say(answer="yes").said[0] == "firstaid.threat.1"
    talk = opened(OWN).say("threat_money", alarm=WATCHED).say("is_it_free")
    assert talk.said == ["answer.is_it_free", "ask.talk_now"]
    assert talk.say(answer="yes").said[0] == "firstaid.threat.1"


def test_c9_who_reads_along_is_not_taken_for_who_writes():
    talk = opened(OWN).say("i_am_a_parent", alarm=WATCHED)
    assert talk.state.answer("who") is None


def test_c9_a_case_made_while_it_is_doubtful_is_told_after_the_next_word():
    talk = opened(OWN, MONEY, SELF, ADULT, HERE, AGREE).say(alarm=WATCHED)
    assert talk(Hashed(AT, NUMBER, 1)).effects == ()
    assert talk.say("is_it_free").said == ["answer.is_it_free", "home"]
    assert talk.press("home=go_on").said[0] == "case.made.1"


def test_c9_what_waits_behind_the_question_is_never_lost():
    talk = opened(OWN, MONEY, SELF, ADULT, HERE, AGREE).say(alarm=WATCHED)
    talk(Hashed(AT, NUMBER, 1)).say()
    assert talk.said == ["ask.talk_now"]
    assert talk.say("is_it_free").said == ["answer.is_it_free", "ask.talk_now"]
    assert talk.say(answer="yes").said[0] == "case.made.1"


# ---------------------------------------------------------------- the one who helps


def test_c3_who_helps_someone_gets_a_helper_s_first_aid_and_no_picture_of_me():
    talk = opened(OWN).say("trusted_adult", also=("image_already_posted",))
    assert talk.said == ["answer.trusted_adult", "who.helper.1", "who.helper.2", "ask.who"]
    guess = opened(OWN).hear(Meaning(intent="trusted_adult", confidence=0.4))
    assert guess.press("ask.meant=trusted_adult").said[0] == "answer.trusted_adult"
    assert guess.press("ask.situation=posted").said[0] == "who.helper.1"


def test_c3_a_friend_is_shown_what_helps_now_as_a_friend():
    talk = opened(OWN, MONEY, "ask.who=friend", MINOR).press("home=steps")
    assert talk.said == ["who.helper.1", "who.helper.2", "home"]
    assert talk.say(feeling="what_now").said[0] == "who.helper.1"


def test_c3_a_parent_is_shown_what_helps_now_as_a_parent():
    talk = opened(OWN, MONEY, GUARDIAN).press("home=steps")
    assert talk.said[:2] == ["who.guardian.1", "who.guardian.2"]
    assert talk.say(feeling="what_now").said[:2] == ["who.guardian.1", "who.guardian.2"]


def test_c3_who_is_in_the_picture_gets_first_aid_for_themselves_whoever_they_spoke_of_first():
    talk = opened(OWN).say("trusted_adult").press(MONEY, SELF, "ask.situation=posted")
    assert talk.said[0] == "firstaid.posted.1"


def test_a_parent_s_first_words_are_answered_before_the_first_question():
    talk = Talk().say("i_am_a_parent")
    assert talk.said == ["hello", "ack.helper", "answer.trusted_adult", "ask.phone"]


def test_c8_someone_close_who_wants_to_die_is_met_with_how_to_stay_with_them():
    sign = AlarmSign("self_harm", "hard")
    talk = opened(OWN).say(alarm=sign, of_other=True)
    assert talk.said == ["alarm.self_harm.other", "ask.country"]
    assert talk.sends[0].show == "crisis"
    assert opened(OWN).say(alarm=sign).said[0] == "alarm.self_harm"


def heard_of_other(words):
    return of_other(forms(clean(words)))


@pytest.mark.parametrize(
    "words",
    [
        "my daughter wants to die", "my son says he wants to kill himself",
        "my best friend said she doesnt want to live anymore", "she said she wants to end her life",
        "my friend wants to kill herself", "my daughter is cutting herself",
        "he wont come out of his room and hes talking about killing himself",
        "my friend keeps posting that she wants to die",
        "mi hija se quiere morir", "mi hijo dice que no quiere vivir", "ella quiere morirse",
        "mi amiga se está cortando", "mi hermana quiere suicidarse",
        "ลูกสาวบอกว่าไม่อยากอยู่แล้ว", "ลูกบอกว่าไม่อยากอยู่", "ลูกสาวอยากตาย", "ลูกเอาแต่ร้องไห้ บอกอยากตาย",
        "เพื่อนหนูจะฆ่าตัวตาย", "เพื่อนของเราบอกว่าอยากตาย",
        "está muy angustiada y habla de hacerse daño",
        "น้องบอกอยากตาย", "เด็กบอกว่าอยากตาย", "ถ้าเด็กมีความคิดฆ่าตัวตายระบบทำยังไง",
    ],
)  # fmt: skip
def test_who_wants_to_die_is_heard_to_be_someone_close(words):
    assert heard_of_other(words)
    assert understand(words).of_other


@pytest.mark.parametrize(
    "words",
    [
        "i want to die", "my mom hates me i want to die", "my friend told me to kill myself",
        "my daughter wants to die and i want to die too", "my friend told me to die, i want to die",
        "me quiero morir", "mi mamá dice que me mate, me quiero morir", "ya no quiero vivir",
        "mi hija se quiere morir y yo también me quiero morir", "อยากตาย", "แม่ หนูอยากตาย",
        "เพื่อนบอกว่าหนูน่าเกลียด หนูอยากตาย", "my boyfriend says he will kill himself if i leave",
        "mi ex dice que se va a suicidar", "mi ex habla de matarse", "แฟนบอกว่าจะฆ่าตัวตาย",
        "my daughter is being threatened",
        "แฟนขู่ว่าจะฆ่าตัวตายถ้าเราเลิก", "เพื่อนบอกว่าถ้าไม่ส่งรูปเขาจะฆ่าตัวตาย",
        "หนูเป็นนักเรียนอยากตาย", "เป็นลูกสาวอยากตาย", "หนูเป็นเด็กที่อยากตาย", "น้องบอกแม่ว่าอยากตาย",
    ],
)  # fmt: skip
def test_the_writer_s_own_wish_to_die_or_a_threat_of_it_is_never_taken_for_someone_close(words):
    assert not heard_of_other(words)


def test_c3_who_was_mistaken_for_a_helper_gets_their_own_first_aid_once():
    talk = opened(OWN).say("trusted_adult", also=("threat_money",)).press(SELF)
    assert talk.said == ["firstaid.threat.1", "firstaid.money.2", "ask.age.self"]
    assert talk.press(MINOR, SELF).said[0] != "firstaid.threat.1"


def test_a_helper_who_asks_what_to_do_before_it_is_known_what_for_is_met_as_one():
    talk = opened(OWN).say("i_am_a_parent").say(feeling="what_now")
    assert talk.said == ["who.guardian.1", "who.guardian.2", "ask.situation"]


# ---------------------------------------------------------------- worries


POLICE = (
    "will the police arrest me", "will i go to jail", "am i going to get in trouble",
    "i have no papers", "will you call the police", "please no police, i have no papers",
    "im scared of the police", "did i break the law", "do i have to go to the police",
    "am i a criminal now",
    "no tengo papeles", "me van a meter a la cárcel?", "la policía me va a meter preso a mí?",
    "me da miedo la policía", "soy indocumentada", "van a llamar a la policía?",
    "¿me pueden deportar?", "me puede echar del pais la policia?",
    "cometí un delito?", "tengo que ir a la policía?",
    "no quiero denunciarlo", "no quiero ir a la policía",
    "กลัวตำรวจจับ", "หนูจะโดนจับไหม", "ถ้าบอกแล้วจะเรียกตำรวจมาจับไหม", "หนูจะติดคุกไหม",
    "เราไม่มีบัตร เป็นคนต่างด้าว กลัวตำรวจ", "ไม่ไปแจ้งความได้ไหม",
)  # fmt: skip
PERMISSION = (
    "do my parents have to sign", "do i need my moms permission", "do i need parental consent",
    "do i have to tell my mum", "will you tell my parents", "please dont tell my mom",
    "tiene que firmar mi mamá?", "necesito permiso de mis papás?", "ต้องให้แม่เซ็นไหม",
    "ผู้ปกครองต้องยินยอมไหม",
)  # fmt: skip
NO_WORRY = (
    "can he get arrested", "will the police arrest him", "i want him to go to jail",
    "how do i report to the police", "the police didnt help me", "is it free",
    "my parents took my phone", "he said dont tell my mum", "should i tell my mum",
    "will he tell my parents",
    "quiero que lo arresten", "¿lo van a meter a la cárcel?", "cómo denuncio", "no tengo la foto",
    "no la tengo", "fui a la policía", "no quiero denunciar la cuenta",
    "mis papás me quitaron el celular",
    "อยากแจ้งความ", "ตำรวจจับเขาได้ไหม", "เขาจะติดคุกไหม", "กลัวตำรวจไม่ช่วย", "ไม่มีรูปแล้ว", "แม่ยึดโทรศัพท์",
)  # fmt: skip


@pytest.mark.parametrize("words", POLICE)
def test_the_fear_of_police_is_heard(words):
    assert worry(forms(clean(words))) == "police"


@pytest.mark.parametrize("words", PERMISSION)
def test_the_fear_that_a_parent_must_agree_is_heard(words):
    assert worry(forms(clean(words))) == "permission"


@pytest.mark.parametrize("words", NO_WORRY)
def test_other_words_of_police_papers_and_parents_are_no_such_worry(words):
    assert worry(forms(clean(words))) is None


OTHER_WORRIES = {
    "operator": (
        "who runs this?", "who is behind this", "are you guys legit", "is this a scam",
        "can i trust you",
        "quién está detrás de esto?", "esto es una estafa?", "¿puedo confiar en ustedes?",
        "ใครดูแลแชตนี้", "อันนี้ของใคร", "แชทนี้มิจป่าว", "ที่นี่เชื่อถือได้ไหม",
    ),
    "duty": (
        "as a teacher do i have to report this", "am i a mandated reporter",
        "our safeguarding policy",
        "soy docente, tengo que denunciar?", "tengo obligación de avisar?",
        "เป็นครู ต้องแจ้งใครไหม", "ครูมีหน้าที่ต้องแจ้งไหม",
    ),
    "phoneless": (
        "im deaf", "i cant talk on the phone", "is there a text line", "can i text someone",
        "soy sorda", "no puedo hablar por teléfono", "hay algún chat sin tener que llamar?",
        "หนูหูหนวก", "ไม่กล้าโทร", "พิมพ์แทนโทรได้ไหม",
    ),
    "proof": (
        "i have screenshots as proof", "i took screenshots of everything and saved the proof",
        "what evidence do i need", "i have no evidence",
        "no tengo pruebas", "tengo capturas como prueba", "qué pruebas necesito",
        "ผมแคปรูปไว้เป็นหลักฐาน", "มีหลักฐานแล้ว", "ไม่มีหลักฐาน", "ต้องเก็บหลักฐานอะไรบ้าง",
    ),
    None: (
        "he has proof", "he sent me a screenshot", "who pays for this phone",
        "is this real", "report him", "quién lo hizo", "es real?",
        "เขามีหลักฐาน", "โทรหาเขาแล้ว", "เขาเป็นครู", "ช่วยพิมพ์แทนเพื่อน",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "words"), [(name, one) for name, all in OTHER_WORRIES.items() for one in all]
)
def test_who_asks_who_runs_this_must_report_cannot_phone_or_kept_proof_is_heard(name, words):
    assert worry(forms(clean(words))) == name


def test_who_runs_sala_is_said_with_the_name_and_the_duty_to_report_with_people():
    assert [one.show for one in opened(OWN).say("what_is_this", worry="operator").sends][:1] == [
        "operator"
    ]
    talk = opened(OWN).say("trusted_adult", worry="duty")
    assert talk.sends[0].text == "worry.duty"
    assert talk.sends[0].buttons[0].value == "people"


def test_proof_that_was_kept_is_no_reason_to_be_told_to_block_first():
    talk = opened(OWN).say("block_and_report", worry="proof")
    assert talk.said == ["worry.proof", "ask.situation"]
    assert Talk().say("threat_money", worry="proof").said[:2] == ["hello", "ack"]


def test_who_holds_a_picture_against_someone_is_not_told_how_to_keep_it():
    talk = opened(OWN).say("perpetrator", 0.95, worry="proof")
    assert "worry.proof" not in talk.said


def test_a_yes_to_a_single_guess_is_that_guess_and_to_several_asks_again_which():
    one = opened(OWN).say("threat_money", 0.4).say(answer="yes")
    assert one.state.answer("situation") == "money"
    several = opened(OWN).say("threat_money", 0.4, alternatives=(("how_long", 0.3),))
    assert several.say(answer="yes").said == ["ask.meant"]
    assert several.state.node == "ask.meant"


@pytest.mark.parametrize("need", ["report_to_police", "legal_rights", "no_longer_have_image"])
def test_who_fears_the_police_is_told_that_nobody_is_called_and_not_how_to_report(need):
    talk = opened(OWN).say(need, worry="police", feeling="distress")
    assert talk.said == ["worry.police", "ask.situation"]
    assert talk.sends[0].buttons[0].value == "people"
    assert talk.state.answer("image") is None
    assert Talk().say(need, worry="police").said == ["hello", "worry.police", "ask.phone"]


def test_a_worry_beside_a_need_with_a_place_or_a_soft_sign_is_answered_first():
    assert opened(OWN).say("talk_to_human", worry="police").said[:2] == ["worry.police", "people"]
    soft = AlarmSign("self_harm", "soft")
    assert opened(OWN).say(worry="police", alarm=soft).said == ["worry.police", "ask.safe"]


def test_c6_whether_a_parent_must_sign_has_an_answer():
    talk = opened(OWN).say("tell_parents_fear", worry="permission")
    assert talk.said == ["worry.permission", "ask.situation"]


# ---------------------------------------------------------------- small words


@pytest.mark.parametrize("need", ["thanks", "goodbye"])
def test_after_goodbye_nothing_is_asked_and_the_open_question_can_be_gone_back_to(need):
    talk = opened(OWN).say(need)
    assert talk.said == ["answer.thanks"]
    assert [one.data for one in talk.sends[0].buttons] == ["home=go_on"]
    assert talk.press("home=go_on").said == ["ask.situation"]
    assert with_case().press("ask.updates=no", "ask.aftercare=no").say(need).sends[0].buttons == ()
    assert opened(OWN, "home=tell").say(need).press("home=go_on").said == ["ask.situation"]


def test_c6_ok_after_goodbye_agrees_to_nothing():
    talk = opened(OWN, MONEY, SELF, ADULT, HERE).say("goodbye")
    assert typed(talk, "ok").state.answer("consent") is None
    assert talk.press("home=go_on").said == ["consent.adults"]


def test_whether_one_is_safe_is_asked_until_it_is_answered():
    talk = opened(OWN).say(alarm=AlarmSign("self_harm", "soft")).say("thanks")
    assert talk.said == ["answer.thanks", "ask.safe"]


def test_who_was_harmed_is_never_taken_for_a_perpetrator():
    for need in ("i_am_a_parent", "threat_images", "stranger_scammer"):
        talk = Talk().say("perpetrator", 0.95, also=(need,))
        assert "answer.perpetrator" not in talk.said
    assert opened(OWN).say("perpetrator", 0.95).said[0] == "answer.perpetrator"


def test_thanks_beside_a_need_does_not_hide_it():
    assert opened(OWN).say("thanks", also=("is_it_free",)).said[-1] == "ask.situation"


@pytest.mark.parametrize("age", [{"own_age": 15}, {"own_age": 11}, {"their_age": 15}])
def test_an_age_told_is_no_question_and_nothing_is_guessed_into_it(age):
    talk = opened(OWN).say("am_i_eligible", 0.5, **age)
    assert "ask.meant" not in talk.said
    assert "answer.am_i_eligible" not in opened(OWN).say("am_i_eligible", own_age=15).said
    assert talk.say("am_i_eligible", 0.5, **age).said == ["ask.situation"]


def test_c10_an_age_under_13_told_again_is_met_with_the_question_alone():
    sign = AlarmSign("under_13", "hard")
    talk = opened(OWN).say("under_13", own_age=12, alarm=sign)
    assert talk.said == ["young.lines", "ask.situation"]
    assert talk.say("under_13", own_age=12, alarm=sign).said == ["ask.situation"]


def test_c10_under_13_reads_simpler_words_before_it_agrees():
    young = opened(OWN).say(own_age=11, alarm=AlarmSign("under_13", "hard"))
    young.press(MONEY, SELF, MINOR, HERE)
    assert young.said == ["readers.simple", "consent.simple"]


def test_c6_a_parent_reads_that_the_young_person_decides():
    talk = opened(OWN, MONEY, GUARDIAN, MINOR, "ask.image.guardian=theirs")
    assert talk.said[-1] == "consent.theirs"


# ---------------------------------------------------------------- words for a question behind


def typed(talk, words):
    """Words as they are typed, heard against the open question."""
    return talk(hear(talk.state, Typed(AT, words), load_texts()))


def test_the_labels_of_the_question_behind_an_aside_are_heard():
    talk = opened(OWN, MONEY, SELF, ADULT).hear(Meaning(intent="is_it_free", confidence=0.4))
    assert talk.said == ["ask.meant"]
    assert typed(talk, "Yes, it is here").said[0] == "readers"
    home = opened(OWN, MONEY, SELF, ADULT, "home=steps").hear(
        Meaning(intent="is_it_free", confidence=0.4)
    )
    assert typed(home, "Another picture").said == ["ask.who"]
    again = opened(OWN, MONEY, SELF, ADULT).hear(Meaning(intent="is_it_free", confidence=0.4))
    assert typed(again, "i deleted it").state.answer("image") == "none"


def test_a_label_behind_is_no_answer_to_whether_one_can_talk():
    hushed = with_case().press("ask.updates=no").say(alarm=READER).say()
    assert typed(hushed, "Yes, please").said == ["ask.talk_now"]
    doubtful = with_case().press("ask.updates=no").say(alarm=WATCHED)
    assert typed(doubtful, "Yes, please").said[0] == "aftercare.on"


def test_a_bare_yes_or_no_is_no_answer_to_the_question_behind():
    talk = opened(OWN, MONEY, SELF, ADULT).say(command="person").press("ask.country=GB")
    assert typed(talk, "no").state.answer("image") is None


@pytest.mark.parametrize(
    ("words", "phone"),
    [
        ("yeah only me", "own"), ("yh just me", "own"), ("ye its my phone", "own"),
        ("yep mine", "own"), ("it is mine", "own"), ("nobody else uses it", "own"),
        ("es mio", "own"), ("si es mio", "own"), ("si nadie mas", "own"), ("sip solo yo", "own"),
        ("ช่าย", "own"), ("ใช่ของผมเอง", "own"), ("ของหนูเอง", "own"),
        ("no, también lo usa mi mamá", "shared"), ("my mom uses it too", "shared"),
        ("its my moms", "shared"), ("ของแม่", "shared"), ("แม่ใช้ด้วย", "shared"),
    ],
)  # fmt: skip
def test_c2_whose_phone_it_is_is_heard_in_words_of_their_own(words, phone):
    assert typed(opened(), words).state.answer("phone") == phone


def test_c8_a_country_is_heard_wherever_it_is_named():
    talk = typed(opened(OWN, MONEY), "mexico")
    assert talk.state.answer("country") == "MX"
    assert talk.said[0] == "alarm.lines"
    assert typed(opened(OWN), "us").state.answer("country") is None
    assert typed(opened(OWN), "español").sends[0].language == "es"


def test_the_menu_of_meanings_goes_away_when_something_else_is_said():
    talk = opened(OWN).hear(CLEARING)
    assert talk.said == ["ask.meant"]
    assert talk.say(feeling="distress").said == ["feeling.distress", "ask.situation"]
    again = opened(OWN).hear(CLEARING).say()
    assert again.said == ["not_understood.again", "ask.situation"]


def test_the_menu_of_meanings_stays_where_more_waits_behind_it_than_a_question():
    talk = opened(OWN, MONEY, SELF, ADULT, HERE, AGREE)
    talk.state = replace(talk.state, node=NodeId("ask.meant"), resume=NodeId("case.made"))
    assert talk.say("is_it_free").said == ["answer.is_it_free", "ask.meant"]
    assert [one.value for one in talk.sends[-1].buttons] == ["people", "else"]


def test_an_app_s_whole_card_is_not_shown_again_for_words_that_are_no_app():
    talk = opened(OWN, MONEY).say(platform="snapchat")
    assert talk.said == ["platform.card"]
    assert talk.say(feeling="distress").said == ["feeling.distress", "ask.alarm"]
    assert talk.sends[-1].show is None
    assert {one.node for one in talk.sends[-1].buttons} == {"platform.card"}


def test_c2_an_app_named_in_the_first_words_is_no_reason_for_its_card():
    assert opened().say("threat_images", 0.5, platform="line").said == ["ask.meant"]
    assert opened(OWN).say(platform="line").said == ["platform.card"]


def test_not_what_i_meant_is_heard_when_it_is_typed():
    sure = Meaning(
        language="en", intent="is_it_free", confidence=0.9, alternatives=(("how_long", 0.3),)
    )
    assert typed(opened(OWN).hear(sure), "Not what I meant").said == ["ask.meant"]
    nothing = opened(OWN).hear(Meaning(language="en", intent="is_it_free", confidence=0.9))
    assert typed(nothing, "not what i meant").said == ["meant.else", "ask.situation"]


def test_no_to_did_you_mean_asks_in_other_words():
    talk = opened(OWN).hear(CLEARING)
    assert talk.say(answer="no").said == ["meant.else", "ask.situation"]


@pytest.mark.parametrize(
    ("words", "language"),
    [
        ("no, en español mejor", "es"), ("mejor en español", "es"), ("no, español", "es"),
        ("no, english is better", "en"), ("better in english", "en"), ("back to english", "en"),
        ("ไม่ ภาษาไทยดีกว่า", "th"), ("ไม่เอา ขอภาษาไทยดีกว่า", "th"), ("กลับเป็นภาษาไทยเหมือนเดิม", "th"),
    ],
)  # fmt: skip
def test_a_language_is_taken_back_by_name(words, language):
    assert understand(words).named_language == language


def test_no_in_another_language_answers_no_question():
    talk = typed(Talk("en").open(), "no, en español mejor")
    assert talk.said == ["ask.phone"]
    assert talk.sends[0].language == "es"


def test_a_language_only_spoken_of_is_not_asked_for():
    for words in ("no, my spanish teacher has it", "no entiendo inglés", "no, he is english"):
        assert understand(words, "en").named_language is None


@pytest.mark.parametrize(
    "words",
    ["i dont remember how old i was", "no me acuerdo cuántos años tenía", "จำไม่ได้ว่าอายุเท่าไหร่"],
)
def test_who_does_not_remember_the_age_is_unsure(words):
    state = State(node=NodeId("ask.age"), language="en", chosen_language=True)
    assert hear(state, Typed(AT, words), load_texts()).picked == "unsure"


def test_a_stretched_what_do_i_do_is_heard():
    assert understand("ทำไงดีๆๆๆๆ").feeling == "what_now"


def test_an_event_of_another_question_is_taken_there():
    state = State(
        node=NodeId("home"), language="en", chosen_language=True, resume=NodeId("ask.phone")
    )
    done = step(state, Said(AT, Meaning(), "own", NodeId("ask.phone")))
    assert done.state.answer("phone") == "own"


def test_what_the_words_before_a_careful_question_told_is_gone_on_with_after_it():
    soft = AlarmSign("self_harm", "soft")
    talk = opened(OWN).say("threat_money", alarm=soft)
    assert talk.state.node == "ask.safe"
    assert talk.press("ask.safe=ok").said[1].startswith("firstaid.")


@pytest.mark.parametrize(
    ("lang", "words"), [("en", "no"), ("th", "ไม่"), ("es", "no"), ("en", "nope")]
)
def test_a_bare_no_to_whether_one_is_safe_is_met_for_danger_and_for_despair(lang, words):
    soft = AlarmSign("self_harm", "soft")
    talk = opened(OWN, language=lang).say("threat_money", alarm=soft)
    assert typed(talk, words).said[:2] == ["alarm.unsafe.1", "alarm.unsafe.2"]


@pytest.mark.parametrize(
    ("lang", "words", "yes", "other"),
    [("en", "hola, me amenazan", "si", "es"), ("es", "they are blackmailing me", "yes", "en"),
     ("th", "me amenazan con mis fotos", "sí", "es"), ("en", "โดนขู่ปล่อยรูป", "ได้ค่ะ", "th")],
)  # fmt: skip
def test_a_yes_right_after_another_language_was_offered_takes_it(lang, words, yes, other):
    talk = typed(opened(OWN, language=lang), words)
    assert talk.said[-1] == "offer.language"
    answers, node = talk.state.answers, talk.state.node
    talk = typed(talk, yes)
    assert (talk.state.speaks, talk.state.answers, talk.state.node) == (other, answers, node)
    assert {one.language for one in talk.sends} == {other}


def test_a_no_to_the_other_language_answers_no_question_behind_it():
    talk = typed(opened(OWN), "hola, me amenazan")
    answers, node = talk.state.answers, talk.state.node
    talk = typed(talk, "no")
    assert (talk.state.speaks, talk.state.answers, talk.state.node) == ("en", answers, node)
    assert talk.state.offered is None


def test_whether_one_is_safe_is_heard_though_another_language_was_offered():
    talk = opened(OWN).say("threat_money", alarm=AlarmSign("self_harm", "soft"))
    talk = typed(talk, "¿cuánto cuesta?")
    assert talk.said[-2:] == ["ask.safe", "offer.language"]
    assert typed(talk, "no").said[0] == "alarm.unsafe.1"
