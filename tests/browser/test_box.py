"""The page in a real browser: the codes are those of Python, and only codes leave it."""

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from bot.cases.hashes import Item
from bot.hashing.image import hash_bytes
from tests.browser.conftest import CHROMIUM, PHONE, shot
from tests.browser.hashing_page import (
    Site,
    Visit,
    bits_apart,
    come,
    encoded,
    open_site,
    photo,
    see_through,
    turned,
)  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]
LIGHT_ALONE: Final = 4
"""Bits by which a large JPEG may differ, whose colours are not read."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("site")) as opened:
        yield opened


@pytest.fixture
def visit(browser: Browser) -> Iterator[Any]:
    contexts = []

    def to(url: str, **how: Any) -> Visit:
        contexts.append(browser.new_context(**PHONE | how))
        return come(contexts[-1], url)

    yield to
    for context in contexts:
        context.close()


def in_a_margin() -> bytes:
    paper = Image.new("RGB", (900, 1600), "white")
    paper.paste(photo(260, 300, 33), (300, 500))
    return encoded(paper, "PNG")


def assert_same(ours: Item, theirs: Item, most: int) -> None:
    found = {(h.kind, h.variant): h for h in ours.hashes}
    wanted = {(h.kind, h.variant): h for h in theirs.hashes}
    assert found.keys() == wanted.keys()
    for key, hash in wanted.items():
        allowed = most if hash.kind == "pdq" else 0
        assert bits_apart(found[key].value, hash.value) <= allowed, key


def assert_only_codes(posted: list[str], item: Item) -> None:
    """One body, and nothing in it but the ticket and an item's hashes, to the byte."""
    (body,) = posted
    hashes = [
        {"kind": one.kind, "variant": one.variant, "value": one.value}
        | ({} if one.quality is None else {"quality": one.quality})
        for one in item.hashes
    ]
    items = [{"media": item.media, "hashes": hashes}]
    ticket = json.loads(body)["ticket"]
    assert re.fullmatch("en-[0-9]{30}", ticket)
    assert body == json.dumps({"ticket": ticket, "items": items}, separators=(",", ":"))


def test_twelve_megapixels_become_pythons_codes_and_nothing_else_is_sent(
    site: Site, visit: Any
) -> None:
    picture = encoded(photo(4000, 3000), quality=88)
    here = visit(f"{site.url}/app#{site.ticket('en')}")
    assert here.page.evaluate("location.href") == f"{site.url}/app"
    here.choose(picture)
    expect(here.box.locator("li")).to_have_text("Picture 1 · code madeRemove")
    assert "secret-name" not in here.page.frames[1].content()
    here.page.click("#send")
    expect(here.page.locator("#pin")).to_have_text(re.compile(r"^[0-9]{6}$"))
    assert_same(site.kept.came[-1], hash_bytes(picture, "image"), LIGHT_ALONE)
    files = ["app", "app/style.css", "app/app.js", "app/box.html"]
    fetched = [one for one in here.asked if not one.startswith("GET data:")]
    assert sorted(fetched) == sorted(
        [f"GET {site.url}/{name}" for name in files] + [f"POST {site.url}/app/hashes"]
    )
    assert here.complaints == []
    assert_only_codes(here.posted, site.kept.came[-1])
    kept = "[localStorage.length, sessionStorage.length, document.cookie.length]"
    assert here.page.evaluate(kept) == [0, 0, 0]


