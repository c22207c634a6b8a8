"""The ear: what it must hear, and what it must not.

The alarm sentences (tests/understanding_alarms.toml) have the rules' own author and were used
while writing them: they guard against loss and prove no recall on strangers' words.
"""

import gc
import time
import tomllib
from functools import cache
from pathlib import Path

import pytest

from bot.cases.number import make_number
from bot.conversation.model import AlarmSign, CaseKeys, Language, Meaning
from bot.conversation.needs import needs
from bot.understanding import LIMIT, understand
from bot.understanding.tables import Patterns, table

SENTENCES = tomllib.loads(
    Path(__file__).with_name("understanding_alarms.toml").read_text(encoding="utf-8")
)
ALARMS = [
    (kind, text)
    for kind in ("self_harm", "immediate_danger", "abuser_present")
    for texts in SENTENCES[kind].values()
    for text in texts
]
ORDINARY = [text for texts in SENTENCES["ordinary"].values() for text in texts]


@cache
def heard(text: str) -> Meaning:
    """What several rules are tried on is understood once."""
    return understand(text)


def hard(text: str) -> str | None:
    alarm = heard(text).alarm
    return alarm.kind if alarm and alarm.tier == "hard" else None


@pytest.mark.parametrize(("kind", "text"), ALARMS)
def test_a_sign_of_danger_is_heard_hard(kind: str, text: str) -> None:
    assert hard(text) is not None
    assert kind in (heard(text).intent, *heard(text).also)


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_words_pause_nothing(text: str) -> None:
    assert hard(text) is None


def test_no_alarm_sentence_is_copied_into_the_rules() -> None:
    rules = str(table("alarms"))
    assert not [text for _, text in ALARMS if len(text) > 12 and text in rules]


@pytest.mark.parametrize(
    "text",
    ["ยากตาย", "me muero de risa", "lol im dead", "my mum is going to kill me", "I'm not suicidal",
     "ไม่ได้อยากฆ่าตัวตาย", "no quiero hacerme daño", "it is 4 kms from here",
     "อยากตายกับข้อสอบเคมี", "พระเอกโดดตึกในตอนแรก", "ขึ้นดาดฟ้าไปเก็บผ้า", "ข่าววัยรุ่นฆ่าตัวตาย",
     "ชื่อเพลงขอตายคนเดียว", "บอสด่านนี้ฆ่าผมสิบรอบ", "เลือดออกตอนโกนหนวด", "mai yak tai na"],
)  # fmt: skip
def test_an_idiom_or_a_denial_is_asked_about_and_never_dropped(text: str) -> None:
    alarm = understand(text).alarm
    assert alarm is not None
    assert alarm.tier == "soft"


@pytest.mark.parametrize(
    "text",
    ["อยากตาย", "การบ้านยากตาย แต่หนูก็อยากตายจริงๆ",
     "lol im dead but really I want to kill myself",
     "me muero de risa pero me quiero matar", "I'm not suicidal but I took all the pills",
     "อยากตายกับข้อสอบ แต่จริงๆ หนูคิดจะฆ่าตัวตาย", "เห็นข่าวคนโดดตึกแล้วอยากทำบ้าง",
     "พระเอกตายตอนจบ หนูก็อยากตายเหมือนกัน", "ฟังเพลงนี้แล้วอยากฆ่าตัวตาย",
     "ขึ้นดาดฟ้าไปแล้ว ไม่ลงแล้ว"],
)  # fmt: skip
def test_an_idiom_hides_nothing_that_stands_beside_it(text: str) -> None:
    assert hard(text) == "self_harm"


def test_the_most_urgent_sign_comes_first_and_the_others_are_named() -> None:
    meaning = understand("my stepdad is next to me, he has a knife and I want to die")
    assert meaning.alarm == AlarmSign("self_harm", "hard")
    assert meaning.also[:2] == ("immediate_danger", "abuser_present")


