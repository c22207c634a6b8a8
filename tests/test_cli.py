"""The command line: partners and their keys, hashes, keys, and a whole case in a terminal."""

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from bot.cli import main
from bot.hashing.filmed import MOST
from bot.hashing.kinds import PROOF
from bot.text import load_texts
from tests.serving import SALA, clean_environment

TEXTS = load_texts()
NUMBER = re.compile(r"\b[A-Z][0-9A-Z]{2}-[0-9A-Z]{3}-[0-9A-Z]{3}\b")
SCRIPT = Path(__file__).with_name("whole_case.sh")
Sala = Callable[..., Result]


@pytest.fixture
def sala(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sala:
    """`sala …` in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str, said: str | None = None, **settings: str) -> Result:
        environment = {"SALA_DATA_DIR": str(tmp_path / "data"), **settings}
        return CliRunner(env=environment).invoke(main, words, input=said)

    return run


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    chance = np.random.default_rng(3)
    small = Image.fromarray(chance.integers(0, 256, (9, 12, 3), np.uint8))
    path = tmp_path / "my garden.jpg"
    small.resize((800, 600), Image.Resampling.BICUBIC).save(path)
    return path


def in_a_process(folder: Path, *words: str, said: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*SALA, *words], env=clean_environment(folder), input=said, cwd=folder,
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


# ---------------------------------------------------------------- partners


def test_a_new_partners_three_keys_are_printed_once_as_json(sala: Sala, tmp_path: Path) -> None:
    keys = json.loads(sala("partner", "add", "Chirp", "--list", "adults", "--json").stdout)
    assert keys.keys() == {"fetch_key", "subscription_key", "feedback_key"}
    assert len({*keys.values()}) == 3
    kept = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("sala.db*"))
    assert not any(key.encode() in kept for key in keys.values())
    assert not any(key in sala("partner", "list").output for key in keys.values())


def test_without_json_the_keys_are_printed_for_people(sala: Sala) -> None:
    said = sala("partner", "add", "Chirp", "--list", "both").stdout
    assert said.count("_key: ") == 3
    assert "shown once" in said


def test_a_name_is_taken_once(sala: Sala) -> None:
    assert sala("partner", "add", "Chirp", "--list", "adults").exit_code == 0
    again = sala("partner", "add", "Chirp", "--list", "minors")
    assert (again.exit_code, again.stdout) == (1, "")
    assert "There is a partner of this name" in again.stderr


@pytest.mark.parametrize("name", ["sala", "Sala", "SALA"])
def test_no_partner_is_called_sala(sala: Sala, name: str) -> None:
    refused = sala("partner", "add", name, "--list", "both")
    assert (refused.exit_code, refused.stdout) == (1, "")


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("  ", "1 to 60"), ("x" * 61, "1 to 60"), ("Chi\nrp", "letters"),
        ("Chi\u202erp", "letters"), ("Chi\u200brp", "letters"), ("\u2003sala ", "own"),
        ("\uff33ala", "own"),
    ],
)  # fmt: skip
def test_a_name_that_misleads_is_refused_with_its_mend(sala: Sala, name: str, mend: str) -> None:
    refused = sala("partner", "add", name, "--list", "both")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert mend in refused.stderr


def test_a_name_is_kept_in_one_spelling(sala: Sala) -> None:
    sala("partner", "add", " \uff23hirp ", "--list", "adults")
    assert sala("partner", "list").stdout == "Chirp: adults\n"
    assert sala("partner", "add", "Chirp", "--list", "adults").exit_code == 1


def test_partners_are_listed_with_their_lists(sala: Sala) -> None:
    assert sala("partner", "list").stdout == ""
    sala("partner", "add", "Plaza", "--list", "both")
    sala("partner", "add", "Chirp", "--list", "adults")
    assert sala("partner", "list").stdout == "Chirp: adults\nPlaza: adults, minors\n"


# ---------------------------------------------------------------- hash, keys, migrate


def test_what_would_be_registered_is_printed_as_json(sala: Sala, picture: Path) -> None:
    said = json.loads(sala("hash", "--json", str(picture)).stdout)
    assert said["media"] == "image"
    assert {one["kind"] for one in said["hashes"]} == {"pdq", "md5", "sha256"}
    assert all(("quality" in one) == (one["kind"] == "pdq") for one in said["hashes"])


def test_turned_copies_are_printed_when_asked_for(sala: Sala, picture: Path) -> None:
    assert "turn90" in sala("hash", "--turned", str(picture)).stdout
    assert "turn90" not in sala("hash", str(picture)).stdout


def test_the_servers_form_of_a_picture_is_compared_with_the_devices(
    sala: Sala, picture: Path, tmp_path: Path
) -> None:
    done = sala("hash", "--check", str(picture))
    assert done.exit_code == 0
    assert "pdq 512  0 bits apart" in done.stdout
    film = sala("hash", "--check", str(PROOF))
    assert film.exit_code == 0
    assert "1 of the 1 stills of the device meet the other's" in film.stdout
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(99))
    assert "NotAnImage" in sala("hash", "--check", str(tmp_path / "film.mp4")).stderr
    (tmp_path / "film.mp4").write_bytes(PROOF.read_bytes() + bytes(MOST))
    assert "TooLarge" in sala("hash", "--check", str(tmp_path / "film.mp4")).stderr


def test_hashing_keeps_nothing(sala: Sala, picture: Path, tmp_path: Path) -> None:
    assert str(picture) in sala("hash", str(picture)).stdout
    assert not (tmp_path / "data").exists()


def test_what_is_no_picture_is_said_and_the_others_go_on(
    sala: Sala, picture: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    done = sala("hash", "--json", str(tmp_path / "notes.txt"), str(picture))
    assert done.exit_code == 1
    assert "NotAnImage" in done.stderr
    assert json.loads(done.stdout)["file"] == str(picture)


def test_a_key_file_is_for_its_owner_alone_and_never_replaced(sala: Sala, tmp_path: Path) -> None:
    file = tmp_path / "safe" / "keys"
    assert sala("keys", str(file)).stdout == "made\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    made = file.read_bytes()
    assert "was there already" in sala("keys", str(file)).stdout
    assert file.read_bytes() == made


def test_migrate_makes_the_database_and_may_be_repeated(sala: Sala, tmp_path: Path) -> None:
    for _ in range(2):
        assert sala("migrate").stdout == "The database is up to date.\n"
    assert stat.S_IMODE((tmp_path / "data" / "sala.db").stat().st_mode) == 0o600


def spoil(file: Path) -> None:
    file.write_text("no keys at all")


def open_to_others(file: Path) -> None:
    file.chmod(0o644)


def replace_by_others(file: Path) -> None:
    file.unlink()


def put_a_folder_there(file: Path) -> None:
    file.unlink()
    file.mkdir(mode=0o700)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (spoil, "neither a seal nor a pepper"),
        (open_to_others, "chmod 600"),
        (replace_by_others, "do not belong to this database"),
        (put_a_folder_there, "keys"),
    ],
)
@pytest.mark.parametrize("command", [("run",), ("talk",), ("partner", "list")])
def test_keys_that_cannot_be_used_are_said_in_one_line(
    sala: Sala, tmp_path: Path, change: Callable[[Path], None], reason: str,
    command: tuple[str, ...],
) -> None:  # fmt: skip
    sala("migrate")
    change(tmp_path / "data" / "keys")
    done = sala(*command, said="")
    assert done.exit_code == 1
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert reason in done.stderr


# ---------------------------------------------------------------- talk


def test_a_whole_case_in_thai_ends_in_its_number(tmp_path: Path, picture: Path) -> None:
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", str(SCRIPT), str(picture)], env=clean_environment(tmp_path, PATH=places),
        cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    number = NUMBER.search(done.stdout)
    assert number is not None
    assert TEXTS.say("show.status.head", "th", number=number[0], images="1") in done.stdout
    assert len({*NUMBER.findall(done.stdout)}) == 1


def test_words_piped_in_are_answered_in_the_language_asked_for(tmp_path: Path) -> None:
    done = in_a_process(tmp_path, "talk", "--lang", "th", said="สวัสดี\n1\n")
    assert done.returncode == 0
    assert TEXTS.say("hello", "th").splitlines()[0] in done.stdout
    assert TEXTS.say("ask.situation", "th") in done.stdout


def test_ten_megabytes_in_one_line_are_refused_and_the_talk_goes_on(tmp_path: Path) -> None:
    done = in_a_process(tmp_path, "talk", "--lang", "en", said="a" * 10_000_000 + "\n1\n")
    assert done.returncode == 0
    assert TEXTS.say("too_long", "en") in done.stdout
    assert TEXTS.say("ask.situation", "en") in done.stdout.partition(TEXTS.say("too_long", "en"))[2]
    assert len(done.stdout) < 10_000


def test_bytes_that_are_no_text_do_not_end_the_talk(tmp_path: Path) -> None:
    done = subprocess.run(
        [*SALA, "talk", "--lang", "en"], env=clean_environment(tmp_path), cwd=tmp_path,
        input=b"\xff\xfe hello\n\x00\n1\n", capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert TEXTS.say("ask.situation", "en") in done.stdout.decode()


def test_it_says_its_version(tmp_path: Path) -> None:
    done = in_a_process(tmp_path, "--version")
    assert re.fullmatch(r".*, version \d+\.\d+\.\d+\n", done.stdout)


# ---------------------------------------------------------------- knowledge


def test_the_shelf_is_listed_with_sources_and_days(sala: Sala) -> None:
    said = sala("knowledge", "--country", "TH").stdout
    assert "TH emergency  Police emergency (เหตุด่วนเหตุร้าย): 191\n   sure, checked 2026-11-22" in said
    assert "reviewed by nobody yet" in said
    assert re.search(r"\b112\b", said) is None


def test_what_is_not_verified_is_listed_with_what_would_settle_it(sala: Sala) -> None:
    said = sala("knowledge", "--unverified").stdout
    assert "   sure," not in said
    assert said.count("UNSURE") == said.count("   → ")
    assert "The Royal Gazette with the act" in said


def test_the_shelf_as_json_is_one_entry_a_line(sala: Sala) -> None:
    entries = [json.loads(one) for one in sala("knowledge", "--json").stdout.splitlines()]
    assert {one["kind"] for one in entries} > {"emergency", "page", "platform", "law", "fact"}
    assert all(one["sources"] and one["checked"] for one in entries)
