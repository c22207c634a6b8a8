"""What the chat page makes of messages: calls, links, choices, a line that stands alone, its card.

Real Chromium at a small phone's size, with a peer that echoes.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from bot.channels import Choice, Link, Message
from bot.conversation.model import LANGUAGES, Language
from bot.store import EffectId
from bot.text import load_texts
from tests.browser.conftest import shot
from tests.browser.echoing import Echo, opened, phone

pytestmark = pytest.mark.browser


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.stop()


def news(
    text: str, *, id: str = "n1", links: tuple[Link, ...] = (), calls: tuple[Link, ...] = (),
    choices: tuple[str, ...] = (), alone: bool = False, language: Language = "en",
) -> Message:  # fmt: skip
    """A message that comes by itself."""
    buttons = tuple(Choice(label, f"c={n}") for n, label in enumerate(choices))
    return Message(EffectId(id), text, "News", buttons, links, calls, alone, language)


def edges(one: Locator) -> tuple[float, float, float]:
    """Top, bottom and height on the screen."""
    box = one.bounding_box()
    assert box is not None
    return box["y"], box["y"] + box["height"], box["height"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_line_that_stands_alone_leaves_nothing_else_on_the_screen(
    browser: Browser, echo: Echo, language: Language
) -> None:
    bland = load_texts().say("bland", language)
    with phone(browser, language) as context:
        page = opened(context, echo)
        page.locator(".choices button").first.tap()
        expect(page.get_by_role("link", name="Open the page")).to_be_visible()
        before = news("said before", id="old", language=language)
        echo.push(before, news(bland, alone=True, language=language))
        echo.push(before)
        expect(page.locator("#log li")).to_have_count(1)
        expect(page.locator("#log")).to_contain_text(bland)
        expect(page.locator(".choices, .own, .card")).to_have_count(0)
        expect(page.locator(".before")).to_be_hidden()
        shot(page, f"chat-alone-{language}")


def test_no_card_joins_a_line_that_stands_alone_until_the_person_writes(
    browser: Browser, echo: Echo
) -> None:
    with phone(browser) as context:
        page = opened(context, echo)
        echo.push(news("Okay, talk any time.", alone=True))
        context.set_offline(True)
        page.wait_for_function("!navigator.onLine")
        expect(page.locator("#log li")).to_have_count(1)
        page.locator("#box").fill("again")
        page.locator("#send").tap()
        expect(page.locator(".card")).to_contain_text("Here: 555")


def test_what_could_not_be_sent_does_not_return_beside_a_line_that_stands_alone(
    browser: Browser, echo: Echo
) -> None:
    with phone(browser) as context:
        page = opened(context, echo)
        statuses = [503, 400]
        page.route("**/chat/say", lambda route: route.fulfill(status=statuses.pop(0)))
        page.locator("#box").fill("he is here")
        page.locator("#send").tap()
        expect(page.locator(".card")).to_have_count(1)
        echo.push(news("Okay, talk any time.", alone=True))
        expect(page.locator("#note")).to_contain_text("could not be sent")
        expect(page.locator("#box")).to_have_value("")
        assert page.locator("#log li").all_text_contents() == ["Sala: Okay, talk any time."]


def test_help_lines_can_be_tapped_and_nothing_else_dials(browser: Browser, echo: Echo) -> None:
    urls = (
        "tel:191",
        "tel:*4141",
        "tel:191",
        "tel:1;ext=2",
        "javascript:alert(1)",
        "https://a.example",
    )
    with phone(browser) as context:
        page = opened(context, echo)
        calls = tuple(Link(url.removeprefix("tel:"), url) for url in urls)
        echo.push(news("Police: 191\nA line: *4141", calls=calls))
        links = page.locator("#log li.latest a")
        found = links.evaluate_all("all => all.map(one => [one.href, one.rel, one.target])")
        assert found == [["tel:191", "noreferrer", ""], ["tel:*4141", "noreferrer", ""]]
        assert edges(links.first)[2] >= 44
        shot(page, "chat-calls")


def test_links_stand_before_the_choices_as_the_first_thing_to_do(
    browser: Browser, echo: Echo
) -> None:
    with phone(browser) as context:
        page = opened(context, echo)
        ways = (
            Link("Make the codes", f"{echo.home}/weather", True),
            Link("Other", "https://a.example"),
        )
        echo.push(news("Ready?", links=ways, choices=("Not now",)))
        under = page.locator("#log li.latest .choices > *")
        assert under.evaluate_all("all => all.map(one => one.tagName)") == ["A", "A", "BUTTON"]
        ground = under.evaluate_all("all => all.map(one => getComputedStyle(one).backgroundColor)")
        assert ground[0] == ground[1] != ground[2]
        shot(page, "chat-links")


@pytest.mark.parametrize("language", LANGUAGES)
def test_after_first_aid_short_answers_stand_two_in_a_row_and_nothing_moves_at_the_end(
    browser: Browser, echo: Echo, language: Language
) -> None:
    say = load_texts().say
    whos = tuple(say(f"ask.who.{one}", language) for one in ("self", "guardian", "friend", "other"))
    with phone(browser, language) as context:
        page = opened(context, echo)
        page.emulate_media(reduced_motion="reduce")
        aid = (say(id, language) for id in ("firstaid.threat.1", "firstaid.money.2"))
        echo.push(*(news(text, id=f"a{n}", language=language) for n, text in enumerate(aid)))
        echo.push(news(say("ask.who", language), choices=(*whos, "A", "B"), language=language))
        shot(page, f"chat-aid-{language}")
        more, form = page.locator("#more"), page.locator("form")
        read = edges(page.locator("main"))
        assert edges(more)[1] <= edges(form)[0]
        while more.is_visible():
            more.tap()
        assert edges(page.locator("main")) == read, "no button slides under a finger"
        buttons = page.locator("#log li.latest button")
        assert edges(buttons.nth(4))[0] == edges(buttons.nth(5))[0]
        expect(buttons.first).to_be_in_viewport(ratio=1)
        shot(page, f"chat-who-{language}")


def test_only_whole_https_addresses_in_a_text_become_links(browser: Browser, echo: Echo) -> None:
    text = (
        "Lines: https://a.example/x?y=1. http://b.example javascript:alert(1) <a href=//c.example> "
        "https://me@d.example (https://e.example/th/)ไทย https://f.exampleไทย"
    )
    with phone(browser) as context:
        page = opened(context, echo)
        echo.push(news(text))
        links = page.locator("#log li.latest .words a")
        found = links.evaluate_all("all => all.map(one => [one.href, one.rel, one.target])")
        wanted = ("https://a.example/x?y=1", "https://e.example/th/", "https://f.example/")
        assert found == [[url, "noopener noreferrer", "_blank"] for url in wanted]
        shown = page.locator("#log li.latest .words").inner_text().replace("(opens a new tab)", "")
        assert "".join(shown.split()) == "".join(f"Sala: {text}".split())
        assert edges(links.first)[2] >= 44


@pytest.mark.parametrize("status", [429, 503])
def test_the_help_card_comes_when_the_chat_cannot_answer(
    browser: Browser, echo: Echo, status: int
) -> None:
    with phone(browser) as context:
        page = opened(context, echo)
        page.route("**/chat/say", lambda route: route.fulfill(status=status), times=2)
        page.locator("#box").fill("hello")
        page.locator("#send").tap()
        expect(page.locator(".card")).to_have_count(1)
        dial = page.get_by_role("link", name="Here: 555")
        assert (dial.get_attribute("href"), dial.get_attribute("target")) == ("tel:555", None)
        shot(page, f"chat-card-{status}")


@pytest.mark.parametrize("path", ["visit", "stream"])
def test_the_help_card_comes_when_the_page_cannot_connect(
    browser: Browser, echo: Echo, path: str
) -> None:
    with phone(browser) as context:
        page = context.new_page()
        page.route(f"**/chat/{path}", lambda route: route.fulfill(status=503))
        page.goto(echo.home)
        expect(page.locator(".card")).to_contain_text("Here: 555")


def test_the_help_card_comes_as_soon_as_the_phone_says_it_is_offline(
    browser: Browser, echo: Echo
) -> None:
    with phone(browser) as context:
        page = opened(context, echo)
        page.evaluate("dispatchEvent(new Event('offline'))")
        expect(page.locator(".card")).to_contain_text("Here: 555")