def test_a_threat_beside_a_question_is_the_further_need() -> None:
    meaning = understand("how long does it take? he wants money or he will post it")
    assert "threat_money" in (meaning.intent, *meaning.also)


@pytest.mark.parametrize(
    "text",
    ["k1ll myself", "I want to d\u200bie", "I feel fine\0 I want to die",
     "\ud800I want to die\udfff",
     "Ｉ ｗａｎｔ ｔｏ ｄｉｅ", "อ ย า ก ต า ย", "อยากตายยยยย", "I WANT TO DIEEEE", "s u i c i d e",
     "quiero morír", "yak tai", "อ\u200bยากตาย"],
)  # fmt: skip
def test_a_disguised_alarm_is_heard(text: str) -> None:
    assert hard(text) == "self_harm"


AGES = [
    # text, own, their, in the image
    ("I'm 12", 12, None, None),
    ("i am nine and a half", 9, None, None),
    ("หนูอายุ ๑๒", 12, None, None),
    ("หนูเพิ่งสิบสอง", 12, None, None),
    ("เก้าขวบครึ่ง", 9, None, None),
    ("tengo once años", 11, None, None),
    ("tengo 11 y alguien tiene mi foto", 11, None, None),
    ("soy un niño de 10", 10, None, None),
    ("nu ayu sip song", 12, None, None),
    ("16f help", 16, None, None),
    ("I will be 12 in june", 11, None, None),
    ("หนูอยู่ ป.5", 11, None, None),
    ("เป็นนักเรียนชั้นประถมปีที่ 4", 10, None, None),
    ("ผมเรียนลูกเสืออยู่ ป.4 ครับ", 10, None, None),
    ("phom yu p.4 krub", 10, None, None),
    ("my 11th birthday is next month", 10, None, None),
    ("ten and three quarters", 10, None, None),
    ("en quinto grado", 10, None, None),
    ("เรียนอยู่ ม.2", 14, None, None),
    ("I'm in 6th grade", 11, None, None),
    ("voy en quinto de primaria", 10, None, None),
    ("voy en segundo de secundaria", 13, None, None),
    ("estoy en 2º de la ESO", 13, None, None),
    ("my daughter is 11", None, 11, None),
    ("she's 10, can you help her", None, 10, None),
    ("น้องสาวอายุ 9 ขวบมีคนขอรูป", None, 9, None),
    ("mi hijo que tiene once", None, 11, None),
    ("the girl in the picture is 11", None, 11, None),
    ("my 14 year old daughter was threatened, I'm 40", 40, 14, None),
    ("I was 15 in the photo", None, None, 15),
    ("ตอนนั้นอายุ 15", None, None, 15),
    ("tenía 15 en la foto", None, None, 15),
    ("รูปตอน ม.4 ตอนนี้เรียนจบแล้ว", None, None, 16),
    ("I am 20 now but I was 16 in the picture", 20, None, 16),
    ("ตอนนี้ 20 แต่ในรูปอายุ 16", 20, None, 16),
    ("tenía 17 entonces, ahora tengo 19", 19, None, 17),
    ("born in 2011", 15, None, None),
    ("เกิดปี 2553", 16, None, None),
    ("nací en 2008", 17, None, None),
    ("my daughter was born in 2014", None, 12, None),
    ("เพิ่งป.6", 12, None, None),
    ("ตอนนี้ป.6 โดนขู่เรื่องรูป", 12, None, None),
    ("ผมอยู่ ป.6/2 ครับ", 12, None, None),
    ("เพื่อนในห้องป.6 เอารูปหนูไปส่ง", 12, None, None),
    ("หนูอยู่ปอห้า", 11, None, None),
    ("หลานเรียนปอสาม", None, 9, None),
    ("ปีหน้าผมถึงจะขึ้น ม.1", 12, None, None),
    ("ปีหน้าลูกจะขึ้น ม.2", None, 13, None),
    ("ปิดเทอมนี้จะขึ้นป.5", 10, None, None),
    ("ในเฟสตั้งอายุ 18 แต่จริงๆ 12 ค่ะ", 12, None, None),
    ("ครูสอน ป.4 ค่ะ นักเรียนมาบอกว่ามีคนขอรูป", None, 10, None),
    ("ดิฉันสี่สิบสอง", None, None, None),
    ("ผมอายุห้าสิบกว่าแล้ว", None, None, None),
    ("เกิดปี 2538 ถ่ายปี 2564", 31, None, None),
    ("หนูเกิดปี 57 ค่ะ ปีนี้ 2569", 12, None, None),
    ("phom yu po 5 krub", 11, None, None),
    ("nu 12 ka", 12, None, None),
    ("P5 student", 11, None, None),
    ("std 4", 9, None, None),
    ("grade six", 11, None, None),
    ("not a teenager yet", 12, None, None),
    ("my son will be ten next week", None, 9, None),
    ("i lied that i was 16, im really 12", 12, None, None),
    ("im 13, year 8", 13, None, None),
    ("she is in 6th grade", None, 11, None),
    ("my daughter saw it, i am in 12th grade", 17, None, None),
    ("I teach grade 4 and a pupil was asked for photos", None, 9, None),
    ("toy en 5to grado", 10, None, None),
    ("tngo dose", 12, None, None),
    ("mi maestra de quinto me quitó el celular", 10, None, None),
    ("el año que viene entro a la secundaria", 11, None, None),
    ("cumple trece en diciembre, ahora tiene doce", None, 12, None),
    ("estoy en segundo medio", 15, None, None),
]


