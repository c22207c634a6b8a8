"""The chat page in real Chromium, at a small phone's size, with a peer that echoes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from bot.channels import Message
from bot.conversation.model import Language
from bot.store import EffectId
from tests.browser.echoing import Echo, desktop, opened, phone

pytestmark = pytest.mark.browser


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.stop()


class Seen:
    """What a page did that a person would not see."""

    def __init__(self, page: Page) -> None:
        self.addresses: list[str] = []
        self.faults: list[str] = []
        page.on("request", self._request)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda said: self.faults.append(said.text))

    def _request(self, request: Request) -> None:
        self.addresses.append(request.url)


def test_a_talk_on_a_phone_goes_by_taps(browser: Browser, echo: Echo) -> None:
    with phone(browser) as context:
        page = opened(context, echo)
        page.get_by_role("button", name="Yes, only I read it").tap()
        expect(page.locator("#log li.own")).to_contain_text("Yes, only I read it")
        expect(page.locator("#log li.latest")).to_contain_text("Chosen: own")
        link = page.get_by_role("link", name="Open the page")
        assert (link.get_attribute("target"), link.get_attribute("rel")) == ("_blank", "noopener")
        page.get_by_role("button", name="No, or I'm not sure").tap()
        expect(page.locator("#log li.latest")).to_contain_text("Chosen: shared")


def test_a_talk_on_a_desktop_needs_only_the_keyboard(browser: Browser, echo: Echo) -> None:
    with desktop(browser) as context:
        page = opened(context, echo)
        page.locator("#help").focus()
        for _ in range(2):
            page.keyboard.press("Tab")
        while page.evaluate("document.activeElement.closest('.choices') === null"):
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#log li.latest")).to_contain_text("Chosen: own")
        page.locator("#box").focus()
        page.keyboard.type("one")
        page.keyboard.press("Shift+Enter")
        page.keyboard.type("<i>two</i>")
        page.keyboard.press("Enter")
        expect(page.locator("#log li.latest")).to_contain_text("<b>one\n<i>two</i></b>")
        expect(page.locator("#box")).to_be_empty()


def test_nothing_stays_but_the_sessions_cookie_and_no_other_address_is_asked(
    browser: Browser, echo: Echo
) -> None:
    with phone(browser) as context:
        page = context.new_page()
        seen = Seen(page)
        page.goto(echo.home)
        page.get_by_role("button", name="Yes, only I read it").tap()
        expect(page.locator("#log li.latest")).to_contain_text("Chosen: own")
        [cookie] = context.cookies()
        assert (cookie["expires"], cookie["path"], cookie["httpOnly"]) == (-1, "/", True)
        assert page.url == echo.home + "/"
        assert page.evaluate("localStorage.length + sessionStorage.length + history.length") == 2
        assert {address.startswith(echo.home + "/") for address in seen.addresses} == {True}
        assert seen.faults == []


def test_quick_exit_blanks_the_page_and_leaves_no_way_back(browser: Browser, echo: Echo) -> None:
    with phone(browser) as context:
        page = opened(context, echo)
        page.locator("#exit").tap()
        page.wait_for_url("**/weather")
        assert page.evaluate("history.length") == 2
        page.go_back()
        assert page.url == "about:blank"
        assert context.cookies() == []


def test_escape_does_not_leave(browser: Browser, echo: Echo) -> None:
    with desktop(browser) as context:
        page = opened(context, echo)
        page.keyboard.press("Escape")
        expect(page.locator(".choices button")).to_have_count(2)


def test_help_and_exit_stay_in_view_in_a_long_talk(browser: Browser, echo: Echo) -> None:
    with phone(browser) as context:
        page = opened(context, echo)
        for line in range(8):
            page.locator("#box").fill(f"line {line}\n" * 4)
            page.locator("#send").tap()
        expect(page.locator("#log li.latest")).to_contain_text("line 7")
        for one in ("#help", "#exit", "#box", "#send"):
            expect(page.locator(one)).to_be_in_viewport(ratio=1)
        expect(page.locator("#log li.latest")).to_be_in_viewport()


def test_a_long_answer_is_read_from_its_beginning(browser: Browser, echo: Echo) -> None:
    with phone(browser) as context:
        page = opened(context, echo)
        page.emulate_media(reduced_motion="reduce")
        page.locator("#box").fill("what now")
        page.locator("#send").tap()
        expect(page.locator("#log li.latest")).to_contain_text("<b>what now</b>")
        echo.push(*(Message(EffectId(f"m{n}"), f"line {n}\n" * 12, "News") for n in range(3)))
        expect(page.locator("#log li.own")).to_be_in_viewport()
        expect(page.locator("#log li.latest")).not_to_be_in_viewport()
        while page.locator("#more").is_visible():
            page.locator("#more").tap()
        expect(page.locator("#log li.latest")).to_be_in_viewport()


def test_help_now_sends_the_word(browser: Browser, echo: Echo) -> None:
    with phone(browser) as context:
        page = opened(context, echo)
        page.locator("#help").tap()
        expect(page.locator("#log li.latest")).to_contain_text("<b>help</b>")
        expect(page.locator(".card")).to_have_count(0)


def test_help_now_shows_the_pages_own_card_when_the_line_is_broken(
    browser: Browser, echo: Echo
) -> None:
    with phone(browser) as context:
        page = opened(context, echo)
        context.set_offline(True)
        page.locator("#help").tap()
        expect(page.locator(".card")).to_contain_text("Here: 555")


def test_switching_the_language_says_so_and_turns_the_page(browser: Browser, echo: Echo) -> None:
    with phone(browser) as context:
        page = opened(context, echo)
        page.locator("[data-language=es]").tap()
        expect(page.locator("#exit")).to_have_text("Salir ya")
        expect(page.locator("#log li.own")).to_contain_text("Español")
        expect(page.locator("#log li.latest")).to_contain_text("<b>Español</b>")
        assert page.locator("html").get_attribute("lang") == "es"


def test_a_post_that_failed_is_posted_again_with_the_same_id(browser: Browser, echo: Echo) -> None:
    with phone(browser) as context:
        page = opened(context, echo)
        echo.failing = 1
        bodies: list[str | None] = []
        page.on("request", lambda r: bodies.append(r.post_data) if "/say" in r.url else None)
        page.locator("#box").fill("hello")
        page.locator("#send").tap()
        expect(page.locator("#log li.latest")).to_contain_text("<b>hello</b>")
        assert len(bodies) == 2
        assert bodies[0] == bodies[1]


def test_a_broken_line_comes_back_with_what_was_written_and_no_question_twice(
    browser: Browser, echo: Echo
) -> None:
    with phone(browser) as context:
        page = opened(context, echo)
        echo.channel.close()
        expect(page.locator("#note")).to_have_text("Connecting…")
        page.locator("#box").fill("still here")
        page.locator("#send").tap()
        expect(page.locator("#log li.latest")).to_contain_text("<b>still here</b>")
        assert page.locator("#log li.own").count() == 1


def test_the_open_question_is_not_shown_twice_after_a_broken_line(
    browser: Browser, echo: Echo
) -> None:
    with phone(browser) as context:
        page = opened(context, echo)
        with page.expect_request("**/chat/open"):
            echo.channel.close()
        page.locator("#box").fill("next")
        page.locator("#send").tap()
        expect(page.locator("#log li.latest")).to_contain_text("<b>next</b>")
        assert page.locator("#log li.theirs").count() == 2


def test_a_repeated_id_is_acknowledged_and_not_shown_again(browser: Browser, echo: Echo) -> None:
    with phone(browser) as context:
        page = opened(context, echo)
        one, two = (Message(EffectId(id), f"text {id}", "News") for id in ("one", "two"))
        echo.push(one, two)
        echo.push(one)
        assert page.locator("#log li.theirs").all_text_contents()[1:] == [
            "Sala: text one",
            "Sala: text two",
        ]


def test_without_scripts_there_is_a_way_out_and_the_help_card(browser: Browser, echo: Echo) -> None:
    with browser.new_context(java_script_enabled=False, locale="es-ES") as context:
        page = context.new_page()
        page.goto(echo.home)
        expect(page.locator(".card").last).to_contain_text("Aquí: 555")
        expect(page.locator("#box")).to_be_hidden()
        page.locator("#exit").click()
        page.wait_for_url("**/weather")


def test_a_text_past_the_limit_stays_in_the_box(browser: Browser, echo: Echo) -> None:
    with phone(browser) as context:
        page = opened(context, echo)
        page.locator("#box").fill("x" * 70_000)
        page.locator("#send").tap()
        expect(page.locator("#note")).to_contain_text("too long")
        assert len(page.locator("#box").input_value()) == 70_000
        assert len(echo.events) == 1


def test_two_tabs_of_a_visit_do_not_fight(browser: Browser, echo: Echo) -> None:
    with phone(browser) as context:
        first = opened(context, echo)
        second = opened(context, echo)
        expect(first.locator("#note")).to_contain_text("another tab")
        second.locator("#box").fill("here")
        second.locator("#send").tap()
        expect(second.locator("#log li.latest")).to_contain_text("<b>here</b>")
        first.bring_to_front()
        first.locator("#box").fill("there")
        first.locator("#send").tap()
        expect(first.locator("#log li.latest")).to_contain_text("<b>there</b>")


@pytest.mark.parametrize("language", ["th", "en", "es"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_fits_a_small_phone(
    browser: Browser, echo: Echo, language: Language, scheme: str, tmp_path: Path
) -> None:
    with phone(browser, language) as context:
        page = context.new_page()
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.goto(echo.home)
        expect(page.locator(".choices button")).to_have_count(2)
        page.screenshot(path=tmp_path / f"{language}-{scheme}-1.png", animations="disabled")
        page.locator(".choices button").first.tap()
        page.locator("#box").fill("12 años, โดนขู่ปล่อยคลิป, someone wants money")
        page.locator("#send").tap()
        expect(page.locator("#log li.latest")).to_contain_text("someone wants money")
        page.screenshot(path=tmp_path / f"{language}-{scheme}-2.png", animations="disabled")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        small = page.evaluate(
            "[...document.querySelectorAll('button, a, textarea')].filter(one => {"
            " const {width, height} = one.getBoundingClientRect();"
            " return width && (width < 44 || height < 44) }).length"
        )
        assert small == 0
