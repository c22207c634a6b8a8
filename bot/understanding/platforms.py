"""Hears the name of an app or a site, nicknames too (data/platforms.toml)."""

import re
from collections.abc import Iterator
from typing import Final

from bot.conversation.shows import PLATFORMS, Platform
from bot.understanding.forms import Forms, plain
from bot.understanding.tables import table

Names = tuple[re.Pattern[str], ...]


def platform(message: Forms) -> Platform | None:
    """The platform that a message names; of several the one named first, None for none."""
    alone = _COURTESY.sub("", message.plain).strip(" .!")
    for name in _NAMED:
        if alone in _WHOLE[name]:
            return name
    found = [(at, rank, name) for rank, name in enumerate(_NAMED) for at in _places(message, name)]
    return min(found)[2] if found else None


def _places(message: Forms, name: Platform) -> Iterator[float]:
    """Where it is named, as a share of the words or letters."""
    latin, thai = message.latin.split("\n")[0], message.thai.split("\n")[0]
    for text, pattern in ((latin, _LATIN[name]), (thai, _THAI[name])):
        hit = pattern.search(text)
        if hit:
            yield hit.start() / len(text)


def _joined(sources: list[str]) -> str:
    return "|".join(f"(?:{one})" for one in sources) or "(?!)"


_TABLE: Final = table("platforms")
_NAMED: Final[tuple[Platform, ...]] = tuple(name for name in _TABLE if name in PLATFORMS)
_LATIN: Final = {n: re.compile(rf"\b(?:{_joined(_TABLE[n]['latin'])})\b") for n in _NAMED}
_THAI: Final = {n: re.compile(_joined(_TABLE[n]["thai"])) for n in _NAMED}
_WHOLE: Final = {name: frozenset(map(plain, _TABLE[name]["whole"])) for name in _NAMED}
_COURTESY: Final = re.compile(
    r"(?: ?(?:นะ|ครับ|ค่ะ|คะ|จ้า|please|pls|por favor|app|แอป))+$|^(?:แอป|app) ?"
)
