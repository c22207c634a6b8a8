"""Hears distress that asks nothing, and "what do I do now?". The phrases are data/feelings.toml."""

from typing import Final, Literal

from bot.understanding.forms import Forms
from bot.understanding.tables import patterns, table

Feeling = Literal["distress", "what_now"]
READ: Final = 1_000
"""Characters of a form in which feelings are looked for."""
_ORDER: Final[tuple[Feeling, Feeling]] = ("what_now", "distress")


def feeling(message: Forms) -> Feeling | None:
    """What the message feels; a question what to do goes before distress."""
    latin = [line.strip() for line in message.latin[:READ].split("\n")]
    thai = message.thai[:READ].split("\n")
    for name in _ORDER:
        found = _SAID[name]
        if any(one.search(line) for one in found["latin"] for line in latin):
            return name
        if any(one.search(line) for one in found["thai"] for line in thai):
            return name
    return None


_TABLE: Final = table("feelings")
_SAID: Final = {
    name: {script: patterns(_TABLE[name][script]) for script in ("latin", "thai")}
    for name in _ORDER
}
