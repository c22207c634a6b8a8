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
STRONG: Final = 0.9
_WEIGHTS: Final = (("strong", STRONG), ("usual", 0.7), ("weak", 0.4))


@dataclass(frozen=True, slots=True)
class _Phrases:
    intent: Intent
    weight: float
    latin: Patterns
    thai: Patterns


def guesses(message: Forms) -> tuple[Guess, ...]:
    """Every intent with a phrase in the message, the likeliest first, then by the table's order."""
    whole = message.latin[:READ], message.thai[:READ]
    unfeared = _cut(_FEARS[0], whole[0]), _cut(_FEARS[1], whole[1])
    best: dict[Intent, float] = {}
    for phrases in _PHRASES:
        latin, thai = unfeared if phrases.intent in _FEARED else whole
        hits = sum(bool(latin and pattern.search(latin)) for pattern in phrases.latin)
        hits += sum(bool(thai and pattern.search(thai)) for pattern in phrases.thai)
        if hits:
            score = min(phrases.weight + MORE * (hits - 1), phrases.weight + 3 * MORE)
            best[phrases.intent] = max(best.get(phrases.intent, 0.0), round(score, 2))
    return _won(sorted(best.items(), key=lambda guess: -guess[1]))


def fears(message: Forms) -> bool:
    """Whether something is feared that has not happened: that a picture may spread."""
    texts = message.latin[:READ], message.thai[:READ]
    return any(_cut(found, text) != text for found, text in zip(_FEARS, texts, strict=True))


def _won(found: list[Guess]) -> tuple[Guess, ...]:
    """The guesses, with a strong one before those that the table says it goes before."""
    for winner, losers in _WINS.items():
        score = dict(found).get(cast(Intent, winner), 0.0)
        if found and score >= STRONG and found[0][0] in losers:
            best = (cast(Intent, winner), found[0][1])
            return best, *(one for one in found if one[0] != winner)
    return tuple(found)


def _cut(found: Patterns, text: str) -> str:
    for pattern in found:
        text = pattern.sub(" ~ ", text)
    return text


def _phrases() -> tuple[_Phrases, ...]:
    rows = []
    for name, row in _TABLE.items():
        if name not in get_args(Intent):
            raise ValueError("data/intents.toml names an unknown intent")
        for level, weight in _WEIGHTS:
            said = row.get(level, {})
            latin = patterns([*said.get("en", ()), *said.get("es", ())])
            if latin or said.get("th"):
                thai = patterns(said.get("th", ()))
                rows.append(_Phrases(cast(Intent, name), weight, latin, thai))
    return tuple(rows)


_TABLE: Final = table("intents")
_WINS: Final[dict[str, list[str]]] = _TABLE.pop("wins")
_FEARED: Final[frozenset[str]] = frozenset(_TABLE["fears"]["of"])
_FEARS: Final = tuple(patterns(_TABLE["fears"][script]) for script in ("latin", "thai"))
del _TABLE["fears"]
_PHRASES: Final = _phrases()
