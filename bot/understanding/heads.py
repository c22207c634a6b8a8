"""What was learned from the utterances: which intent, which sign of danger, which language.

Linear heads over what the sentence means (encoder.py) and its letter sequences (grams.py). There
are two of each: with the encoder, and by letters alone, for machines that cannot run it.
`learning.py` makes data/heads.npz; a file that is missing or broken raises here at import.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from bot.conversation.model import Alarm, Intent, Language
from bot.log import log, where
from bot.understanding.alarms import HEARD
from bot.understanding.encoder import Encode, Vector
from bot.understanding.grams import counted
from bot.understanding.utterances import ALARMS, NONE

Floats = NDArray[np.float32]
CHUNK: Final = 300
"""Characters that the encoder reads at once; its cost grows faster than the length."""
CHUNKS: Final = 4
READ: Final = 600
"""Characters of which the clauses are heard."""
LEAST: Final = 8
MOST: Final = 5
"""Clauses that are heard one by one: of so many characters at least, so many of the first."""
CLEAR: Final = 0.7
AMONG: Final = 6
"""A clause must be so sure of a need, and the need be among the whole message's likeliest."""
EASE: Final = 0.1
"""Added to the likeliest need, so that a message that says nothing clearly rings no alarm."""
_NOT_NEEDS: Final = frozenset({*ALARMS, NONE})
_CLAUSE: Final = re.compile(r"[.,;:!?…\n]+|\b(?:and|but|y|pero|tambien)\b|แล้วก็|และ|แต่")


@dataclass(frozen=True, slots=True)
class Sparse:
    """Letter sequences of a message: buckets, and their weights as a vector of length 1."""

    places: NDArray[np.int64]
    weights: Floats


@dataclass(frozen=True, slots=True)
class Head:
    """One question, answered with probabilities over `names`."""

    names: tuple[str, ...]
    grams: NDArray[np.int8]
    scale: Floats
    bias: Floats
    heat: float
    """Scores are divided by this before they become probabilities (calibration)."""
    dense: Floats | None = None

    def judge(self, sparse: Sparse, vector: Vector | None = None) -> Floats:
        """Probabilities, in the order of `names`."""
        scores = sparse.weights @ self.grams[sparse.places].astype(np.float32)
        scores = scores * self.scale + self.bias
        if self.dense is not None and vector is not None:
            scores = scores + vector @ self.dense
        scores = np.exp((scores - scores.max()) / self.heat)
        return cast(Floats, scores / scores.sum())


@dataclass(frozen=True, slots=True)
class Heads:
    """Everything learned. `middle` and `stretch` bring an encoded sentence to the heads' form."""

    rarity: Floats
    middle: Vector
    stretch: float
    deep: dict[str, Head]
    plain: dict[str, Head]

    def sparse(self, texts: Iterable[str]) -> Sparse:
        """The letter sequences of a message's forms."""
        places, often = counted(texts)
        weights = often * self.rarity[places]
        return Sparse(places, weights / max(float(np.linalg.norm(weights)), 1e-9))

    def centred(self, vector: Vector) -> Vector:
        """An encoded sentence as the heads know it."""
        return cast(Vector, (vector - self.middle) * np.float32(self.stretch))


@dataclass(frozen=True, slots=True)
class Judgement:
    """Intents, likeliest first; how much each alarm sounds (0 to 1), and how much beside the
    likeliest ordinary need; how much the whole sounds like what looks like an alarm and is none.
    `deaf`: the encoder failed. `lettered`: only letters were heard."""

    intents: tuple[tuple[Intent, float], ...]
    alarms: tuple[tuple[Alarm, float], ...]
    beside: dict[Alarm, float]
    alike: float
    deaf: bool = False
    lettered: bool = False


