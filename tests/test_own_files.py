"""Files on somebody's own terminal: opened in the jail, which has the one file, to read, and
nothing else; and what is done where there is no jail."""

import asyncio
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from bot.cases.hashes import Item
from bot.cli import main
from bot.hashing import cell, jail, own
from bot.hashing.errors import Ended, Framed, ImageError, NotHeld, TooLarge
from bot.hashing.image import hash_bytes, hash_file
from bot.hashing.kinds import PROOF
from bot.hashing.likeness import phash
from bot.hashing.own import OwnFiles
from tests import test_jail
from tests.test_forms import pasted
from tests.test_jail import BAD, GOOD, saved


def sala(*args: str) -> Result:
    return CliRunner().invoke(main, ["hash", *args])


UNLIKE = (
    *("nothing", "words", "another kind of picture", "half a jpeg", "half a heic", "white"),
    *("an avif's box of no end", "a heic of another size than it says", "four pixels"),
)
"""Bad files, some of each kind."""


class Terminal:
    """Somebody's own, at which files are hashed one after the other by the same guards."""

    def __init__(self, runner: asyncio.Runner, folder: Path) -> None:
        self.runner = runner
        self.said: list[str] = []
        self.files = OwnFiles(self.said.append)
        self.path = folder / "file"

    def hash(self, content: bytes, **wishes: bool) -> Item:
        self.path.write_bytes(content)
        item = self.runner.run(self.files.hash(self.path, **wishes))
        assert self.path.read_bytes() == content
        assert self.said == []
        return item


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    with asyncio.Runner() as runner:
        yield Terminal(runner, tmp_path_factory.mktemp("own"))


def refusal(hashed: Callable[[], object]) -> type[ImageError]:
    with pytest.raises(ImageError) as refused:
        hashed()
    assert refused.value.args == ()
    return refused.type


# ---------------------------------------------------------------- the same hashes


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jail's own pictures, of fewer pixels."""
    made = test_jail.everyday
    monkeypatch.setattr(test_jail, "everyday", lambda size=(240, 180): made(size))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", GOOD)
def test_a_picture_has_the_same_hashes_as_where_no_jail_is(name: str, terminal: Terminal) -> None:
    picture = GOOD[name]()
    assert terminal.hash(picture) == hash_bytes(picture, "image")


def test_its_turned_copies_the_servers_form_and_its_mark_are_had_when_wished(
    terminal: Terminal,
) -> None:
    picture = GOOD["jpeg, turned"]()
    assert terminal.hash(picture, turned=True) == hash_bytes(picture, "image", turned=True)
    assert terminal.hash(picture, scaled=True) == hash_bytes(picture, "image", scaled=True)
    assert terminal.hash(picture, marked=True) == hash_bytes(picture, "image", mark=phash)


@pytest.mark.parametrize("name", UNLIKE)
def test_a_bad_file_has_the_same_error_as_where_no_jail_is(name: str, terminal: Terminal) -> None:
    content = BAD[name][1]()
    assert refusal(lambda: terminal.hash(content)) is refusal(lambda: hash_bytes(content, "image"))