@pytest.mark.parametrize(("text", "own", "their", "image"), AGES)
def test_an_age_belongs_to_the_one_it_is_said_of(
    text: str, own: int | None, their: int | None, image: int | None
) -> None:
    meaning = understand(text, year=2026)
    assert (meaning.own_age, meaning.their_age, meaning.image_age) == (own, their, image)


@pytest.mark.parametrize(
    "text",
    ["5000 baht", "300 บาท", "18 fotos", "2 days", "17:30", "tengo 9 capturas",
     "he wants 10 dollars",
     "ในกลุ่มมี 12 คน", "hace 5 años", "explain it like I'm 5", "I'm 5 minutes away",
     "หนูห้ามเขาแล้ว",
     "eran las 11 de la noche", "I teach 5th grade", "my case number is 12345",
     "he has 5 of my pics", "he is 10 years older than me", "my phone is 5 years old",
     "im not a teenager, i am a grown woman", "he's in reception asking for me",
     "once años de matrimonio", "estoy en el cuarto", "estoy en quinto semestre de la uni",
     "soy maestra de primaria y las fotos son mías", "i'm a primary school teacher",
     "soy maestra de sexto de primaria", "เรียนจบ ป.6 ทำงานมาสิบปีแล้ว", "เขาทักผมสิบรอบ",
     "my daughter once sent a photo", "เขาส่งมาแค่ 9 วิ", "ทำงานโรงเรียนประถม",
     "สอนอยู่ชั้น ป.6 แต่เป็นเรื่องของครูเอง", "ส่งไป5รูป"],
)  # fmt: skip
def test_other_numbers_are_no_ages(text: str) -> None:
    meaning = understand(text, year=2026)
    assert (meaning.own_age, meaning.their_age, meaning.image_age) == (None, None, None)


def test_a_year_of_birth_is_not_read_without_the_current_year() -> None:
    assert understand("I was born in 2011").own_age is None


@pytest.mark.parametrize("text", ["I'm 12", "หนูอยู่ ป.5", "tengo nueve", "voy en la primaria"])
def test_a_child_speaking_of_themselves_is_under_13(text: str) -> None:
    assert understand(text).alarm == AlarmSign("under_13", "hard")


