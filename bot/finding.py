"""What `sala doctor` finds: a line of plain words, and how to mend what is wrong."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

Grade = Literal["good", "note", "wrong"]
_SIGN: Final[dict[Grade, str]] = {"good": "ok   ", "note": "note ", "wrong": "WRONG"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. Only `wrong` needs mending; `note` should be known."""

    grade: Grade
    about: str
    words: str
    mend: str = ""

    def __str__(self) -> str:
        line = f"{_SIGN[self.grade]} {self.about}: {self.words}"
        return f"{line}\n      → {self.mend}" if self.mend else line


def good(about: str, words: str) -> Finding:
    """It is as it should be."""
    return Finding("good", about, words)


def note(about: str, words: str, mend: str = "") -> Finding:
    """It works, and the operator should know."""
    return Finding("note", about, words, mend)


def wrong(about: str, words: str, mend: str) -> Finding:
    """It must be mended."""
    return Finding("wrong", about, words, mend)


def or_good(found: Iterable[Finding], about: str, words: str) -> list[Finding]:
    """What was found, or that all is well."""
    return list(found) or [good(about, words)]
