"""Golden talks: whole conversations through `sala talk`, in words a lawyer or counsellor can read.

Lines that begin with `> ` are the person's. `SALA_UPDATE=1` writes what Sala says now; read the
difference before it is committed. The state is serialised, sealed and re-read between all turns.
"""

import asyncio
import os
import re
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bot.app import open_sala
from bot.conversation.model import Language
from bot.settings import read_settings
from bot.talk import PROMPT, talk

TALKS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))
REVIEWED = datetime(2026, 11, 23, 5, tzinfo=UTC)
"""The day the help lines in these talks were fresh."""
NUMBER = re.compile(r"\b[A-Z][0-9A-Z]{2}-[0-9A-Z]{3}-[0-9A-Z]{3}\b")
PIN = re.compile(r"(PIN: )[0-9]{6}")
TICKET = re.compile(r"(#[a-z]{2}-(?:pin-)?)[0-9a-f]{32}")


def language_of(path: Path) -> Language:
    return path.stem.rpartition(".")[2]  # type: ignore[return-value]  # a Language by the name


def same_each_time(said: str) -> str:
    """A talk without what chance made: case number, PIN, ticket."""
    named = NUMBER.sub("AAA-AAA-AAA", said)
    return TICKET.sub(r"\g<1>(ticket)", PIN.sub(r"\g<1>000000", named))


def everyday_picture(folder: Path) -> None:
    chance = np.random.default_rng(7)
    small = Image.fromarray(chance.integers(0, 256, (9, 12, 3), np.uint8))
    small.resize((800, 600), Image.Resampling.BICUBIC).save(folder / "garden.jpg")
    (folder / "notes.jpg").write_text("this is no picture")


def talked(lines: list[str], language: Language, folder: Path) -> str:
    out = StringIO()

    async def whole() -> None:
        settings = read_settings({"SALA_DATA_DIR": str(folder / "data")}, folder / ".env")
        async with open_sala(settings, lambda: REVIEWED) as sala:
            await talk(sala, language, lines, lambda text: out.write(text + "\n"))

    asyncio.run(whole())
    return same_each_time(out.getvalue())


@pytest.mark.parametrize("path", TALKS, ids=lambda path: path.stem)
def test_a_talk_goes_as_it_was_reviewed(
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


def test_there_are_talks_for_every_situation_and_language() -> None:
    names = [path.stem for path in TALKS]
    for language in ("th", "en", "es"):
        for situation in ("money", "more", "posted", "afraid", "ai", "other", "danger"):
            assert f"{situation}.{language}" in names
