"""Talks that go astray: asked in the middle of a form, panicked, insulted, come back next day.

In `tests/transcripts/wander/`, in the form of the other golden talks; each ends in its right place.
"""

import os
from pathlib import Path

import pytest

from bot.talk import PROMPT
from tests.test_transcripts import everyday_picture, language_of, talked

TALKS = sorted((Path(__file__).parent / "transcripts" / "wander").glob("*.txt"))


@pytest.mark.parametrize("path", TALKS, ids=lambda path: path.stem)
def test_a_talk_that_wanders_arrives_as_it_was_reviewed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    everyday_picture(tmp_path)
    reviewed = path.read_text("utf-8")
    lines = [line.removeprefix(PROMPT) for line in reviewed.splitlines() if line.startswith(PROMPT)]
    said = talked(lines, language_of(path), tmp_path)
    if os.environ.get("SALA_UPDATE"):
        path.write_text(said, "utf-8")
    assert said == reviewed


def test_ten_talks_wander_in_every_language() -> None:
    assert sorted({language_of(path) for path in TALKS}) == ["en", "es", "th"]
    assert len(TALKS) == 30
