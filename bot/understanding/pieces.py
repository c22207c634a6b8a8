"""Cuts a sentence into the pieces that the encoder knows: SentencePiece's unigram way.

The vocabulary is read from the encoder's own file (encoder.py). 250 000 pieces as Python objects
would take 46 MB; they are kept as sorted hashes instead, and every hit is compared to the byte.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

PREFIX: Final = "query: "
"""The model was trained with this before a sentence of this kind."""
MARK: Final = "\u2581"
"""What stands for a space."""
_NEVER: Final = -1e30


@dataclass(frozen=True, slots=True)
class Pieces:
    """A vocabulary. `hashes` are sorted, `order` says which piece each belongs to."""

    begin: int
    end: int
    unknown: int
    bounds: NDArray[np.uint32]
    letters: bytes
    scores: NDArray[np.float32]
    folded: dict[int, str]
    hashes: NDArray[np.int64]
    order: NDArray[np.int64]
    longest: int
    least: float
    """What a letter that no piece holds is worth."""

    def cut(self, text: str, most: int) -> list[int]:
        """The likeliest pieces of `text`, at most `most`, between the two marks of a sentence."""
        spelt = (PREFIX + text).translate(self.folded)
        while "  " in spelt:
            spelt = spelt.replace("  ", " ")
        spelt = spelt if spelt.startswith(" ") else f" {spelt}"
        found = self._likeliest([letter.encode() for letter in spelt.replace(" ", MARK)])
        return [self.begin, *found[: most - 2], self.end]

    def _likeliest(self, letters: list[bytes]) -> list[int]:
        best = [0.0] + [_NEVER] * len(letters)
        back = [(0, self.unknown)] * (len(letters) + 1)
        known = self._known(letters)
        for at in range(len(letters)):
            for end, piece in (*known[at], (at + 1, self.unknown)):
                worth = self.least if piece == self.unknown else float(self.scores[piece])
                if best[at] + worth > best[end]:
                    best[end], back[end] = best[at] + worth, (at, piece)
        found, end = list[int](), len(letters)
        while end:
            end, piece = back[end]
            found.append(piece)
        return found[::-1]

    def _known(self, letters: list[bytes]) -> list[list[tuple[int, int]]]:
        """For each letter the known pieces that begin there: where they end, and which."""
        tried = [
            (at, end, piece) for at in range(len(letters)) for end, piece in self._runs(letters, at)
        ]
        asked = np.array([hash(piece) for _, _, piece in tried], np.int64)
        places = np.minimum(np.searchsorted(self.hashes, asked), len(self.hashes) - 1)
        found: list[list[tuple[int, int]]] = [[] for _ in letters]
        for row in np.flatnonzero(self.hashes[places] == asked).tolist():
            at, end, piece = tried[row]
            number = int(self.order[places[row]])
            if self.letters[self.bounds[number] : self.bounds[number + 1]] == piece:
                found[at].append((end, number))
        return found

    def _runs(self, letters: list[bytes], at: int) -> list[tuple[int, bytes]]:
        run, runs = b"", list[tuple[int, bytes]]()
        for end in range(at, len(letters)):
            run += letters[end]
            if len(run) > self.longest:
                break
            runs.append((end + 1, run))
        return runs


def vocabulary(
    marks: tuple[int, int, int],
    bounds: NDArray[np.uint32],
    letters: bytes,
    scores: NDArray[np.float32],
    folded: dict[int, str],
) -> Pieces:
    """A vocabulary made ready to be asked. `marks`: begin, end, unknown."""
    edges = bounds.tolist()
    told = [hash(letters[edges[one] : edges[one + 1]]) for one in range(len(scores))]
    hashes = np.array(told, np.int64)
    order = np.argsort(hashes, kind="stable")
    longest = int(np.diff(bounds.astype(np.int64)).max())
    least = float(scores.min()) - 10
    return Pieces(*marks, bounds, letters, scores, folded, hashes[order], order, longest, least)
