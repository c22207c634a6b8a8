"""Hears that the writer is being threatened with pictures, whatever else the message says.

It is what most people come with, often in few words and without the demand; and who is threatened
must never be taken for the one who threatens. The phrases are data/threats.toml.
"""

from typing import Final, Literal

from bot.understanding.forms import Forms
from bot.understanding.tables import Patterns, table

Threat = Literal["money", "more", "bare"]
"""For money, for more pictures or sex, or without a demand that was told."""
READ: Final = 1_000
"""Characters of a form in which threats are looked for."""


def threat(message: Forms) -> Threat | None:
    """What is demanded of the writer under a threat; None where nobody threatens the writer."""
    if not _says("threat", message) or _says("unless", message):
        return None
    if _says("money", message):
        return "money"
    return "more" if _says("more", message) else "bare"


def of_writer(message: Forms) -> bool:
    """Whether the message says that it is the writer who is threatened, or whose pictures it is."""
    return _says("mine", message)


def own(message: Forms) -> bool:
    """Whether the message is of the writer's own affair, or of whoever did it: nobody is helped."""
    return _says("own", message)


def posted(message: Forms) -> bool:
    """Whether the message says that it has happened already."""
    return _says("posted", message)


def unpaid(message: Forms) -> bool:
    """Whether the message says that nothing was paid so far."""
    return _says("unpaid", message)


def _says(name: str, message: Forms) -> bool:
    latin, thai = message.latin[:READ].split("\n"), message.thai[:READ].split("\n")
    said = _SAID[name]
    return any(one.search(line) for one in said["latin"] for line in latin) or any(
        one.search(line) for one in said["thai"] for line in thai
    )


_TABLE: Final = table("threats")
_SAID: Final = {
    name: {form: Patterns(row[form]) for form in ("latin", "thai")} for name, row in _TABLE.items()
}
