"""One person helped on LINE, end to end: a real `sala run`, real Chromium, a strict LINE."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

import pytest
from anyio.from_thread import BlockingPortal
from playwright.sync_api import Browser, Route

from bot.channels.line_api import LineApi
from bot.channels.line_liff import SDK
from bot.channels.line_setup import put_liff, set_webhook
from bot.conversation.model import Language
from tests.browser.outside import Front, Phone, blocks, daytime_zone, front, outside, photo
from tests.browser.test_whole_case import FIRST_WORDS, STEPS
from tests.peers import specs
from tests.peers.line_api import CHANNEL_TOKEN, LOGIN_CHANNEL, FakeLine, actions, words
from tests.peers.line_talk import SECRET, sign
from tests.serving import Served, served
from tests.test_line_liff import id_token

pytestmark = pytest.mark.browser

PUSHED = "/v2/bot/message/push"
LIFF_HOST = "https://liff.line.me"
Json = dict[str, Any]


@dataclass
class Town:
    """An account on LINE with Sala behind it."""

    portal: BlockingPortal
    line: FakeLine
    site: Front
    sala: Served
    liff: str


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    specs.find("messaging-api.yml")
    folder = tmp_path_factory.mktemp("sala")
    fake = FakeLine(lambda: datetime.now(UTC))
    with (
        outside() as portal,
        portal.wrap_async_context_manager(front(folder)) as site,
        portal.wrap_async_context_manager(fake.served()) as line,
    ):
        liff = portal.call(set_up, line, site)
        with served(
            folder, SALA_PUBLIC_URL=site.url, SALA_TIMEZONE=daytime_zone(),
            SALA_LINE_SECRET=SECRET, SALA_LINE_TOKEN=CHANNEL_TOKEN, SALA_LINE_LIFF=liff,
            SALA_LINE_LOGIN_CHANNEL=LOGIN_CHANNEL, SALA_LINE_API=line.url,
        ) as sala:  # fmt: skip
            site.inside = sala.url
            yield Town(portal, line, site, sala, liff)


async def set_up(line: FakeLine, site: Front) -> str:
    """The account as its operator sets it up; the id of its LIFF app."""
    api = LineApi(CHANNEL_TOKEN, line.url)
    try:
        await set_webhook(api, f"{site.url}/line")
        return await put_liff(api, f"{site.url}/line/app")
    finally:
        await api.close()


class Friend(Phone):
    """A person who has the account as a friend."""

    def __init__(self, town: Town, browser: Browser, user: str, language: Language) -> None:
        super().__init__(town.portal, town.site, browser, language)
        self.town = town
        self.line = town.line
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
        path = self.line.webhook.removeprefix(self.site.url)
        self.post(path, body, {"X-Line-Signature": sign(body).decode()})

    def follows(self) -> None:
        self.happens("follow", follow={"isUnblocked": False})

    def sends(self, **content: str) -> None:
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

    def is_known_to_line(self) -> None:
        """LINE's script in the page gives an ID token, which LINE itself vouches for."""
        until = datetime.now(UTC) + timedelta(hours=1)
        self.line.id_tokens[id_token()] = {
            "iss": "https://access.line.me", "aud": LOGIN_CHANNEL, "sub": self.user,
            "exp": int(until.timestamp()),
        }  # fmt: skip
        self.context.route(SDK, self._script)

    def _script(self, route: Route) -> None:
        """What @line/liff-mock offers, as far as the page asks."""
        own, token = json.dumps(self.town.liff), json.dumps(id_token())
        route.fulfill(
            content_type="text/javascript",
            body=f"""
            let ready = false;
            window.liff = {{
              init: async (config) => {{ ready = config.liffId === {own}; }},
              isLoggedIn: () => ready,
              getIDToken: () => (ready ? {token} : null),
            }};""",
        )

    # -- what they see

    def chat(self) -> list[Json]:
        return self.line.chats[self.user]

    def buttons(self) -> list[Json]:
        return [action for face in self.chat() for action in actions(face)]

    def links(self) -> list[str]:
        """The addresses under the message that opens the mini-app, once it is there."""
        page = f"{self.site.url}/app?openExternalBrowser=1#"

        def look() -> list[str]:
            links = [one["uri"] for one in self.buttons() if one["type"] == "uri"]
            return links if any(one.startswith(page) for one in links) else []

        inside, browser = self.until(look)[-2:]
        assert inside.startswith(LIFF_HOST)
        assert browser.startswith(page)
        return [inside, browser]

    def sees(self, text: str) -> Json:
        """The newest message with these words, once it is there."""

        def look() -> list[Json]:
            return [one for one in self.chat() if text in words(one)]

        return self.until(look)[-1]

    def times(self, text: str) -> int:
        return sum(text in words(one) for one in self.chat())


