"""Tells who wants to die apart from who writes. The phrases are data/others.toml."""

from dataclasses import replace
from typing import Final

from bot.understanding.alarms import signs
from bot.understanding.forms import Forms
from bot.understanding.tables import Patterns, table


def of_other(message: Forms) -> bool:
    """Whether all certain signs of self-harm in a message are of someone close to the writer."""
    if not _hears(message) or any(one.search(message.latin) for one in _UNLESS["latin"]):
        return False
    if any(one.search(message.thai) for one in _UNLESS["thai"]):
        return False
    return not _hears(_without_others(message))


def _hears(message: Forms) -> bool:
    return any(one.kind == "self_harm" and one.tier == "hard" for one in signs(message))


def _without_others(message: Forms) -> Forms:
    """The message without what is said of others; of the derived forms, those still true."""
    latin, thai = message.latin, message.thai
    for one in _SAID["latin"]:
        latin = one.sub(" ~", latin)
    for one in _SAID["thai"]:
        thai = one.sub("~", thai)
    if latin != message.latin:
        message = replace(message, latin=latin, tight="", leet="")
    return message if thai == message.thai else replace(message, thai=thai, tone="")


_TABLE: Final = table("others")
_SAID: Final = {form: Patterns(_TABLE["said"][form]) for form in ("latin", "thai")}
_UNLESS: Final = {form: Patterns(_TABLE["unless"][form]) for form in ("latin", "thai")}
