"""One person helped on LINE, end to end: a real `sala run`, real Chromium, a strict LINE."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

import pytest
from playwright.sync_api import Browser, expect

from bot.channels.line_account import LineAccount
from bot.channels.line_liff import SDK
from bot.channels.line_setup import put_liff, set_webhook
from bot.conversation.model import LANGUAGES, Language
from bot.text import unbroken
from tests.browser.outside import HOME, Field, Phone, blocks, field, photo
from tests.browser.test_whole_case import FIRST_WORDS, STEPS
from tests.peers import npm, specs
from tests.peers.line_api import CHANNEL_TOKEN, LOGIN_CHANNEL, FakeLine, actions, words
from tests.peers.line_talk import SECRET, sign
from tests.test_line_liff import id_token

pytestmark = pytest.mark.browser

PUSHED = "/v2/bot/message/push"
LIFF_HOST = "https://liff.line.me"
LIFF = """
import liff from "@line/liff";
window.liff = liff;
"""
"""What LINE serves at the SDK's address."""
IN_LINE = (
    LIFF
    + """
import { LiffMockPlugin } from "@line/liff-mock";
liff.use(new LiffMockPlugin());
const { init } = liff;
liff.init = (config) => {
  const known = config.liffId === told.liff;
  liff.$mock.set((data) => ({ ...data, isLoggedIn: known, getIDToken: known ? told.token : null }));
  return init({ ...config, mock: true });
};
"""
)
"""The same where LINE's app is around it, which its own @line/liff-mock plays."""
LINE_ITSELF = {"https://api.line.me", "https://liffsdk.line-scdn.net"}
CONTEXT = "https://api.line.me/liff/v2/apps/*/contextToken"
OUTSIDE = ".".join(("e30", urlsafe_b64encode(b'{"type": "external"}').decode().rstrip("="), "c2ln"))
"""What LINE tells its script of a page in some browser."""
Json = dict[str, Any]


@dataclass
class Town:
    """An account on LINE with Sala behind it."""

    place: Field
    line: FakeLine
    liff: str
    browser: Browser


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Town]:
    specs.find("messaging-api.yml")
    folder = tmp_path_factory.mktemp("sala")
    fake = FakeLine(lambda: datetime.now(UTC))
    with (
        field(folder) as place,
        place.portal.wrap_async_context_manager(fake.served()) as line,
        place.chromium(browser) as chromium,
    ):
        liff = place.portal.call(set_up, line)
        with place.serves(
            folder, SALA_LINE_SECRET=SECRET, SALA_LINE_TOKEN=CHANNEL_TOKEN, SALA_LINE_LIFF=liff,
            SALA_LINE_LOGIN_CHANNEL=LOGIN_CHANNEL, SALA_LINE_API=line.url,
        ):  # fmt: skip
            yield Town(place, line, liff, chromium)


async def set_up(line: FakeLine) -> str:
    """The account as its operator sets it up; the id of its LIFF app."""
    api = LineAccount(CHANNEL_TOKEN, line.url)
    try:
        await set_webhook(api, f"{HOME}/line")
        return await put_liff(api, f"{HOME}/line/app")
    finally:
        await api.close()


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("liff")
    return {source: npm.bundle(source, folder) for source in (LIFF, IN_LINE)}