@pytest.mark.parametrize(
    "text",
    ["my daughter is 8", "ลูกสาว 8 ขวบ", "I was 12 in the photo", "I'm 13",
     "12"],
)  # fmt: skip
def test_another_child_a_past_age_or_a_bare_number_is_not_under_13(text: str) -> None:
    assert understand(text).alarm is None


COMMANDS = {
    "start": ["start", "/start", "menu", "เริ่มใหม่", "Inicio"],
    "stop": ["STOP", "/stop", "หยุด", "para", "alto", "stop please"],
    "help": ["help", "/help", "help me", "ช่วยด้วย", "ช่วยด้วยค่ะ", "¡ayuda!"],
    "back": ["back", "/back", "ย้อนกลับ", "atrás"],
    "delete": ["delete", "/delete", "ลบ", "ลบให้หมด", "borren todo", "delete everything"],
    "language": ["language", "/language", "ภาษา", "idioma"],
    "person": ["person", "คุยกับคน", "hablar con una persona"],
    "status": ["status", "/status", "สถานะ", "estado"],
}


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, ts in COMMANDS.items() for t in ts])
def test_a_global_word_is_a_command_when_it_is_the_whole_message(name: str, text: str) -> None:
    assert understand(text).command == name


@pytest.mark.parametrize(
    "text",
    ["make it stop", "please help me he hit me", "haz que pare", "หยุดเขาที",
     "delete the photo he has",
     "para qué sirve", "I want to go back to school", "ช่วยด้วยเขาจะฆ่าหนู"],
)  # fmt: skip
def test_a_global_word_inside_a_sentence_is_no_command(text: str) -> None:
    assert understand(text).command is None


ANSWERS = {
    "yes": ["ค่ะ", "ครับ", "เออ", "ใช่ๆ", "ใช่อะ", "yes", "Yes please", "ใช่ค่ะ", "sí", "claro", "ok"],
    "no": ["ไม่อะ", "ไม่ต้องก็ได้", "no", "nope", "ไม่ใช่ครับ", "no, it is mine", "todavía no"],
    "unsure": ["ไม่รู้อะ", "not sure", "idk", "ไม่แน่ใจ", "no sé", "prefiero no decir"],
}


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, ts in ANSWERS.items() for t in ts])
def test_yes_no_and_unsure_are_answers(name: str, text: str) -> None:
    assert understand(text).answer == name


LANGUAGE: list[tuple[str, Language | None]] = [
    ("someone has my pictures", "en"), ("hello", "en"), ("alguien tiene mis fotos", "es"),
    ("hola", "es"), ("kiero ayuda porfa", "es"), ("มีคนขู่หนู", "th"), ("sawasdee kha", "th"),
    ("khao ja ploi roop nu", "th"), ("ใช้กับ Instagram ได้ไหม", "th"), ("ok", None), ("123", None),
    ("https://example.org/the/my", None), ("help", None), ("", None), ("🙂", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), LANGUAGE)
def test_the_language_is_told_or_left_open(text: str, expected: Language | None) -> None:
    assert understand(text).language == expected


def test_the_hint_decides_only_where_the_text_does_not() -> None:
    assert understand("ok", "th").language == "th"
    assert understand("alguien tiene mis fotos", "th").language == "es"


NAMED: list[tuple[str, Language | None]] = [
    ("ภาษาไทย", "th"), ("in english please", "en"), ("en español", "es"),
    ("can you speak Thai?", "th"),
    ("quiero usar tailandés", "th"), ("ขอเป็นภาษาอังกฤษค่ะ", "en"),
    ("I don't understand English", None),
    ("ไม่เข้าใจภาษาอังกฤษ", None), ("my english teacher has it", None), ("hello", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), NAMED)
def test_a_language_is_named_only_when_it_is_asked_for(
    text: str, expected: Language | None
) -> None:
    assert understand(text).named_language == expected