def judge(texts: Sequence[str], encode: Encode | None) -> Judgement:
    """Judge a message by its forms; the encoder, where there is one, reads the last of them.

    Of a long message every part is asked for danger, the first for the intent.
    """
    sparse = HEADS.sparse(texts)
    vectors, deaf = _encoded(texts[-1], encode)
    heads = HEADS.deep if vectors else HEADS.plain
    intents = _paired(heads["intent"], heads["intent"].judge(sparse, next(iter(vectors), None)))
    parts = [heads["alarm"].judge(sparse, vector) for vector in vectors or (None,)]
    alarms = _paired(heads["alarm"], np.max(parts, axis=0))
    ordinary = [place for place, name in enumerate(heads["alarm"].names) if name not in _NOT_NEEDS]
    beside = np.max([one / (one[ordinary].max() + EASE) for one in parts], axis=0)
    return Judgement(
        cast(tuple[tuple[Intent, float], ...], intents),
        cast(tuple[tuple[Alarm, float], ...], tuple(one for one in alarms if one[0] in HEARD)),
        {name: round(float(beside[heads["alarm"].names.index(name)]), 3) for name in HEARD},
        float(np.min(parts, axis=0)[heads["alarm"].names.index(NONE)]),
        deaf,
        not vectors,
    )


def further(plain: str, whole: Judgement) -> tuple[Intent, ...]:
    """Needs that a clause of its own says, where the whole message does not speak against them."""
    clauses = [one for one in _CLAUSE.split(plain[:READ]) if len(one) >= LEAST]
    if len(clauses) < 2:
        return ()
    likely = {intent for intent, _ in whole.intents[:AMONG]}
    head, found = HEADS.plain["intent"], list[Intent]()
    for clause in clauses[:MOST]:
        name, sure = _paired(head, head.judge(HEADS.sparse((clause,))))[0]
        if sure >= CLEAR and name in likely:
            found += [intent for intent in likely if intent == name]
    return tuple(found)


def likely_language(texts: Iterable[str]) -> tuple[Language, float]:
    """The language whose letters these are, Thai in Latin letters included."""
    head = HEADS.plain["language"]
    name, sure = _paired(head, head.judge(HEADS.sparse(texts)))[0]
    return cast(Language, name), sure


def _encoded(meant: str, encode: Encode | None) -> tuple[list[Vector], bool]:
    """The parts of a text as vectors, and whether the encoder was there and failed."""
    if encode is None:
        return [], False
    parts = [meant[at : at + CHUNK] for at in range(0, len(meant), CHUNK)][:CHUNKS]
    try:
        return [HEADS.centred(encode(part)) for part in parts], False
    except Exception as error:  # whatever a foreign library may raise; a sign of danger may hide
        log("encoder_failed", **where(error))
        return [], True


def _paired(head: Head, chances: Floats) -> list[tuple[str, float]]:
    order = np.argsort(-chances)
    return [(head.names[place], round(float(chances[place]), 3)) for place in order]


def _head(kept: Any, name: str) -> Head:
    dense = f"{name}.dense"
    return Head(
        tuple(kept[f"{name}.names"].tolist()),
        kept[f"{name}.grams"],
        kept[f"{name}.scale"].astype(np.float32),
        kept[f"{name}.bias"].astype(np.float32),
        float(kept[f"{name}.heat"]),
        kept[dense].astype(np.float32) if dense in kept else None,
    )


def read_heads(source: Any) -> Heads:
    """The heads in a file. Raises OSError, KeyError or ValueError."""
    with np.load(source, allow_pickle=False) as kept:
        return Heads(
            kept["rarity"].astype(np.float32),
            kept["middle"].astype(np.float32),
            float(kept["stretch"]),
            {name: _head(kept, f"deep.{name}") for name in ("intent", "alarm")},
            {name: _head(kept, f"plain.{name}") for name in ("intent", "alarm", "language")},
        )


with (files("bot.understanding") / "data" / "heads.npz").open("rb") as _file:
    HEADS: Final = read_heads(_file)