class Friend(Phone):
    """A person who has the account as a friend."""

    def __init__(self, town: Town, user: str, language: Language) -> None:
        super().__init__(town.place, town.browser, language)
        self.line = town.line
        self.liff = town.liff
        self.user = user
        self.ids = count()

    # -- what they do

    def happens(self, kind: str, **more: Any) -> None:
        """LINE tells the webhook that is set at it."""
        event = {
            "type": kind,
            "mode": "active",
            "timestamp": int(datetime.now(UTC).timestamp() * 1000),
            "webhookEventId": f"01{self.user[-2:]}{next(self.ids):022X}",
            "deliveryContext": {"isRedelivery": False},
            "source": {"type": "user", "userId": self.user},
            "replyToken": self.portal.call(self.line.token, self.user),
        }
        body = json.dumps({"destination": "U" + "0" * 32, "events": [event | more]}).encode()
        path = self.line.webhook.removeprefix(HOME)
        self.post(path, body, {"X-Line-Signature": sign(body).decode()})

    def follows(self) -> None:
        self.happens("follow", follow={"isUnblocked": False})

    def sends(self, **content: Any) -> None:
        self.happens("message", message={"id": f"4612{next(self.ids):014}"} | content)

    def presses(self, id: str) -> None:
        """Press the button with this text, once it is in the chat."""
        node, _, value = id.rpartition(".")
        wanted = {"displayText": self.text(id), "data": f"{node}={value}"}
        self.until(lambda: any(wanted.items() <= one.items() for one in self.buttons()))
        self.happens("postback", postback={"data": wanted["data"]})

    def opens_in_line(self, link: str) -> str:
        """LINE opens the LIFF app's page, with what follows the app's id; its address."""
        app = self.line.liff_apps[urlsplit(link).path[1:]]
        state = quote(f"?{urlsplit(link).query}", safe="")
        return f"{app['view']['url']}?liff.state={state}"

    def is_known_to_line(self, script: str) -> None:
        """LINE's script in the page gives an ID token, which LINE itself vouches for."""
        until = datetime.now(UTC) + timedelta(hours=1)
        self.line.id_tokens[id_token()] = {
            "iss": "https://access.line.me", "aud": LOGIN_CHANNEL, "sub": self.user,
            "exp": int(until.timestamp()),
        }  # fmt: skip
        told = json.dumps({"liff": self.liff, "token": id_token()})
        self.finds(f"window.told = {told};\n{script}")

    def finds(self, script: str) -> None:
        """At the address of LINE's script stands this one."""
        answer = {"content_type": "text/javascript", "body": script}
        self.context.route(SDK, lambda route: route.fulfill(**answer))

    # -- what they see

    def chat(self) -> list[Json]:
        return self.line.chats[self.user]

    def buttons(self) -> list[Json]:
        return [action for face in self.chat() for action in actions(face)]

    def links(self) -> list[str]:
        """The addresses under the message that opens the mini-app, once it is there."""
        page = f"{HOME}/app?openExternalBrowser=1#"

        def look() -> list[str]:
            links = [one["uri"] for one in self.buttons() if one["type"] == "uri"]
            return links if any(one.startswith(page) for one in links) else []

        inside, browser = self.until(look)[-2:]
        assert inside.startswith(LIFF_HOST)
        assert browser.startswith(page)
        return [inside, browser]

    def sees(self, text: str) -> None:
        """A message with these words is there, soon."""
        self.until(lambda: any(text in words(one) for one in self.chat()))

    def news(self) -> list[Json]:
        """The messages that say that there is news, and nothing more."""
        return [one for one in self.chat() if words(one) == self.text("news")]


def comes_to_the_page(person: Friend) -> list[str]:
    """From the first words to the mini-app's links, and a picture into the chat on the way."""
    person.follows()
    person.until(person.chat)
    person.sends(type="text", text=FIRST_WORDS[person.language], quoteToken="q")
    for step in STEPS[:2]:
        person.presses(step)
    person.sends(type="image", contentProvider={"type": "line"}, quoteToken="q")
    person.sees(person.text("media")[:40])
    for step in STEPS[2:]:
        person.presses(step)
    return person.links()


def wants_updates(person: Friend, number: str, pin: str) -> None:
    person.sees(number)
    person.presses("ask.updates.yes")
    person.presses("ask.aftercare.no")
    person.sees(person.text("home"))
    assert not any(pin in words(one) for one in person.chat())


def line_saw_nothing_amiss(person: Friend) -> None:
    line = person.line
    assert line.faulty == []
    previews = {person.texts.say("preview", language) for language in LANGUAGES}
    assert {face["altText"] for face in person.chat()} <= previews
    assert all(line.silent)
    assert not [path for path, _ in line.calls if path.endswith("/content")]


