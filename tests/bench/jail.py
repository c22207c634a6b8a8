"""What a picture out of a chat costs: the jail as it is, beside a jail that decodes and no more,
and beside one that decodes all of it and hashes all its pixels (`pdqhash`).

CPU of the guard and its prisoners a picture, median of several; memory at its highest above what
the process has at rest. `.venv/bin/python -m tests.bench.jail`; Linux.
"""

import asyncio
import io
import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from bot.hashing.jail import GUARD, Jail

ROUNDS: Final = 5
SIZE: Final = (4000, 3000)
GUARDED: Final = """
import sys
sys.path.insert(0, {root!r})
from io import BytesIO
import numpy as np
import pdqhash
from PIL import Image
from bot.hashing import guard, locked, walls

def decodes(data):
    Image.open(BytesIO(data)).load()

def decodes_half(data):
    picture = Image.open(BytesIO(data))
    picture.draft(None, (1024, 1024))
    picture.load()

def hashes_all(data):
    pdqhash.compute(np.asarray(Image.open(BytesIO(data)).convert("RGB")))

def rests(data):
    pass

ours = locked.answer
chosen = {{"ours": ours}} | {{f.__name__: f for f in (decodes, decodes_half, hashes_all, rests)}}

def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))

def answer(data):
    chosen[{kind!r}](data)
    return {{"peak": peak()}} if {walls} is False else {{"refused": "kind"}}

locked.warm()
locked.warm = lambda: None
if {walls} is False:
    walls.raise_them = lambda: open("/proc/self/clear_refs", "w").write("5")
locked.answer = answer
guard.main()
"""
"""A guard whose prisoners do something else; without walls they can say what memory they took."""
KINDS: Final = ("ours", "decodes", "decodes_half", "hashes_all", "rests")


def everyday() -> bytes:
    """12 megapixels with soft light and grain."""
    chance = np.random.default_rng(3)
    light = Image.fromarray(chance.integers(0, 256, (30, 40, 3), np.uint8))
    pixels = np.asarray(light.resize(SIZE, Image.Resampling.BICUBIC)).astype(np.int16)
    pixels += chance.integers(-6, 7, (*pixels.shape[:2], 1), np.int16)
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=92)
    return file.getvalue()


def guarded(kind: str, walls: bool) -> Jail:
    script = GUARDED.format(root=str(Path(__file__).parents[2]), kind=kind, walls=walls)
    return Jail(guard=("-I", "-B", "-c", script))


def spent(pid: int) -> float:
    """Milliseconds of CPU of a guard and of its prisoners that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) * 1000 / os.sysconf("SC_CLK_TCK")


async def cost(jail: Jail, picture: bytes) -> float:
    """Of one picture; a tick is 10 ms, so that three are counted together."""
    await jail._run(b"")
    assert jail.guard
    before = spent(jail.guard.pid)
    for _ in range(3):
        await jail._run(picture)
    return (spent(jail.guard.pid) - before) / 3


async def memory(kind: str, picture: bytes) -> float:
    """MiB."""
    _, said = await guarded(kind, walls=False)._run(picture)
    return int(said.partition(b": ")[2].rstrip(b"}")) / 1024


async def main() -> None:
    picture = everyday()
    jails = {kind: guarded(kind, walls=True) for kind in KINDS} | {"as it runs": Jail(guard=GUARD)}
    costs: dict[str, list[float]] = {kind: [] for kind in jails}
    for _ in range(ROUNDS):
        for kind, jail in jails.items():
            costs[kind].append(await cost(jail, picture))
    peaks = {kind: await memory(kind, picture) for kind in KINDS}
    show(costs, peaks, sys.stdout.write)


def show(
    costs: dict[str, list[float]], peaks: dict[str, float], write: Callable[[str], object]
) -> None:
    """One line each: least, median and most CPU; memory above rest."""
    for kind, all_of_it in costs.items():
        least, middle, most = min(all_of_it), statistics.median(all_of_it), max(all_of_it)
        above = f"{peaks[kind] - peaks['rests']:6.1f} MiB" if kind in peaks else ""
        write(f"{kind:14} {middle:6.1f} ms CPU ({least:.1f} to {most:.1f}) {above}\n")
    middle_of = {kind: statistics.median(all_of_it) for kind, all_of_it in costs.items()}
    write(f"to a jail that decodes: {middle_of['as it runs'] / middle_of['decodes']:.2f} (aim 2)\n")
    half = middle_of["as it runs"] / middle_of["decodes_half"]
    write(f"to one that decodes half the size: {half:.2f}\n")
    less = middle_of["hashes_all"] / middle_of["as it runs"]
    write(f"times cheaper than all pixels: {less:.1f} (aim 5)\n")
    rest = peaks["rests"]
    smaller = (peaks["hashes_all"] - rest) / (peaks["ours"] - rest)
    write(f"times less memory above rest: {smaller:.1f} (aim 8)\n")


if __name__ == "__main__":
    asyncio.run(main())
