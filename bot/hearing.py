"""The ear by itself, as `sala understand` shows it: lines in, what was understood out."""

import json
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from bot.conversation.model import Meaning
from bot.understanding import understand
from bot.understanding.evaluation import YEAR, evaluate


def heard(lines: Iterable[str], year: int) -> Iterator[str]:
    """A JSON object for each line."""
    for line in lines:
        yield json.dumps(plain(understand(line.rstrip("\r\n"), year=year)), ensure_ascii=False)


def evaluated(folder: Path) -> Iterator[str]:
    """The report on a set. OSError; BadUtterances."""
    return evaluate(folder, partial(understand, year=YEAR))


def plain(meaning: Meaning) -> dict[str, object]:
    """What was understood, as JSON holds it."""
    alarm = meaning.alarm
    return {
        "language": meaning.language,
        "intent": meaning.intent,
        "confidence": meaning.confidence,
        "alternatives": [
            {"intent": intent, "confidence": chance} for intent, chance in meaning.alternatives
        ],
        "alarm": alarm and {"kind": alarm.kind, "tier": alarm.tier},
    }