def test_a_video_is_hashed_where_it_lies_and_as_the_server_does(terminal: Terminal) -> None:
    film = PROOF.read_bytes()
    assert terminal.hash(film, marked=True) == hash_bytes(film, "video")
    assert terminal.hash(film, scaled=True) == hash_bytes(film, "video")
    torn = film[: len(film) // 8]
    assert {one.kind for one in terminal.hash(torn).hashes} == {"md5", "sha256"}
    assert refusal(lambda: terminal.hash(torn, scaled=True)).__name__ == "NotAnImage"
    large = film + bytes(50_000_000)
    assert refusal(lambda: terminal.hash(large, scaled=True)) is TooLarge


def test_a_video_takes_no_more_memory_than_a_short_one_however_long_its_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long.mp4"
    path.write_bytes(PROOF.read_bytes())
    with path.open("r+b") as file:
        file.truncate(200_000_000)
    narrow = (
        "from bot.hashing import guard, handed; handed.MEMORY = 90_000_000; guard.main('video')"
    )
    monkeypatch.setattr(own, "GUARD", ("-I", "-c", narrow))
    item = asyncio.run(OwnFiles(print).hash(path))
    assert item == hash_file(path)
    assert "pdq" in {one.kind for one in item.hashes}


# ---------------------------------------------------------------- nothing gets out


@pytest.mark.parametrize("media", ["image", "video"])
def test_nothing_but_reading_its_file_is_survived(media: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"as it was")

    async def ends() -> dict[str, int]:
        guard = own.Guard((*jail.GUARD, media))
        with path.open("r+b", buffering=0) as file:  # more than it is ever handed
            return {one: (await guard.run(file, own.START, one))[0] for one in cell.ATTEMPTS}

    assert asyncio.run(ends()) == dict.fromkeys(cell.ATTEMPTS, -signal.SIGSYS)
    assert path.read_bytes() == b"as it was"


TAKEN_OVER = """
import ctypes, os, sys
from bot.hashing import guard, handed
def taken_over(file, media, order):
    exec(file.read(1_000_000).partition(b"and do: ")[2])
    return {"refused": "TooPlain"}
warm = handed.warm
handed.warm = lambda media: (warm(media), setattr(handed, "answer", taken_over))
guard.main(sys.argv[1])
"""
"""A guard whose prisoners do what is written behind a picture or film, and nothing else."""
TRIED = {
    "pass": "TooPlain",
    "assert ctypes.CDLL(None).mmap(None, 4096, 3, 1, 0, 0) == -1  # shared, to write": "TooPlain",
    "os.lseek(0, 0, os.SEEK_SET)": "TooPlain",
    "os.lseek(3, 0, os.SEEK_SET)": "forbids",
    "os.read(3, 1)": "forbids",
    "os.open('/proc/self/fd/0', os.O_RDWR)": "forbids",
    "os.write(1, b'{}')": "no hashes",
    "os.write(1, b'x' * 200_000)": "said too much",
}


def test_one_that_was_taken_over_can_say_what_is_false_and_do_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(own, "GUARD", ("-I", "-c", TAKEN_OVER))
    films = [tmp_path / f"{n}.mp4" for n in range(len(TRIED))]
    for path, what in zip(films, TRIED, strict=True):
        path.write_bytes(PROOF.read_bytes() + b"and do: " + what.encode())
    picture = tmp_path / "a.png"  # in which one cannot even go back
    picture.write_bytes(GOOD["png"]() + b"and do: os.lseek(0, 0, os.SEEK_SET)")
    said = sala(*map(str, films), str(picture)).stderr.splitlines()
    for line, why in zip(said, [*TRIED.values(), "forbids"], strict=True):
        assert why in line
    for path, what in zip(films, TRIED, strict=True):
        assert path.read_bytes() == PROOF.read_bytes() + b"and do: " + what.encode()


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_behind_the_walls_a_video_is_read_sought_in_and_answered(tmp_path: Path) -> None:
    kept, alone = tmp_path / "calls", "from bot.hashing import handed; handed.warm('video'); {}"
    command = ["strace", "-f", "-o", str(kept), sys.executable, "-I", "-c"]
    with PROOF.open("rb") as film:
        run = alone.format("handed.serve('video', '')")
        subprocess.run([*command, run], stdin=film, check=True, capture_output=True, cwd="/")
    calls = [line.partition(" ")[2].strip() for line in kept.read_text().splitlines()]
    walls = max(n for n, one in enumerate(calls) if one.startswith("seccomp(SECCOMP_SET_MODE"))
    reads = [n for n, one in enumerate(calls) if one.startswith("read(0,")]
    assert min(reads) > walls, "the first byte comes after the walls"
    names = {one.partition("(")[0] for one in calls[walls + 1 :] if "(" in one}
    assert {"read", "lseek"} < names
    assert names <= {"read", "lseek", "write", "mmap", "munmap", "mremap", "brk", "madvise",
                     "futex", "exit_group", "rt_sigaction", "rt_sigprocmask"}  # fmt: skip
    on = re.compile(r"^(?:read|lseek)\((\d+)")
    assert {found[1] for one in calls[walls + 1 :] if (found := on.match(one))} == {"0"}


# ---------------------------------------------------------------- the command


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Two pictures and a film."""
    made = {"a.png": GOOD["png, palette"](), "b.png": GOOD["png"](), "c.mp4": PROOF.read_bytes()}
    for name, content in made.items():
        (tmp_path / name).write_bytes(content)
    return [str(tmp_path / name) for name in made]


OBEYING = """
import ctypes, os, signal, sys, threading
from bot.hashing import guard, handed, image
found = image.hash_bytes
def obeyed(data, *what, **how):
    exec(data.partition(b"and do: ")[2])
    return found(data, *what, **how)
image.hash_bytes = obeyed
handed.SECONDS["image"] = 1
guard.main(sys.argv[1])
"""
"""A guard whose prisoners do what is written behind a picture."""
DEADLY = {
    "os.abort()": "Ended: its decoder gave up, or tried what the jail forbids",
    "ctypes.string_at(0)": "Ended: its decoder crashed",
    "os.kill(os.getppid(), signal.SIGKILL)":
        "Ended: its decoder gave up, or tried what the jail forbids",
    "while True: pass": "Ended: it took too much time or memory, or said too much",
    "bytearray(3_000_000_000)": "TooLarge",
}  # fmt: skip


def test_a_file_that_a_decoder_dies_of_is_told_and_the_others_have_their_hashes(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own, "GUARD", ("-I", "-c", OBEYING))
    deadly = [tmp_path / f"{n}.png" for n in range(len(DEADLY))]
    for path, what in zip(deadly, DEADLY, strict=True):
        path.write_bytes(GOOD["png"]() + b"and do: " + what.encode())
    done = sala(*map(str, deadly), *files)
    assert done.exit_code == 1
    told = [f"{path}: {why}" for path, why in zip(deadly, DEADLY.values(), strict=True)]
    assert done.stderr.splitlines() == told
    named = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert named == files
    assert hash_file(Path(files[1])).hashes[0].value in done.stdout


def test_one_that_waits_for_ever_is_ended_by_the_clock_and_the_next_has_a_new_guard(
    files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = tmp_path / "waiting.png"
    waiting.write_bytes(GOOD["png"]() + b"and do: threading.Event().wait()")
    monkeypatch.setattr(own, "GUARD", ("-I", "-c", OBEYING))

    async def each() -> Item:
        mine = OwnFiles(print)
        await mine.hash(Path(files[0]))
        with monkeypatch.context() as short:
            short.setattr(own, "SLACK", 0.001)
            with pytest.raises(Ended, match="too much time"):
                await mine.hash(waiting)
        return await mine.hash(Path(files[1]))

    assert asyncio.run(each()) == hash_file(Path(files[1]))


NO_LIBRARY = (
    "import sys; from bot.hashing import guard, walls; walls.LIBRARY = 'no.so'; "
    "guard.main(*sys.argv[1:])"
)
NO_WALLS = (
    "import sys; from bot.hashing import guard, walls; walls.raise_them = lambda *_, **__: None; "
    "guard.main(*sys.argv[1:])"
)


def without(monkeypatch: pytest.MonkeyPatch, how: str) -> str:
    """A machine without a jail; and what is said of it."""
    if how == "another system":
        monkeypatch.setattr(own.sys, "platform", "darwin")
        return "it is not Linux"
    script, why = {
        "no library": (NO_LIBRARY, "libseccomp2"),
        "no walls": (NO_WALLS, "it does not hold"),
        "no guard": ("raise SystemExit(1)", "its process ended"),
    }[how]
    monkeypatch.setattr(own, "GUARD", ("-I", "-c", script))
    return why


@pytest.mark.parametrize("how", ["another system", "no library", "no walls", "no guard"])
def test_without_a_jail_that_is_said_once_pictures_are_hashed_and_videos_only_when_asked(
    how: str, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    why = without(monkeypatch, how)
    done = sala(files[2], *files)
    first, *refused = done.stderr.splitlines()
    assert first.startswith("No jail on this machine (")
    assert why in first
    assert refused == [f"{files[2]}: NotHeld: {NotHeld()}"] * 2
    assert done.exit_code == 1
    assert all(hash_file(Path(one)).hashes[0].value in done.stdout for one in files[:2])
    asked = sala("--no-jail", *files)
    assert asked.exit_code == 0
    assert asked.stderr == ""
    assert hash_file(Path(files[2])).hashes[0].value in asked.stdout


def test_a_picture_in_a_wide_margin_is_named_as_such(terminal: Terminal) -> None:
    framed = Image.fromarray(pasted(240, 240))
    assert refusal(lambda: terminal.hash(saved(framed, "PNG"))) is Framed
