"""What Sala says: complete in every language, short where it must be, and never these words."""

import re
import unicodedata
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Final

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from bot.conversation.check import label_ids, message_ids
from bot.conversation.model import LANGUAGES, Language
from bot.conversation.needs import PLACES
from bot.conversation.shows import PLATFORMS
from bot.knowledge import all_facts, all_laws, platforms
from bot.understanding import understand

LOCALES: Final = Path(__file__).resolve().parent.parent / "locales"

RENDERED: Final = frozenset({
    "preview", "hash.trouble", "terminal.link",
    "show.app.link", "show.directory", "show.line",
    "show.official.adults", "show.official.minors", "show.official.text.adults",
    "show.official.text.minors", "show.official.text.minors.simple", "show.operator",
    "show.people.none", "show.phone_emergency",
    "show.web_chat", "show.written.forms", "show.written.none",
    "show.readers.chats", "show.readers.none", "show.readers.none.now", "show.readers.passed",
    "show.readers.some", "show.readers.chats.simple", "show.readers.none.simple",
    "show.readers.none.now.simple",
    "show.status.blocked", "show.status.copy.adults", "show.status.copy.minors",
    "show.status.found", "show.status.head", "show.status.leaving", "show.status.looking",
    "show.status.none",
    "show.status.not_blocked", "show.status.quiet", "show.status.shared", "show.status.stop_seen",
    "show.status.stop_unseen", "show.status.support", "show.status.unknown",
    "show.status.withdrawn", "show.status.words",
})  # fmt: skip
"""Texts that are put into words beside those of the table."""

LABELS: Final = label_ids() | {"show.app.link", "show.official.adults", "show.official.minors"}
PUSHED: Final = ("news", "ask.how", "preview", "bland", "stopped", "ask.talk_now")
FIELDS: Final = {
    "case.made.1": {"number", "images"},
    "case.made.1.simple": {"number", "images"},
    "case.wait": {"minutes"},
    "show.directory": {"url"},
    "show.line": {"name", "number"},
    "show.operator": {"operator", "months", "contact"},
    "show.readers.passed": {"service"},
    "show.readers.some": {"partners"},
    "show.web_chat": {"url"},
    "show.status.blocked": {"partner"},
    "show.status.found": {"partner"},
    "show.status.head": {"number", "images"},
    "show.status.looking": {"partner"},
    "show.status.not_blocked": {"partner"},
    "show.status.quiet": {"button"},
    "show.status.shared": {"partner"},
    "show.status.stop_seen": {"partner"},
    "show.status.stop_unseen": {"partner"},
    "take.added": {"images"},
    "take.made": {"number", "images"},
    "take.made.quiet": {"number", "images"},
}

NEVER: Final[dict[Language, tuple[str, ...]]] = {
    "en": (
        r"\bupload", r"porn(?!hub\b)", r"\bvictim", r"\bnude", r"revenge",
        r"(deleted|removed) from the int", r"calm down", r"don't worry", r"you should have",
        r"\bwhy did you", r"connecting you",
        r"tell your parents", r"\bcommit", r"fingerprint",
    ),
    "es": (
        r"\b(re|en)?cog(er|es|e|emos|en|iste|ido|iendo)\b", r"\bacab(ar|as|a|an|aste|ado|é)\b",
        r"\b(venirse|venirte|te vienes|me vengo)\b", r"\bc[oó]rr(o|e|es|en|erse|erte|ete|iste)\b",
        r"\btranquil", r"\bsol[ao]s?\?", r"huella",
        r"\bdenunci\w*(?!\w| en la app| a la policía)", r"porno",
        r"\bsub(ir|es|e|ido|iste|as|a|imos|iendo)\b", r"víctima", r"\bvos(otr|\b)", r"\bos\b",
        r"borrad[ao]s? de internet", r"tus padres", r"por qué l[ao] (enviaste|mandaste)",
        r"\bpreocupad[ao]\b", r"\bsegur[ao] de\b", r"\bjunt[ao]s\b", r"\bbienvenid",
        r"menor de edad",
    ),
    "th": (
        "ใจเย็น", "ไม่เป็นไรนะ", "อย่าคิดมาก", "อย่าคิดสั้น", "พลาด", "หลงเชื่อ", "เหยื่อ", "หนู",
        "ลายนิ้วมือ", "แจ้ง(?!ความ)", "อัปโหลด", "อัพโหลด", "ครับ", "ค่ะ", "คะ", "โป๊", "ลามก",
        "พ่อแม่", "ลบออกจากอินเทอร์เน็ต", "ทำไมถึงส่ง", "ผม", "กรุณา", "ดำเนินการ", "(?<!เ)ท่าน",
    ),
}  # fmt: skip
"""Patterns, by language: blame, promises, gender, words that mean something else elsewhere."""

