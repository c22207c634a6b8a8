"""What people say instead of a label: phrases that mean an option at one question and nowhere else.

The phrases are data/answers.toml, and each must be the whole message but for courtesies.
"""

import re
from typing import Final, Literal

from bot.understanding.forms import Forms, clean, forms
from bot.understanding.tables import table

Script = Literal["latin", "thai"]
READ: Final = 120
"""A longer message is a story, not an answer."""


def picked(node: str, text: str) -> str | None:
    """The value of the option that `text` means at the question `node`; None for a question."""
    if node not in _PICKS or len(text) > READ or asks(text):
        return None
    message = forms(clean(text))
    return next((value for value, said in _PICKS[node] if _says(message, said)), None)


def asks(text: str) -> bool:
    """Whether the message is a question by its mark, or by the Thai word that ends one."""
    return bool(re.search(r"[?？]|(?:ไหม|มั้ย|หรอ|เหรอ|หรือเปล่า)(?:คะ|ครับ|ค่ะ)?\s*$", text))


def denies(text: str) -> bool:
    """Whether the message holds a negation."""
    message = forms(clean(text))
    return bool(_NOT["latin"].search(message.latin) or _NOT["thai"].search(message.thai))


def _says(message: Forms, said: dict[Script, re.Pattern[str]]) -> bool:
    latin = (_POLITE.sub(" ", line).strip() for line in message.latin.split("\n"))
    thai = (_COURTESY.sub("", line) for line in message.thai.split("\n"))
    return any(line and said["latin"].fullmatch(line) for line in latin) or any(
        line and said["thai"].fullmatch(line) for line in thai
    )


def _compiled(node: str, value: str) -> dict[Script, re.Pattern[str]]:
    around, said = _TABLE[node]["around"], _TABLE[node][value]
    scripts: tuple[Script, Script] = ("latin", "thai")
    return {
        script: re.compile(rf"{around[script]}(?:(?:{'|'.join(said[script])})(?: |$)?){{1,2}}")
        for script in scripts
    }


_TABLE: Final = table("answers")
_PICKS: Final = {
    node: tuple((value, _compiled(node, value)) for value in row if value != "around")
    for node, row in _TABLE.items()
}
_WORDS: Final = table("words")["polite"]
_POLITE: Final = re.compile(rf"(?:^ ?|(?<= ))(?:{'|'.join(_WORDS['latin'])})(?= |$)")
_COURTESY: Final = re.compile(rf"(?:{'|'.join(_WORDS['thai'])})+$")
_NOT: Final = {
    "latin": re.compile(r"\b(?:no|not|dont|do not|cant|wont|never|nor|ni|nunca|tampoco|sin)\b"),
    "thai": re.compile("ไม่|อย่า|ยังก่อน"),
}
