"""Reads the small words: which language this is, global words, yes and no, a language asked for."""

import re
from typing import Final, Literal, get_args

from bot.conversation.model import LANGUAGES, Command, Intent, Language
from bot.understanding.forms import Forms, plain
from bot.understanding.heads import likely_language
from bot.understanding.tables import Patterns, table

Answer = Literal["yes", "no", "unsure"]

_TABLE: Final = table("words")
_LINK: Final = re.compile(
    r"(?:https?://|www\.)\S+|\S+@\S+|\b\S+\.(?:com|org|net|me|co|th|es|mx)\b\S*"
)


def language(text: str, message: Forms, hint: Language | None) -> Language | None:
    """The language of a cleaned text; `hint` where it cannot be told, and None without one."""
    thai = len(re.findall("[\u0e01-\u0e5b]", text[:_READ]))
    latin = len(re.findall("[A-Za-z]", _LINK.sub(" ", text[:_READ])))
    if message.karaoke or (thai >= 2 and thai * 3 >= latin):
        return "th"
    words = re.findall("[a-z]+", _LINK.sub(" ", message.plain[:_READ]))
    if any(word in _HINTS["th"] for word in words):
        return "th"
    if len(words) >= _TELLING:
        likely, sure = likely_language((message.plain[:_READ],))
        return likely if sure >= _SURE or hint is None else hint
    return _english_or_spanish(text[:_READ], words, hint)


def command(message: Forms) -> Command | None:
    """The global word this message is; None when it says anything more."""
    return _COMMANDS.get(_core(message.plain))


def phrase(message: Forms) -> Intent | None:
    """The need that this message is the very words for, which Sala's texts name."""
    return _PHRASES.get(_core(message.plain))


def answer(message: Forms) -> Answer | None:
    """Yes, no or unsure, when the message is that, or begins with it and a comma."""
    whole = _core(message.plain)
    first = _core(message.plain.split(",", 1)[0])
    return _ANSWERS.get(whole) or (_ANSWERS.get(first) if len(message.plain) <= 60 else None)


def named_language(message: Forms) -> Language | None:
    """A language asked for by its name, and not one that is said not to be understood."""
    if len(message.plain) > 80:
        return None
    latin, thai = message.latin.split("\n", 1)[0].strip(), message.thai.split("\n", 1)[0]
    return _asked(latin, "latin") or _asked(thai, "thai")


def _english_or_spanish(text: str, words: list[str], hint: Language | None) -> Language | None:
    telling = [word for word in words if word not in _SHARED]
    if not telling:
        return hint
    score = sum(_lean(word) for word in telling) + (6 if re.search("[ñÑ¿¡]", text) else 0)
    score += 3 if re.search("[áéíóúÁÉÍÓÚ]", text) else 0
    if abs(score) < (2 if hint else 1):
        return hint
    return "es" if score > 0 else "en"


def _lean(word: str) -> float:
    """Above zero for Spanish, below for English."""
    known = (word in _HINTS["es"]) - (word in _HINTS["en"])
    if known or word in _HINTS["es"]:
        return 3 * known
    padded = f"{word} "
    return 0.5 * (
        any(part in padded for part in _TABLE["hints"]["es_parts"])
        - any(part in padded for part in _TABLE["hints"]["en_parts"])
    )


def _core(text: str) -> str:
    """What is left of a short message without a slash, marks and courtesies."""
    if len(text) > 80:
        return ""
    text = re.sub(r"[^a-z0-9\u0e01-\u0e5b ]+", " ", text)
    text = re.sub(r"\s+", " ", text).strip()
    shorter = _POLITE.sub("", text).strip()
    known = text in _COMMANDS or text in _ANSWERS or text in _PHRASES
    return text if known or not shorter else shorter


def _asked(text: str, script: Literal["latin", "thai"]) -> Language | None:
    if not text or _NOT_ASKED[script].search(text):
        return None
    for language_ in LANGUAGES:
        if any(pattern.search(text) for pattern in _ASKING[script][language_]):
            return language_
    return None


def _asking(script: Literal["latin", "thai"]) -> dict[Language, Patterns]:
    return {
        name: Patterns(
            source.replace("L", f"(?:{'|'.join(_TABLE['names'][name])})")
            for source in _TABLE["asking"][script]
        )
        for name in LANGUAGES
    }


def _commands() -> dict[str, Command]:
    return {plain(word): name for name in get_args(Command) for word in _TABLE["commands"][name]}


def _phrases() -> dict[str, Intent]:
    said = _TABLE["phrases"]
    return {plain(one): need for need in get_args(Intent) for one in said.get(need, ())}


def _answers() -> dict[str, Answer]:
    return {plain(word): name for name in get_args(Answer) for word in _TABLE["answers"][name]}


_READ: Final = 2_000
_TELLING: Final = 3
"""Words that tell a language by their letters."""
_SURE: Final = 0.6
_HINTS: Final = {name: frozenset(_TABLE["hints"][name]) for name in LANGUAGES}
_SHARED: Final = frozenset(_TABLE["hints"]["shared"])
_COMMANDS: Final = _commands()
_PHRASES: Final = _phrases()
_ANSWERS: Final = _answers()
_POLITE: Final = re.compile(
    rf"(?:^|(?<= ))(?:{'|'.join(_TABLE['polite']['latin'])})(?: |$)"
    rf"|(?:{'|'.join(_TABLE['polite']['thai'])})+ ?$"
)
_ASKING: Final = {"latin": _asking("latin"), "thai": _asking("thai")}
_NOT_ASKED: Final = {
    "latin": re.compile(_TABLE["asking"]["not_latin"]),
    "thai": re.compile(_TABLE["asking"]["not_thai"]),
}
