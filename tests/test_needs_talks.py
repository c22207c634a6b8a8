"""Every need in every language, as someone puts it, and what is said to it.

`tests/transcripts/needs/` has a file a language: under each `== intent` a talk of its own, in the
form of the other golden talks. `SALA_UPDATE=1` writes what Sala says now.
"""

import os
import re
from pathlib import Path
from typing import get_args

import pytest

from bot.conversation.model import Intent
from bot.talk import PROMPT
from tests.test_transcripts import everyday_picture, language_of, talked

NEEDS = Path(__file__).parent / "transcripts" / "needs"
FILES = sorted(NEEDS.glob("*.txt"))
SECTION = re.compile(r"^== (\w+)\n", re.M)


def sections(path: Path) -> dict[str, str]:
    _, *parts = SECTION.split(path.read_text("utf-8"))
    return dict(zip(parts[::2], parts[1::2], strict=True))


TALKS = [(path, need) for path in FILES for need in sections(path)]


@pytest.mark.parametrize(("path", "need"), TALKS, ids=[f"{p.stem}-{n}" for p, n in TALKS])
def test_a_need_is_met_as_it_was_reviewed(
    path: Path, need: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    everyday_picture(tmp_path)
    reviewed = sections(path)[need]
    lines = [line.removeprefix(PROMPT) for line in reviewed.splitlines() if line.startswith(PROMPT)]
    said = talked(lines, language_of(path), tmp_path)
    if os.environ.get("SALA_UPDATE"):
        kept = sections(path) | {need: said}
        path.write_text("".join(f"== {name}\n{talk}" for name, talk in kept.items()), "utf-8")
    assert said == reviewed


@pytest.mark.parametrize("language", ["th", "en", "es"])
def test_no_need_is_left_out(language: str) -> None:
    assert set(sections(NEEDS / f"needs.{language}.txt")) == set(get_args(Intent))
