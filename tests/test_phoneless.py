"""Who is deaf, or cannot speak on the phone, is heard, and what can be written to stands first."""

from datetime import UTC, datetime

import pytest

from bot.helplines import HelpLines
from bot.knowledge import help_lines
from bot.text import load_texts
from bot.understanding import understand
from bot.understanding.forms import clean, forms
from bot.understanding.threats import threat
from bot.understanding.worries import worry
from tests.test_conversation import OWN, Talk, opened

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def card(country, need="people", language="en", age=None, *, written=True):
    return HelpLines(load_texts(), language, country, NOON, age, written).card(need)


@pytest.mark.parametrize(
    "words",
    ["im deaf", "i cant hear", "can't talk out loud", "do you have sign language", "text only",
     "i need a text line", "soy sorda", "soy sordo", "no oigo, solo escribo", "líneas de texto",
     "hay alguna línea con whatsapp o mensajes", "en lengua de señas?",
     "no puedo hablar en voz alta",
     "หูหนวกค่ะ โทรไม่ได้", "ล่ามภาษามือมีไหม", "พูดออกเสียงไม่ได้", "หนูหูหนวก"],
)  # fmt: skip
def test_who_cannot_phone_is_heard(words):
    assert worry(forms(clean(words))) == "phoneless"


@pytest.mark.parametrize(
    "words",
    ["i cant hear you out", "no oigo bien la llamada", "they talk loud", "he cant talk to me",
     "ไม่ได้ยินยอม", "solo escribo para preguntar si es gratis"],
)  # fmt: skip
def test_who_can_phone_is_not_taken_for_deaf(words):
    assert worry(forms(clean(words))) is None


def test_a_deaf_person_who_is_threatened_is_heard_as_both():
    said = "me deaf. man have my video want money. me pay before. scared"
    assert threat(forms(clean(said))) == "money"
    assert understand(said, "en").worry == "phoneless"


def test_from_then_on_every_list_begins_with_what_can_be_written_to():
    talk = opened(OWN).say(worry="phoneless")
    assert talk.said == ["worry.phoneless", "ask.situation"]
    assert talk.state.answer("situation") is None
    assert [one.written for one in talk.say(command="person").sends if one.show] == [True]
    assert [one.written for one in opened(OWN).say(command="person").sends if one.show] == [False]
    assert "ask.phone" in Talk().say(worry="phoneless").said


@pytest.mark.parametrize(
    ("country", "first", "typed"),
    [("GB", "Shout", "SMS 85258"), ("US", "988", "SMS 988"), ("ES", "ANAR", "chat: https://"),
     ("ES", "016", "WhatsApp 600 000 016")],
)  # fmt: skip
def test_lines_that_are_written_to_stand_first_with_the_way_to_write(country, first, typed):
    lines = card(country).lines
    written = [one.split(": ", 1)[1].startswith(("SMS", "WhatsApp", "chat")) for one in lines]
    assert written == sorted(written, reverse=True)
    assert any(first in one and typed in one.split(" / ")[0] for one in lines)


def test_the_same_lines_are_shown_to_who_can_phone_in_their_own_order():
    there, here = card("GB"), card("GB", written=False)
    assert len(there.lines) == len(here.lines)
    assert here.lines[0].startswith("Samaritans")
    assert there.calls != () == card("ZZ").calls


@pytest.mark.parametrize("language", ["th", "en", "es"])
def test_where_no_line_is_written_to_that_is_said_with_the_pages_that_are(language):
    texts = load_texts()
    none, pages = (texts.say(f"show.written.{one}", language) for one in ("none", "forms"))
    thai = card("TH", language=language).lines
    assert thai[:2] == (none, pages)
    assert "https://thaipoliceonline.go.th" in thai[2]
    assert card("PE", language=language).lines[0] == none
    assert pages not in card("PE", language=language).lines
    assert none not in card("ES", "crisis", language).lines + card("GB", language=language).lines
    assert pages not in card("TH", "crisis", language).lines
    assert none not in card(None, language=language).lines + card("TH", "danger", language).lines


def test_what_nobody_answered_lately_is_on_the_shelf_and_not_shown():
    (line,) = [one for one in help_lines() if "@esshelpme" in one.chat]
    assert line.written
    assert not line.sure
    assert not any("@esshelpme" in one for one in card("TH").lines)