@pytest.mark.parametrize(
    ("content", "most"),
    [
        (encoded(photo(300, 200, 2), quality=95), 0),
        (encoded(photo(1000, 400, 6), quality=60), 0),
        (encoded(photo(641, 513, 7), "PNG"), 0),
        (encoded(photo(800, 600, 8), "WEBP", lossless=True), 0),
        (turned(6), 0),
        *((turned(way, 2401, 1801), LIGHT_ALONE) for way in (3, 5, 8)),
        (see_through(), 2),
    ],
    ids=["small", "wide", "png", "webp", "turned", "large-3", "large-5", "large-8", "see-through"],
)
def test_every_kind_of_picture_gives_pythons_codes(
    site: Site, visit: Any, content: bytes, most: int
) -> None:
    here = visit(f"{site.url}/app#{site.ticket('en')}")
    here.choose(content)
    here.page.click("#send")
    expect(here.page.locator("#done")).to_be_visible()
    assert_same(site.kept.came[-1], hash_bytes(content, "image"), most)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"just some words\n" * 50, "not a picture or a video"),
        (b"\xff\xd8\xff\xe0 torn", "cannot open this kind"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 500, "cannot open this kind"),
        (encoded(Image.new("RGB", (1, 1), "red"), "PNG"), "too small or too plain"),
        (encoded(Image.new("RGB", (900, 900), "red"), "PNG"), "too small or too plain"),
        (in_a_margin(), "empty margin"),
    ],
    ids=["empty", "text", "torn", "heic", "one-pixel", "flat", "margin"],
)
def test_what_gives_no_codes_is_said_and_not_added(
    site: Site, visit: Any, content: bytes, words: str
) -> None:
    here = visit(f"{site.url}/app#{site.ticket('en')}")
    here.choose(content)
    expect(here.box.locator("#said")).to_contain_text(words)
    expect(here.box.locator("li")).to_have_count(0)
    expect(here.page.locator("#send")).to_be_disabled()


def test_the_same_picture_twice_is_one(site: Site, visit: Any) -> None:
    here = visit(f"{site.url}/app#{site.ticket('en')}")
    for _ in range(2):
        here.choose(encoded(photo(600, 500)))
    expect(here.box.locator("li")).to_have_count(1)
    expect(here.box.locator("#said")).to_contain_text("already")


def test_a_copy_that_was_saved_again_is_there_already_and_another_picture_is_not(
    site: Site, visit: Any
) -> None:
    here = visit(f"{site.url}/app#{site.ticket('en')}")
    here.choose(encoded(photo(800, 600), quality=92))
    here.choose(encoded(photo(800, 600).resize((640, 480)), quality=60))
    expect(here.box.locator("#said")).to_contain_text("already")
    here.choose(encoded(photo(800, 600, 2)))
    expect(here.box.locator("li")).to_have_count(2)


def test_a_picture_taken_back_is_not_sent(site: Site, visit: Any) -> None:
    here = visit(f"{site.url}/app#{site.ticket('en')}")
    first, second = (encoded(photo(600, 500, seed)) for seed in (11, 12))
    here.choose(first)
    here.choose(second)
    here.box.locator("li button").first.click()
    before = len(site.kept.came)
    here.page.click("#send")
    expect(here.page.locator("#count")).to_have_text("Pictures and videos with a code: 1")
    assert len(site.kept.came) == before + 1
    assert_same(site.kept.came[-1], hash_bytes(second, "image"), 0)


def test_codes_are_kept_when_the_network_fails_and_go_out_at_the_second_try(
    site: Site, visit: Any
) -> None:
    here = visit(f"{site.url}/app#{site.ticket('en')}")
    expect(here.box.locator("#image-words")).to_have_text("Choose a picture")
    here.page.context.set_offline(True)
    here.choose(encoded(photo(600, 500, 13)))
    here.page.click("#send")
    expect(here.page.locator("#said")).to_contain_text("Not sent")
    here.page.context.set_offline(False)
    here.page.click("#send")
    expect(here.page.locator("#done")).to_be_visible()


def test_a_file_that_is_stopped_is_not_added(site: Site, visit: Any) -> None:
    here = visit(f"{site.url}/app#{site.ticket('en')}")
    expect(here.box.locator("#cancel")).to_have_text("Cancel")
    here.page.frames[1].evaluate("""() => {
      const work = document.getElementById("work");
      const stop = () => work.hidden || document.getElementById("cancel").click();
      new MutationObserver(stop).observe(work, { attributes: true });
    }""")
    here.choose(encoded(photo(600, 500, 20)))
    expect(here.box.locator("#said")).to_have_text("Stopped. Nothing was added.")
    expect(here.box.locator("li")).to_have_count(0)


