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


def test_a_number_is_said_in_no_language():
    assert heard("2", "ask.language").meaning.language is None


def test_six_digits_are_a_pin_only_where_keys_are_asked_for():
    assert heard("482913", "ask.pin").meaning.case == CaseKeys("", "482913")
    assert heard("482913", "ask.who").meaning.case is None


def test_a_global_word_that_is_a_label_is_that_choice():
    said = heard("Language", "help")
    assert (said.picked, said.meaning.command) == ("language", None)
    assert heard("stop", "help").meaning.command == "stop"


@pytest.mark.parametrize("words", ["yeah", "yep", "yup", "si", "sip", "ใช่ครับ", "ช่าย", "ใช่ค่ะ", "อื้อ"])
def test_a_bare_yes_is_one(words):
    assert heard(words, "ask.phone").meaning.answer == "yes"


def test_without_an_open_question_words_are_only_understood():
    assert heard("1", "start").picked is None


@pytest.mark.parametrize(
    ("words", "node"),
    [
        ("i agree? to what", "ask.consent"),
        ("i agree?", "ask.consent"),
        ("why should i agree", "ask.consent"),
        ("no estoy de acuerdo", "ask.consent"),
        ("yes, but i dont want to", "ask.consent"),
        ("ตกลงไหม", "ask.consent"),
        ("มี", "ask.consent"),
        ("คนเดียว", "ask.consent"),
        ("am i 18 or older", "ask.age"),
        ("18", "ask.age"),
        ("not me", "ask.who"),
        ("no soy yo", "ask.who"),
        ("is it me?", "ask.who"),
    ],
)
def test_an_exact_question_reads_nothing_into_a_question_or_a_denial(words, node):
    said = heard(words, node, "es" if "acuerdo" in words else "en")
    assert (said.picked, said.meaning.answer == "yes") == (None, False)


