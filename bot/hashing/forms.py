"""Which hashes of a picture are registered: the one definition, with docs/hashing.md.

One hash finds a copy that was saved again; a mirrored, much smaller or stored-as-turned one needs
its own. Measured in docs/robust.md.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from bot.cases.hashes import MIN_QUALITY, Hash
from bot.hashing.errors import Framed, TooPlain
from bot.hashing.mild import changed, greyed, inside
from bot.hashing.pdq import MIN_SIDE, WAYS, Floats, Waves, Way, distance, luma, waves, waves_of
from bot.hashing.sample import SIZES, Rgb, Size, sample

MOST: Final = 20
MOST_TURNED: Final = 30
"""Of PDQ hashes a picture; with its two digests a post's 32."""
FAR: Final = 16
"""A changed picture's hash so many bits from all others is registered too: a match is 31."""
LEAST_INSIDE: Final = 0.125
"""Of a picture's area; under it different pictures in one kind of margin were within 31 bits."""
STORED: Final[Mapping[int, Way]] = {
    2: "mirror", 3: "turn180", 4: "turn180-mirror", 5: "turn90-mirror",
    6: "turn270", 7: "turn270-mirror", 8: "turn90",
}  # fmt: skip
"""How the pixels lie in the file, by its EXIF orientation: software that ignores it sees these."""

Samples = Mapping[Size, Rgb]


def forms(rgb: Rgb, orientation: int = 1, *, turned: bool = False) -> tuple[Hash, ...]:
    """The PDQ hashes of an upright picture, each once, none of a quality under 50.

    `orientation` is that of its EXIF; `turned` adds all its turned copies. TooPlain, Framed.
    """
    return forms_of({size: sample(rgb, size) for size in SIZES}, orientation, turned=turned)


def forms_of(samples: Samples, orientation: int = 1, *, turned: bool = False) -> tuple[Hash, ...]:
    """The same of a picture that is sampled already; of grey samples as of RGB."""
    if min(samples["640"].shape[:2]) < MIN_SIDE:
        raise TooPlain
    found: dict[str, Hash] = {}
    for variant, seen in _fixed(samples, orientation, turned):
        _add(found, variant, seen.hex(), seen.quality)
    if not found:
        raise TooPlain
    grey = greyed(samples["640"])
    if inside(grey) < LEAST_INSIDE:
        raise Framed
    coarse, *alike, cut = (one.astype(np.float32) for one in changed(grey))
    for seen in (waves(coarse), *waves_of(alike), waves(cut)):
        _add_changed(found, seen, MOST_TURNED if turned else MOST)
    return tuple(found.values())


def _fixed(samples: Samples, orientation: int, turned: bool) -> Iterator[tuple[str, Waves]]:
    ways = WAYS if turned else WAYS[:2]
    seen = {size: _seen(luma(pixels), ways) for size, pixels in samples.items()}
    for way in ways:
        for size in samples:
            yield f"{size}-{way}" if way else size, seen[size][way]
    if not turned and (stored := STORED.get(orientation)):
        for size, pixels in samples.items():
            known = seen[size].get(stored)
            yield f"stored-{size}", known or waves(lying(luma(pixels), stored))


def _seen(grey: Floats, ways: tuple[Way, ...]) -> dict[Way, Waves]:
    """What PDQ sees in the copies that lie these ways; those of one shape in one go."""
    copies = {way: lying(grey, way) for way in ways}
    shapes = {copy.shape for copy in copies.values()}
    seen: dict[Way, Waves] = {}
    for shape in shapes:
        alike = [way for way, copy in copies.items() if copy.shape == shape]
        seen |= zip(alike, waves_of([copies[way] for way in alike]), strict=True)
    return seen


def lying(grey: Floats, way: Way) -> Floats:
    """The pixels as they lie in a copy that is turned or mirrored."""
    quarters = {"turn90": -1, "turn180": 2, "turn270": 1}.get(way.partition("-")[0], 0)
    copy = np.rot90(grey, quarters)
    return np.ascontiguousarray(copy[:, ::-1] if way.endswith("mirror") else copy)


def _add(found: dict[str, Hash], variant: str, value: str, quality: int) -> None:
    if quality >= MIN_QUALITY:
        found.setdefault(value, Hash("pdq", variant, value, quality))


def _add_changed(found: dict[str, Hash], seen: Waves, most: int) -> None:
    """Register it, and mirrored, when it is far from all that is registered and there is room."""
    if seen.quality < MIN_QUALITY or len(found) + 2 > most:
        return
    if min(distance(seen.hex(), value) for value in found) <= FAR:
        return
    number = 1 + sum(one.variant.startswith("self-") for one in found.values())
    for step, way in enumerate(WAYS[:2]):
        _add(found, f"self-{number + step}", seen.hex(way), seen.quality)
