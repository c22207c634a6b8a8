"""PDQ equals Meta's own, pictures are read as a browser reads them, and nothing else is read."""

import hashlib
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pdqhash
import pytest
from PIL import Image, ImageDraw, ImageOps

from bot.cases.hashes import Hash, Item
from bot.cases.likeness import is_same
from bot.hashing.errors import Empty, ImageError, NotAnImage, TooLarge, TooPlain
from bot.hashing.image import hash_bytes, hash_file, open_picture
from bot.hashing.kinds import is_video
from bot.hashing.likeness import alike, phash
from bot.hashing.pdq import ZERO, Pdq, Rgb, distance, pdq
from bot.hashing.sample import boxed, nearest, sample

SIZES = [
    *[(1, 1), (4, 9), (5, 5), (5, 4000), (63, 64), (64, 64), (64, 65), (127, 128), (128, 129)],
    *[(129, 700), (257, 511), (300, 200), (512, 512), (640, 640), (1000, 333), (1200, 1600)],
]
MP4 = b"\0\0\0\x18ftypisom" + bytes(range(256)) * 20


def noise(height: int, width: int) -> Rgb:
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)


def gradient(height: int, width: int) -> Rgb:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], 2).astype(np.uint8)


def flat(height: int, width: int) -> Rgb:
    return np.full((height, width, 3), (10, 200, 37), np.uint8)


