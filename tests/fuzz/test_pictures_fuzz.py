"""Pictures and videos gone wrong, through the jail: each is refused or gets hashes, none ends the
jail, and the next good one gets its hashes; also as `sala hash` hands them over. `SALA_FUZZ=300`
makes so many."""

import asyncio
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cases.hashes import Item
from bot.hashing.errors import ImageError
from bot.hashing.image import hash_bytes
from bot.hashing.jail import Jail, Refused
from bot.hashing.kinds import PROOF
from bot.hashing.own import OwnFiles
from tests.fuzz.grammar import bounded
from tests.test_jail import everyday, packed, saved, turned

SMALL = (160, 120)
PNG = b"\x89PNG\r\n\x1a\n"
LENGTHS = (0, 1, 7, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def pictures() -> list[bytes]:
    """One of each kind that is opened, small."""
    whole = everyday(SMALL)
    clear, others = whole.convert("RGBA"), [whole.rotate(90), whole.rotate(180)]
    return [
        saved(whole, "JPEG", exif=turned(), comment=b"a remark", icc_profile=b"profile" * 20),
        saved(whole, "JPEG", progressive=True), saved(whole.convert("CMYK"), "JPEG"),
        saved(whole, "MPO", save_all=True, append_images=others),
        saved(clear, "PNG", exif=turned()), saved(whole.convert("P"), "PNG", transparency=0),
        saved(whole.convert("1"), "PNG"), saved(whole, "PNG", save_all=True, append_images=others),
        saved(whole, "WEBP", exif=turned()), saved(clear, "WEBP", lossless=True),
        saved(whole, "WEBP", save_all=True, append_images=others), saved(whole, "GIF"),
        saved(whole, "GIF", save_all=True, append_images=others, loop=0),
        saved(clear, "AVIF"), saved(whole, "HEIF", exif=turned()), saved(clear, "HEIF"),
        packed(b"x"),
    ]  # fmt: skip


def film(container: str, codec: str) -> bytes:
    """A second of it, of an everyday picture that moves."""
    file, scene = BytesIO(), np.asarray(everyday((192, 96)))
    with av.open(file, "w", format=container) as made:
        stream: Any = made.add_stream(codec, rate=8)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.time_base = Fraction(1, 8)
        for n in range(8):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(scene[:, n * 8 : n * 8 + 128]))
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    return file.getvalue()


def films() -> list[bytes]:
    """One of each container."""
    kinds = (("mp4", "mpeg4"), ("mov", "mpeg4"), ("matroska", "mpeg4"), ("webm", "libvpx"))
    return [PROOF.read_bytes(), *(film(*kind) for kind in kinds)]


# ---------------------------------------------------------------- gone wrong


@st.composite
def spoilt(draw: st.DrawFn, samples: Sequence[bytes]) -> bytes:
    """One with up to six places of it wrong, most of them near its beginning or its end."""
    file = bytearray(draw(st.sampled_from(samples)))
    for _ in range(draw(st.integers(1, 6))):
        _spoil(draw, file, samples)
    whole = bytes(file)
    return summed(whole) if whole.startswith(PNG) and draw(st.booleans()) else whole


def _spoil(draw: st.DrawFn, file: bytearray, samples: Sequence[bytes]) -> None:
    end = len(file)
    least, most = draw(st.sampled_from(((0, 700), (end - 200, end), (0, end))))
    at, size = draw(st.integers(max(0, least), min(most, end))), draw(st.integers(1, 80))
    match draw(st.sampled_from(("byte", "length", "cut", "gone", "twice", "even", "other"))):
        case "byte":
            file[at : at + 1] = bytes([draw(st.integers(0, 255))])
        case "length":
            form = draw(st.sampled_from((">I", "<I", ">H", "<H")))
            number = draw(st.sampled_from(LENGTHS) | st.integers(0, 2**32 - 1))
            number &= 0xFFFFFFFF if form[1] == "I" else 0xFFFF
            file[at : at + struct.calcsize(form)] = struct.pack(form, number)
        case "cut":
            del file[at:]
        case "gone":
            del file[at : at + size]
        case "twice":
            file[at:at] = file[at : at + size] * draw(st.integers(1, 200))
        case "even":
            file[at : at + size] = draw(st.sampled_from((b"\0", b"\xff", b"\x80"))) * size
        case "other":
            other = draw(st.sampled_from(samples))
            file[at:] = other[draw(st.integers(0, len(other))) :]


