"""Who is threatened is heard as such: in few words, with a greeting, without the demand (C3)."""

import pytest

from bot.conversation.needs import needs
from bot.understanding import understand
from bot.understanding.forms import clean, forms
from bot.understanding.threats import posted, threat


@pytest.mark.parametrize(
    ("words", "demand"),
    [
        ("me amenazan", "bare"),
        ("hola ayuda me amenazan", "bare"),
        ("me están chantajeando con un video", "bare"),
        ("me amenaza con mandar mi foto a todos", "bare"),
        ("che me hackearon el insta, si no pago pasan mis nudes", "money"),
        ("si no hago una videollamada va a publicar mis fotos", "more"),
        ("me dio 24 horas", "bare"),
        ("me da una hora", "bare"),
        ("va a subir mis fotos", "bare"),
        ("me amenasa con mis fotos", "bare"),
        ("me tiene amenazado", "bare"),
        ("dice q las manda a todos mis seguidores", "bare"),
        ("help someone is threatening me", "bare"),
        ("someone is threatening to send my nudes to everyone", "bare"),
        ("im being blackmailed", "bare"),
        ("please help me someone is threatening me and i dont know what to do", "bare"),
        ("he will post it unless i send more pics", "more"),
        ("she says she will leak my nudes if i dont pay 200$", "money"),
        ("he gave me 24 hours", "bare"),
        ("she gave me until 8pm to pay", "money"),
        ("i have 1 hour", "bare"),
        ("someone hacked my snap and has my nudes", "bare"),
        ("a man on roblox says i have to send a picture with no shirt", "bare"),
        ("my teacher asked me for nudes", "more"),
        ("i only have 30 minutes left", "bare"),
        ("ive got till tonight", "bare"),
        ("โดนขู่", "bare"),
        ("เราโดนขู่จะปล่อยรูปให้เพื่อนทั้งห้อง", "bare"),
        ("เขาขู่จะปล่อยรูปหนูในกลุ่มไลน์ห้อง", "bare"),
        ("มีคนขู่จะปล่อยรูป ถ้าไม่โอนเงิน", "money"),
        ("เขาขู่ให้ส่งรูปเพิ่ม ไม่งั้นจะปล่อย", "more"),
        ("เขาให้เวลา 1 ชม", "bare"),
        ("เขาบอกให้เวลา 24 ชั่วโมง", "bare"),
        ("เค้าให้เวลาถึงคืนนี้", "bare"),
        ("มีคนในเกมบอก ถ้าไม่โอนจะส่งรูปให้เพื่อนทั้งห้อง", "money"),
        ("พี่ในเกมบอกให้ถ่ายรูปส่ง ถ้าไม่ส่งจะบอกแม่", "more"),
        ("กำลังจะโดนปล่อยคลิป", "bare"),
    ],
)
def test_a_threat_is_heard_with_what_it_demands(words, demand):
    assert threat(forms(clean(words))) == demand
    heard = understand(words)
    assert not {"trusted_adult", "perpetrator", "greeting"} & {*needs(heard)}
    assert {"threat_money", "threat_images"} & {*needs(heard)}


@pytest.mark.parametrize(
    "words",
    [
        "i threatened her and i feel bad",
        "i blackmailed someone",
        "yo la amenacé con sus fotos",
        "หนูขู่เขาไปแล้ว",
        "a mi hija la amenazan",
        "my daughter is being blackmailed",
        "my wife is being blackmailed",
        "ลูกสาวโดนขู่",
        "ลูกสาวอายุ 14 โดนขู่ปล่อยรูป",
        "my 14 year old daughter is being blackmailed",
        "เพื่อนหนูโดนขู่",
        "ถ้าเธอไม่โอนผมจะปล่อยรูป",
        "กลัวเขาจะปล่อยคลิป",
        "ครูให้เวลาส่งงาน 1 ชั่วโมง",
        "hello",
        "สวัสดี",
        "how long does it take",
        "mi jefe me dio 3 días libres",
        "esto va a subir mis fotos?",
        "mi hija dice que las va a subir",
        "amenaza con publicar fotos de mi hija",
        "lo amenacé con publicar todo",
        "i have 2 kids",
        "i have one more question",
        "i have it for 2 years",
    ],
)
def test_another_who_is_threatened_or_who_threatens_is_not_the_writer(words):
    assert threat(forms(clean(words))) is None


@pytest.mark.parametrize(
    "words",
    [
        "no me amenaza, ya la publicó",
        "he was blackmailing me and now he posted my pics everywhere",
        "เขาขู่หนูแล้วก็โพสต์รูปไปแล้ว",
    ],
)
def test_what_has_happened_goes_before_what_is_threatened(words):
    assert posted(forms(clean(words)))
    assert understand(words).intent == "image_already_posted"


@pytest.mark.parametrize(
    "words",
    [
        "no he pagado",
        "todavía no pagué",
        "me dio 24 horas para pagarle",
        "i have 24 hours to pay",
        "i havent paid him",
        "i never paid",
        "ยังไม่ได้โอน",
        "ยังไม่จ่าย",
    ],
)
def test_who_has_not_paid_is_never_met_as_if_they_had(words):
    meaning = understand(words)
    assert meaning.intent == "threat_money"
    assert "already_paid" not in {meaning.intent, *meaning.also}


@pytest.mark.parametrize(
    "words", ["le pagué 2000 y no le he pagado más", "i paid him and havent paid again"]
)
def test_who_paid_once_and_not_again_has_paid(words):
    assert understand(words).intent == "already_paid"