TELLING: Final = (
    r"(?i)picture|photo|threat|case|code|help"
    "|foto|amenaza|caso|código|ayuda|รูป|ขู่|เคส|รหัส|ช่วย"
)
"""What the first line of a push never holds."""

_QUOTED: Final = {
    "en": r"[Ww]rite “([^”]+)”",
    "es": r"[Ee]scrib(?:e|elo)(?: antes)? «([^»]+)»",
    "th": r"พิมพ์ “([^”]+)”",
}


@cache
def catalog(language: Language, domain: str = "chat") -> Catalog:
    with (LOCALES / language / "LC_MESSAGES" / f"{domain}.po").open("rb") as file:
        return read_po(file, locale=language)


@cache
def texts(language: Language, domain: str = "chat") -> dict[str, str]:
    return {str(one.id): str(one.string) for one in entries(language, domain)}


def entries(language: Language, domain: str = "chat") -> list[Message]:
    return [one for one in catalog(language, domain) if one.id]


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def graphemes(text: str) -> int:
    """Marks and Thai sara am count with their base."""
    return sum(unicodedata.category(one) not in {"Mn", "Mc", "Me"} and one != "ำ" for one in text)


def typed_words(language: Language) -> set[str]:
    """Every word that a text tells the person to write."""
    said = "\n".join(texts(language).values())
    told = set(re.findall(_QUOTED[language], said))
    return told | set(texts(language)["answer.commands"].splitlines()[1].split(" · "))


each = pytest.mark.parametrize("language", LANGUAGES)
both = pytest.mark.parametrize("domain", ["chat", "knowledge"])


@each
def test_every_text_that_may_be_said_is_there_and_no_other(language):
    assert set(texts(language)) == message_ids() | RENDERED
    assert all(text.strip() for text in texts(language).values())


@both
@each
def test_every_text_is_marked_as_reviewed_or_as_waiting_for_it(language, domain):
    marks = ("needs practitioner review", "reviewed by")
    first = {one.id: " ".join(one.auto_comments) for one in entries(language, domain)}
    assert [id for id, note in first.items() if not note.startswith(marks)] == []


@both
@each
def test_texts_stand_sorted_by_id(language, domain):
    ids = [one.id for one in entries(language, domain)]
    assert ids == sorted(ids)


@each
def test_a_text_is_filled_with_what_it_gets_and_nothing_else(language):
    assert {id: fields(text) for id, text in texts(language).items() if fields(text)} == FIELDS


@each
def test_a_label_fits_a_button_of_line(language):
    long = {id: texts(language)[id] for id in LABELS if graphemes(texts(language)[id]) > 20}
    assert long == {}


@each
def test_labels_of_one_question_differ(language):
    for id in LABELS:
        group = id.rpartition(".")[0]
        said = [texts(language)[one] for one in LABELS if one.rpartition(".")[0] == group]
        assert len(set(said)) == len(said), group


@both
@each
def test_words_that_hurt_or_mislead_are_never_said(language, domain):
    found = [
        (id, word)
        for id, text in texts(language, domain).items()
        for word in NEVER[language]
        if re.search(word, text, re.IGNORECASE)
    ]
    assert found == []


@each
def test_numbers_and_links_come_from_the_knowledge_room_alone(language):
    phone, page = (
        r"\d{3,}|\d[\d -]{3,}\d",
        r"https?:|www\.|\b(?!StopNCII\.org)\w+\.(org|com|net|go)\b",
    )
    assert [id for id, text in texts(language).items() if re.search(f"{phone}|{page}", text)] == []


# ---------------------------------------------------------------- the words of the shelf


SHELF_FIELDS: Final = {
    "fact.none": {"name"},
    "hours.5": {"first", "last"},
    "hours.6": {"first", "last"},
    "hours.7": {"first", "last"},
    "hours.always": {"hours"},
    "hours.closed": {"hours"},
    "lists.none": {"name"},
    "platform.mail": {"mail"},
    "shelf.checked": {"month"},
    **{f"lists.minors.{answer}": {"name", "list"} for answer in ("yes", "no", "unknown")},
    **{
        f"lists.adults.{answer}": {"name", "list"} for answer in ("yes", "no", "testing", "unknown")
    },
}
SHELF_PLAIN: Final = {
    "law.none", "law.where", "platform.form", "police.danger", "police.fake", "police.station",
    "tongue.en", "tongue.es", "tongue.th",
}  # fmt: skip


