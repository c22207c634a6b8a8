"""One person helped on Telegram, end to end: a real `sala run`, Chromium, a strict Telegram."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser

from bot.cases.number import find_number
from bot.channels.telegram_http import TelegramHttp, make_bot
from bot.channels.telegram_setup import set_webhook
from bot.conversation.model import Language
from bot.doors import telegram_secret
from bot.settings import TelegramSettings
from bot.vault import load_or_make
from tests.browser.outside import HOME, KEYS, Field, Phone, blocks, field, photo
from tests.browser.test_telegram_page import IN_TELEGRAM
from tests.browser.test_whole_case import FIRST_WORDS, STEPS
from tests.peers import specs
from tests.peers.telegram_api import TOKEN, TelegramApi, person, telegram
from tests.test_telegram_init import signed

pytestmark = pytest.mark.browser

CARLA = 5_000_000_001
Json = dict[str, Any]


@dataclass
class Town:
    """A bot on Telegram with Sala behind it."""

    place: Field
    api: TelegramApi
    browser: Browser


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Town]:
    specs.find("telegram-bot-api-10.1.json")
    folder = tmp_path_factory.mktemp("sala")
    with (
        field(folder) as place,
        place.portal.wrap_async_context_manager(telegram(lambda: datetime.now(UTC))) as api,
        place.chromium(browser) as chromium,
        place.serves(folder, SALA_TELEGRAM_TOKEN=TOKEN, SALA_TELEGRAM_API=api.url),
    ):
        vault, made = load_or_make(folder / KEYS)
        assert not made
        place.portal.call(set_up, api, telegram_secret(vault))
        yield Town(place, api, chromium)


async def set_up(api: TelegramApi, secret: str) -> None:
    """The bot as its operator sets it up."""
    http = TelegramHttp()
    try:
        bot = make_bot(TelegramSettings(TOKEN, api=api.url), http)
        await set_webhook(bot, f"{HOME}/telegram", secret)
    finally:
        await http.shutdown()


class Chat(Phone):
    """A person in a private chat with the bot."""

    def __init__(self, town: Town, id: int, language: Language) -> None:
        super().__init__(town.place, town.browser, language)
        self.context.add_init_script(IN_TELEGRAM)
        self.api = town.api
        self.id = id

    # -- what they do

    def happens(self, update: Json) -> None:
        """Telegram posts to the webhook that is set at it, with its secret."""
        assert self.api.webhook
        path = self.api.webhook["url"].removeprefix(HOME)
        secret = self.api.webhook["secret_token"]
        headers = {"X-Telegram-Bot-Api-Secret-Token": secret, "Content-Type": "application/json"}
        self.post(path, json.dumps(update).encode(), headers)

    def says(self, words: str) -> None:
        sender = {"from": person(self.id, self.language)}
        self.happens(self.portal.call(lambda: self.api.text(self.id, words, **sender)))

    def sends_photo(self, caption: str) -> int:
        """The id of the message."""
        update = self.portal.call(lambda: self.api.sends(self.id, "photo", caption=caption))
        self.happens(update)
        return int(update["message"]["message_id"])

    def presses(self, id: str) -> None:
        """Press the button with this text, once it is in the chat."""
        node, _, value = id.rpartition(".")
        wanted = {"text": self.text(id), "callback_data": f"{node}={value}"}
        below = self.until(lambda: [one for one in self.chat() if wanted in buttons(one)])[-1]
        data, place = wanted["callback_data"], below["message_id"]
        self.happens(self.portal.call(self.api.presses, self.id, data, place))

    def mini_app(self) -> str:
        """The Mini App as Telegram opens it: with the person's initData in the fragment."""

        def look() -> list[Json]:
            return [one for said in self.chat() for one in buttons(said) if "web_app" in one]

        user = json.dumps({"id": self.id, "first_name": "Carla"}, separators=(",", ":"))
        address = self.until(look)[-1]["web_app"]["url"]
        shown = quote(signed(at=datetime.now(UTC), user=user), safe="")
        return f"{address}#tgWebAppData={shown}&tgWebAppVersion=9.1&tgWebAppPlatform=android"

    # -- what they see

    def chat(self) -> list[Json]:
        return self.api.said(self.id)

    def sees(self, text: str) -> Json:
        """The newest message with these words, once it is there."""
        return self.until(lambda: [one for one in self.chat() if text in one["text"]])[-1]

    def news(self) -> list[Json]:
        """The messages that say that there is news, and nothing more."""
        return [one for one in self.chat() if one["text"] == self.text("news")]

    def calls(self) -> list[Json]:
        """The sendMessage calls, as they were made."""
        return [dict(one) for one in self.api.asked("sendMessage")]


def buttons(said: Json) -> list[Json]:
    return [one for row in said.get("reply_markup", {}).get("inline_keyboard", ()) for one in row]


def test_one_person_is_helped_in_telegram_from_the_first_words_to_the_update(
    town: Town, tmp_path: Path
) -> None:
    with Chat(town, CARLA, "es") as carla:
        carla.says("/start")
        partner = town.place.partner("Chirp")
        sent = carla.sends_photo(FIRST_WORDS["es"])
        carla.until(lambda: sent not in town.api.chats[CARLA])
        for step in STEPS:
            carla.presses(step)
        picture = photo(13)
        number, pin = carla.makes_codes(carla.mini_app(), picture.kept)
        assert carla.went_to() == {HOME}
        carla.presses("ask.updates.yes")
        carla.sees(number)
        carla.sees(carla.text("updates.on"))

        blocks(partner, picture, tmp_path)
        (news,) = carla.until(carla.news)
        assert [one["callback_data"] for one in buttons(news)] == ["news=show", "news=later"]
        carla.presses("news.show")
        told = carla.sees(carla.text("show.status.blocked", partner="Chirp"))
        assert told["text"].startswith(carla.text("preview"))

        assert carla.news() == [news]
        assert town.api.refused == []
        assert [one["message_id"] for one in town.api.asked("deleteMessage")] == [sent]
        assert town.api.asked("getFile") == []
        only_news_rings_and_cases_stay_in_the_chat(carla, pin)


def only_news_rings_and_cases_stay_in_the_chat(carla: Chat, pin: str) -> None:
    """C14: a lock screen shows the neutral line first; what names the case cannot be passed on."""
    ringing = [one["text"] for one in carla.calls() if not one.get("disable_notification")]
    assert ringing == [carla.text("news")]
    protected = {one["text"] for one in carla.calls() if one.get("protect_content")}
    assert protected == {one["text"] for one in carla.calls() if find_number(one["text"])}
    assert len(protected) > 1
    shown = {carla.text("preview"), carla.text("news")}
    assert {one["text"].partition("\n")[0] for one in carla.calls()} == shown
    assert not any(pin in one["text"] for one in carla.calls())
