"""The mini-app's way in from Telegram: a page that gets a ticket for who is proven to open it."""

import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from bot.channels.telegram import routes
from bot.channels.telegram_init import Whose, verify_ed25519
from bot.channels.telegram_page import Page, page_routes
from bot.channels.telegram_wire import key_of
from bot.conversation.model import LANGUAGES, Language
from bot.text import load_texts
from tests.peers.telegram_api import BOT
from tests.talking import HOME, TO_APP
from tests.telegram_town import ANN, BOB, Town, live
from tests.test_telegram_init import PUBLIC, signed, signed_by_key

TEXTS = load_texts()

# ---------------------------------------------------------------- the mini-app's way in


async def ticket(town: Town, given: str, **more: Any) -> tuple[int, dict[str, str]]:
    body = {"init_data": given, "language": "th"}
    answer = await town.web.post("/telegram/ticket", json=body, **more)
    return answer.status_code, answer.json()


def test_the_page_gets_a_new_ticket_of_its_own_conversation_alone(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins(BOB)
        given = signed(at=town.now)
        assert await ticket(town, given) == (404, {"error": "none"})
        await town.presses(*TO_APP, chat=BOB)
        status, said = await ticket(town, signed(at=town.now))
        assert status == 200
        assert re.fullmatch("th-[0-9a-f]{32}", said["ticket"])
        other = signed(at=town.now, user=json.dumps({"id": ANN}))
        assert await ticket(town, other) == (404, {"error": "none"})

    live(tmp_path, story)


@pytest.mark.parametrize(
    ("given", "more"),
    [
        (signed(token="1:other"), {}), ("", {}), ("x" * 20_000, {}),
        (signed(), {"headers": {"Sec-Fetch-Site": "cross-site"}}),
        (signed(), {"headers": {"Origin": "https://evil.example"}}),
        (signed(), {"headers": {"Content-Type": "text/plain"}}),
    ],
)  # fmt: skip
def test_no_ticket_for_what_is_not_the_pages_own(
    given: str, more: dict[str, Any], tmp_path: Path
) -> None:
    async def story(town: Town) -> None:
        await town.begins(BOB)
        await town.presses(*TO_APP, chat=BOB)
        assert await ticket(town, given, **more) == (403, {"error": "refused"})

    live(tmp_path, story)


def believing(town: Town, whose: Whose) -> httpx2.AsyncClient:
    """The same bot's pages, where somebody else's signature is believed."""
    page = Page(
        whose, lambda user: town.conversation_of(key_of(user)), lambda: town.now, town.renew,
        TEXTS, HOME,
    )  # fmt: skip
    transport = httpx2.ASGITransport(Starlette(routes=page_routes(page)))
    return httpx2.AsyncClient(transport=transport, base_url=HOME)


def test_a_page_that_holds_no_token_gives_a_ticket_for_telegrams_signature(
    tmp_path: Path,
) -> None:
    async def story(town: Town) -> None:
        await town.begins(BOB)
        await town.presses(*TO_APP, chat=BOB)
        by_key = partial(verify_ed25519, public_key=PUBLIC)
        town.web = believing(town, lambda shown, now: by_key(shown, BOT, now))
        assert await ticket(town, signed(at=town.now)) == (403, {"error": "refused"})
        shown = signed_by_key(auth_date=str(int(town.now.timestamp())))
        status, said = await ticket(town, shown)
        assert (status, said["ticket"][:3]) == (200, "th-")

    live(tmp_path, story)


def test_the_setting_decides_whose_signature_is_believed(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.begins(BOB)
        await town.presses(*TO_APP, chat=BOB)
        assert (await ticket(town, signed(at=town.now)))[0] == 200
        settings = replace(town.door.settings, by_signature=True)
        app = Starlette(routes=routes(replace(town.door, settings=settings)))
        town.web = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=HOME)
        assert await ticket(town, signed(at=town.now)) == (403, {"error": "refused"})

    live(tmp_path, story)


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"init_data":1,"language":"th"}', "[" * 9_000])
def test_a_post_of_another_form_is_refused(body: str, tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        headers = {"Content-Type": "application/json"}
        answer = await town.web.post("/telegram/ticket", content=body, headers=headers)
        assert answer.status_code == 403

    live(tmp_path, story)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_runs_its_own_script_alone_and_only_telegram_frames_it(
    language: Language, tmp_path: Path
) -> None:
    async def story(town: Town) -> None:
        page = await town.web.get(f"/telegram/app?l={language}")
        assert TEXTS.say("telegram.app.wait", language) in page.text
        assert "{{" not in page.text
        policy = page.headers["Content-Security-Policy"]
        assert "frame-ancestors https://web.telegram.org;" in policy
        assert "script-src https://sala.example/telegram/app/telegram_app.js;" in policy
        assert page.headers["Cache-Control"] == "no-store"
        for name in re.findall(r'(?:src|href)="(/[^"]+)"', page.text):
            assert (await town.web.get(name)).status_code == 200
        assert (await town.web.get("/telegram/app/chat.js")).status_code == 404

    live(tmp_path, story)
