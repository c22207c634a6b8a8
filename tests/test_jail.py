"""The jail (C16): right hashes out of a locked process, and nothing out of a bad file."""

import asyncio
import io
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bot.cases.hashes import Item
from bot.hashing.comparing import NEAR
from bot.hashing.image import hash_bytes
from bot.hashing.jail import PRISONER, Broken, Jail, Refused
from bot.hashing.likeness import phash
from bot.hashing.locked import MOST, PIXELS
from bot.hashing.pdq import distance

NO_LIBRARY = "from bot.hashing import locked, walls; walls.LIBRARY = 'no.so'; locked.main()"
NO_WALLS = (
    "import sys; from bot.hashing import locked, walls; walls.raise_them = lambda *_: None; "
    "locked.main(*sys.argv[1:])"
)
ITEM = '{"media": "image", "hashes": [{"kind": "md5", "variant": "file", "value": "%s"}]}' % (
    "0" * 32
)
MARK = '"phash": "0123456789abcdef"'


def everyday(size: tuple[int, int] = (800, 600)) -> Image.Image:
    chance = np.random.default_rng(7)
    small = Image.fromarray(chance.integers(0, 256, (9, 12, 3), np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


def saved(picture: Image.Image, kind: str, **more: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **more)
    return file.getvalue()


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "a camera"
    return exif


def moving(kind: str) -> bytes:
    others = [everyday().rotate(90), everyday().rotate(180)]
    return saved(everyday(), kind, save_all=True, append_images=others)


GOOD: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: saved(everyday(), "JPEG"),
    "jpeg, progressive": lambda: saved(everyday(), "JPEG", progressive=True, optimize=True),
    "jpeg, turned": lambda: saved(everyday(), "JPEG", exif=turned()),
    "jpeg, grey": lambda: saved(everyday().convert("L"), "JPEG"),
    "jpeg, cmyk": lambda: saved(everyday().convert("CMYK"), "JPEG"),
    "jpeg, two pictures in one": lambda: saved(
        everyday(), "MPO", save_all=True, append_images=[everyday()]
    ),
    "jpeg, more behind it": lambda: saved(everyday(), "JPEG") + packed(b"x"),
    "png": lambda: saved(everyday(), "PNG"),
    "png, see-through": lambda: saved(everyday().convert("RGBA"), "PNG", exif=turned()),
    "png, palette": lambda: saved(everyday().convert("P"), "PNG", transparency=0),
    "png, grey and see-through": lambda: saved(everyday().convert("LA"), "PNG"),
    "png, deep": lambda: saved(
        Image.fromarray(np.asarray(everyday().convert("L")).astype(np.uint16) << 8), "PNG"
    ),
    "webp": lambda: saved(everyday(), "WEBP"),
    "webp, lossless": lambda: saved(everyday().convert("RGBA"), "WEBP", lossless=True),
    "webp, moving": lambda: moving("WEBP"),
    "heic": lambda: saved(everyday(), "HEIF"),
    "heic, turned": lambda: saved(everyday(), "HEIF", exif=turned()),
    "heic, see-through": lambda: saved(everyday().convert("RGBA"), "HEIF"),
    "avif": lambda: saved(everyday(), "AVIF"),
    "avif, turned": lambda: saved(everyday(), "AVIF", exif=turned()),
    "avif, see-through": lambda: saved(everyday().convert("RGBA"), "AVIF"),
    "gif": lambda: saved(everyday(), "GIF"),
    "gif, moving": lambda: moving("GIF"),
}


def packed(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("picture.jpg", content)
    return file.getvalue()


def bomb(side: int) -> bytes:
    """A PNG of a few kilobytes that would be so many pixels a side."""
    line = b"\0" * (side // 8 + 1)
    shrink = zlib.compressobj(9)
    data = b"".join(shrink.compress(line) for _ in range(side)) + shrink.flush()
    parts = ((b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)), (b"IDAT", data))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(what)) + name + what + struct.pack(">I", zlib.crc32(name + what))
        for name, what in (*parts, (b"IEND", b""))
    )


def longer(picture: bytes) -> bytes:
    """Its `meta` box says that it goes on for 4 GB."""
    at = picture.index(b"meta") - 4
    return picture[:at] + b"\xff\xff\xff\xff" + picture[at + 4 :]


def noisy(picture: bytes, seed: int) -> bytes:
    """Some bytes are others, anywhere behind its first box."""
    chance, noise = np.random.default_rng(seed), bytearray(picture)
    for at in chance.integers(32, len(noise), 12):
        noise[at] = chance.integers(256)
    return bytes(noise)