def checker(height: int, width: int) -> Rgb:
    y, x = np.mgrid[:height, :width]
    return np.repeat(((x // 8 + y // 8) % 2 * 255)[:, :, None], 3, 2).astype(np.uint8)


def photo(height: int, width: int, seed: int = 3) -> Rgb:
    """Soft light, shapes with edges, and grain."""
    chance = np.random.default_rng(seed)
    light = Image.fromarray(chance.integers(0, 256, (7, 9, 3), dtype=np.uint8))
    picture = light.resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(24):
        x, y = chance.uniform(0, width), chance.uniform(0, height)
        box = (x, y, x + width * chance.uniform(0.05, 0.3), y + height * chance.uniform(0.05, 0.3))
        draw.ellipse(box, fill=tuple(int(c) for c in chance.integers(0, 256, 3)))
    grain = chance.integers(-5, 6, (height, width, 3), dtype=np.int16)
    return np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8)


KINDS = [noise, gradient, flat, checker, photo]


def reference(rgb: Rgb) -> Pdq:
    bits, quality = pdqhash.compute(np.ascontiguousarray(rgb))
    return Pdq(np.packbits(bits.astype(np.uint8)).tobytes().hex(), quality)


def encoded(rgb: Rgb, format: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    Image.fromarray(rgb).save(file, format, **options)
    return file.getvalue()


def pdqs(item: Item) -> dict[str, str]:
    return {h.variant: h.value for h in item.hashes if h.kind == "pdq"}


# ---------------------------------------------------------------- PDQ and the two grids


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_pdq_equals_the_reference_bit_for_bit(make, size):
    rgb = make(*size)
    assert pdq(rgb) == reference(rgb)


@pytest.mark.parametrize("make", [gradient, photo])
def test_pdq_of_twelve_megapixels_equals_the_reference(make):
    rgb = make(3000, 4000)
    assert pdq(rgb) == reference(rgb)


def test_a_side_under_five_pixels_has_the_zero_hash():
    assert pdq(noise(4, 300)) == Pdq(ZERO, 0)


def test_the_512_grid_is_the_nearest_pixel_rule():
    rgb = photo(700, 1300)
    by_hand = rgb[[k * 700 // 512 for k in range(512)]][:, [k * 1300 // 512 for k in range(512)]]
    assert (sample(rgb, "512") == by_hand).all()


def test_the_640_grid_is_the_mean_of_whole_cells():
    rgb = np.arange(1280 * 4, dtype=np.uint32).reshape(4, 1280, 1).repeat(3, 2) % 251
    grid = sample(rgb.astype(np.uint8), "640")
    assert grid.shape == (4, 640, 3)
    assert (grid[..., 0] == (rgb[:, ::2, 0] + rgb[:, 1::2, 0] + 1) // 2).all()


def test_cells_of_unequal_width_cover_every_pixel_once():
    row = np.array([[10, 20, 30, 41, 50]], np.uint8)[:, :, None].repeat(3, 2)
    assert boxed(row, 2)[0, :, 0].tolist() == [15, 40]
    assert nearest(row, 2)[0, :, 0].tolist() == [10, 30]


@pytest.mark.parametrize("size", ["512", "640"])
def test_a_picture_within_the_limit_keeps_its_pixels(size):
    assert (sample(photo(90, 80), size) == photo(90, 80)).all()


def test_with_one_long_side_512_is_square_as_metas_tool_has_it_and_640_enlarges_nothing():
    assert sample(photo(100, 3000), "512").shape == (512, 512, 3)
    assert sample(photo(100, 3000), "640").shape == (100, 640, 3)


def test_both_grids_stay_within_reach_of_what_partners_hash():
    rgb = photo(1500, 2000)
    for size in ("512", "640"):
        assert distance(pdq(sample(rgb, size)).hex, pdq(rgb).hex) <= 20


# ---------------------------------------------------------------- files


def test_a_jpeg_of_twelve_megapixels_becomes_an_item(tmp_path: Path):
    data = encoded(photo(3000, 4000), "JPEG", quality=90)
    file = tmp_path / "a.jpg"
    file.write_bytes(data)
    item = hash_file(file)
    assert [(h.kind, h.variant) for h in item.hashes if not h.variant.startswith("self-")] == [
        *[("pdq", "512"), ("pdq", "640"), ("pdq", "256")],
        *[("pdq", "512-mirror"), ("pdq", "640-mirror"), ("pdq", "256-mirror")],
        *[("md5", "file"), ("sha256", "file")],
    ]
    decoded = np.asarray(Image.open(BytesIO(data)))
    expected = reference(sample(decoded, "512"))
    assert item.hashes[0] == Hash("pdq", "512", expected.hex, expected.quality)
    assert item.hashes[-1].value == hashlib.sha256(data).hexdigest()
    assert hash_bytes(data, "image") == item


def test_a_jpeg_shrunk_by_its_decoder_keeps_its_fixed_hashes_within_ten_bits():
    data = encoded(photo(3000, 4000), "JPEG", quality=90)
    exact, near = (pdqs(hash_bytes(data, "image", scaled=how)) for how in (False, True))
    for variant in [one for one in exact if not one.startswith("self-")]:
        assert distance(exact[variant], near[variant]) <= 10, variant


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF"])
def test_each_allowed_format_is_read(format):
    item = hash_bytes(encoded(photo(300, 400), format), "image")
    assert distance(pdqs(item)["512"], pdq(photo(300, 400)).hex) <= 10


@pytest.mark.parametrize("format", ["BMP", "TIFF", "PPM", "ICO", "TGA"])
def test_no_other_format_is_read(format):
    with pytest.raises(NotAnImage):
        hash_bytes(encoded(photo(200, 200), format), "image")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_exif_says(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(photo(240, 320), "JPEG", quality=95, exif=exif)
    turned = ImageOps.exif_transpose(Image.open(BytesIO(data)))
    assert (np.asarray(open_picture(data)) == np.asarray(turned)).all()
    assert open_picture(data).size == ((320, 240) if orientation < 5 else (240, 320))


def test_a_see_through_picture_lies_on_white_paper():
    layer = np.dstack([photo(64, 64), np.full((64, 64), 255, np.uint8)])
    layer[:32, :, 3] = 0
    seen = np.asarray(open_picture(encoded(layer)))
    assert (seen[:32] == 255).all()
    assert (seen[32:] == layer[32:, :, :3]).all()


def test_only_the_first_frame_of_an_animation_is_read():
    frames = [Image.fromarray(photo(200, 200, seed)) for seed in (1, 2)]
    file = BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert (np.asarray(open_picture(file.getvalue())) == photo(200, 200, 1)).all()


def test_sixteen_bits_of_grey_are_scaled_not_clipped():
    deep = np.arange(4096, dtype=np.uint16).reshape(64, 64) * 16
    assert np.asarray(open_picture(encoded(deep)))[63, 63].tolist() == [255, 255, 255]
    assert np.asarray(open_picture(encoded(deep)))[32, 0].tolist() == [128, 128, 128]


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims these sides."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("sides", [(10_001, 10_000), (20_000, 20_000), (60_000, 60_000)])
def test_a_picture_that_claims_over_100_megapixels_is_refused_unread(sides):
    with pytest.raises(TooLarge):
        hash_bytes(bomb(*sides), "image")


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", Empty),
        (b"dear diary, this is no picture", NotAnImage),
        (encoded(photo(300, 400), "JPEG")[:2000], NotAnImage),
        (b"\xff\xd8\xff\xe0" + b"\0" * 200, NotAnImage),
        (b"\0\0\0\x18ftypheic" + b"\0" * 200, NotAnImage),
        (encoded(noise(1, 1)), TooPlain),
        (encoded(noise(4, 900)), TooPlain),
        (encoded(flat(300, 300)), TooPlain),
    ],
)
def test_what_gives_no_hash_is_refused_without_quoting_it(tmp_path: Path, data, error):
    file = tmp_path / "secret-name.jpg"
    file.write_bytes(data)
    with pytest.raises(error) as refused:
        hash_file(file)
    assert isinstance(refused.value, ImageError)
    assert refused.value.args == ()
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_file_that_is_not_there_is_refused_without_its_name(tmp_path: Path):
    with pytest.raises(NotAnImage) as refused:
        hash_file(tmp_path / "secret-name.jpg")
    assert refused.value.args == ()


def test_a_file_over_100_megabytes_is_refused_unread(tmp_path: Path):
    file = tmp_path / "a.jpg"
    with file.open("wb") as sparse:
        sparse.truncate(100_000_001)
    with pytest.raises(TooLarge):
        hash_file(file)


def test_damaged_exif_does_not_stop_a_picture():
    data = encoded(photo(240, 320), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\1" * 30)
    assert open_picture(data).size == (320, 240)


# ---------------------------------------------------------------- videos and likeness


def test_a_video_is_known_by_the_digests_of_its_file(tmp_path: Path):
    file = tmp_path / "a.mp4"
    file.write_bytes(MP4)
    md5, sha256 = hashlib.md5(MP4).hexdigest(), hashlib.sha256(MP4).hexdigest()
    item = Item("video", (Hash("md5", "file", md5), Hash("sha256", "file", sha256)))
    assert hash_file(file) == item == hash_bytes(MP4, "video")


@pytest.mark.parametrize(
    ("head", "video"),
    [
        (b"\0\0\0\x18ftypmp42", True),
        (b"\0\0\0\x14ftypqt  ", True),
        (b"\0\0\0\x08wide\0\0\0\0", True),
        (b"\x1aE\xdf\xa3" + b"\0" * 8, True),
        (b"\0\0\0\x18ftypavif", False),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0\1", False),
        (b"", False),
    ],
)
def test_videos_are_told_by_their_first_bytes(head, video):
    assert is_video(head) is video


def test_a_picture_is_no_video():
    with pytest.raises(NotAnImage):
        hash_bytes(encoded(photo(100, 100)), "video")


def test_a_smaller_re_encoded_copy_is_the_same_picture():
    assert alike(
        encoded(photo(900, 1200)), encoded(photo(900, 1200)[::3, ::3].copy(), "JPEG", quality=40)
    )


def test_two_photos_are_not_the_same_picture():
    assert not alike(encoded(photo(300, 400, 1)), encoded(photo(300, 400, 2)))


def test_ten_bits_apart_is_the_same_and_eleven_is_not():
    assert is_same("00000000000003ff", "0" * 16)
    assert not is_same("00000000000007ff", "0" * 16)
    assert len(phash(open_picture(encoded(photo(99, 99))))) == 16
