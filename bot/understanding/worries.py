"""Hears worries that have an answer of their own. The phrases are data/worries.toml."""

from typing import Final, get_args

from bot.conversation.model import Worry
from bot.understanding.forms import Forms
from bot.understanding.seen import asks_who_sees
from bot.understanding.tables import Patterns, table

READ: Final = 1_000
"""Characters of a form in which worries are looked for."""


def worry(message: Forms) -> Worry | None:
    """The worry that the message holds, the first of several."""
    if asks_who_sees(message):
        return "seen"
    latin = [line.strip() for line in message.latin[:READ].split("\n")]
    thai = message.thai[:READ].split("\n")
    for name in _NAMES:
        texts = {"latin": latin, "thai": thai}
        if any(
            one.search(line) for form in texts for one in _SAID[name][form] for line in texts[form]
        ):
            return name
    return None


_TABLE: Final = table("worries")
_NAMES: Final[tuple[Worry, ...]] = tuple(one for one in get_args(Worry) if one in _TABLE)
_SAID: Final = {
    name: {form: Patterns(_TABLE[name][form]) for form in ("latin", "thai")} for name in _NAMES
}