def facts_in_words() -> dict[str, set[str]]:
    """The id of every law and fact that may be shown, and the numbers that the shelf has for it."""
    laws = {f"law.{one.id}": {*one.values} for one in all_laws() if one.sure}
    return laws | {f"fact.{one.id}": {*one.values} for one in all_facts() if one.sure}


@each
def test_the_shelf_has_words_for_what_it_shows_and_for_nothing_else(language):
    steps = {f"platform.{one}" for one in PLATFORMS}
    assert {*texts(language, "knowledge")} == {
        *facts_in_words(),
        *SHELF_FIELDS,
    } | SHELF_PLAIN | steps


@each
def test_every_number_of_a_law_or_fact_is_put_in_from_the_shelf(language):
    said = {id: fields(text) for id, text in texts(language, "knowledge").items() if fields(text)}
    assert said == {id: of for id, of in facts_in_words().items() if of} | SHELF_FIELDS
    digits = [
        id
        for id, text in texts(language, "knowledge").items()
        if re.search(r"\d", text.replace("18", "")) or re.search(r"https?:|www\.|@", text)
    ]
    assert [one for one in digits if one not in SHELF_FIELDS] == []


@each
def test_a_page_button_of_the_shelf_fits_line(language):
    assert graphemes(texts(language, "knowledge")["platform.form"]) <= 20


def test_a_bill_is_never_said_as_law():
    assert [one.id for one in all_laws() if "bill" in one.doubts.casefold() and one.sure] == []
    assert "th.grooming_bill" in {one.id for one in all_laws() if not one.sure}
    for language in LANGUAGES:
        assert "law.th.grooming_bill" not in texts(language, "knowledge")


def test_the_us_law_is_told_apart_from_the_page_of_the_same_name():
    for language in LANGUAGES:
        assert "NCMEC" in texts(language, "knowledge")["law.us.takedown"]


def test_each_button_for_a_platform_says_its_name():
    for card in platforms():
        names = {texts(language)[f"ask.platform.{card.id}"] for language in LANGUAGES}
        assert len(names) == 1
        assert names.pop().split(" (")[0] in card.name


@each
def test_what_a_lock_screen_may_show_says_nothing_c14(language):
    assert [id for id in PUSHED if re.search(TELLING, texts(language)[id])] == []


@both
@each
def test_a_message_stays_short(language, domain):
    long = [id for id, text in texts(language, domain).items() if len(text) > 480]
    assert long == []


@each
def test_every_first_aid_says_what_to_do_when_it_is_someone_close_c5(language):
    way = texts(language)["home.tell"].casefold()
    second = [id for id in texts(language) if re.fullmatch(r"firstaid\.\w+\.2", id)]
    assert len(second) == 7
    assert [id for id in second if way not in texts(language)[id].casefold()] == []


@each
def test_every_word_it_tells_you_to_write_is_understood(language):
    way = texts(language)["home.tell"].casefold()
    deaf = {word for word in typed_words(language) if understand(word, language).command is None}
    assert {word.casefold() for word in deaf} <= {way}


@each
def test_who_can_i_tell_is_understood_wherever_it_is_written_c5(language):
    meaning = understand(texts(language)["home.tell"], language)
    assert PLACES.get(meaning.intent) == "tell"


def test_the_bland_line_is_the_one_of_the_care_page_c9():
    lines = [texts(language)["bland"].rstrip(".") for language in ("th", "en", "es")]
    assert lines == ["โอเค ไว้คุยกันใหม่ได้ทุกเมื่อ", "Okay, talk any time", "Vale, cuando quieras"]


def test_a_language_is_named_by_itself_in_every_language():
    names = [[texts(one)[f"language.{name}"] for name in LANGUAGES] for one in LANGUAGES]
    assert names == [["ภาษาไทย", "English", "Español"]] * 3


@each
def test_a_picture_added_twice_is_met_with_the_same_words_on_the_page_and_in_the_chat(language):
    page = texts(language, "miniapp")["app.problem.already"]
    assert texts(language)["take.already"].startswith(page)