def test_a_case_number_and_pin_are_found_in_a_sentence() -> None:
    number = make_number(b"sala2026")
    assert understand(f"my case is {number.lower()}, pin 123456").case == CaseKeys(number, "123456")
    assert understand(number.replace("-", " ")).case == CaseKeys(number)


def test_no_ordinary_sentence_holds_a_case_number() -> None:
    words = [text for _, text in ALARMS] + ORDINARY + ["she has him", "the cat sat", "dangerous"]
    assert not [text for text in words if heard(text).case]


INTENTS = [
    ("is it free", "is_it_free"), ("มีค่าใช้จ่ายไหม", "is_it_free"),
    ("¿es anónimo?", "is_it_anonymous"),
    ("my ex posted my picture", "ex_partner"), ("ลูกสาวโดนปล่อยรูป", "i_am_a_parent"),
    ("me amenazan con publicar mis fotos si no pago", "threat_money"), ("thanks", "thanks"),
    ("แจ้งความยังไง", "report_to_police"), ("how does the hash work", "how_hashing_works"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "intent"), INTENTS)
def test_a_plain_question_is_understood(text: str, intent: str) -> None:
    assert understand(text).intent == intent


@pytest.mark.parametrize(
    "text",
    ["I shared a girl's picture and now I'm in trouble", "I sent him nudes",
     "he has pictures of kids on his phone",
     "ผมปล่อยรูปผู้หญิงไปแล้วตอนนี้มีปัญหา",
     "compartí la foto de una chica y ahora tengo problemas"],
)  # fmt: skip
def test_nobody_is_called_a_perpetrator_on_a_guess(text: str) -> None:
    meaning = understand(text)
    assert "perpetrator" not in needs(meaning)


