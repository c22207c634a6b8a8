"""Cuts a sentence into the pieces that the encoder knows: SentencePiece's unigram way.

The vocabulary is read from the encoder's own file (encoder.py). 250 000 pieces as Python objects
would take 46 MB; they are kept as sorted hashes instead, and every hit is compared to the byte.
"""

from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import numpy as np
from numpy.typing import NDArray

PREFIX: Final = "query: "
"""The model was trained with this before a sentence of this kind."""
MARK: Final = "\u2581"
"""What stands for a space."""
SIEVE: Final = 1 << 20
_NEVER: Final = -1e30

Known = tuple[int, int, float]
"""Where a piece ends, which it is, and what it is worth."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """A vocabulary. `hashes` are sorted, `order` says which piece each belongs to."""

    begin: int
    end: int
    unknown: int
    bounds: NDArray[np.uint32]
    letters: memoryview
    scores: NDArray[np.float32]
    folded: dict[int, str]
    hashes: NDArray[np.int64]
    order: NDArray[np.int32]
    sieve: NDArray[np.bool_]
    """Which last bits some hash has: most runs of letters are no piece, and this tells at once."""
    longest: int
    """Letters of the longest piece."""
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
        for at, known in enumerate(self._known(letters)):
            for end, piece, worth in (*known, (at + 1, self.unknown, self.least)):
                if best[at] + worth > best[end]:
                    best[end], back[end] = best[at] + worth, (at, piece)
        found, end = list[int](), len(letters)
        while end:
            end, piece = back[end]
            found.append(piece)
        return found[::-1]

    def _known(self, letters: list[bytes]) -> list[list[Known]]:
        """For each letter the known pieces that begin there."""
        whole, edges, count = b"".join(letters), [0, *accumulate(map(len, letters))], len(letters)
        runs = [
            (at, end)
            for at in range(count)
            for end in range(at + 1, min(at + self.longest, count) + 1)
        ]
        tried = [whole[edges[at] : edges[end]] for at, end in runs]
        asked = np.fromiter(map(hash, tried), np.int64, len(tried))
        likely = np.flatnonzero(self.sieve[asked & (SIEVE - 1)])
        places = np.minimum(np.searchsorted(self.hashes, asked[likely]), len(self.hashes) - 1)
        there = self.hashes[places] == asked[likely]
        pieces = self.order[places[there]]
        found: list[list[Known]] = [[] for _ in letters]
        for run, piece, worth in zip(
            likely[there].tolist(), pieces.tolist(), self.scores[pieces].tolist(), strict=True
        ):
            if self.letters[self.bounds[piece] : self.bounds[piece + 1]] == tried[run]:
                at, end = runs[run]
                found[at].append((end, piece, worth))
        return found


def vocabulary(
    marks: tuple[int, int, int],
    bounds: NDArray[np.uint32],
    letters: memoryview,
    scores: NDArray[np.float32],
    folded: dict[int, str],
) -> Pieces:
    """A vocabulary made ready to be asked. `marks`: begin, end, unknown."""
    edges = bounds.tolist()
    told = [hash(letters[edges[one] : edges[one + 1]]) for one in range(len(scores))]
    hashes = np.array(told, np.int64)
    order = np.argsort(hashes, kind="stable").astype(np.int32)
    sieve = np.zeros(SIEVE, np.bool_)
    sieve[hashes & (SIEVE - 1)] = True
    begins = np.frombuffer(letters, np.uint8) & 0xC0 != 0x80  # the first byte of a letter
    longest = int(np.add.reduceat(begins, bounds[:-1].astype(np.int64), dtype=np.int64).max())
    least = float(scores.min()) - 10
    return Pieces(
        *marks, bounds, letters, scores, folded, hashes[order], order, sieve, longest, least
    )
