"""A video in the page: its file's digests, and codes of its stills that find it re-encoded."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from bot.cases.hashes import Item
from bot.hashing.image import hash_bytes
from tests.browser import films
from tests.browser.conftest import CHROMIUM, PHONE
from tests.browser.hashing_page import NOISE, Site, Visit, come, open_site, share_met, stills

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.skipif(films.FFMPEG is None, reason="no ffmpeg on this machine"),
]


@dataclass(frozen=True, slots=True)
class Films:
    plainly: bytes
    elsewhere: bytes
    phone: bytes


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Films:
    folder: Path = tmp_path_factory.mktemp("films")
    return Films(
        films.film(folder / "one.mp4", *films.H264),
        films.film(folder / "two.webm", *films.SMALL_VP8),
        films.phone(folder / "held.mp4"),
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("site")) as opened:
        yield opened


@pytest.fixture
def here(browser: Browser, site: Site) -> Iterator[Visit]:
    context = browser.new_context(**PHONE)
    yield come(context, f"{site.url}/app#{site.ticket('en')}")
    context.close()


def sent(here: Visit, site: Site, count: int = 1) -> list[Item]:
    here.page.click("#send")
    expect(here.page.locator("#done")).to_be_visible()
    return site.kept.came[-count:]


def exact(item: Item) -> set[tuple[str, str]]:
    return {(one.kind, one.value) for one in item.hashes if one.variant == "file"}


def test_one_video_in_two_encodings_and_held_upright_is_found_by_its_stills_here_and_on_the_server(
    site: Site, here: Visit, made: Films
) -> None:
    for content in (made.plainly, made.elsewhere, made.phone):
        here.choose(content, "video")
    expect(here.box.locator("li span")).to_have_text([f"Video {n} · code made" for n in (1, 2, 3)])
    seen = plainly, elsewhere, phone = sent(here, site, 3)
    for one, other in [(plainly, elsewhere), (elsewhere, plainly), (plainly, phone)]:
        assert share_met(one, other) >= 0.9
    for item, content in zip(seen, (made.plainly, made.elsewhere, made.phone), strict=True):
        server = hash_bytes(content, "video")
        assert share_met(item, server) >= 0.9
        assert share_met(server, item) >= 0.9
        assert exact(item) == exact(server)
    assert [one.variant for one in plainly.hashes[:-2]] == [f"frame-{n}" for n in range(1, 9)]
    assert {one.value for one in phone.hashes[-2:]} == {
        hashlib.sha256(made.phone).hexdigest(), hashlib.md5(made.phone).hexdigest(),
    }  # fmt: skip
    assert here.complaints == []
    outside = [one for one in here.asked if not one.startswith(("GET data:", "GET blob:null/"))]
    assert all(one.partition(" ")[2].startswith(f"{site.url}/app") for one in outside)
    assert len(here.posted) == 1


def test_a_video_that_the_browser_cannot_show_keeps_the_codes_of_its_file(
    site: Site, here: Visit
) -> None:
    film = b"\0\0\0\x18ftypmp42" + np.random.default_rng(9).bytes(3_500_000)
    here.choose(film, "video")
    expect(here.box.locator("li span")).to_have_text("Video 1 · code of the exact file")
    expect(here.box.locator("#said")).to_contain_text("finds exact copies of the file")
    (item,) = sent(here, site)
    assert [(one.kind, one.variant) for one in item.hashes] == [("sha256", "file"), ("md5", "file")]
    assert item.hashes[0].value == hashlib.sha256(film).hexdigest()


def test_a_video_torn_in_the_middle_keeps_what_was_seen_of_it(
    site: Site, here: Visit, made: Films
) -> None:
    here.choose(made.elsewhere[: len(made.elsewhere) * 2 // 3], "video")
    (item,) = sent(here, site)
    assert len(stills(item)) >= 3


STOP_AT_STILLS = """() => {
  const bar = document.getElementById("bar");
  const look = () => bar.value > 45 && document.getElementById("cancel").click();
  new MutationObserver(look).observe(bar, { attributes: true });
}"""


def test_a_video_is_stopped_while_its_stills_are_looked_at(here: Visit, made: Films) -> None:
    expect(here.box.locator("#cancel")).to_have_text("Cancel")
    here.page.frames[1].evaluate(STOP_AT_STILLS)
    here.choose(made.plainly, "video")
    expect(here.box.locator("#said")).to_have_text("Stopped. Nothing was added.")
    expect(here.box.locator("li")).to_have_count(0)


def test_a_video_of_nothing_is_known_by_its_file_alone(
    site: Site, here: Visit, tmp_path: Path
) -> None:
    here.choose(films.plain(tmp_path / "plain.mp4"), "video")
    (item,) = sent(here, site)
    assert stills(item) == []


def test_a_browser_that_hides_pixels_makes_no_codes_of_stills(
    site: Site, here: Visit, made: Films
) -> None:
    here.page.frames[1].evaluate(NOISE)
    here.choose(made.plainly, "video")
    (item,) = sent(here, site)
    assert stills(item) == []
