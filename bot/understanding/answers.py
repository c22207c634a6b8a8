"""What people say instead of a label: phrases that mean an option at one question and nowhere else.

The phrases are data/answers.toml, and each must be the whole message but for courtesies.
"""

import re
from functools import cache
from typing import Final, Literal

from bot.understanding.countries import names
from bot.understanding.forms import Forms, clean, forms
from bot.understanding.tables import table

Script = Literal["latin", "thai"]
LITTLE: Final = frozenset(table("words")["little"]["thai"])
"""Thai words that name no choice, though they stand in many labels."""
READ: Final = 120
"""A longer message is a story, not an answer."""


def picked(node: str, text: str) -> str | None:
    """The value of the option that `text` means at the question `node`; None for a question."""
    if node not in _PICKS or len(text) > READ or asks(text):
        return None
    message = forms(clean(text))
    value = next((value for value, said in _PICKS[node] if _says(message, said)), None)
    if value is None and node == _COUNTRY and _says(message, _elsewhere()):
        return "ZZ"  # only a name is one: the lines of those that are likely must not vanish (C8)
    return value


def asks(text: str) -> bool:
    """Whether the message is a question by its mark, or by the Thai word that ends one."""
    return bool(re.search(r"[?？]|(?:ไหม|มั้ย|หรอ|เหรอ|หรือเปล่า)(?:คะ|ครับ|ค่ะ)?\s*$", text))


def denies(text: str) -> bool:
    """Whether the message holds a negation."""
    message = forms(clean(text))
    return bool(_NOT["latin"].search(message.latin) or _NOT["thai"].search(message.thai))


def only_here(text: str) -> bool:
    """Whether this yes is one to "is it there?" or "only you?", and agrees to nothing."""
    return forms(clean(text)).thai in _HERE


def _says(message: Forms, said: dict[Script, re.Pattern[str]]) -> bool:
    latin = (_POLITE.sub(" ", line).strip() for line in message.latin.split("\n"))
    thai = (_COURTESY.sub("", line) for line in message.thai.split("\n"))
    return any(line and said["latin"].fullmatch(line) for line in latin) or any(
        line and said["thai"].fullmatch(line) for line in thai
    )


@cache
def _elsewhere() -> dict[Script, re.Pattern[str]]:
    """Any country's name, said as one that is offered would be."""
    scripts: tuple[Script, Script] = ("latin", "thai")
    around, more = _TABLE[_COUNTRY]["around"], _TABLE[_COUNTRY]["ZZ"]
    named = {one: "|".join(map(re.escape, sorted(names()[one]))) for one in scripts}
    return {
        one: re.compile(rf"{around[one]}(?:{'|'.join(more[one])}|{named[one]})(?: |$)")
        for one in scripts
    }


def _compiled(node: str, value: str) -> dict[Script, re.Pattern[str]]:
    around, said = _TABLE[node]["around"], _TABLE[node][value]
    scripts: tuple[Script, Script] = ("latin", "thai")
    return {
        script: re.compile(rf"{around[script]}(?:(?:{'|'.join(said[script])})(?: |$)?){{1,2}}")
        for script in scripts
    }


_COUNTRY: Final = "ask.country"
_TABLE: Final = table("answers")
_PICKS: Final = {
    node: tuple((value, _compiled(node, value)) for value in row if value not in {"around", "ZZ"})
    for node, row in _TABLE.items()
}
_WORDS: Final = table("words")["polite"]
_POLITE: Final = re.compile(rf"(?:^ ?|(?<= ))(?:{'|'.join(_WORDS['latin'])})(?= |$)")
_COURTESY: Final = re.compile(rf"(?:{'|'.join(_WORDS['thai'])})+$")
_HERE: Final = frozenset(table("words")["answers_here"]["thai"])
_NOT: Final = {
    "latin": re.compile(r"\b(?:no|not|dont|do not|cant|wont|never|nor|ni|nunca|tampoco|sin)\b"),
    "thai": re.compile("ไม่|อย่า|ยังก่อน"),
}
