"""The page that Telegram opens, in real Chromium: it shows who opened it and goes on."""

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from bot.channels import telegram_page
from bot.channels.telegram_init import by_token
from bot.channels.telegram_page import page_routes
from bot.conversation.model import LANGUAGES, Language
from bot.conversation.shows import Opens
from bot.store import ConversationId
from bot.text import load_texts
from tests.browser.conftest import PHONE, shot
from tests.peers.telegram_api import TOKEN
from tests.test_telegram_init import signed

pytestmark = pytest.mark.browser

ARRIVED = "<link rel=icon href=data:,><p>Arrived</p>"
IN_TELEGRAM = """
window.told = JSON.parse(sessionStorage.told ?? "[]");
window.TelegramWebviewProxy = { postEvent(type, data) {
  told.push([type, data]);
  sessionStorage.told = JSON.stringify(told);
} };
"""


class Site:
    """The page's routes and an /app to arrive at. `tickets` are given out one by one."""

    def __init__(self) -> None:
        self.line = socket.create_server(("127.0.0.1", 0))
        self.home = f"http://127.0.0.1:{self.line.getsockname()[1]}"
        self.tickets: list[str] = []
        self.asked: list[tuple[ConversationId, Language, Opens]] = []
        page = telegram_page.Page(
            by_token(TOKEN), lambda user: ConversationId(b"%d" % user), lambda: datetime.now(UTC),
            self.renew, load_texts(), self.home,
        )  # fmt: skip
        app = Route("/app", lambda request: HTMLResponse(ARRIVED))
        self._server = uvicorn.Server(uvicorn.Config(
            Starlette(routes=[*page_routes(page), app]), log_level="critical",
            timeout_graceful_shutdown=1))  # fmt: skip
        self._thread = threading.Thread(target=self._server.run, args=([self.line],))
        self._thread.start()

    async def renew(
        self, conversation: ConversationId, language: Language, opens: Opens
    ) -> str | None:
        self.asked.append((conversation, language, opens))
        return self.tickets.pop() if self.tickets else None

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self.line.close()


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.stop()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(**PHONE)
    context.add_init_script(IN_TELEGRAM)
    yield context.new_page()
    context.close()


def opens(page: Page, site: Site, asked: str, init_data: str) -> None:
    fragment = f"tgWebAppData={quote(init_data, safe='')}&tgWebAppVersion=9.1"
    page.goto(f"{site.home}/telegram/app?l={asked}#{fragment}")


def fresh() -> str:
    return signed(at=datetime.now(UTC))


@pytest.mark.parametrize(("asked", "what"), [("th", "hashes"), ("th&opens=pin", "pin")])
def test_the_page_goes_on_to_the_mini_app_with_a_ticket(
    page: Page, site: Site, asked: str, what: str
) -> None:
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text))
    site.tickets.append("th-0123456789abcdef")
    opens(page, site, asked, fresh())
    expect(page.get_by_text("Arrived")).to_be_visible()
    assert page.url == f"{site.home}/app#th-0123456789abcdef"
    assert site.asked == [(b"77", "th", what)]
    assert page.evaluate("told") == [["web_app_ready", "{}"], ["web_app_expand", "{}"]]
    assert faults == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_where_there_is_no_ticket_the_page_leads_back_and_closes(
    language: Language, page: Page, site: Site
) -> None:
    opens(page, site, language, fresh())
    texts = load_texts()
    expect(page.get_by_role("alert")).to_have_text(texts.say("telegram.app.lost", language))
    shot(page, f"telegram-lost.{language}")
    assert page.url == f"{site.home}/telegram/app"
    page.get_by_role("button", name=texts.say("telegram.app.close", language)).click()
    assert page.evaluate("told")[-1] == ["web_app_close", "{}"]


def test_outside_telegram_the_page_opens_nothing(page: Page, site: Site) -> None:
    site.tickets.append("th-0123456789abcdef")
    page.goto(f"{site.home}/telegram/app")
    expect(page.get_by_role("alert")).to_be_visible()
    assert site.asked == []
