"""The page that shows the PIN of a case made in the chat: once, in each language."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from bot.cases.hashes import Hash, Item
from bot.conversation.model import LANGUAGES, Language
from bot.store import ConversationId, Registered, Ticket
from bot.text import load_texts, unbroken
from tests.browser.conftest import CHROMIUM, PHONE, shot
from tests.browser.hashing_page import Site, Visit, aside, come, digest, open_site

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]
FILES = ("app", "app/style.css", "app/app.js", "app/box.html")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(tmp_path_factory.mktemp("site")) as opened:
        yield opened


@pytest.fixture
def visit(browser: Browser) -> Iterator[Any]:
    contexts = []

    def to(url: str) -> Visit:
        contexts.append(browser.new_context(**PHONE))
        return come(contexts[-1], url)

    yield to
    for context in contexts:
        context.close()


def offered(site: Site, language: Language) -> tuple[str, str]:
    """The number of a case made in a chat, and the ticket of its page."""
    who, ends = ConversationId(language.encode() * 8), datetime.now(UTC) + timedelta(hours=1)
    store, token = site.kept.store, f"{language}-pin-{'0' * 32}"
    item = Item("image", (Hash("pdq", "512", "5a" * 32, 90),))

    async def made() -> Registered | None:
        sent = Ticket(digest(f"sent {language}"), who, "adults", ends)
        return await store.register_sent(sent, [item], datetime.now(UTC))

    case = aside(made())
    assert case
    aside(store.issue(Ticket(digest(token), who, "adults", ends, case.number, "pin")))
    return case.number, token


def fits(page: Page) -> bool:
    """Nothing is to be pushed sideways, and a finger finds every button."""
    wide = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    boxes = [one.bounding_box() for one in page.locator("button:visible, a:visible").all()]
    return bool(wide) and all(box and box["height"] >= 48 for box in boxes)


def only_asked(here: Visit, url: str) -> None:
    """Its own files, and one post that names the ticket alone."""
    asked = [one for one in here.asked if not one.startswith("GET data:")]
    assert {*asked} <= {f"GET {url}/{name}" for name in FILES} | {f"POST {url}/app/pin"}
    assert [json.loads(body).keys() for body in here.posted] == [{"ticket"}]
    assert here.complaints == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_number_and_pin_are_shown_once_on_a_press(
    language: Language, site: Site, visit: Any, tmp_path: Path
) -> None:
    words = {id: unbroken(text) for id, text in load_texts().group("app", language).items()}
    number, token = offered(site, language)
    here = visit(f"{site.url}/app#{token}")
    page = here.page
    expect(page.locator("#show-pin h1")).to_have_text(words["pin.heading"])
    expect(page.locator("h1:visible, iframe")).to_have_count(1)
    assert page.evaluate("location.href") == f"{site.url}/app"
    assert fits(page)
    assert here.posted == []
    shot(page, f"pin-{language}")
    page.get_by_role("button", name=words["pin.show"]).click()
    expect(page.locator("#case")).to_have_text(number)
    expect(page.locator("#pin")).to_have_text(re.compile(r"^[0-9]{6}$"))
    assert fits(page)
    shot(page, f"pin-shown-{language}")
    only_asked(here, site.url)
    pin = page.locator("#pin").inner_text()
    assert aside(site.kept.store.check_pin(number, pin, datetime.now(UTC))).right

    again = visit(f"{site.url}/app#{token}")
    again.page.get_by_role("button", name=words["pin.show"]).click()
    expect(again.page.locator("#pin-said")).to_have_text(words["pin.error.used"])
    expect(again.page.locator("#ask-pin")).to_be_hidden()
    assert pin not in again.page.content()
    assert fits(again.page)
    shot(again.page, f"pin-used-{language}")


def test_without_an_answer_the_same_button_asks_again(site: Site, visit: Any) -> None:
    here = visit(f"{site.url}/app#en-pin-{'1' * 32}")
    here.page.context.set_offline(True)
    here.page.click("#ask-pin")
    expect(here.page.locator("#pin-said")).to_contain_text("No answer came")
    here.page.context.set_offline(False)
    here.page.click("#ask-pin")
    expect(here.page.locator("#pin-said")).to_contain_text("does not work any more")
