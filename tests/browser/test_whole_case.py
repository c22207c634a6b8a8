"""One person helped, end to end: chat, mini-app, case, a partner's real client, the update."""

import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, Request, expect
from threatexchange.exchanges.clients.stopncii.api import (
    StopNCIICSPFeedbackValue,
    StopNCIISignalType,
)
from threatexchange.signal_type.pdq.signal import PdqSignal

from bot.conversation.model import LANGUAGES, Language
from bot.text import Texts, load_texts, unbroken
from tests.browser.conftest import PHONE, shot
from tests.serving import Served, served

pytestmark = pytest.mark.browser

FIRST_WORDS: dict[Language, str] = {
    "th": "สวัสดี มีคนขู่จะปล่อยรูป ถ้าไม่โอนเงิน",
    "en": "hi, someone says he will post my picture unless i pay",
    "es": "hola, alguien me amenaza con publicar mi foto si no le pago",
}
STEPS = ("ask.phone.own", "ask.who.self", "ask.age.adult", "ask.image.here", "ask.consent.yes")


def everyday_photo(seed: int) -> Image.Image:
    """Twelve megapixels of hills and sky that nobody ever photographed."""
    chance = np.random.default_rng(seed)
    small = Image.fromarray(chance.integers(0, 256, (9, 12, 3), np.uint8))
    big = np.asarray(small.resize((4000, 3000), Image.Resampling.BICUBIC)).astype(np.int16)
    grain = chance.integers(-9, 10, (3000, 4000, 1), np.int16)
    return Image.fromarray(np.clip(big + grain, 0, 255).astype(np.uint8))


def as_jpeg(picture: Image.Image, quality: int) -> bytes:
    out = BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


class Visitor:
    """A person with a phone, by what they can see."""

    def __init__(self, browser: Browser, sala: Served, language: Language) -> None:
        self.context = browser.new_context(**PHONE, locale=language)
        self.requests: list[Request] = []
        self.context.on("request", self.notice)
        self.language = language
        self.texts: Texts = load_texts()
        self.page = self.context.new_page()
        self.page.goto(sala.url + "/")

    def notice(self, request: Request) -> None:
        self.requests.append(request)

    def text(self, id: str) -> str:
        return unbroken(self.texts.say(id, self.language))

    def say(self, words: str) -> None:
        self.page.locator("#box").fill(words)
        self.page.locator("#send").click()

    def press(self, id: str) -> None:
        self.page.get_by_role("button", name=self.text(id), exact=True).last.click()

    def sees(self, words: str) -> None:
        expect(self.page.locator("#log")).to_contain_text(words, timeout=15_000)

    def open_app(self) -> Page:
        with self.context.expect_page() as opened:
            self.page.get_by_role("link", name=self.text("show.app.link")).last.click()
        return opened.value


def make_codes(visitor: Visitor, app: Page, photo: bytes) -> tuple[str, str]:
    frame = app.frame_locator("iframe")
    expect(frame.locator("#image-words")).not_to_be_empty()
    picture = FilePayload(name="IMG_0001.jpg", mimeType="image/jpeg", buffer=photo)
    frame.locator("input[type=file]").first.set_input_files(picture)
    expect(frame.locator("li")).to_have_count(1, timeout=20_000)
    expect(app.locator("#send")).to_be_enabled(timeout=30_000)
    shot(app, f"miniapp-{visitor.language}")
    app.locator("#send").click()
    expect(app.locator("#case")).not_to_be_empty(timeout=15_000)
    shot(app, f"miniapp-done-{visitor.language}")
    return app.locator("#case").inner_text(), app.locator("#pin").inner_text()


@pytest.fixture(scope="module")
def sala(tmp_path_factory: pytest.TempPathFactory):
    with served(tmp_path_factory.mktemp("sala")) as running:
        yield running


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_person_is_helped_from_the_first_words_to_the_update(
    language: Language, sala: Served, browser: Browser, tmp_path: Path
):
    partner = sala.partner(f"Platform {language}", "adults")
    visitor = Visitor(browser, sala, language)
    visitor.sees(visitor.text("hello")[:40])
    visitor.say(FIRST_WORDS[language])
    for step in STEPS[:1]:
        visitor.press(step)
    visitor.sees(visitor.text("firstaid.threat.1")[:60])
    shot(visitor.page, f"chat-{language}")
    for step in STEPS[1:]:
        visitor.press(step)
    picture = everyday_photo(LANGUAGES.index(language))
    app = visitor.open_app()
    number, pin = make_codes(visitor, app, as_jpeg(picture, 92))
    assert re.fullmatch(r"\d{6}", pin)
    visitor.sees(number)
    assert pin not in visitor.page.locator("#log").inner_text()
    visitor.press("ask.updates.yes")
    visitor.press("ask.aftercare.no")
    visitor.sees(visitor.text("home"))

    fetched = [one for page in partner.fetch_hashes_iter() for one in page.hashRecords]
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(as_jpeg(picture.resize((1280, 960)), 70))
    seen = PdqSignal.hash_from_file(copy)
    found = [one for one in fetched if PdqSignal.compare_hash(one.hashValue, seen).match]
    assert found
    assert {one.signalType for one in found} == {StopNCIISignalType.ImagePDQ}
    partner.submit_feedback(
        StopNCIISignalType.ImagePDQ, found[0].hashValue, StopNCIICSPFeedbackValue.Blocked
    )

    visitor.sees(visitor.text("news"))
    assert f"Platform {language}" not in visitor.page.locator("#log li").last.inner_text()
    visitor.press("news.show")
    told = visitor.texts.say("show.status.blocked", language, partner=f"Platform {language}")
    visitor.sees(told)
    shot(visitor.page, f"chat-update-{language}")
    assert_only_its_own(visitor, sala)
    visitor.context.close()


def assert_only_its_own(visitor: Visitor, sala: Served) -> None:
    """The mini-app asked for its own files and made one post; nothing went anywhere else."""
    assert all(request.url.startswith((sala.url, "data:")) for request in visitor.requests)
    of_app = [one for one in visitor.requests if one.url.startswith(sala.url + "/app")]
    asked = sorted((one.method, one.url.removeprefix(sala.url).partition("#")[0]) for one in of_app)
    assert asked == [
        ("GET", "/app"), ("GET", "/app/app.js"), ("GET", "/app/box.html"),
        ("GET", "/app/style.css"), ("POST", "/app/hashes"),
    ]  # fmt: skip
    posted = next(one for one in of_app if one.method == "POST").post_data_json
    assert posted.keys() == {"ticket", "items"}
    (item,) = posted["items"]
    assert item.keys() == {"media", "hashes"}
    assert {one["kind"] for one in item["hashes"]} == {"pdq", "md5", "sha256"}
