"""Videos in the jail (C16): the same codes as on the person's own machine, and no way out."""

import asyncio
import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest

from bot.cases.hashes import Item
from bot.hashing import video
from bot.hashing.errors import NotAnImage, TooLarge
from bot.hashing.filmed import MOST
from bot.hashing.image import hash_bytes
from bot.hashing.jail import FILMED, Broken, Jail, Refused
from bot.hashing.kinds import PROOF
from bot.hashing.pdq import distance
from tests.browser import films

MATCH = 31
JAIL = Jail()
needs_ffmpeg = pytest.mark.skipif(films.FFMPEG is None, reason="no ffmpeg on this machine")

VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8")
AV1 = ("-c:v", "libsvtav1", "-preset", "12")
HEVC = ("-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1")
DEEP = ("-vf", "format=yuv420p10le", *HEVC)
MADE: dict[str, Callable[[Path], bytes]] = {
    "mp4, h264": lambda folder: films.film(folder / "a.mp4", *films.H264),
    "mp4, held upright": lambda folder: films.phone(folder / "held.mp4"),
    "mp4, in pieces": lambda folder: films.film(
        folder / "a.mp4", *films.H264, "-movflags", "frag_keyframe+empty_moov"
    ),
    "mp4, av1": lambda folder: films.film(folder / "a.mp4", *AV1),
    "mov, hevc": lambda folder: films.film(folder / "a.mov", *HEVC),
    "mov, hevc of ten bits": lambda folder: films.film(folder / "a.mov", *DEEP),
    "3gp, mpeg4": lambda folder: films.film(folder / "a.3gp", "-c:v", "mpeg4", "-q:v", "3"),
    "webm, vp8": lambda folder: films.film(folder / "a.webm", *films.SMALL_VP8),
    "webm, vp9": lambda folder: films.film(folder / "a.webm", *VP9),
    "webm, of no length": lambda folder: films.film(folder / "a.webm", *VP9, "-live", "1"),
    "mkv, h264": lambda folder: films.film(folder / "a.mkv", *films.H264),
}


@dataclass(frozen=True, slots=True)
class Film:
    content: bytes
    stills: list[str]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    content = films.film(tmp_path_factory.mktemp("film") / "one.mp4", *films.H264)
    return Film(content, stills(hash_bytes(content, "video")))


def hashed(content: bytes, jail: Jail = JAIL) -> Item:
    async def once() -> Item:
        return await jail.hash(content)

    return asyncio.run(once())


def stills(item: Item) -> list[str]:
    return [one.value for one in item.hashes if one.kind == "pdq"]


def met(ours: list[str], theirs: list[str]) -> float:
    return sum(any(distance(a, b) <= MATCH for b in theirs) for a in ours) / len(ours)


# ---------------------------------------------------------------- stills


@needs_ffmpeg
@pytest.mark.parametrize("name", MADE)
def test_a_video_of_each_kind_is_found_by_its_stills_and_known_by_its_file(
    name: str, film: Film, tmp_path: Path
) -> None:
    content = MADE[name](tmp_path)
    item = hash_bytes(content, "video")
    assert met(film.stills, stills(item)) >= 0.9
    assert met(stills(item), film.stills) >= 0.9
    exact = {hashlib.md5(content).hexdigest(), hashlib.sha256(content).hexdigest()}
    assert {one.value for one in item.hashes if one.kind != "pdq"} == exact
    assert hashed(content) == item, "in the jail they are the same"


@needs_ffmpeg
def test_a_still_like_one_before_it_or_too_plain_is_none(tmp_path: Path) -> None:
    twice = films.film(tmp_path / "twice.mp4", *films.H264, raw=films.standing(1, 2, 1, 2))
    assert len(stills(hash_bytes(twice, "video"))) == 2
    assert stills(hash_bytes(films.plain(tmp_path / "plain.mp4"), "video")) == []


@needs_ffmpeg
def test_what_would_cost_too_much_is_seen_by_its_whole_pictures_alone(tmp_path: Path) -> None:
    content = films.film(tmp_path / "a.mp4", *films.H264, raw=films.standing(1, 2, 3, 4))
    seen, area = stills(hash_bytes(content, "video")), films.WIDE * films.HIGH
    enough, cheap = (video.stills(BytesIO(content), many * area) for many in (16, 1))
    assert [one.value for one in enough] == seen
    assert len(cheap) == len(seen) == 4
    assert met(seen, [one.value for one in cheap]) == 1


