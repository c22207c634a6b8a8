"""The chat and the hashing page for eyes and fingers, in both schemes; Thai lines that end well."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Frame, Page, expect

from bot.channels import Choice, Link, Message
from bot.store import EffectId
from bot.text import load_texts, unbroken
from tests.browser.conftest import PHONE, shot
from tests.browser.echoing import Echo, opened, phone
from tests.browser.hashing_page import come, encoded, open_site, photo
from tests.browser.sight import FINE, strain

pytestmark = pytest.mark.browser
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")

LINES = """(texts) => {
  const one = document.createElement("div");
  one.lang = "th";
  one.style.cssText = "position:absolute; width:0; line-height:30px; white-space:pre-line";
  document.body.append(one);
  return texts.flatMap((text) => {
    one.textContent = text;
    const range = document.createRange(), lines = [];
    let last = null;
    for (let i = 0; i < text.length; i++) {
      range.setStart(one.firstChild, i);
      range.setEnd(one.firstChild, i + 1);
      const box = [...range.getClientRects()].pop();
      const row = box ? Math.round(box.top / 30) : last;
      if (row === last && lines.length) lines.push(lines.pop() + text[i]);
      else lines.push(text[i]);
      last = row;
    }
    return lines;
  });
}"""
"""The shortest lines that the browser may make of texts."""
WHOLE = ("แชต", "แคป", "อัตโนมัติ", "กลับ", "กระดาษ", "สตอรี่", "ลิงก์", "รหัส", "โปรไฟล์", "บล็อก")


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.stop()


def message(id: str) -> Message:
    """One with everything under it."""
    ways = (Link("A page", "https://a.example", True), Link("Another", "https://b.example"))
    calls = (Link("191", "tel:191"), Link("1323", "tel:1323"), Link("1669", "tel:1669"))
    choices = (Choice("Go on", "on"), Choice("A much longer answer", "long"))
    return Message(EffectId(id), "Words, and 191", "News", choices, ways, calls)


def strains(page: Page, shown: Page | Frame) -> list[dict[str, Any]]:
    """What is too faint, too small, too wide: in each scheme, then with letters twice as large."""
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found.append(strain(shown))
    shown.evaluate("document.documentElement.style.fontSize = '200%'")
    return [*found, strain(shown)]


def test_in_the_chat_every_word_stands_out_and_a_finger_finds_every_button(
    browser: Browser, echo: Echo
) -> None:
    with phone(browser) as context:
        page = opened(context, echo)
        page.get_by_role("button", name="Yes, only I read it").tap()
        expect(page.locator("#log li.latest")).to_contain_text("Chosen")
        echo.push(message("m1"), message("m2"))
        page.evaluate("dispatchEvent(new Event('offline'))")
        expect(page.locator(".card")).to_be_attached()
        assert strains(page, page) == [FINE] * 3
        shot(page, "sight-chat")


def test_on_the_hashing_page_every_word_stands_out_and_a_finger_finds_every_button(
    browser: Browser, tmp_path: Path
) -> None:
    with open_site(tmp_path) as site, browser.new_context(**PHONE) as context:
        here = come(context, f"{site.url}/app#{site.ticket('th')}")
        here.choose(encoded(photo(300, 200)))
        here.page.locator("summary").click()
        expect(here.page.locator("#send")).to_be_enabled()
        for shown in here.page.frames:
            assert strains(here.page, shown) == [FINE] * 3
        shot(here.page, "sight-app")


def test_no_thai_line_ends_within_a_word(browser: Browser) -> None:
    texts = [one for one in load_texts().by_language["th"].values() if unbroken(one) != one]
    with browser.new_context(**PHONE) as context:
        lines = context.new_page().evaluate(LINES, [unbroken(one) for one in texts])
    kept = "|".join(lines).replace("\u2060", "")
    for word in WHOLE:
        assert kept.count(word) == "|".join(texts).count(word), word


def test_a_number_to_call_has_only_numbers_beside_it(browser: Browser, echo: Echo) -> None:
    with phone(browser) as context:
        page = opened(context, echo)
        echo.push(replace(message("m1"), links=()))
        under = page.locator("#log li.latest .choices > *")
        tops = under.evaluate_all("all => all.map((one) => [one.className, one.offsetTop])")
        rows = {top for kind, top in tops if kind.startswith("call")}
        assert len(rows) == 2
        assert not rows & {top for kind, top in tops if not kind.startswith("call")}


def test_who_picks_the_phone_up_later_does_not_find_the_pin(browser: Browser, echo: Echo) -> None:
    with phone(browser) as context:
        page = opened(context, echo)
        for typed in ("D5X-DH8-7QV 340940", "340 940", "PIN ๓๔๐๙๔๐"):
            page.locator("#box").fill(typed)
            page.locator("#send").tap()
            expect(page.locator("#log li.latest")).to_contain_text(typed)
            own = page.locator("#log li.own").last
            expect(own).to_contain_text("••••••")
            expect(own).not_to_contain_text(typed[-3:])
        page.locator("#box").fill("call 081 234 5678")
        page.locator("#send").tap()
        expect(page.locator("#log li.own").last).to_contain_text("call 081 234 5678")