AT_THE_QUESTION = [
    ("ask.consent", "I agree", "yes"),
    *[("ask.phone", words, "own") for words in (
        "yeah only me", "yh just me", "ye its my phone", "yep mine", "it is mine", "my own phone",
        "yes its my phone and only me", "nobody else reads it", "just me", "es mio", "si es mio",
        "sip solo yo", "si nadie mas", "si es mi cel y nadie mas lo ve", "es mi celular",
        "solo mio",
        "ของหนูเอง", "ใช่ของหนูคนเดียว", "มีแค่เราอ่าน", "อ่านคนเดียวค่ะ", "ไม่มีใครอ่าน", "ใช่เครื่องหนูเอง",
        "คนเดียว",
    )],
    *[("ask.phone", words, "shared") for words in (
        "its my moms phone", "we share it", "no not only me", "my boyfriend has the password",
        "my dad checks it sometimes", "es de mi mama", "lo comparto con mi hermana",
        "mi mama lo revisa", "mi novio sabe mi clave", "no es mio", "no solo yo",
        "ของแม่", "ใช้ร่วมกับน้อง", "แม่ชอบมาเช็ค", "แฟนรู้รหัส", "ไม่ใช่ของหนู", "เครื่องพี่สาว", "ไม่ได้อ่านคนเดียว",
    )],
    ("ask.phone", "no my mum has my password", "shared"),
    ("ask.phone", "my wife has it too", "shared"),
    ("ask.phone", "my husband has videos of me and he threatens to show my family", None),
    ("ask.phone", "they want money", None), ("ask.phone", "tengo 15", None),
    ("ask.phone", "โดนขู่", None), ("ask.phone", "is it only me?", None),
    *[("ask.who", words, "self") for words in (
        "its me", "it's me", "the pic is of me", "soy yo", "รูปหนูเอง", "ฉันเอง", "หนูเอง", "เราเอง",
        "soy yo la de la foto", "yes its me", "myself", "หนูเองค่ะ", "ของเราเอง",
    )],
    *[("ask.image", words, "here") for words in (
        "yeah i have it", "i have it", "yes but im scared to open it", "la tengo", "มีอยู่ในเครื่อง",
        "อยู่", "ยังอยู่ค่ะ",
    )],
    *[("ask.image", words, "none") for words in (
        "not here", "ya la borré", "ไม่มีแล้ว", "ลบไปแล้ว", "i deleted it", "ya no la tengo",
    )],
    *[("ask.image.guardian", words, "theirs") for words in (
        "la tiene en su cel", "la tiene en su celular", "ella la tiene", "it's on her phone",
    )],
    ("ask.image.guardian", "tengo el celular de ella aquí con la foto", "theirs"),
    ("ask.image.guardian", "i have it on my phone", "here"),
    ("ask.who", "นักเรียนในห้อง", "guardian"), ("ask.who", "รูปคนอื่น", "other"),
    ("ask.near", "ไม่รู้จักกันเลย", "no"), ("ask.near", "เจอกันในเกม", "no"),
    ("ask.near", "ใช่คนที่โรงเรียน", "yes"), ("ask.near", "พ่อเลี้ยงค่ะ", "yes"),
    ("ask.near", "ไม่รู้จักใคร", None),
    ("ask.safe", "ปลอดภัยค่ะ", "ok"), ("ask.safe", "ไม่ไหวแล้ว", "talk"),
    ("ask.talk_now", "คุยได้", "yes"), ("ask.talk_now", "คุยไม่ได้", "no"),
    ("ask.talk_now", "เขาออกไปแล้ว", "yes"), ("ask.talk_now", "เขายังอยู่", "no"),
    ("ask.image.guardian", "I have the picture on my phone, she sent it to me as proof", "here"),
    ("ask.who", "one of my students", "guardian"), ("ask.who", "im her teacher", "guardian"),
    ("ask.who", "a girl in my class", None),
    ("ask.image.guardian", "she deleted it", "none"),
    *[("ask.delete", words, "pictures") for words in (
        "las fotos", "the pictures", "pics", "รูปหนู", "รูปในเน็ต",
    )],
    *[("ask.delete", words, "case") for words in ("everything", "todo", "ทั้งหมด")],
    *[("ask.safe", words, "ok") for words in (
        "im safe", "yea i guess", "i think so", "safe for now", "im ok",
    )],
    *[("ask.safe", words, "talk") for words in ("i feel awful", "not ok", "no im not okay")],
    *[("ask.safe", words, "danger") for words in ("im in danger rn", "not safe at home")],
    *[("ask.image", words, "none") for words in ("i dont have it", "no, i don’t have it")],
    ("ask.safe", "am i safe?", None), ("ask.safe", "they want money", None),
    *[("ask.talk_now", words, "yes") for words in (
        "ok hes gone now", "i can talk", "im alone now",
    )],
    *[("ask.talk_now", words, "no") for words in ("not yet", "i cant", "hes still here")],
    *[("ask.situation", words, "other") for words in ("none of these", "its complicated")],
    ("ask.situation", "none of my friends know", None),
    *[("ask.near", words, "no") for words in (
        "no idk him met him on insta", "a stranger", "some guy online", "i dont know him irl",
    )],
    *[("ask.near", words, "yes") for words in ("its my ex", "my stepdad", "a boy from my class")],
    *[("ask.near", words, "unsure") for words in ("i dont want to say", "id rather not")],
    ("ask.near", "i dont know my password", None), ("ask.near", "no not my ex", None),
    *[("app", words, "trouble") for words in (
        "it doesnt work", "the page wont load", "nothing happens", "i cant open it",
    )],
    ("app", "does it work?", None),
    *[("ask.keys", words, "lost") for words in ("i dont have them", "i lost it")],
    *[("ask.pin", words, "lost") for words in ("i dont have it", "i forgot my pin")],
    *[("home", words, "another") for words in ("can i add another one", "theres another video")],
    ("home", "he wants another one", None),
    *[("ask.situation", words, "afraid") for words in (
        "กลัวรูปจะหลุด", "tengo miedo de que publique algo", "im afraid he will post it",
        "will he still post it",
    )],
    ("ask.country", "usa", "US"), ("ask.country", "united states", "US"),
    ("ask.country", "im in the us", "US"), ("ask.country", "eeuu", "US"),
    ("ask.country", "ohio", "US"), ("ask.country", "im in new mexico", "US"),
    ("ask.country", "manchester", "GB"),
    ("ask.country", "uk", "GB"), ("ask.country", "england", "GB"),
    ("ask.country", "mexico", "MX"), ("ask.country", "México", "MX"), ("ask.country", "cdmx", "MX"),
    ("ask.country", "espana", "ES"), ("ask.country", "soy de colombia", "CO"),
    ("ask.country", "ไทย", "TH"), ("ask.country", "กรุงเทพ", "TH"),
    ("ask.country", "อยู่ไทยค่ะ", "TH"), ("ask.country", "thailand", "TH"),
    ("ask.country", "bangkok thailand", "TH"), ("ask.country", "asustada", None),
    ("ask.country", "germany", "ZZ"),
    *[("ask.country", words, "ZZ") for words in (
        "costa rica", "estoy en Bolivia", "south korea", "i live in the netherlands", "Japón",
        "guinea ecuatorial", "ญี่ปุ่น", "อยู่เกาหลีใต้ค่ะ", "อยู่ลาว", "hong kong",
    )],
    *[("ask.country", words, None) for words in (
        "quiero denunciarlo", "อยู่คนเดียว", "โดนขู่", "มีคนขู่ รูป", "he said no", "estoy sola", "มาลีบอกแม่",
    )],
    ("ask.situation", "อยู่", None), ("ask.meant", "ไม่", None),
    ("ask.country", "dont know", None),
    ("ask.country", "ไม่รู้", None),
    ("ask.country", "why do you need that?", None), ("ask.country", "i want to die", None),
    ("ask.situation", "ninguna", "other"), ("ask.situation", "nada de eso", "other"),
    *[("ask.near", words, "yes") for words in (
        "es de la escuela", "sí, es mi ex", "mi papá", "es un compañero de mi clase",
    )],
    *[("ask.near", words, "no") for words in (
        "no lo conozco", "es un desconocido", "un tipo que conocí por ig",
    )],
    ("ask.near", "no es mi ex", None), ("ask.near", "no es de la escuela", None),
    *[("ask.safe", words, "talk") for words in ("ya no aguanto", "no estoy bien", "más o menos")],
    ("ask.safe", "sí, estoy a salvo", "ok"), ("ask.safe", "no estoy a salvo", None),
    *[("ask.alarm", words, "on") for words in ("sí", "seguimos", "sí, estoy a salvo")],
    ("ask.alarm", "no estoy a salvo", None), ("ask.alarm", "no", None),
    *[("ask.talk_now", words, "yes") for words in ("puedo hablar", "ya se fue", "estoy sola")],
    *[("ask.talk_now", words, "no") for words in ("no puedo hablar", "no estoy solo", "más tarde")],
]  # fmt: skip