def comes_to_the_page(person: Friend) -> list[str]:
    """From the first words to the mini-app's links, with a picture sent into the chat on the way."""
    person.follows()
    person.sees(person.text("hello")[:40])
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
    assert person.times(pin) == 0


def line_saw_nothing_amiss(person: Friend) -> None:
    line, preview = person.line, person.text("preview")
    assert line.faulty == []
    assert {face["altText"] for face in person.chat()} == {preview}
    assert all(line.silent)
    assert not [path for path, _ in line.calls if path.endswith("/content")]


def test_one_person_is_helped_in_line_from_the_first_words_to_the_update(
    town: Town, browser: Browser, tmp_path: Path
) -> None:
    partner = town.sala.partner("Chirp", "adults")
    with Friend(town, browser, "U" + "a" * 32, "th") as ann:
        ann.is_known_to_line()
        link, _ = comes_to_the_page(ann)
        picture = photo(11)
        number, pin = ann.makes_codes(ann.opens_in_line(link), picture.kept)
        wants_updates(ann, number, pin)
        assert town.line.calls.count(("/oauth2/v2.1/verify", 200)) == 1
        assert ann.went_to() == {town.site.url, "https://static.line-scdn.net"}

        pushes, keys = town.line.asked(PUSHED), {*town.line.keys}
        blocks(partner, picture, tmp_path)
        news = ann.sees(ann.text("news"))
        assert words(news) == ann.text("news")
        assert town.line.asked(PUSHED) == [*pushes, 200]
        (key,) = {*town.line.keys} - keys
        assert str(UUID(key)) == key
        ann.presses("news.show")
        ann.sees(ann.text("show.status.blocked", partner="Chirp"))
        assert town.line.asked(PUSHED) == [*pushes, 200]
        line_saw_nothing_amiss(ann)


def test_news_that_the_months_pushes_no_longer_allow_comes_with_the_next_answer(
    town: Town, browser: Browser, tmp_path: Path
) -> None:
    partner = town.sala.partner("Pixagram", "adults")
    with Friend(town, browser, "U" + "b" * 32, "en") as bob:
        _, link = comes_to_the_page(bob)
        picture = photo(12)
        number, pin = bob.makes_codes(link, picture.kept)
        wants_updates(bob, number, pin)
        assert bob.went_to() == {town.site.url}

        town.line.limit = town.line.used
        blocks(partner, picture, tmp_path)
        bob.until(lambda: town.line.asked(PUSHED)[-1] == 429)
        assert bob.times(bob.text("news")) == 0
        bob.sends(type="text", text="is it free?", quoteToken="q")
        bob.sees(bob.text("news"))
        together = [words(one) for one in town.line.bodies[-1]["messages"]]
        assert bob.text("news") in together
        assert bob.text("answer.is_it_free") in "".join(together)
        assert town.line.asked(PUSHED).count(429) == 1
        bob.presses("news.show")
        bob.sees(bob.text("show.status.blocked", partner="Pixagram"))
        assert bob.times(bob.text("news")) == 1
        line_saw_nothing_amiss(bob)
