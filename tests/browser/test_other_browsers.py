"""The page whole in Firefox and in WebKit: the same codes, and nothing else leaves them."""

import json
import re
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from bot.cases.hashes import Item
from bot.hashing.image import hash_bytes
from tests.browser import films
from tests.browser.engines import (
    FIREFOX,
    MINIBROWSER,
    SCREEN,
    WEBKIT,
    Browser,
    Crashed,
    firefox,
    until,
    webkit,
)  # fmt: skip
from tests.browser.hashing_page import Site, aside, bits_apart, encoded, open_site, photo, share_met

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(films.FFMPEG is None, reason="no ffmpeg on this machine"),
]
NEAR = 2
"""Bits that decoders may differ in."""
ADDED = "document.querySelectorAll('li').length === {n} && document.getElementById('work').hidden"
FILES = ("/app", "/app/app.js", "/app/box.html", "/app/hashes", "/app/style.css")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with open_site(tmp_path) as opened:
        yield opened


async def whole_run(
    opened: AbstractAsyncContextManager[Browser], url: str, files: list[tuple[str, Path]]
) -> list[str]:
    """Chooses each file, sends the codes; which addresses were asked for."""
    async with opened as browser:
        await browser.open(url)
        words = "document.getElementById('image-words')?.textContent"
        assert await until(browser, words, inside=True) == "Choose a picture"
        for n, (selector, file) in enumerate(files, 1):
            await browser.give(selector, file)
            await until(browser, ADDED.format(n=n), inside=True)
        await browser.run("document.getElementById('send').click()")
        await until(browser, "!document.getElementById('done').hidden")
        return browser.asked


def of(item: Item) -> dict[str, Any]:
    return {f"{one.kind} {one.variant}": one for one in item.hashes}


def check(site: Site, opened: Any, folder: Path, *more: Path) -> None:
    picture, film = folder / "picture.jpg", folder / "film.webm"
    picture.write_bytes(encoded(photo(1700, 1300, 31), quality=90))
    films.film(film, *films.SMALL_VP8)
    ticket = site.ticket("en")
    asked: list[str] = []

    async def run() -> None:
        chosen = [("#image", picture), *(("#video", one) for one in (film, *more))]
        asked.extend(await whole_run(opened, f"{site.url}/app#{ticket}", chosen))

    aside(run())
    check_codes(site.kept.came, hash_bytes(picture.read_bytes(), "image"))
    assert set(site.reached) - {"lifespan"} <= set(FILES)
    (body,) = site.bodies
    posted = json.loads(body)
    assert posted.keys() == {"ticket", "items"}
    assert posted["ticket"] == ticket
    texts = {text for item in posted["items"] for one in item["hashes"] for text in one.values()}
    assert all(re.fullmatch(r"[0-9a-z-]{1,64}", str(text)) for text in texts)
    assert asked
    addresses = [re.sub(r"^(GET|POST) ", "", one) for one in asked]
    assert all(one.startswith((f"{site.url}/", "data:", "blob:null/")) for one in addresses)


def check_codes(came: list[Item], wanted: Item) -> None:
    picture, film, *_ = came
    ours, theirs = of(picture), of(wanted)
    assert ours.keys() == theirs.keys()
    for name, one in theirs.items():
        assert bits_apart(ours[name].value, one.value) <= (NEAR if one.kind == "pdq" else 0), name
    assert len(film.hashes) >= 8


@pytest.mark.skipif(FIREFOX is None, reason="no Firefox on this machine")
def test_firefox_makes_the_same_codes_and_sends_nothing_else(site: Site, tmp_path: Path) -> None:
    held = tmp_path / "held.mp4"
    server = hash_bytes(films.phone(held), "video")
    check(site, firefox(tmp_path / "profile"), tmp_path, held)
    *_, phone = site.kept.came
    assert share_met(phone, server) >= 0.9  # this browser gives its stills unturned


@pytest.mark.skipif(not (WEBKIT and SCREEN and MINIBROWSER), reason="no WebKit on this machine")
def test_webkit_makes_the_same_codes_and_sends_nothing_else(site: Site, tmp_path: Path) -> None:
    try:
        check(site, webkit(tmp_path / "profile"), tmp_path)
    except Crashed:  # WebKit's page process falls over now and then, before anything was sent
        assert not site.bodies
        check(site, webkit(tmp_path / "another"), tmp_path)
