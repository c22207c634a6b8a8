"""The normal forms that rules are written against.

Spaces, accents, tone marks, repeated letters, digits for letters and chat shorthand must not hide
a word; each form undoes some of them.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from bot.conversation.model import Language
from bot.understanding.tables import table

LIMIT: Final = 20_000
"""Characters of a message that are read."""

_SLANG: Final = table("slang")
_EN: Final[dict[str, str]] = _SLANG["en"]
_ES: Final[dict[str, str]] = _SLANG["es"]
_THAI: Final[tuple[tuple[str, str], ...]] = tuple(_SLANG["th"].items())
_KARAOKE: Final[dict[str, str]] = _SLANG["karaoke"]
_PROOF: Final = frozenset(_KARAOKE) - frozenset(_SLANG["shared"]["words"])

_UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe0e\ufe0f\ufeff]"
)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_THAI_DIGITS: Final = str.maketrans("๐๑๒๓๔๕๖๗๘๙", "0123456789")
_LEET: Final = str.maketrans("01345@7$!", "oieasatsi")
_HAS_THAI: Final = re.compile("[\u0e01-\u0e5b]")


@dataclass(frozen=True, slots=True)
class Forms:
    """One message, six ways. `plain` keeps punctuation; each script has forms of its own."""

    plain: str
    latin: str
    tight: str
    leet: str
    thai: str
    tone: str
    karaoke: bool


def clean(text: str) -> str:
    """What was typed, without what cannot be seen, at most LIMIT characters.

    NUL and lone surrogates become spaces, compatibility letters their plain ones (NFKC).
    """
    text = _SURROGATE.sub(" ", text[:LIMIT].replace("\0", " "))
    return _UNSEEN.sub("", unicodedata.normalize("NFKC", text))[:LIMIT]


def plain(text: str) -> str:
    """Lower case, accents folded, digits Arabic, Thai vowels in order, repeats squeezed."""
    text = text.lower().translate(_THAI_DIGITS).replace("ํา", "ำ").replace("เเ", "แ")
    text = re.sub("([่้๊๋])([ัิีึืุู])", r"\2\1", text)
    text = re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFD", text))
    text = re.sub("[’‘`´']", "", unicodedata.normalize("NFC", text))
    text = re.sub(r"([^\d\s.])\1{2,}", r"\1", text)
    return re.sub(r"\s+", " ", text).strip()


def forms(text: str) -> Forms:
    """The forms of a cleaned text."""
    base = plain(text)
    words = re.findall(r"[a-z0-9]+", base)
    karaoke = _is_karaoke(words)
    latin = _latin(words)
    thai_text = "".join(_KARAOKE.get(word, word) for word in words) if karaoke else base
    thai = _thai(thai_text) if karaoke or _HAS_THAI.search(base) else ""
    return Forms(
        plain=base,
        latin=latin,
        tight="".join(re.findall("[a-z]+", base)) if words else "",
        leet=" " + " ".join(re.findall("[a-z]+", base.translate(_LEET))) + " " if words else "",
        thai=thai,
        tone=re.sub("[่้๊๋์]", "", thai),
        karaoke=karaoke,
    )


def readings(message: Forms, language: Language) -> tuple[str, str]:
    """What a classifier reads of a message: as it was typed, and with shorthand spelt out."""
    return message.plain, _spelt(message, language)


def _spelt(message: Forms, language: Language) -> str:
    if message.karaoke:
        return message.thai.rsplit("\n", 1)[-1]
    if language == "th":
        spelt = message.plain
        for short, full in _THAI:
            spelt = spelt.replace(short, full)
        return spelt
    shorthand = _EN if language == "en" else _ES
    return re.sub("[a-z0-9]+", lambda word: shorthand.get(word[0], word[0]), message.plain)


def _is_karaoke(words: list[str]) -> bool:
    known = sum(word in _KARAOKE for word in words)
    proof = len({word for word in words if word in _PROOF})
    return proof >= 2 and known / len(words) >= 0.6


def _latin(words: list[str]) -> str:
    """The words, then the same with shorthand spelt out, a line for each different reading."""
    if not words:
        return ""
    lines = [" ".join(words)]
    for shorthand in (_EN, _ES):
        line = plain(" ".join(shorthand.get(word, word) for word in words))
        if line not in lines:
            lines.append(line)
    return "\n".join(f" {line} " for line in lines)


def _thai(text: str) -> str:
    """The Thai letters and digits without spaces, then the same with shorthand spelt out."""
    letters = re.sub("[^\u0e01-\u0e5b0-9]+", "", text)
    spelt = text + " "
    for short, full in _THAI:
        spelt = spelt.replace(short, full)
    spelt = re.sub("[^\u0e01-\u0e5b0-9]+", "", spelt)
    return letters if spelt == letters else f"{letters}\n{spelt}"
