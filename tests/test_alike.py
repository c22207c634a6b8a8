"""Thai look-alikes of danger: lowered to a question where the rules can tell, never at the cost of
a sign of danger. The sets are tests/alike; who wrote them stands in each.
"""

from pathlib import Path

import pytest

from bot.understanding import understand
from bot.understanding.alarms import signs
from bot.understanding.forms import clean, forms
from bot.understanding.utterances import ALARMS, NONE, read_utterances

ALIKE = Path(__file__).with_name("alike")
HALVES = {half: read_utterances(ALIKE / half / "th.txt", "th") for half in ("dev", "held")}


def tiers(half: str, labels: frozenset[str]) -> list[str | None]:
    said = [one for one in HALVES[half] if one.label in labels]
    return [alarm.tier if (alarm := understand(one.text).alarm) else None for one in said]


@pytest.mark.parametrize("half", HALVES)
def test_every_sign_of_danger_in_them_is_heard(half: str) -> None:
    assert None not in tiers(half, frozenset(ALARMS))


@pytest.mark.parametrize(("half", "most"), [("dev", 0), ("held", 2)])
def test_their_look_alikes_hardly_ever_pause_the_flow(half: str, most: int) -> None:
    assert tiers(half, frozenset({NONE})).count("hard") <= most


@pytest.mark.parametrize("half", HALVES)
def test_their_ordinary_messages_are_seldom_asked_about(half: str) -> None:
    labels = frozenset(one.label for one in HALVES[half]) - {NONE, *ALARMS}
    heard = tiers(half, labels)
    assert len(heard) - heard.count(None) <= 2


@pytest.mark.parametrize(
    "text",
    ["เคยกรีดแขน เลิกมาสองปีแล้ว แต่เมื่อคืนอยากตายอีก",
     "หนังสือเรื่องคนที่อยากตาย อ่านแล้วหนูอยากตายตาม",
     "การบ้านเยอะ 555 แต่เรื่องรูปหนูอยากตายจริงๆ", "สอบตก รูปหลุด อยากตาย 555",
     "ข่าวคนโดดตึกเมื่อเช้า หนูก็จะโดดตึกเหมือนกัน",
     "ไม่อยากอยู่ในกลุ่มแล้ว ไม่อยากอยู่บนโลกนี้แล้วด้วย", "หนูจะโดดตึก 555",
     "ล็อกห้องไว้ เขาทุบประตูอยู่ กลัวมาก",
     "เรียนจบแล้ว ลาก่อนทุกคน หนูไม่อยู่แล้ว",
     "เพื่อนรออยู่หน้าบ้าน แต่มันถือมีดรออยู่หน้าบ้านด้วย",
     "แม่จะฆ่าหนูถ้าตกเลข แต่พ่อเลี้ยงบีบคอหนูเมื่อกี้",
     "ข่าวคนโดนทำร้าย คือหนูเอง เขาตีหนูจนเลือดออก",
     "แฟนนั่งข้างๆ กำลังอ่านแชทหนู",
     "เมื่อก่อนเขาเช็กมือถือ ตอนนี้ก็ยังแอบอ่านแชทหนูอยู่"],
)  # fmt: skip
def test_what_is_harmless_hides_no_danger_beside_it(text: str) -> None:
    alarm = understand(text).alarm
    assert alarm is not None
    assert alarm.tier == "hard"


@pytest.mark.parametrize(
    "text",
    ["หนูไม่ได้ยินยอมให้ถ่าย", "เป็นหัวหน้าห้อง เพื่อนโดนแชร์รูป", "ฟรีจริงไหม มีดอกจันไหม",
     "สามีดิฉันถามว่าฟรีไหม", "ยายเปิดมือถือยายแล้วเจอไลน์นี้"],
)  # fmt: skip
def test_a_word_that_only_stands_inside_others_is_no_sign(text: str) -> None:
    assert signs(forms(clean(text))) == ()
