"""Hears distress that asks nothing, and "what do I do now?". The phrases are data/feelings.toml."""

from typing import Final, Literal

from bot.understanding.forms import Forms
from bot.understanding.tables import Patterns, table

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


def fears(message: Forms) -> bool:
    """Whether something is feared that has not happened: that a picture may spread."""
    texts = {"latin": message.latin[:READ], "thai": message.thai[:READ]}
    return any(one.search(text) for script, text in texts.items() for one in _FEARS[script])


def rues(message: Forms) -> bool:
    """Whether someone is sorry, in trouble or was forced: they are not to be told off."""
    texts = {"latin": message.latin[:READ], "thai": message.thai[:READ]}
    return any(one.search(text) for script, text in texts.items() for one in _RUES[script])


_TABLE: Final = table("feelings")
_RUES: Final = {script: Patterns(_TABLE["rues"][script]) for script in ("latin", "thai")}
_FEARS: Final = {script: Patterns(_TABLE["fears"][script]) for script in ("latin", "thai")}
_SAID: Final = {
    name: {script: Patterns(_TABLE[name][script]) for script in ("latin", "thai")}
    for name in _ORDER
}
