"""Meta's unmodified `tx` command, with the one file we give partners, against a `sala run`."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image, ImageOps

from bot.exchange.tx_sala import PdqTurnedSignal, SalaCredentials, turned
from bot.hashing.image import hash_bytes
from tests.serving import Served, clean_environment, served
from tests.talking import TO_APP
from tests.visiting import Page, Visitor, ticket_of

TX = Path(sys.executable).with_name("tx")
ANSWERED = ("ask.updates=yes", "ask.aftercare=no")


def garden(seed: int) -> Image.Image:
    """An everyday picture that nobody took."""
    small = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((1200, 900), Image.Resampling.BICUBIC)


def encoded(picture: Image.Image, format: str = "JPEG", **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def posted(picture: bytes) -> list[dict[str, object]]:
    """What the page posts of a picture, upright forms alone: mirrored ones it would post too."""
    hashes = [
        {"kind": one.kind, "variant": one.variant, "value": one.value, "quality": one.quality}
        for one in hash_bytes(picture, "image").hashes
        if one.variant in {"512", "640", "256"}
    ]
    return [{"media": "image", "hashes": hashes}]


@dataclass
class Platform:
    """A partner's machine: its folder, our file in it, its keys in a file of its own."""

    folder: Path
    url: str

    def tx(self, *words: str) -> str:
        """What `tx …` prints; it must succeed."""
        done = subprocess.run(
            [TX, *words], cwd=self.folder, capture_output=True, text=True, check=False,
            env=clean_environment(self.folder) | {
                "HOME": str(self.folder), "PYTHONPATH": str(self.folder),
                "TX_STATEDIR": str(self.folder / "state"), "PYTHONWARNINGS": "ignore",
            },
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def matches(self, name: str, picture: bytes) -> list[list[str]]:
        (self.folder / name).write_bytes(picture)
        return [line.split() for line in self.tx("match", "photo", name).splitlines()]


@pytest.fixture(scope="module")
def sala(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("sala")) as running:
        yield running


@pytest.fixture
def platform(sala: Served, tmp_path: Path) -> Platform:
    """Set up as docs/partners.md says."""
    keys = json.loads(sala.command("partner", "add", "Chirp", "--list", "adults", "--json"))
    url = f"{sala.url}/exchange/v1"
    with urlopen(f"{sala.url}/exchange/tx_sala.py") as file:
        (tmp_path / "tx_sala.py").write_bytes(file.read())
    names = ("fetch_key", "subscription_key", "feedback_key")
    line = ",".join([url, *(keys[name] for name in names)])
    (tmp_path / ".tx_sala_keys").write_text(line + "\n")
    chirp = Platform(tmp_path, url)
    chirp.tx("config", "extensions", "add", "tx_sala")
    chirp.tx("config", "collab", "edit", "sala", "--create", "Sala", "--url", url)
    return chirp


def registers(visitor: Visitor, page: Page, picture: bytes) -> dict[str, str]:
    page.until("own phone")
    visitor.presses(*TO_APP)
    ticket = ticket_of(page.until("Choose the picture"))
    status, _, made = visitor.post("/app/hashes", {"ticket": ticket, "items": posted(picture)})
    assert status == 200
    page.until(made["case"])
    visitor.presses(*ANSWERED)
    return made


def until_withdrawn(sala: Served, number: str) -> None:
    for _ in range(200):
        if ", Withdrawn," in sala.command("case", number):
            return
    raise AssertionError("it was never withdrawn")


def test_from_the_command_line_to_the_chat_and_back_to_nothing(sala: Served, platform: Platform):
    # tx 1.2.17 keeps its old index when a list becomes empty, so somebody else's picture stays.
    made = {}
    for seed in (5, 1):
        visitor = Visitor(sala.url)
        with visitor.page() as page:
            made = registers(visitor, page, encoded(garden(seed), "PNG"))
    platform.tx("fetch")

    copy = encoded(garden(1).resize((640, 480)), quality=60)
    found = platform.matches("copy.jpg", copy)
    assert {line[0] for line in found} == {"pdq", "pdq_turned"}
    mirrored = platform.matches("mirror.jpg", encoded(ImageOps.mirror(garden(1)), quality=80))
    assert {line[0] for line in mirrored} == {"pdq_turned"}
    assert not platform.matches("other.jpg", encoded(garden(2)))

    (platform.folder / "listed").write_text(found[0][-1])
    platform.tx("label", "-H", "pdq", "Sala", "photo", "listed")
    with visitor.page() as page:
        page.until("There is news")
        visitor.presses("news=show")
        page.until("Chirp found it and blocked it there")

        visitor.says("withdraw my case")
        page.until("PIN")
        visitor.says(f"{made['case']} {made['pin']}")
        page.until("withdrawn")
    until_withdrawn(sala, made["case"])
    platform.tx("fetch")
    assert platform.matches("copy.jpg", copy) == []
    with visitor.page() as page:
        visitor.says("status")
        page.until("Chirp has received the withdrawal")


def test_the_eight_forms_of_a_hash_are_those_of_the_turned_picture():
    picture = garden(3).resize((900, 900))
    exact = PdqTurnedSignal.hash_from_bytes(encoded(picture, "PNG")).split()
    derived = turned(exact[0])
    assert derived[0] == exact[0]
    assert len(set(derived)) == len(set(exact)) == 8
    for one in derived:
        assert min((int(one, 16) ^ int(other, 16)).bit_count() for other in exact) <= 12


def test_keys_go_to_the_address_they_were_given_for_alone():
    keys = SalaCredentials("https://a.example/v1,1,2,3\n\nhttps://b.example/v1/,4,5,6\n")
    assert keys.by_url() == {
        "https://a.example/v1": ["1", "2", "3"],
        "https://b.example/v1": ["4", "5", "6"],
    }
    assert keys._are_valid()
    assert not SalaCredentials("https://a.example/v1,1,2")._are_valid()
    assert "1" not in repr(keys)
