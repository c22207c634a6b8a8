"""What a frightened person says beside, behind or instead of an answer, rule by rule."""

import pytest

from bot.conversation.model import AlarmSign, NodeId, State, Typed
from bot.conversation.needs import needs
from bot.listening import hear
from bot.text import load_texts
from bot.understanding import understand
from bot.understanding.feelings import feeling
from bot.understanding.forms import clean, forms
from bot.understanding.ordinals import ordinal
from bot.understanding.seen import alone, puzzled
from bot.understanding.threats import own, threat
from tests.test_conversation import ADULT, AT, HERE, MONEY, OWN, SELF, opened

DESPAIR = AlarmSign("self_harm", "soft")


def heard(words, node, **known):
    state = State(node=NodeId(node), language="en", chosen_language=True, **known)
    return hear(state, Typed(AT, words), load_texts())


# ---------------------------------------------------------------- warmth before a question


def test_c8_what_sounds_like_despair_is_met_warmly_before_it_is_asked_about():
    assert opened(OWN, MONEY).say(alarm=DESPAIR).said == ["feeling.distress", "ask.safe"]
    helper = opened(OWN).say("trusted_adult").say(alarm=DESPAIR)
    assert helper.said == ["ack.helper", "ask.safe"]


def test_c8_a_question_or_a_worry_that_only_sounds_so_is_answered_as_it_was():
    talk = opened(OWN, MONEY).say("is_it_free", alarm=DESPAIR)
    assert talk.said == ["answer.is_it_free", "ask.safe"]
    assert opened(OWN, MONEY).say(worry="proof", alarm=DESPAIR).said == ["worry.proof", "ask.safe"]


@pytest.mark.parametrize(
    "words",
    ["its my own fault", "i did this to myself", "i deserve this", "es culpa mía",
     "la culpa es mía",
     "yo me lo busqué", "ผิดที่หนูเอง", "ผิดที่ตัวเอง", "หนูทำตัวเอง", "สมควรโดน"],
)  # fmt: skip
def test_who_takes_the_blame_is_met_with_warmth(words):
    assert feeling(forms(clean(words))) == "distress"


@pytest.mark.parametrize(
    "words",
    ["he says he will ruin my life", "shes going to destroy me", "dice que va a arruinar mi vida",
     "me quiere destruir la vida", "เขาบอกว่าจะทำลายชีวิตหนู"],
)  # fmt: skip
def test_who_will_be_ruined_is_threatened(words):
    assert threat(forms(clean(words))) == "bare"


# ---------------------------------------------------------------- said at the consent


def test_c6_c16_a_sign_of_under_18_at_the_consent_shows_the_minors_page_before_it_asks_again():
    talk = opened(OWN, MONEY, SELF, ADULT, HERE).say(own_age=15)
    assert talk.said == ["minor.noted", "readers", "consent.minors"]
    assert [one.list for one in talk.sends if one.show == "readers"] == ["minors"]
    assert talk.say("is_it_free").said == ["answer.is_it_free", "consent.minors"]


# ---------------------------------------------------------------- who must report


def test_a_teacher_who_asks_about_the_police_is_told_of_the_duty_not_of_a_choice():
    talk = opened(OWN).say("trusted_adult")
    assert talk.say("report_to_police", worry="police").said[0] == "worry.duty"
    assert talk.say("legal_rights", worry="police").said[0] == "worry.police"
    assert opened(OWN).say("report_to_police", worry="police").said[0] == "worry.police"


# ---------------------------------------------------------------- a choice by its place


@pytest.mark.parametrize(
    ("words", "place", "rest"),
    [
        ("the second one, and does it cost anything?", 2, "does it cost anything?"),
        ("La segunda, y es gratis?", 2, "es gratis?"),
        ("ข้อ 2 แล้วเสียเงินไหม", 2, "เสียเงินไหม"),
        ("number 3", 3, ""),
        ("ข้อแรกค่ะ", 1, ""),
    ],
)
def test_a_place_is_heard_with_what_is_asked_behind_it(words, place, rest):
    assert ordinal(words) == (place, rest)


@pytest.mark.parametrize(
    "words",
    ["the first time he wrote", "la primera vez", "it is 2 am", "my second account", "2", "ที่หนึ่ง"],
)
def test_a_number_in_a_story_is_no_place(words):
    assert ordinal(words) is None


def test_the_question_behind_a_choice_is_answered_with_it():
    said = heard("the second one, and does it cost anything?", "ask.situation")
    assert said.picked == "more"
    assert said.meaning.intent == "is_it_free"
    talk = opened(OWN)(said)
    assert talk.said[:2] == ["answer.is_it_free", "firstaid.threat.1"]
    assert talk.state.answer("situation") == "more"


def test_a_choice_that_answers_the_question_behind_it_says_it_once():
    asked = opened(OWN).say("is_it_free", 0.4)
    assert asked.say("is_it_free", picked="is_it_free").said.count("answer.is_it_free") == 1