@pytest.mark.parametrize(("node", "words", "value"), AT_THE_QUESTION)
def test_words_of_their_own_are_an_answer_at_their_question(node, words, value):
    assert heard(words, node).picked == value


def test_a_country_asks_for_no_language_and_deleting_all_is_not_asked_twice():
    assert heard("Thai", "ask.country").meaning.named_language is None
    said = heard("delete everything", "ask.delete")
    assert (said.picked, said.meaning.command) == ("case", None)


def test_such_words_are_no_answer_anywhere_else():
    assert heard("its me", "ask.age").picked is None
    assert heard("todo", "ask.who").picked is None


@pytest.mark.parametrize(
    "words",
    ["menor", "es menor", "tiene 14", "catorce", "16 o 17", "สิบเจ็ด", "ไม่ถึง18", "17ย่าง18", "17?",
     "not 18", "i think 16 or 17", "mi hija tiene 15", "era menor", "almost 18"],
)  # fmt: skip
def test_at_the_age_question_a_youth_is_the_age_in_the_image(words):
    said = heard(words, "ask.age")
    assert said.picked is None
    assert said.meaning.image_age is not None
    assert said.meaning.image_age < 18


@pytest.mark.parametrize(("words", "age"), [("diecinueve", 19), ("i was 25", 25), ("18 or 19", 18)])
def test_at_the_age_question_an_adult_is_heard_as_one(words, age):
    assert heard(words, "ask.age").meaning.image_age == age


@pytest.mark.parametrize(
    "words", ["18?", "is 18 ok", "im 25", "he is 30", "tiene 30", "my case is from 2026"]
)
def test_at_the_age_question_other_numbers_are_no_age_in_the_image(words):
    assert heard(words, "ask.age").meaning.image_age is None


def test_elsewhere_a_bare_teenage_number_is_the_writers_own():
    assert heard("16", "ask.who").meaning.own_age == 16
    assert heard("12", "ask.who").meaning.own_age is None
    assert heard("18", "ask.who").meaning.own_age is None


def test_a_year_of_birth_is_read_against_the_day_of_the_message():
    assert heard("born in 2011", "ask.who").meaning.own_age == 15
