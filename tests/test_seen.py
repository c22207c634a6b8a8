"""Who asks who can see this is answered; who is seen now is met at once (C9).

The sentences are tests/understanding_seen.toml. Who wrote them wrote the rules afterwards: they
guard against loss, and say nothing about the words of others.
"""

import tomllib
from pathlib import Path

import pytest

from bot.conversation.needs import needs
from bot.understanding import understand
from bot.understanding.alarms import signs
from bot.understanding.forms import clean, forms
from bot.understanding.seen import alone, asks_who_sees

SAID = tomllib.loads(Path(__file__).with_name("understanding_seen.toml").read_text("utf-8"))


def watched(text, language):
    """By the rules, whose signs are never dropped, or by the whole ear."""
    message = forms(clean(text))
    if asks_who_sees(message) or alone(message):
        return False
    if any(one.kind == "abuser_present" for one in signs(message)):
        return True
    alarm = understand(text, language).alarm
    return alarm is not None and alarm.kind == "abuser_present"


@pytest.mark.parametrize("language", SAID["asks"])
def test_c9_a_question_about_who_sees_this_silences_nobody(language):
    said = SAID["asks"][language]
    assert [text for text in said if not asks_who_sees(forms(clean(text)))] == []
    heard = {text: understand(text, language) for text in said[::4]}
    assert [text for text, meaning in heard.items() if meaning.alarm] == []
    assert [text for text, meaning in heard.items() if meaning.worry != "seen"] == []
    assert [text for text, meaning in heard.items() if needs(meaning)] == []


@pytest.mark.parametrize("language", SAID["watched"])
def test_c9_someone_who_looks_now_is_heard_every_time(language):
    assert [text for text in SAID["watched"][language] if not watched(text, language)] == []


@pytest.mark.parametrize(
    "text",
    ["who can see this he is next to me", "who reads what i write he is here",
     "can he see this?", "is my husband reading this", "mi papá está leyendo esto?",
     "mis papás pueden ver lo que escribo", "quién ve lo que escribo él está aquí",
     "เขาเห็นแชตนี้ไหม", "แฟนอ่านแชตนี้ได้ไหม", "ใครเห็นบ้าง เขาอยู่ข้างๆ", "x" * 130],
)  # fmt: skip
def test_c9_no_question_about_who_may_be_in_the_room_is_taken_for_an_ordinary_one(text):
    assert not asks_who_sees(forms(clean(text)))


@pytest.mark.parametrize(
    "text",
    ["he stopped replying", "he deleted his account", "she blocked me", "now they don't answer",
     "dejó de responder", "borró su cuenta", "todavía no le he contestado", "ya no me escribe",
     "can't talk out loud", "no puedo hablar en voz alta",
     "เขาหายไปแล้ว", "เขาไม่ตอบแล้ว", "มันบล็อกหนูไปแล้ว", "เขาลบแอคไปแล้ว"],
)  # fmt: skip
def test_c9_who_is_gone_sits_beside_nobody(text):
    assert alone(forms(clean(text)))
    alarm = understand(text).alarm
    assert alarm is None or alarm.kind != "abuser_present"


def test_c9_who_came_back_or_sits_beside_is_not_alone():
    for text in ("he stopped replying he is at the door", "he blocked the door", "dejó de llover"):
        assert not alone(forms(clean(text)))