def test_one_person_is_helped_in_line_from_the_first_words_to_the_update(
    town: Town, scripts: dict[str, str], tmp_path: Path
) -> None:
    partner = town.place.partner("Chirp")
    with Friend(town, "U" + "a" * 32, "th") as ann:
        ann.is_known_to_line(scripts[IN_LINE])
        link, _ = comes_to_the_page(ann)
        picture = photo(11)
        number, pin = ann.makes_codes(ann.opens_in_line(link), picture.kept)
        wants_updates(ann, number, pin)
        assert town.line.calls.count(("/oauth2/v2.1/verify", 200)) == 1
        assert ann.went_to() == {HOME, "https://static.line-scdn.net"}

        pushes, keys = town.line.asked(PUSHED), {*town.line.keys}
        blocks(partner, picture, tmp_path)
        assert len(ann.until(ann.news)) == 1
        assert town.line.asked(PUSHED) == [*pushes, 200]
        (key,) = {*town.line.keys} - keys
        assert str(UUID(key)) == key
        ann.presses("news.show")
        ann.sees(ann.text("show.status.blocked", partner="Chirp"))
        assert town.line.asked(PUSHED) == [*pushes, 200]
        line_saw_nothing_amiss(ann)


def test_outside_line_its_own_script_loads_no_other_and_the_page_says_where_to_go(
    town: Town, scripts: dict[str, str]
) -> None:
    with Friend(town, "U" + "c" * 32, "es") as carl:
        carl.finds(scripts[LIFF])
        carl.context.route(CONTEXT, lambda route: route.fulfill(json={"contextToken": OUTSIDE}))
        page = carl.context.new_page()
        page.goto(f"{HOME}/line/app")
        expect(page.get_by_role("status")).to_have_text(carl.text("line.liff.outside"))
        assert page.url == f"{HOME}/line/app"
        assert carl.went_to() == {HOME, "https://static.line-scdn.net", *LINE_ITSELF}
        scripts_asked = [one for one in carl.requests if one.resource_type == "script"]
        loaded = [one.url for one in scripts_asked if one.failure is None]
        assert loaded == [SDK, f"{HOME}/line/static/liff.js"]
        assert {one.failure for one in scripts_asked} == {None, "csp"}


def test_without_lines_script_the_page_says_that_it_failed(town: Town) -> None:
    with Friend(town, "U" + "d" * 32, "th") as dao:
        page = dao.context.new_page()
        page.goto(f"{HOME}/line/app")
        expect(page.get_by_role("status")).to_have_text(unbroken(dao.text("line.liff.failed")))


def test_news_that_the_months_pushes_no_longer_allow_comes_with_the_next_answer(
    town: Town, tmp_path: Path
) -> None:
    partner = town.place.partner("Pixagram")
    with Friend(town, "U" + "b" * 32, "en") as bob:
        _, link = comes_to_the_page(bob)
        picture = photo(12)
        number, pin = bob.makes_codes(link, picture.kept)
        wants_updates(bob, number, pin)
        assert bob.went_to() == {HOME}

        town.line.limit = town.line.used
        blocks(partner, picture, tmp_path)
        bob.until(lambda: town.line.asked(PUSHED)[-1] == 429)
        assert bob.news() == []
        bob.sends(type="text", text="is it free?", quoteToken="q")
        assert len(bob.until(bob.news)) == 1
        replies = [one["messages"] for one in town.line.bodies if "replyToken" in one]
        (answer,) = [faces for faces in replies if bob.news()[0] in faces]
        assert bob.text("answer.is_it_free") in "".join(map(words, answer))
        assert town.line.asked(PUSHED).count(429) == 1
        bob.presses("news.show")
        bob.sees(bob.text("show.status.blocked", partner="Pixagram"))
        assert len(bob.news()) == 1
        line_saw_nothing_amiss(bob)
