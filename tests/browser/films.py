"""Videos of generated everyday pictures, encoded by ffmpeg as phones and platforms do."""

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from tests.browser.hashing_page import photo

FFMPEG: Final = shutil.which("ffmpeg")
WIDE, HIGH, RATE, SCENE = 320, 180, 4, 4
"""Pixels, pictures a second, and pictures a scene."""


@cache
def pictures(scenes: int = 8) -> bytes:
    """The raw RGB of a slow pan over one scene after another."""
    shown = []
    for seed in range(40, 40 + scenes):
        scene = np.asarray(photo(WIDE + SCENE * 4, HIGH, seed))
        shown += [scene[:, 4 * step : 4 * step + WIDE] for step in range(SCENE)]
    return b"".join(one.tobytes() for one in shown)


@cache
def standing(*seeds: int) -> bytes:
    """The raw RGB of scenes in which nothing moves, one after another."""
    return b"".join(photo(WIDE, HIGH, seed).tobytes() * SCENE for seed in seeds)


def film(path: Path, *how: str, raw: bytes | None = None) -> bytes:
    """A video encoded `how`; the name's ending says in which container."""
    given = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDE}x{HIGH}", "-r", str(RATE))
    run(*given, "-i", "-", "-pix_fmt", "yuv420p", *how, str(path), given=raw or pictures())
    return path.read_bytes()


def phone(path: Path) -> bytes:
    """As a phone held upright writes it: pictures lying on their side, and a word to turn them."""
    lying = path.with_name("lying.mp4")
    film(lying, *H264, "-vf", "transpose=cclock")
    run("-i", str(lying), "-c", "copy", "-metadata:s:v:0", "rotate=270", str(path))
    return path.read_bytes()


H264: Final = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "21", "-bf", "2")
SMALL_VP8: Final = (
    "-vf", "scale=240:134", "-c:v", "libvpx", "-b:v", "300k", "-deadline", "realtime",
    "-cpu-used", "8",
)  # fmt: skip


def run(*args: str, given: bytes = b"") -> None:
    assert FFMPEG
    subprocess.run(
        [FFMPEG, "-y", "-loglevel", "error", "-threads", "1", *args],
        input=given, check=True, capture_output=True, timeout=120,
    )  # fmt: skip


def plain(path: Path) -> bytes:
    grey = Image.new("RGB", (WIDE, HIGH), (120, 120, 120)).tobytes() * 16
    return film(path, *H264, raw=grey)
