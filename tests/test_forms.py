"""Which hashes of a picture are registered, and that the page and Python agree on every one."""

import json
import subprocess
from io import BytesIO

import numpy as np
import pdqhash
import pytest
from PIL import Image, ImageOps

from bot.cases.hashes import MAX_HASHES, MIN_QUALITY, Hash, Item, parse_items
from bot.hashing.errors import Framed, ImageError, TooPlain
from bot.hashing.forms import FAR, MOST, MOST_TURNED, forms, lying
from bot.hashing.image import hash_bytes
from bot.hashing.mild import changed, greyed, inside
from bot.hashing.pdq import WAYS, Rgb, Way, distance, luma, pdq, waves
from tests.test_hashing import photo as rich
from tests.test_pdq_js import NODE, SIZES, STATIC, flat, gradient, needs_node, noise, photo

PDQHASHS_ORDER: tuple[Way, ...] = (
    "", "turn270", "turn180", "turn90", "turn180-mirror", "mirror", "turn90-mirror",
    "turn270-mirror",
)  # fmt: skip

FORM_ALL = """
import { readFileSync } from "node:fs";
const from = (name) => import(`${process.argv[1]}/${name}.js`);
const [{ Nearest, Means }, { forms }] = await Promise.all([from("sample"), from("forms")]);
const given = readFileSync(0);
const found = [];
for (let at = 0; at < given.length; ) {
  const [height, width, orientation, turned, band, isBlueFirst] =
    [0, 4, 8, 12, 16, 20].map((k) => given.readUInt32LE(at + k));
  const words = new Int32Array(width * height);
  new Uint8Array(words.buffer).set(given.subarray(at + 24, at + 24 + words.length * 4));
  const [nearest, means] = [new Nearest(width, height, 512), new Means(width, height, [640, 256])];
  for (let y = 0; y < height; y += band) {
    const rows = words.subarray(y * width, Math.min(height, y + band) * width);
    nearest.band(rows, y, rows.length / width, isBlueFirst === 1);
    means.band(rows, y, rows.length / width, isBlueFirst === 1);
  }
  const samples = { 512: nearest, 640: means.of(640), 256: means.of(256) };
  found.push(await forms(samples, { orientation, turned: turned === 1 }));
  at += 24 + words.length * 4;
}
process.stdout.write(JSON.stringify(found), () => process.exit(0));
"""


