"""Guesses what a message is about, from the phrases in data/intents.toml.

A first guess only: 0.9 for a phrase that leaves no doubt, 0.7 for a usual one, 0.4 for a hint.
"""

from dataclasses import dataclass
from typing import Final, cast, get_args

from bot.conversation.model import Intent
from bot.understanding.forms import Forms
from bot.understanding.tables import Patterns, patterns, table

Guess = tuple[Intent, float]
READ: Final = 2_000
"""Characters of a form in which phrases are looked for."""
MORE: Final = 0.02
"""What each further phrase adds."""
_WEIGHTS: Final = (("strong", 0.9), ("usual", 0.7), ("weak", 0.4))


@dataclass(frozen=True, slots=True)
class _Phrases:
    intent: Intent
    weight: float
    latin: Patterns
    thai: Patterns


def guesses(message: Forms) -> tuple[Guess, ...]:
    """Every intent with a phrase in the message, the likeliest first, then by the table's order."""
    latin, thai = message.latin[:READ], message.thai[:READ]
    best: dict[Intent, float] = {}
    for phrases in _PHRASES:
        hits = sum(bool(latin and pattern.search(latin)) for pattern in phrases.latin)
        hits += sum(bool(thai and pattern.search(thai)) for pattern in phrases.thai)
        if hits:
            score = min(phrases.weight + MORE * (hits - 1), phrases.weight + 3 * MORE)
            best[phrases.intent] = max(best.get(phrases.intent, 0.0), round(score, 2))
    return tuple(sorted(best.items(), key=lambda guess: -guess[1]))


def _phrases() -> tuple[_Phrases, ...]:
    rows = []
    for name, row in table("intents").items():
        if name not in get_args(Intent):
            raise ValueError("data/intents.toml names an unknown intent")
        for level, weight in _WEIGHTS:
            said = row.get(level, {})
            latin = patterns([*said.get("en", ()), *said.get("es", ())])
            if latin or said.get("th"):
                thai = patterns(said.get("th", ()))
                rows.append(_Phrases(cast(Intent, name), weight, latin, thai))
    return tuple(rows)


_PHRASES: Final = _phrases()