def summed(png: bytes) -> bytes:
    """A PNG whose parts have the right sums again, so that more of it is read."""
    made, at = bytearray(PNG), len(PNG)
    while at + 8 <= len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        part = png[at + 4 : at + 8 + size]
        made += png[at : at + 4] + part + struct.pack(">I", zlib.crc32(part))
        at += 12 + size
    return bytes(made)


# ---------------------------------------------------------------- the jail


class Tried:
    """A jail, and a good file whose hashes are known."""

    def __init__(self, runner: asyncio.Runner, good: bytes, hashes: Item) -> None:
        self.runner = runner
        self.jail = Jail()
        self.good = good
        self.hashes = hashes

    def __call__(self, file: bytes) -> Item | None:
        """Its hashes, or None when it is refused."""
        try:
            return self.runner.run(self.jail.hash(file))
        except Refused:
            return None

    def goes_on(self) -> None:
        assert self(self.good) == self.hashes


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as one:
        yield one


def test_a_picture_gone_wrong_is_refused_or_hashed_and_the_next_one_is_hashed(
    runner: asyncio.Runner,
) -> None:
    samples = pictures()
    tried = Tried(runner, good := samples[0], hash_bytes(good, "image", scaled=True))
    assert tried(good)
    tried.hashes = tried(good) or tried.hashes

    @bounded(25)
    @given(spoilt(samples))
    def one(file: bytes) -> None:
        tried(file)
        tried.goes_on()

    one()


def test_a_video_gone_wrong_is_refused_or_hashed_and_the_next_one_is_hashed(
    runner: asyncio.Runner,
) -> None:
    samples = films()
    tried = Tried(runner, good := samples[0], hash_bytes(good, "video"))

    @bounded(2)
    @given(spoilt(samples[1:]))
    def one(file: bytes) -> None:
        tried(file)

    one()
    tried.goes_on()


# ---------------------------------------------------------------- somebody's own terminal


class Handed:
    """The same jail, which is handed the open file itself."""

    def __init__(self, runner: asyncio.Runner, path: Path, good: bytes) -> None:
        self.runner = runner
        self.said: list[str] = []
        self.files = OwnFiles(self.said.append)
        self.path = path
        self.good, self.hashes = good, self(good)
        assert self.hashes

    def __call__(self, file: bytes, **wishes: bool) -> Item | None:
        """Its hashes, or None when there are none."""
        self.path.write_bytes(file)
        try:
            return self.runner.run(self.files.hash(self.path, **wishes))
        except ImageError:
            return None
        finally:
            assert self.path.read_bytes() == file
            assert self.said == []

    def goes_on(self) -> None:
        assert self(self.good) == self.hashes


def wished() -> st.SearchStrategy[dict[str, bool]]:
    """The device's hashes, with turned copies or not, or the server's."""
    return st.fixed_dictionaries({name: st.booleans() for name in ("turned", "scaled", "marked")})


@pytest.mark.parametrize(("samples", "examples"), [(pictures, 8), (films, 6)])
def test_a_file_gone_wrong_that_is_handed_over_has_hashes_or_an_error_and_the_next_its_own(
    samples: Callable[[], list[bytes]], examples: int, runner: asyncio.Runner, tmp_path: Path
) -> None:
    good, *others = samples()
    handed = Handed(runner, tmp_path / "file", good)

    @bounded(examples)
    @given(spoilt([good, *others]), wished())
    def one(file: bytes, wishes: dict[str, bool]) -> None:
        handed(file, **wishes)

    one()
    handed.goes_on()