def enlarged(picture: bytes) -> bytes:
    """Its `ispe` box says 30,000 pixels a side."""
    at = picture.index(b"ispe") + 8
    return picture[:at] + struct.pack(">II", 30_000, 30_000) + picture[at + 8 :]


BAD: dict[str, tuple[str, Callable[[], bytes]]] = {
    "nothing": ("kind", lambda: b""),
    "words": ("kind", lambda: b"this is no picture"),
    "a page": ("kind", lambda: b"<html><script>fetch('//a.example')</script></html>"),
    "a drawing in words": ("kind", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    "an archive with a picture": ("kind", lambda: packed(saved(everyday(), "JPEG"))),
    "a document": ("kind", lambda: saved(everyday(), "PDF")),
    "a program for a printer": ("kind", lambda: saved(everyday(), "EPS")),
    "a film": ("kind", lambda: b"\0\0\0\x18ftypmp42" + b"\0" * 100),
    "another kind of picture": ("kind", lambda: saved(everyday(), "TIFF")),
    "an old kind of picture": ("kind", lambda: saved(everyday(), "BMP")),
    "half a jpeg": ("kind", lambda: saved(everyday(), "JPEG")[:9_000]),
    "half a png": ("kind", lambda: saved(everyday(), "PNG")[:20_000]),
    "half a webp": ("kind", lambda: saved(everyday(), "WEBP")[:2_000]),
    "half a heic": ("kind", lambda: saved(everyday(), "HEIF")[:3_000]),
    "half an avif": ("kind", lambda: saved(everyday(), "AVIF")[:3_000]),
    "a heic's box of no end": ("kind", lambda: longer(saved(everyday(), "HEIF"))),
    "an avif's box of no end": ("kind", lambda: longer(saved(everyday(), "AVIF"))),
    "a heic of another size than it says": ("size", lambda: enlarged(saved(everyday(), "HEIF"))),
    "an avif of another size than it says": ("kind", lambda: enlarged(saved(everyday(), "AVIF"))),
    "a beginning and noise": ("kind", lambda: saved(everyday(), "JPEG")[:300] + b"\x9a" * 900),
    "white": ("plain", lambda: saved(Image.new("RGB", (300, 300), "white"), "PNG")),
    "four pixels": ("plain", lambda: saved(everyday((4, 4)), "PNG")),
    "a bomb": ("size", lambda: bomb(20_000)),
    "just too many pixels": ("size", lambda: bomb(int(PIXELS**0.5) + 8)),
    "too many bytes": ("size", lambda: saved(everyday(), "JPEG") + b"\0" * MOST),
}


JAIL = Jail()


def hashed(picture: bytes, jail: Jail = JAIL) -> Item:
    async def once() -> Item:
        return await jail.hash(picture)

    return asyncio.run(once())


def fixed(item: Item) -> dict[str, str]:
    """By kind and variant, without those that the self-test adds."""
    named = ((f"{one.kind} {one.variant}", one.value) for one in item.hashes)
    return {name: value for name, value in named if "self" not in name}


def apart(one: Item, other: Item) -> int:
    """The most bits between namesakes, of which there must be the same."""
    ours, theirs = fixed(one), fixed(other)
    assert ours.keys() == theirs.keys()
    return max(distance(ours[name], theirs[name]) for name in ours)


def prove(*prisoner: str) -> None:
    asyncio.run((Jail(20, prisoner, ()) if prisoner else Jail()).prove())


def prisoner(script: str, within: float = 20) -> Jail:
    return Jail(within, ("-I", "-c", script), guard=())


# ---------------------------------------------------------------- hashes


@pytest.mark.parametrize("name", GOOD)
def test_a_picture_gets_the_hashes_that_the_persons_own_device_makes(name: str) -> None:
    picture = GOOD[name]()
    there, here = hashed(picture), hash_bytes(picture, "image", mark=phash)
    if name.startswith("jpeg"):  # read there in grey
        assert apart(there, here) <= 2
    else:
        assert there == here


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gets_a_reason_and_no_hash(name: str) -> None:
    problem, make = BAD[name]
    with pytest.raises(Refused) as refused:
        hashed(make())
    assert refused.value.problem == problem


@pytest.mark.parametrize("kind", ["HEIF", "AVIF", "WEBP", "GIF", "PNG", "JPEG"])
def test_a_damaged_picture_gets_hashes_or_a_reason_and_the_next_one_its_own(kind: str) -> None:
    whole = saved(everyday((320, 240)), kind)
    for seed in range(12):
        with suppress(Refused):
            hashed(noisy(whole, seed))
    assert hashed(GOOD["png"]()) == hash_bytes(GOOD["png"](), "image", mark=phash)


def test_a_hundred_megapixels_fit() -> None:
    assert hashed(saved(everyday((10_000, 10_000)).convert("L"), "JPEG"))


def test_a_picture_whose_fineness_decides_its_hash_is_not_shrunk_by_the_decoder() -> None:
    fog = np.asarray(everyday((4_400, 3_300)).convert("L")).astype(np.int16) // 2 + 100
    fog += np.random.default_rng(1).integers(-60, 61, fog.shape, np.int16)
    picture = saved(Image.fromarray(fog.clip(0, 255).astype(np.uint8)), "JPEG", quality=80)
    server = hash_bytes(picture, "image", scaled=True)
    assert apart(server, hash_bytes(picture, "image")) <= NEAR


def test_of_pictures_that_come_together_none_is_lost() -> None:
    async def many() -> list[Item]:
        jail = Jail()
        return await asyncio.gather(*(jail.hash(GOOD["png"]()) for _ in range(4)))

    assert len(set(asyncio.run(many()))) == 1


# ---------------------------------------------------------------- walls


def test_this_machine_has_a_jail_that_nothing_gets_out_of() -> None:
    prove()


@pytest.mark.parametrize(
    ("script", "why"), [(NO_LIBRARY, "libseccomp2"), (NO_WALLS, "was survived")]
)
def test_without_walls_there_is_no_jail(script: str, why: str) -> None:
    with pytest.raises(Broken, match=why):
        prove("-I", "-c", script)


def test_without_python_there_is_no_jail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(Broken, match="FileNotFoundError"):
        prove()


def test_a_jail_that_refuses_or_falsifies_a_good_picture_is_none() -> None:
    with pytest.raises(Broken, match="refused"):
        prove("-I", "-c", 'print(\'{"refused": "kind"}\')')
    with pytest.raises(Broken, match="wrong"):
        prove("-I", "-c", f"print('''{{\"item\": {ITEM}, {MARK}}}''')")


def traced(folder: Path, picture: bytes) -> list[str]:
    """Every system call of the prisoner and its children."""
    kept = folder / "calls"
    command = ["strace", "-f", "-o", str(kept), sys.executable, *PRISONER]
    subprocess.run(command, input=picture, check=True, capture_output=True, cwd="/")
    return [line.partition(" ")[2].strip() for line in kept.read_text().splitlines()]


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_no_file_is_written_no_line_opened_and_behind_the_walls_only_read_and_answered(
    tmp_path: Path,
) -> None:
    calls = traced(tmp_path, GOOD["jpeg, turned"]())
    writing = re.compile(r"open.*O_(WRONLY|RDWR|CREAT)|creat\(|memfd_create|O_TMPFILE")
    assert [one for one in calls if writing.search(one)] == []
    line = re.compile(r"^(socket|connect|bind|sendto|sendmsg|socketpair)\(")
    assert [one for one in calls if line.search(one)] == []
    walls = max(n for n, one in enumerate(calls) if one.startswith("seccomp(SECCOMP_SET_MODE"))
    names = {one.partition("(")[0] for one in calls[walls + 1 :] if "(" in one}
    assert names <= {
        "read", "write", "mmap", "munmap", "mremap", "brk", "madvise", "futex", "exit_group",
        "rt_sigaction", "rt_sigprocmask", "mprotect", "getrandom", "clock_gettime",
    }  # fmt: skip
    reads = [n for n, one in enumerate(calls) if one.startswith("read(0,")]
    assert min(reads) > walls, "the first byte comes after the walls"
    written = [one for one in calls if one.startswith("write(")]
    assert [one[:8] for one in written] == ["write(1,"]


# ---------------------------------------------------------------- the guard


def guarded(script: str, within: float = 20) -> Jail:
    return Jail(within, guard=("-I", "-c", script))


def inside(jail: Jail, file: str) -> Path:
    hashed(GOOD["png"](), jail)
    assert jail.guard
    return Path(f"/proc/{jail.guard.pid}/{file}")


def test_the_guard_has_nothing_open_but_its_line_no_secret_and_no_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SALA_SECRET", "canary")
    jail = Jail()
    opened = {one.name: os.readlink(one) for one in inside(jail, "fd").iterdir()}
    assert opened.pop("0").startswith("socket:")
    assert opened == {"1": "/dev/null", "2": "/dev/null"}
    assert b"canary" not in inside(jail, "environ").read_bytes()
    assert len(list(inside(jail, "task").iterdir())) == 1


def test_of_each_picture_nothing_is_left_in_the_guard_not_even_a_process() -> None:
    jail = Jail()
    before = inside(jail, "status").read_text()
    assert inside(jail, f"task/{jail.guard and jail.guard.pid}/children").read_text() == ""
    assert "VmHWM" in before
    assert GOOD["png"]()[60:90] not in memory(inside(jail, "maps").parent)


def memory(process: Path) -> bytes:
    """All that it could ever have written to."""
    found = bytearray()
    with (process / "mem").open("rb", 0) as file:
        for line in (process / "maps").read_text().splitlines():
            span, may, *_ = line.split()
            if may.startswith("rw"):
                start, end = (int(at, 16) for at in span.split("-"))
                file.seek(start)
                found += file.read(end - start)
    return bytes(found)


def test_a_guard_that_dies_loses_no_picture_and_the_next_has_a_new_one() -> None:
    jail = Jail()
    hashed(GOOD["png"](), jail)
    first = jail.guard
    assert first
    os.kill(first.pid, signal.SIGKILL)
    assert hashed(GOOD["png"](), jail) == hash_bytes(GOOD["png"](), "image", mark=phash)
    hashed(GOOD["png"](), jail)
    assert jail.guard
    assert jail.guard.pid != first.pid


@pytest.mark.parametrize(
    "script",
    ["raise SystemExit(1)", "import socket; socket.recv_fds(socket.socket(fileno=0), 64, 2)"],
)
def test_where_no_guard_can_be_each_prisoner_starts_by_itself(script: str) -> None:
    picture = GOOD["png"]()
    assert hashed(picture, guarded(script)) == hash_bytes(picture, "image", mark=phash)


ENDLESS = """
import os, socket
_, (_, voice), _, _ = socket.recv_fds(socket.socket(fileno=0), 64, 2)
while True: os.write(voice, b"x" * 1000)
"""


def test_a_guards_prisoner_that_says_no_end_of_things_is_cut_off() -> None:
    jail = guarded(ENDLESS)
    with pytest.raises(Refused):
        hashed(b"", jail)
    assert jail.guard
    assert not Path(f"/proc/{jail.guard.pid}").exists()


def test_one_that_takes_too_long_is_ended_with_its_guard() -> None:
    mark = f"guard {os.getpid()}"
    slow = f"'{mark}'; import os; os.fork(); import signal; signal.pause()"
    with pytest.raises(Refused):
        hashed(b"x" * 500_000, guarded(slow, within=1))
    running = [one.read_bytes() for one in Path("/proc").glob("[0-9]*/cmdline")]
    assert [one for one in running if mark.encode() in one] == []


# ---------------------------------------------------------------- a prisoner that was taken over


@pytest.mark.parametrize(
    "said",
    [
        "",
        "no json",
        "{}",
        '{"refused": "kind", "more": 1}',
        '{"refused": "busy"}',
        '{"refused": ["kind"]}',
        '{"item": []}',
        '{"item": {"media": "image", "hashes": []}}',
        f'{{"item": {ITEM}}}',
        f'{{"item": {ITEM}, "phash": 5}}',
        f'{{"item": {ITEM}, "phash": "0123456789abcdeF"}}',
        f'{{"item": {ITEM}, {MARK}, "more": 1}}',
        f'{{"item": {ITEM.replace("image", "video")}, {MARK}}}',
        f'{{"item": {ITEM.replace("md5", "sha1")}, {MARK}}}',
    ],
)
def test_what_is_not_hashes_in_the_form_of_a_post_is_nothing(said: str) -> None:
    with pytest.raises(Refused):
        hashed(b"", prisoner(f"print({said!r})"))


@pytest.mark.parametrize("letter", ["[", "x"])
def test_what_is_longer_than_a_post_is_nothing(letter: str) -> None:
    with pytest.raises(Refused):
        hashed(b"", prisoner(f"print({letter!r} * 60_000)"))
    with pytest.raises(Refused):
        hashed(b"", prisoner(f"print({letter!r} * 200_000)"))


def test_one_that_says_no_end_of_things_is_cut_off() -> None:
    with pytest.raises(Refused):
        hashed(b"", prisoner("while True: print('x' * 1000)"))


def test_one_that_takes_too_long_is_ended_with_all_it_started() -> None:
    mark = f"jail {os.getpid()}"
    with pytest.raises(Refused):
        hashed(
            b"x" * 500_000,
            prisoner(f"'{mark}'; import os; os.fork(); import signal; signal.pause()", within=1),
        )
    running = [one.read_bytes() for one in Path("/proc").glob("[0-9]*/cmdline")]
    assert [one for one in running if mark.encode() in one] == []


def test_one_that_dies_gives_no_hashes() -> None:
    with pytest.raises(Refused):
        hashed(b"", prisoner("import os; os.abort()"))


def test_one_that_cannot_begin_is_no_working_jail() -> None:
    with pytest.raises(Broken, match="ended with 1"):
        hashed(b"x" * 500_000, prisoner("raise SystemExit(1)"))