def test_when_no_file_comes_the_page_tells_of_another_browser_and_can_be_opened_there(
    site: Site, visit: Any
) -> None:
    ticket = site.ticket("en")
    here = visit(f"{site.url}/app#{ticket}")
    expect(here.box.locator("#image-words")).to_have_text("Choose a picture")
    expect(here.page.locator("#stuck")).to_be_hidden()
    here.page.frames[1].evaluate("parent.postMessage({ type: 'stuck' }, '*')")
    expect(here.page.locator("#stuck")).to_contain_text("Open in browser")
    expect(here.page).to_have_url(f"{site.url}/app#{ticket}")
    here.choose(encoded(photo(600, 500, 21)))
    expect(here.page.locator("#stuck")).to_be_hidden()
    expect(here.page).to_have_url(f"{site.url}/app")


@pytest.mark.parametrize(
    "items",
    ["[{ media: 'image', hashes: [{ kind: 'pdq', variant: '512', value: 'me.jpg', quality: 9 }] }]",
     "[{ media: 'image', hashes: [{ kind: 'md5', variant: 'x'.repeat(99), value: '' }] }]",
     "[{ media: 'letter', hashes: [] }]", "'text'", "[null]", "Array(11).fill(0)"],
)  # fmt: skip
def test_the_page_takes_nothing_but_codes_from_the_frame(
    site: Site, visit: Any, items: str
) -> None:
    here = visit(f"{site.url}/app#{site.ticket('en')}")
    expect(here.box.locator("#image-words")).to_have_text("Choose a picture")
    here.page.frames[1].evaluate(f"parent.postMessage({{ type: 'items', items: {items} }}, '*')")
    here.page.frames[1].evaluate("parent.postMessage({ type: 'height', height: 777 }, '*')")
    expect(here.page.locator("#box")).to_have_attribute("height", "777")
    expect(here.page.locator("#send")).to_be_disabled()
    assert here.complaints == []


def test_a_used_link_says_so_and_sends_no_more(site: Site, visit: Any) -> None:
    ticket = site.ticket("en")
    for last in (False, True):
        here = visit(f"{site.url}/app#{ticket}")
        here.choose(encoded(photo(600, 500, 14)))
        here.page.click("#send")
        if last:
            expect(here.page.locator("#said")).to_contain_text("used already")
            expect(here.page.locator("#send")).to_be_disabled()
        else:
            expect(here.page.locator("#done")).to_be_visible()


def test_without_a_ticket_the_page_points_back_to_the_chat(site: Site, visit: Any) -> None:
    here = visit(f"{site.url}/app", locale="es-MX")
    expect(here.page.locator("#lost h1")).to_have_text("Esta página se abre desde el chat")
    expect(here.page.locator("#send")).to_be_hidden()


def test_telegrams_own_words_after_the_ticket_are_left_out(site: Site, visit: Any) -> None:
    here = visit(f"{site.url}/app#{site.ticket('th')}?tgWebAppData=x&tgWebAppVersion=7")
    here.choose(encoded(photo(600, 500, 15)))
    here.page.click("#send")
    expect(here.page.locator("#done")).to_be_visible()
    assert here.page.title() == "รูปภาพ"


def test_the_language_changes_without_losing_what_was_made(site: Site, visit: Any) -> None:
    here = visit(f"{site.url}/app#{site.ticket('th')}")
    here.choose(encoded(photo(600, 500, 22)))
    expect(here.box.locator("li span")).to_have_text("รูปที่ 1 · สร้างรหัสแล้ว")
    here.page.click("nav button[lang=es]")
    expect(here.box.locator("li span")).to_have_text("Foto 1 · código creado")
    expect(here.page.locator("#send")).to_have_text("Enviar los códigos")
    assert here.page.evaluate("document.documentElement.lang") == "es"


def test_the_exit_leaves_nothing_behind(site: Site, visit: Any) -> None:
    here = visit(f"{site.url}/app#{site.ticket('en')}")
    here.choose(encoded(photo(600, 500, 16)))
    here.page.click("#exit")
    here.page.wait_for_url(re.compile("^http://localhost:[0-9]+/dull$"))
    assert here.page.evaluate("history.length") <= 2