@pytest.mark.parametrize(
    "words",
    ["a", "I was 9 and he is 9 ", "เขาขู่จะปล่อยรูปหนู", "1", ", "],
)  # fmt: skip
def test_a_long_message_costs_no_more_than_its_length(words: str) -> None:
    """Ten times the letters take at most thirty times the work: no pattern runs away."""
    tenth, whole = (words * (most // len(words)) for most in (LIMIT // 10, LIMIT))
    most = 30 * min(work(tenth) for _ in range(3)) + 0.01
    assert any(work(whole) < most for _ in range(3))


def work(text: str) -> float:
    started = time.process_time()
    understand(text, year=2026)
    return time.process_time() - started


def test_what_stands_after_the_limit_is_not_read() -> None:
    assert hard("a " * LIMIT + "I want to die") is None
    assert hard("a " * (LIMIT // 4) + "I want to die") == "self_harm"


@pytest.mark.parametrize(
    "text",
    ["\ud800", "\0", "\u200b" * 50, "\ufdfa" * 5_000, "(" * 500,
     "é" * 500],
)  # fmt: skip
def test_hostile_text_is_understood_as_nothing(text: str) -> None:
    assert understand(text, year=2026).alarm is None


def test_every_pattern_of_the_tables_can_be_read() -> None:
    held = [one for one in gc.get_objects() if isinstance(one, Patterns)]
    assert sum(len(tuple(one)) for one in held) > 500


def test_a_missing_table_stops_the_ear() -> None:
    with pytest.raises(OSError, match="missing"):
        table("missing")


WALK = tomllib.loads(
    Path(__file__).with_name("understanding_walk.toml").read_text(encoding="utf-8")
)


def walked(section: str) -> list[tuple[str, str]]:
    return [(key, text) for key, texts in WALK[section].items() for text in texts]


@pytest.mark.parametrize(("kind", "text"), walked("hard"))
def test_danger_as_frightened_people_write_it_is_heard_hard(kind: str, text: str) -> None:
    assert hard(text) == kind


@pytest.mark.parametrize(("_", "text"), walked("not_hard"))
def test_fear_anger_and_deadlines_pause_nothing(_: str, text: str) -> None:
    assert hard(text) is None


@pytest.mark.parametrize(("_", "text"), walked("no_alarm"))
def test_a_question_or_a_fear_of_publishing_is_no_sign(_: str, text: str) -> None:
    assert understand(text).alarm is None


@pytest.mark.parametrize(("intent", "text"), walked("intents"))
def test_a_first_complaint_is_understood(intent: str, text: str) -> None:
    assert understand(text).intent == intent


@pytest.mark.parametrize(("intent", "text"), walked("not_intents"))
def test_what_is_only_feared_asked_or_denied_is_not_taken_as_said(intent: str, text: str) -> None:
    assert intent not in needs(understand(text))


@pytest.mark.parametrize(("intent", "text"), walked("also"))
def test_the_further_complaint_is_named(intent: str, text: str) -> None:
    meaning = understand(text)
    assert intent in (meaning.intent, *meaning.also)


@pytest.mark.parametrize(("name", "text"), walked("feelings"))
def test_distress_and_what_now_are_felt(name: str, text: str) -> None:
    assert understand(text).feeling == (None if name == "none" else name)


@pytest.mark.parametrize(("name", "text"), walked("commands"))
def test_a_bare_wish_to_have_it_gone_is_the_delete_command(name: str, text: str) -> None:
    assert understand(text).command == name


@pytest.mark.parametrize("whose", ["own_age", "image_age", "their_age"])
def test_under_18_is_heard_without_a_plain_number(whose: str) -> None:
    heard = {text: getattr(understand(text), whose) for _, text in walked(whose)}
    assert heard == {text: int(age) or None for age, text in walked(whose)}


@pytest.mark.parametrize("number", ["TWR-2YY-69Y", "PHN-AXE-5TB"])
def test_the_letters_of_a_case_number_mean_nothing(number):
    said = understand(f"{number} 482913", "th")
    assert said.case == CaseKeys(number, "482913")
    assert (said.language, said.intent, said.alarm) == ("th", None, None)


# ---------------------------------------------------------------- the name of an app


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("ไอจี", "instagram"), ("ig", "instagram"), ("insta", "instagram"),
        ("อินสตาแกรม", "instagram"),
        ("เฟส", "facebook"), ("fb", "facebook"), ("เฟซบุ๊ก", "facebook"), ("por face", "facebook"),
        ("fb messenger", "messenger"), ("แมสเซนเจอร์", "messenger"),
        ("ติ๊กต็อก", "tiktok"), ("ติกตอก", "tiktok"), ("tik tok", "tiktok"), ("tt", "tiktok"),
        ("ไลน์", "line"), ("LINE", "line"), ("ในกลุ่มไลน์ค่ะ", "line"), ("on line", "line"),
        ("tele", "telegram"), ("เทเล", "telegram"), ("un grupo de telegram", "telegram"),
        ("ทวิต", "x"), ("X", "x"), ("twitter", "x"), ("wasap", "whatsapp"),
        ("what's app", "whatsapp"),
        ("ดิสคอร์ด", "discord"), ("snap", "snapchat"), ("ยูทูป", "youtube"), ("กูเกิล", "google"),
        ("bing", "bing"), ("reddit", "reddit"), ("porn hub", "pornhub"),
        ("ออนลี่แฟนส์", "onlyfans"),
        ("my pics are on ig and fb", "instagram"), ("it's on telegram!!", "telegram"),
    ],
)  # fmt: skip
def test_an_app_is_heard_by_its_name_and_its_nicknames(text, named):
    assert understand(text).platform == named


@pytest.mark.parametrize(
    "text",
    ["ออนไลน์", "สื่อออนไลน์", "it is online", "hotline", "in line with", "en la tele", "my face",
     "ดูเทเลวิชั่น", "x favor", "google drive", "whats happening", "บิงซู", "hello", ""],
)  # fmt: skip
def test_other_words_are_no_app(text):
    assert understand(text).platform is None
