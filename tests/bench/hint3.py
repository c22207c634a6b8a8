"""How well the ear learns what real users asked three live bots: the public sets HINT3.

`python -m tests.bench.hint3 FOLDER`, where FOLDER holds `train/` and `test/` of dataset/v1 of
https://github.com/hellohaptik/HINT3 (ODbL; not kept here). The same forms, encoder, letter
sequences and learner as Sala's heads, with the same settings; nothing is tuned to these sets.
Printed is the share of in-scope questions of which the likeliest intent is right.
"""

import csv
import sys
from pathlib import Path
from typing import Final

import numpy as np

from bot.understanding.encoder import encoder
from bot.understanding.heads import Heads
from bot.understanding.learning import SPOKEN, Learned, learn, lesson, shares, texts_of
from bot.understanding.utterances import Utterance

SETS: Final = ("sofmattress", "curekart", "powerplay11")
BEYOND: Final = "NO_NODES_DETECTED"
"""What the sets call a question that no intent answers."""


def asked(path: Path) -> list[Utterance]:
    """The in-scope questions of a file."""
    with path.open(encoding="utf-8", newline="") as source:
        rows = [(row["sentence"], row["label"]) for row in csv.DictReader(source)]
    return [
        Utterance(text, label, frozenset({label}), "en") for text, label in rows if label != BEYOND
    ]


def right(taught: list[Utterance], told: list[Utterance], *, deep: bool) -> float:
    """The share of `told` that a head taught by `taught` gets right."""
    ready, (rarity, middle, stretch) = lesson([(one, 0) for one in taught], None)
    names = tuple(sorted({one.label for one in taught}))
    learned = learn(ready, names, shares(taught, names), deep=deep)
    ear = Heads(rarity, middle, stretch, {}, {})
    return float(np.mean([_guess(one, ear, learned, deep=deep) == one.label for one in told]))


def _guess(said: Utterance, ear: Heads, learned: Learned, *, deep: bool) -> str:
    encode, texts = encoder(), texts_of(said)
    sparse = ear.sparse(texts)
    scores = sparse.weights @ learned.grams[sparse.places] + learned.bias
    if deep and encode:
        scores = scores + ear.centred(encode(texts[-1][:SPOKEN])) @ learned.dense
    return learned.names[int(scores.argmax())]


def main(folder: Path) -> None:
    """Print a line for each set."""
    for name in SETS:
        taught = asked(folder / "train" / f"{name}_train.csv")
        told = asked(folder / "test" / f"{name}_test.csv")
        deep, letters = (right(taught, told, deep=one) for one in (True, False))
        print(
            f"{name}: {len({one.label for one in taught})} intents, {len(taught)} taught,"
            f" {len(told)} asked: right {deep:.3f}, by letters alone {letters:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