def test_a_page_that_is_hidden_is_covered_and_comes_back_as_it_was(site: Site, visit: Any) -> None:
    here = visit(f"{site.url}/app#{site.ticket('en')}")
    here.choose(encoded(photo(600, 500, 17)))
    turn = """(state) => {
      Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    here.page.evaluate(turn, "hidden")
    expect(here.page.locator("main")).to_be_hidden()
    here.page.evaluate(turn, "visible")
    expect(here.box.locator("li")).to_be_visible()


def test_the_page_shows_what_its_files_are(site: Site, visit: Any) -> None:
    here = visit(f"{site.url}/app#{site.ticket('en')}")
    here.page.click("summary")
    for name in ("box.html", "app.js", "style.css"):
        served = here.page.request.get(f"{site.url}/app/{name}").body()
        line = here.page.locator("#files li", has_text=name)
        expect(line).to_have_text(f"{name} {hashlib.sha256(served).hexdigest()}")
    assert here.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_turned_copies_are_added_when_asked_for(site: Site, visit: Any) -> None:
    here = visit(f"{site.url}/app#{site.ticket('en')}")
    here.box.locator("#turned").check()
    picture = encoded(photo(1300, 900, 24))
    here.choose(picture)
    here.page.click("#send")
    expect(here.page.locator("#done")).to_be_visible()
    assert_same(site.kept.came[-1], hash_bytes(picture, "image", turned=True), 0)
    assert any("turn180" in one.variant for one in site.kept.came[-1].hashes)


HOSTILE = [
    "fetch('/leak', {method: 'POST', body: 'x', mode: 'no-cors'})",
    "fetch(new URL('/leak', location.href))",
    "navigator.sendBeacon('/leak', 'x')",
    "Object.assign(new Image(), {src: '/leak'}).decode()",
    "new WebSocket(location.href.replace('http', 'ws').replace('app/box.html', 'leak'))",
    "new EventSource('/leak')",
    "new Worker('/leak')",
    "import('/leak')",
    "open('/leak')",
    "top.location.assign('/leak')",
    "document.body.append(Object.assign(document.createElement('iframe'), {src: '/leak'}))",
    "location.assign('/app/box.html?leak')",
]
REFUSED = [
    "localStorage.length",
    "indexedDB.open('x')",
    "document.cookie = 'a=b'",
    "new RTCPeerConnection()",
    "navigator.serviceWorker.register('/leak')",
]


def test_a_hostile_script_in_the_frame_reaches_nobody(site: Site, visit: Any) -> None:
    here = visit(f"{site.url}/app#{site.ticket('en')}")
    expect(here.box.locator("#image-words")).to_have_text("Choose a picture")
    frame, before = here.page.frames[1], len(site.reached)
    for attempt in REFUSED:
        tried = f"async () => {{ try {{ await ({attempt}); return 1; }} catch {{ return 0; }} }}"
        assert frame.evaluate(tried) == 0, attempt
    for attempt in HOSTILE:
        frame.evaluate(f"() => {{ try {{ {attempt}; }} catch {{}} }}")
    here.page.wait_for_timeout(300)
    assert here.page.url == f"{site.url}/app"
    assert site.reached[before:] == []


@pytest.mark.parametrize("language", ["th", "en", "es"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_small_phone_in_every_language(
    site: Site, visit: Any, language: str, scheme: str
) -> None:
    here = visit(f"{site.url}/app#{site.ticket(language)}", color_scheme=scheme)
    shot(here.page, f"page-{language}-{scheme}-1-start")
    here.choose(encoded(photo(600, 500, 18)))
    here.choose(encoded(photo(700, 500, 19)))
    here.choose(b"words")
    shot(here.page, f"page-{language}-{scheme}-2-chosen")
    wide = "document.documentElement.scrollWidth"
    assert here.page.evaluate(wide) <= 360
    assert here.page.frames[1].evaluate(wide) <= 360
    tall = "(button) => button.getBoundingClientRect().height"
    for button in [*here.page.locator("button:visible").all(), *here.box.locator("label").all()]:
        assert button.evaluate(tall) >= 44
    here.page.click("#send")
    expect(here.page.locator("#done")).to_be_visible()
    shot(here.page, f"page-{language}-{scheme}-3-done")
    assert here.page.evaluate(wide) <= 360
