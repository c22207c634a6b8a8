"""Whether the server's form of a picture or video is near enough to the device's (`sala hash
--check`)."""

from pathlib import Path
from typing import Final

from bot.cases.hashes import Item
from bot.hashing.own import OwnFiles
from bot.hashing.pdq import distance

NEAR: Final = 10
"""Bits within which Meta calls two implementations of PDQ the same."""
MATCH: Final = 31
"""Bits within which partners match; of a video's stills nine in ten must."""


async def compared(files: OwnFiles, path: Path, *, turned: bool = False) -> tuple[list[str], bool]:
    """A line for each of a file's hashes, and whether all fixed ones are near. ImageError, also
    where the server refuses a video."""
    device = await files.hash(path, turned=turned)
    server = await files.hash(path, turned=turned, scaled=True)
    if device.media == "video":
        return _stills_compared(device, server)
    found = {variant: _apart(value, server, variant) for variant, value in _values(device).items()}
    right = all(
        bits is not None and bits <= NEAR
        for variant, bits in found.items()
        if not variant.startswith("pdq self-")
    )
    return [f"{variant}  {_words(bits)}" for variant, bits in found.items()], right


def _stills_compared(device: Item, server: Item) -> tuple[list[str], bool]:
    """How many of a video's stills meet the server's."""
    pairs = (("device", device, server), ("server", server, device))
    lines, right = [], True
    for name, ours, theirs in pairs:
        met, many = _met(ours, theirs), len(_stills(ours))
        lines.append(f"{met} of the {many} stills of the {name} meet the other's")
        right &= met >= 0.9 * many
    return lines, right


def _met(ours: Item, theirs: Item) -> int:
    """How many of our stills a match finds among theirs."""
    others = _stills(theirs)
    return sum(any(distance(one, other) <= MATCH for other in others) for one in _stills(ours))


def _stills(video: Item) -> list[str]:
    return [one.value for one in video.hashes if one.kind == "pdq"]


def _values(item: Item) -> dict[str, str]:
    return {f"{one.kind} {one.variant}": one.value for one in item.hashes}


def _apart(value: str, server: Item, variant: str) -> int | None:
    """To its namesake; or to any other, since of equal hashes only the first is named."""
    named, kind = _values(server), variant.partition(" ")[0]
    others = [named[variant]] if variant in named else []
    others = others or [one.value for one in server.hashes if one.kind == kind]
    return min((distance(value, other) for other in others), default=None)


def _words(bits: int | None) -> str:
    return "not made there" if bits is None else f"{bits} bits apart"