def pasted(height: int, width: int, paper: int = 255) -> Rgb:
    """A picture in an even margin of 1000 x 800."""
    rgb = np.full((1000, 800, 3), paper, np.uint8)
    rgb[300 : 300 + height, 100 : 100 + width] = (
        noise(height // 8, width // 8).repeat(8, 0).repeat(8, 1)
    )
    return rgb


def pictures() -> list[tuple[Rgb, int, bool]]:
    sides = [*SIZES, (700, 900), (2000, 1500), (3000, 130), (2100, 3000)]
    made = [make(*each) for each in sides for make in (rich, photo, noise, gradient)]
    made += [flat(300, 200), pasted(240, 240), pasted(400, 400, 0), photo(700, 900)]
    return [(rgb, 1 + at % 8, at % 3 == 1) for at, rgb in enumerate(made)]


def sent(rgb: Rgb, orientation: int, turned: bool, at: int) -> bytes:
    height, width, _ = rgb.shape
    blue = at % 2
    words = np.dstack([rgb[:, :, :: -1 if blue else 1], np.full((height, width), 255, np.uint8)])
    head = np.array([height, width, orientation, turned, 64 if at % 5 else 7, blue], "<u4")
    return head.tobytes() + words.tobytes()


def ours(rgb: Rgb, orientation: int, turned: bool) -> list[Hash]:
    try:
        return list(forms(rgb, orientation, turned=turned))
    except ImageError:
        return []


def variants(found: tuple[Hash, ...]) -> dict[str, Hash]:
    return {one.variant: one for one in found}


@needs_node
def test_the_page_and_python_register_the_same_hashes_of_the_same_pixels() -> None:
    given = pictures()
    assert NODE
    said = subprocess.run(
        [NODE, "--input-type=module", "-e", FORM_ALL, STATIC.as_uri()],
        input=b"".join(sent(*one, at) for at, one in enumerate(given)),
        capture_output=True, check=True, timeout=120,
    )  # fmt: skip
    theirs = [one["found"] for one in json.loads(said.stdout)]
    assert sum(map(bool, theirs)) > 40
    for (rgb, orientation, turned), found in zip(given, theirs, strict=True):
        assert [Hash(**one) for one in found] == ours(rgb, orientation, turned), rgb.shape


def test_a_picture_has_its_three_sizes_upright_and_mirrored_each_hash_once() -> None:
    rgb = rich(1100, 1500)
    found = variants(forms(rgb))
    fixed = ["512", "640", "256", "512-mirror", "640-mirror", "256-mirror"]
    assert [name for name in found if not name.startswith("self-")] == fixed
    assert len({one.value for one in found.values()}) == len(found) <= MOST
    assert all((one.quality or 0) >= MIN_QUALITY for one in found.values())


def test_a_small_picture_is_hashed_as_it_is_and_only_once() -> None:
    assert {"512", "512-mirror"} == {
        name for name in variants(forms(noise(200, 256))) if not name.startswith("self-")
    }


def test_a_mirrored_form_is_the_hash_of_the_mirrored_pixels() -> None:
    rgb = rich(300, 400)
    mirrored = np.ascontiguousarray(rgb[:, ::-1])
    assert variants(forms(rgb))["512-mirror"].value == pdq(mirrored).hex


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_jpeg_that_exif_turns_is_registered_as_it_is_stored_too(orientation: int) -> None:
    exif, file = Image.Exif(), BytesIO()
    exif[0x0112] = orientation
    stored = Image.fromarray(noise(40, 60).repeat(12, 0).repeat(12, 1))
    stored.save(file, "JPEG", quality=95, exif=exif)
    item = hash_bytes(file.getvalue(), "image")
    unturned = pdqhash.compute(np.asarray(Image.open(file)))[0]
    ignoring = np.packbits(unturned.astype(np.uint8)).tobytes().hex()
    assert min(distance(one.value, ignoring) for one in item.hashes if one.kind == "pdq") <= 10
    upright = pdqhash.compute(np.asarray(ImageOps.exif_transpose(Image.open(file))))[0]
    seen = np.packbits(upright.astype(np.uint8)).tobytes().hex()
    assert min(distance(one.value, seen) for one in item.hashes if one.kind == "pdq") <= 10


def test_the_eight_ways_in_which_a_copy_may_lie_are_pdqhashs_within_two_bits() -> None:
    for make in (rich, noise):
        rgb = make(640, 640)
        theirs, _ = pdqhash.compute_dihedral(rgb)
        for way, bits in zip(PDQHASHS_ORDER, theirs, strict=True):
            value = np.packbits(bits.astype(np.uint8)).tobytes().hex()
            assert distance(waves(luma(rgb)).hex(way), value) <= 2, way


@pytest.mark.parametrize("way", WAYS)
def test_a_turned_copy_is_found_when_turned_copies_were_asked_for(way: Way) -> None:
    rgb = rich(600, 800)
    found = forms(rgb, turned=True)
    copy = np.stack([lying(band.astype(np.float32), way) for band in np.moveaxis(rgb, 2, 0)], 2)
    seen = pdq(copy.astype(np.uint8)).hex
    assert min(distance(one.value, seen) for one in found) <= 10
    assert len(found) <= MOST_TURNED


def test_a_post_has_room_for_every_form_and_the_two_digests() -> None:
    assert MOST < MOST_TURNED == MAX_HASHES - 2
    found = forms(rich(900, 1200), turned=True)
    posted = [{"kind": o.kind, "variant": o.variant, "value": o.value, "quality": o.quality}
              for o in found]  # fmt: skip
    assert parse_items([{"media": "image", "hashes": posted}]) == (Item("image", found),)


def test_a_mild_change_is_registered_only_when_it_moves_the_hash_far() -> None:
    found = forms(rich(900, 1200))
    fixed = [one.value for one in found if not one.variant.startswith("self-")]
    for one in found:
        if one.variant in {"self-1", "self-3", "self-5"}:
            assert min(distance(one.value, other) for other in fixed) > FAR


def test_the_mild_changes_are_five_and_the_last_cuts_a_hundredth_off() -> None:
    grey = greyed(rich(640, 640))
    made = list(changed(grey))
    assert [one.shape for one in made] == [(64, 64), *[(320, 320)] * 3, (314, 314)]


@pytest.mark.parametrize(("picture", "error"), [
    (flat(300, 200), TooPlain), (noise(4, 90), TooPlain), (pasted(240, 240), Framed),
])  # fmt: skip
def test_a_plain_picture_and_one_that_is_nearly_all_margin_are_refused(
    picture: Rgb, error: type[ImageError]
) -> None:
    with pytest.raises(error) as refused:
        forms(picture)
    assert type(refused.value) is error


def test_what_is_left_without_margins_is_measured_by_area() -> None:
    assert inside(greyed(pasted(400, 400))) == pytest.approx(0.2, abs=0.02)
    assert inside(greyed(noise(300, 300))) == 1
    assert inside(greyed(flat(300, 300))) == 0