def test_c6_an_agreement_by_its_place_stands_alone():
    assert heard("the first one", "ask.consent").picked == "yes"
    assert heard("the first one, but who gets the codes?", "ask.consent").picked is None
    assert heard("the fourth one", "ask.consent").picked is None


# ---------------------------------------------------------------- "us"


@pytest.mark.parametrize(
    ("words", "node", "of"),
    [
        ("US", "home", "ask.country"), ("in the us", "home", "ask.country"),
        ("usa", "home", "ask.country"), ("us", "home", None), ("of us", "home", None),
        ("help us", "home", None), ("both of us", "home", None), ("US", "ask.who", None),
    ],
)  # fmt: skip
def test_us_is_a_country_only_where_it_is_written_so(words, node, of):
    assert heard(words, node).of == of


def test_us_is_a_country_where_one_is_asked_for_and_help_us_is_none():
    assert heard("us", "ask.country").picked == "US"
    assert heard("help us", "ask.country").picked is None


def test_thai_said_in_thai_is_the_country():
    state = State(node=NodeId("home"), language="th", chosen_language=True)
    said = hear(state, Typed(AT, "ไทย"), load_texts())
    assert (said.of, said.picked) == ("ask.country", "TH")


# ---------------------------------------------------------------- alone, in a crisis


def test_c8_who_is_alone_in_a_crisis_keeps_the_lines():
    said = heard("อยู่คนเดียว", "ask.country", resume=NodeId("ask.phone"))
    assert said.picked is None
    assert needs(said.meaning) == ("talk_to_human",)
    assert heard("Yes, only me", "ask.country", resume=NodeId("ask.phone")).picked == "own"


@pytest.mark.parametrize("answer", ["no", "unsure"])
def test_c8_who_does_not_say_the_country_keeps_the_likely_countries_lines(answer):
    talk = opened().say(alarm=AlarmSign("self_harm", "hard")).say(answer=answer)
    assert talk.said == ["alarm.lines", "ask.alarm"]


# ---------------------------------------------------------------- taken for something else


@pytest.mark.parametrize(
    "words",
    ["im a boy and im so embarrassed", "my friend told me she saw it", "hes from my school",
     "soy una chica y tengo miedo", "mis amigos la vieron", "es de la escuela",
     "ผมเป็นผู้ชาย อายมาก", "เพื่อนบอกว่าเห็นรูปแล้ว", "คนที่โรงเรียน"],
)  # fmt: skip
def test_who_speaks_of_themselves_helps_nobody_else(words):
    assert own(forms(clean(words)))
    assert not {"trusted_adult", "i_am_a_parent"} & {*needs(understand(words))}


@pytest.mark.parametrize(
    "words",
    ["im a woman and my daughter is being blackmailed", "my friend is scared",
     "soy una mujer y mi hija recibe amenazas", "ผมเป็นผู้ชาย ลูกสาวโดนขู่"],
)  # fmt: skip
def test_who_speaks_of_another_still_helps(words):
    assert not own(forms(clean(words)))


@pytest.mark.parametrize(
    "words", ["i dont understand", "sorry i didn't get that", "no entiendo", "ไม่เข้าใจค่ะ", "งงมาก"]
)
def test_what_was_not_understood_is_no_sign_of_despair(words):
    assert puzzled(forms(clean(words)))
    assert understand(words).alarm is None


def test_whose_pictures_were_posted_is_met_before_the_app_that_is_named():
    said = understand("mi ex subió fotos mías a un grupo de telegram", "es")
    assert needs(said) == ("image_already_posted",)
    assert needs(understand("he posted my pics", "en"))[0] == "image_already_posted"


@pytest.mark.parametrize("words", ["who are you", "quién eres?", "นี่ใครอ่ะ"])
def test_who_are_you_is_asked_of_sala(words):
    assert alone(forms(clean(words)))
    meaning = understand(words)
    assert meaning.alarm is None
    assert needs(meaning) == ("what_is_this",)


@pytest.mark.parametrize(
    "words", ["will you tell my school", "vas a decirle a mi escuela?", "จะบอกครูไหม"]
)
def test_whether_the_school_is_told_is_answered_with_who_sees_this(words):
    assert understand(words).worry == "seen"


@pytest.mark.parametrize(
    "words",
    ["do i have to tell her parents", "can i look at the picture to be sure",
     "debo avisar a los papás?", "puedo ver la foto para comprobarlo?", "ต้องแจ้งผู้ปกครองเด็กไหม"],
)  # fmt: skip
def test_a_teachers_questions_are_answered_with_the_duty_and_not_to_look(words):
    assert understand(words).worry == "duty"


@pytest.mark.parametrize(
    ("words", "need"),
    [("หนูอายุ 11 พี่ในเกมบอกให้ถ่ายรูปส่ง ถ้าไม่ส่งจะบอกแม่", "threat_images"),
     ("i am 11 and someone is blackmailing me for money", "threat_money")],
)  # fmt: skip
def test_c10_what_a_child_tells_beside_the_age_is_kept(words, need):
    assert need in needs(understand(words))