@needs_ffmpeg
def test_a_video_torn_in_the_middle_keeps_what_can_be_seen_of_it(tmp_path: Path) -> None:
    whole = films.film(tmp_path / "a.webm", *films.SMALL_VP8)
    torn = hash_bytes(whole[: len(whole) // 2], "video")
    assert 3 <= len(stills(torn)) < len(stills(hash_bytes(whole, "video")))


def test_a_picture_larger_than_4k_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "PIXELS", 128 * 96)
    assert video.stills(BytesIO(PROOF.read_bytes()))
    monkeypatch.setattr(video, "PIXELS", 128 * 96 - 1)
    with pytest.raises(TooLarge):
        video.stills(BytesIO(PROOF.read_bytes()))


@needs_ffmpeg
@pytest.mark.parametrize(
    "how", [("a.mov", "-c:v", "mjpeg"), ("a.mov", "-c:v", "prores"), ("a.mkv", "-c:v", "ffv1")]
)
def test_no_other_decoder_is_ever_used(how: tuple[str, ...], tmp_path: Path) -> None:
    content = films.film(tmp_path / how[0], *how[1:], raw=films.pictures(1))
    with pytest.raises(NotAnImage):
        video.stills(BytesIO(content))


# ---------------------------------------------------------------- the jail


def overwritten(content: bytes, word: bytes, other: bytes) -> bytes:
    assert word in content
    return content.replace(word, other)


BAD: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "half of it, without its index": ("kind", lambda good: good[: len(good) // 8]),
    "a head and noise": ("kind", lambda good: good[:40] + bytes(range(256)) * 40),
    "a matroska of nothing": ("kind", lambda good: b"\x1aE\xdf\xa3" + b"\0" * 400),
    "no pictures in it": ("kind", lambda good: overwritten(good, b"vide", b"soun")),
    "its samples elsewhere": ("kind", lambda good: overwritten(good, b"stco", b"free")),
    "too many bytes": ("size", lambda good: good + bytes(MOST)),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_video_gets_a_reason_and_no_code(name: str) -> None:
    problem, make = BAD[name]
    with pytest.raises(Refused) as refused:
        hashed(make(PROOF.read_bytes()))
    assert refused.value.problem == problem


@needs_ffmpeg
def test_a_small_file_of_immense_pictures_is_refused(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.mp4"
    black = ("-f", "lavfi", "-i", "color=black:size=5000x2200:rate=1", "-t", "1")
    films.run(*black, "-c:v", "libx264", "-preset", "ultrafast", str(bomb))
    with pytest.raises(Refused) as refused:
        hashed(bomb.read_bytes())
    assert refused.value.problem == "size"


@needs_ffmpeg
def test_a_video_without_a_still_is_too_plain_to_be_found(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        hashed(films.plain(tmp_path / "plain.mp4"))
    assert refused.value.problem == "plain"


def test_a_video_never_goes_to_the_guard_of_pictures_which_knows_no_such_decoder() -> None:
    jail = Jail()
    assert hashed(PROOF.read_bytes(), jail).media == "video"
    assert jail.guard is None
    asked = "import sys; import bot.hashing.guard; print('av' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True)
    assert said.stdout == b"False\n"


NO_WALLS = (
    "import sys; from bot.hashing import filmed, walls; walls.raise_them = lambda *_: None; "
    "filmed.main(*sys.argv[1:])"
)
ITEM = '{"media": "%s", "hashes": [{"kind": "md5", "variant": "file", "value": "%s"}]}'


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (NO_WALLS, "was survived"),
        ('print(\'{"refused": "kind"}\')', "a good video was refused"),
        (f"print('''{{\"item\": {ITEM % ('video', '0' * 32)}, \"phash\": null}}''')", "wrong"),
        (f"print('''{{\"item\": {ITEM % ('image', '0' * 32)}, \"phash\": null}}''')", "refused"),
    ],
)
def test_where_a_video_cannot_be_held_in_there_is_no_jail(script: str, why: str) -> None:
    with pytest.raises(Broken, match=why):
        asyncio.run(Jail(filmed=("-I", "-c", script)).prove())


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_behind_the_walls_a_video_is_only_read_and_answered(tmp_path: Path) -> None:
    kept = tmp_path / "calls"
    command = ["strace", "-f", "-o", str(kept), sys.executable, *FILMED]
    subprocess.run(command, input=PROOF.read_bytes(), check=True, capture_output=True, cwd="/")
    calls = [line.partition(" ")[2].strip() for line in kept.read_text().splitlines()]
    writing = re.compile(r"open.*O_(WRONLY|RDWR|CREAT)|creat\(|memfd_create|O_TMPFILE")
    assert [one for one in calls if writing.search(one)] == []
    walls = max(n for n, one in enumerate(calls) if one.startswith("seccomp(SECCOMP_SET_MODE"))
    reads = [n for n, one in enumerate(calls) if one.startswith("read(0,")]
    assert min(reads) > walls, "the first byte comes after the walls"
    names = {one.partition("(")[0] for one in calls[walls + 1 :] if "(" in one}
    assert names <= {"read", "write", "mmap", "munmap", "mremap", "brk", "madvise", "futex",
                     "exit_group", "rt_sigaction", "rt_sigprocmask", "getrandom"}  # fmt: skip
