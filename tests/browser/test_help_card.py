"""The page's own help cards as the running Sala fills them: every emergency number is one tap away
on a small phone, and what is said beside a number is not dialled."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from bot.channels.browser_full import Full
from bot.conversation.model import LANGUAGES, Language
from bot.helplines import HelpLines
from bot.text import load_texts
from tests.browser.conftest import shot
from tests.browser.echoing import LOCALES, Echo, opened, phone

pytestmark = pytest.mark.browser
Lines = Mapping[Language, Sequence[str]]


@pytest.fixture(scope="module")
def lines() -> Lines:
    texts, now = load_texts(), datetime.now(UTC)
    cards = {one: HelpLines(texts, one, None, now).emergency_numbers() for one in LANGUAGES}
    return {one: card.lines for one, card in cards.items()}


@pytest.fixture
def echo(lines: Lines) -> Iterator[Echo]:
    echo = Echo(lines)
    yield echo
    echo.stop()


def dialled(links: Locator) -> list[list[str]]:
    return links.evaluate_all("all => all.map(one => [one.href, one.textContent])")


def expected(lines: Sequence[str]) -> list[list[str]]:
    called = [line.partition(" / ")[0] for line in lines]
    return [[f"tel:{one.rpartition(' ')[2]}", one] for one in called]


def whole(page: Page, card: Locator, links: Locator) -> None:
    """Nothing stands beyond the edge, and each number can be hit with a thumb."""
    width = page.viewport_size["width"] if page.viewport_size else 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for box in (card.bounding_box(), *(one.bounding_box() for one in links.all())):
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


@pytest.mark.parametrize("language", LANGUAGES)
def test_on_the_chat_page_each_emergency_number_is_one_tap_away(
    browser: Browser, echo: Echo, lines: Lines, language: Language
) -> None:
    with phone(browser, language) as context:
        page = opened(context, echo)
        context.set_offline(True)
        page.locator("#help").tap()
        card = page.locator(".card")
        links = card.locator("a")
        expect(links).to_have_count(len(lines[language]))
        assert dialled(links) == expected(lines[language])
        for line in lines[language]:
            if remark := line.partition(" / ")[2]:
                expect(card).to_contain_text(remark)
        whole(page, card, links)
        heights = [box["height"] for one in links.all() if (box := one.bounding_box())]
        assert [one for one in heights if one < 43.9] == [], "places are given in 64ths of a pixel"
        shot(page, f"help-card-{language}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_scripts_and_when_all_is_full_the_numbers_are_links_too(
    browser: Browser, echo: Echo, lines: Lines, language: Language
) -> None:
    locale = LOCALES[language]
    view = {"width": 360, "height": 740}
    with browser.new_context(java_script_enabled=False, locale=locale, viewport=view) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(echo.home)
        links = page.locator(".card a")
        expect(links).to_have_count(len(lines[language]))
        assert [link.get_attribute("href") for link in links.all()] == [
            number for number, _ in expected(lines[language])
        ]
        shot(page, f"help-no-script-{language}")
        page = context.new_page()
        page.set_content(Full(echo.door).pages[language])
        full = page.locator("a[href^='tel:']")
        assert [link.inner_text() for link in full.all()] == [
            called for _, called in expected(lines[language])
        ]
        whole(page, page.locator("body"), full)
        shot(page, f"help-full-{language}")
