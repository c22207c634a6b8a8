"""Messages with their labels, as text a counsellor can read and correct.

`== intent` (or `== intent plain`, a group of its own in a report) begins a section; each further
line is a message; ` || other` after it names another label that is just as right; `#` begins a
remark. `none` marks what looks like an alarm and is none.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

from bot.conversation.model import Alarm, Intent, Language

NONE: Final = "none"
LABELS: Final = frozenset({*get_args(Intent), NONE})
ALARMS: Final[tuple[Alarm, ...]] = get_args(Alarm)


@dataclass(frozen=True, slots=True)
class Utterance:
    """A message, its label, the labels that are right, and its section's group."""

    text: str
    label: str
    right: frozenset[str]
    language: Language
    group: str = ""


class BadUtterances(ValueError):
    """A file is not in this form; the line's number says where."""


def read_utterances(path: Path, language: Language) -> tuple[Utterance, ...]:
    """The messages of a file. OSError; BadUtterances."""
    found: list[Utterance] = []
    label = group = ""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        said = line.strip()
        if said.startswith("== "):
            label, _, group = said.removeprefix("== ").partition(" ")
            _known([label], path, number)
        elif said and not said.startswith("#"):
            text, *others = (part.strip() for part in said.split(" || "))
            _known([label, *others], path, number)
            found.append(Utterance(text, label, frozenset({label, *others}), language, group))
    return tuple(found)


def _known(labels: Iterable[str], path: Path, number: int) -> None:
    if not LABELS.issuperset(labels):
        raise BadUtterances(f"{path.name}, line {number}: no such label")
