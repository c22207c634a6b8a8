"""What `sala hash` costs, in the jail beside without one, in turn: a video of 2 GB, and pictures.

The video is twenty seconds of a generated pattern and noise in full HD by ffmpeg, repeated without
being encoded again until it has so many bytes. Memory is that of all its processes at their highest
together, what they share counted once (`Pss`, ten times a second). Linux, as root;
`.venv/bin/python -m tests.bench.own_files [MEGABYTES [ROUNDS]]`.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.jail import everyday
from tests.browser.films import FFMPEG

PICTURES: Final = 20
SALA: Final = (sys.executable, "-m", "bot", "hash")
SCENE: Final = (
    *("-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=25,noise=alls=40:allf=t", "-t", "20"),
    *("-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-g", "50"),
    *("-b:v", "60M", "-minrate", "60M", "-maxrate", "60M", "-bufsize", "60M"),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds by the clock and of computing, and MiB at the highest."""

    wall: float
    cpu: float
    memory: float


def film(folder: Path, size: int) -> Path:
    """A video of at least so many bytes."""
    assert FFMPEG
    quiet = (FFMPEG, "-y", "-loglevel", "error")
    scene, whole = folder / "scene.mp4", folder / "whole.mp4"
    subprocess.run([*quiet, *SCENE, str(scene)], check=True)
    times = size // scene.stat().st_size
    again = ("-stream_loop", str(times), "-i", str(scene), "-c", "copy", str(whole))
    subprocess.run([*quiet, *again], check=True)
    return whole


def tree(pid: int) -> Iterator[int]:
    """A process and all that came of it."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            yield from tree(int(child))


def held(pid: int) -> float:
    """MiB."""
    total = 0
    for one in tree(pid):
        rollup = Path(f"/proc/{one}/smaps_rollup").read_text()
        total += next(int(line.split()[1]) for line in rollup.splitlines() if "Pss:" in line)
    return total / 1024


def spent() -> float:
    return os.times().children_user + os.times().children_system


def cost(*args: str) -> Cost:
    """Of one run of the command."""
    before, began, most = spent(), time.perf_counter(), 0.0
    running = subprocess.Popen([*SALA, *args], stdout=subprocess.DEVNULL)
    while running.poll() is None:
        with suppress(OSError, StopIteration):  # one of them has just ended
            most = max(most, held(running.pid))
        time.sleep(0.1)
    assert running.returncode == 0
    return Cost(time.perf_counter() - began, spent() - before, most)


def beside(rounds: int, name: str, *files: str) -> None:
    """Both ways in turn, and the medians."""
    ways = {"in the jail": files, "without": ("--no-jail", *files)}
    costs: dict[str, list[Cost]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, args in ways.items():
            costs[way].append(cost(*args))
    middle: dict[str, Cost] = {}
    for way, all_of_it in costs.items():
        parts = zip(*((one.wall, one.cpu, one.memory) for one in all_of_it), strict=True)
        middle[way] = one = Cost(*map(statistics.median, parts))
        print(f"{name:22} {way:12} {one.wall:6.1f} s {one.cpu:6.1f} s CPU {one.memory:6.0f} MiB")
    jailed, free = middle.values()
    print(
        f"{name:22} ratio        {jailed.wall / free.wall:6.2f}   {jailed.cpu / free.cpu:6.2f}"
        f"       {jailed.memory / free.memory:6.2f}"
    )


def main(megabytes: int = 2_000, rounds: int = 3) -> None:
    print(f"load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = film(folder, megabytes * 1_000_000)
        beside(rounds, f"video of {video.stat().st_size / 1e6:.0f} MB", str(video))
        pictures = [folder / f"{n}.jpg" for n in range(PICTURES)]
        for one in pictures:
            one.write_bytes(everyday())
        beside(rounds, "picture of 12 MP", str(pictures[0]))
        beside(rounds, f"{PICTURES} such pictures", *map(str, pictures))
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
