"""The page's own PDQ, MD5 and SHA-256, run in Node, against pdqhash and hashlib."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pdqhash
import pytest
from numpy.typing import NDArray

from bot.miniapp import build_box

STATIC = Path(build_box.__file__).parent / "static"
NODE = shutil.which("node")
Pixels = NDArray[np.uint8]
EXACT = 200
"""Pictures at the least on which the page's PDQ is held against the reference."""

HASH_ALL = """
import { readFileSync } from "node:fs";
const { pdqHash } = await import(process.argv[1]);
const said = readFileSync(0);
const found = [];
for (let at = 0; at < said.length;) {
  const [height, width] = [said.readUInt32LE(at), said.readUInt32LE(at + 4)];
  const pixels = new Uint8ClampedArray(said.subarray(at + 8, at + 8 + width * height * 4));
  found.push(Object.values(pdqHash(pixels, width, height)));
  at += 8 + width * height * 4;
}
process.stdout.write(JSON.stringify(found));
"""

DIGEST_ALL = """
import { readFileSync } from "node:fs";
const { Md5, Sha256 } = await import(process.argv[1]);
const bytes = new Uint8Array(readFileSync(0));
const found = [];
for (const [length, cut] of JSON.parse(process.argv[2])) {
  const digests = [new Md5(), new Sha256()];
  for (const digest of digests) {
    for (let at = 0; at < length; at += cut) {
      digest.update(bytes.subarray(at, Math.min(at + cut, length)));
    }
  }
  found.push(digests.map((digest) => digest.hex()));
}
process.stdout.write(JSON.stringify(found));
"""

SIZES = [
    (1, 1), (1, 300), (4, 4), (4, 500), (5, 4), (5, 5), (5, 640), (7, 9), (63, 64), (64, 63),
    (64, 64), (65, 64), (127, 128), (128, 128), (129, 257), (200, 600), (256, 256), (511, 513),
    (512, 512), (640, 427), (640, 640), (33, 1200),
]  # fmt: skip
MORE_SIZES = [
    (64 + 23 * step, 64 + (step * step * 37) % 700) for step in range(46)
]  # a step of window and edge after the other


def noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(height * 7 + width).integers(0, 256, (height, width, 3), np.uint8)


def gradient(height: int, width: int) -> Pixels:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], axis=2).astype(np.uint8)


def photo(height: int, width: int) -> Pixels:
    """Soft shapes over a slope, with a little grain: the spectrum of a photograph."""
    chance = np.random.default_rng(height + width)
    y, x = np.arange(height) / max(height, width), np.arange(width) / max(height, width)
    plane = np.tile(90 + 60 * x, (height, 1))
    for _ in range(12):
        cx, cy, r, a = chance.uniform(0, 1, 4)
        across, down = (np.exp(-((at - c) ** 2) / (0.02 + r / 9)) for at, c in ((x, cx), (y, cy)))
        plane += np.outer((a - 0.5) * 200 * down, across)
    grain = chance.normal(0, 4, (height, width, 3))
    return np.clip(plane[..., None] * [1.0, 0.9, 0.8] + grain, 0, 255).astype(np.uint8)


def flat(height: int, width: int) -> Pixels:
    return np.full((height, width, 3), (height + width) % 256, np.uint8)


def checker(height: int, width: int) -> Pixels:
    y, x = np.mgrid[0:height, 0:width]
    return np.repeat((((x // 9 + y // 7) % 2) * 255).astype(np.uint8)[..., None], 3, axis=2)


def pictures() -> Iterator[Pixels]:
    for height, width in SIZES:
        for kind in (noise, gradient, photo):
            yield kind(height, width)
    for height, width in MORE_SIZES:
        for kind in (noise, gradient, photo):
            yield kind(height, width)
    for height, width in [(64, 64), (100, 80), (512, 512)]:
        yield flat(height, width)
        yield checker(height, width)
    for kind in (photo, noise):
        yield kind(3000, 4000)


def run(script: str, *args: str, given: bytes) -> list[list[object]]:
    assert NODE
    said = subprocess.run(
        [NODE, "--input-type=module", "-e", script, *args],
        input=given, capture_output=True, check=True, timeout=120,
    )  # fmt: skip
    return list(json.loads(said.stdout))


def rgba(pixels: Pixels) -> bytes:
    height, width, _ = pixels.shape
    whole = np.dstack([pixels, np.full((height, width), 255, np.uint8)])
    return height.to_bytes(4, "little") + width.to_bytes(4, "little") + whole.tobytes()


def python_pdq(pixels: Pixels) -> list[object]:
    bits, quality = pdqhash.compute(pixels)
    return [np.packbits(bits.astype(np.uint8)).tobytes().hex(), quality]


needs_node = pytest.mark.skipif(NODE is None, reason="no Node on this machine")


@needs_node
def test_every_picture_hashes_in_the_page_as_in_the_reference_to_the_last_bit() -> None:
    given = list(pictures())
    found = run(HASH_ALL, (STATIC / "pdq.js").as_uri(), given=b"".join(map(rgba, given)))
    assert len(found) >= EXACT
    for pixels, ours in zip(given, found, strict=True):
        assert ours == python_pdq(pixels), pixels.shape


@needs_node
def test_digests_equal_hashlib_for_every_length_and_every_cut() -> None:
    given = np.random.default_rng(5).bytes(200_003)
    cases = [(n, cut) for n in [*range(0, 140), 1000, 65_536, 200_003] for cut in (1, 55, 64, 4096)]
    cases = [(n, cut) for n, cut in cases if n < 2000 or cut > 1]
    found = run(DIGEST_ALL, (STATIC / "digests.js").as_uri(), json.dumps(cases), given=given)
    for (length, cut), ours in zip(cases, found, strict=True):
        part = given[:length]
        theirs = [hashlib.new(name, part).hexdigest() for name in ("md5", "sha256")]
        assert ours == theirs, (length, cut)


def test_the_frame_is_built_from_its_sources_as_they_are_now() -> None:
    assert (STATIC / "box.html").read_text(encoding="utf-8") == build_box.build()


@needs_node
def test_the_sources_have_no_name_in_common_when_they_are_one(tmp_path: Path) -> None:
    code = build_box.build().partition('<script type="module">')[2].partition("</script>")[0]
    whole = tmp_path / "box.mjs"
    whole.write_text(code, encoding="utf-8")
    assert NODE
    subprocess.run([NODE, "--check", whole], check=True, timeout=30)


def test_the_frame_is_one_file_that_asks_for_nothing() -> None:
    html = (STATIC / "box.html").read_text(encoding="utf-8")
    for way in ("import ", "export ", "src=", "href=", "fetch(", "XMLHttp", "http:", "https:"):
        assert way not in html
