"""Tells who asks who can see this from who is seen now: a question alone is no reader beside.

The phrases are data/seen.toml, and each must be the whole message.
"""

import re
from typing import Final, Literal

from bot.understanding.forms import Forms
from bot.understanding.tables import Patterns, table

Script = Literal["latin", "thai"]
READ: Final = 120
"""A longer message is a story, not a question."""


def asks_who_sees(message: Forms) -> bool:
    """Whether the message asks who sees or reads what is written here, and says nothing else."""
    marked = "?" in message.plain and _whole(message, "marked", "latin")
    return marked or _whole(message, "asks", "latin") or _whole(message, "asks", "thai")


def alone(message: Forms) -> bool:
    """Whether the message says no more than that whoever did it is gone, that the writer would
    rather not speak aloud, or "who are you?"."""
    scripts: tuple[Script, Script] = ("latin", "thai")
    return any(_whole(message, name, one) for name in ("gone", "aloud", "who") for one in scripts)


def puzzled(message: Forms) -> bool:
    """Whether the message says no more than that something was not understood."""
    return _whole(message, "puzzled", "latin") or _whole(message, "puzzled", "thai")


def _whole(message: Forms, name: str, script: Script) -> bool:
    lines = getattr(message, script).split("\n")
    other = message.thai if script == "latin" else message.latin
    if other or len(message.plain) > READ:
        return False
    return any(one.fullmatch(line.strip()) for line in lines if line for one in _SAID[name][script])


def _filled(sources: list[str], parts: dict[str, str]) -> Patterns:
    """The patterns with their parts, which may name parts of their own."""
    return Patterns(re.sub(_PART, lambda one: _part(one[1], parts), source) for source in sources)


def _part(name: str, parts: dict[str, str]) -> str:
    return re.sub(_PART, lambda one: _part(one[1], parts), parts[name])


_PART: Final = re.compile(r"\{([a-z]+)\}")
_TABLE: Final = table("seen")
_SAID: Final[dict[str, dict[Script, Patterns]]] = {
    name: {
        "latin": _filled(row.get("latin", []), _TABLE["parts"]),
        "thai": _filled(row.get("thai", []), _TABLE["parts"]),
    }
    for name, row in {
        "asks": _TABLE["asks"],
        "marked": {"latin": _TABLE["asks"]["marked"]},
        "gone": _TABLE["gone"],
        "aloud": _TABLE["aloud"],
        "who": _TABLE["who"],
        "puzzled": _TABLE["puzzled"],
    }.items()
}
