"""The mini-app's server side: what it serves, what it takes, and what it answers to the rest."""

import asyncio
import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from bot.cases.hashes import parse_items
from bot.conversation.model import LANGUAGES
from bot.miniapp.routes import STATIC, MiniApp, routes
from bot.store import ConversationId, Ticket
from bot.store.jobs import Unwritten
from bot.store.sqlite import SqliteStore
from bot.text import load_texts
from bot.vault import Vault

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
HOME = "https://sala.example"
TICKET = "th-" + "t" * 30
OTHER = "en-" + "u" * 30
PIN_TICKET = "en-pin-" + "p" * 30
FILES = ("/app", "/app/", "/app/app.js", "/app/style.css", "/app/box.html")
PICTURE: dict[str, Any] = {
    "media": "image",
    "hashes": [
        {"kind": "pdq", "variant": "512", "value": "5a" * 32, "quality": 90},
        {"kind": "sha256", "variant": "file", "value": "0b" * 32},
        {"kind": "md5", "variant": "file", "value": "0c" * 16},
    ],
}


def digest(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode()).digest()[:16]


async def issue(store: SqliteStore, ticket: str, ends: datetime, number: str | None = None) -> None:
    await store.issue(Ticket(digest(ticket), ConversationId(b"c" * 16), "minors", ends, number))


@pytest.fixture
def app(tmp_path: Path) -> Iterator[MiniApp]:
    store = SqliteStore.open(tmp_path / "sala.db", Vault.generate())
    asyncio.run(issue(store, TICKET, NOW + timedelta(hours=1)))
    yield MiniApp(store, digest, lambda: NOW, load_texts(), HOME)
    asyncio.run(store.close())


def client(app: MiniApp, base_url: str = HOME) -> TestClient:
    return TestClient(Starlette(routes=routes(app)), base_url=base_url)


def post(
    app: MiniApp, said: object, path: str = "/app/hashes", **headers: str
) -> tuple[int, dict[str, Any]]:
    sent = {"content-type": "application/json"} | {
        k.replace("_", "-"): v for k, v in headers.items()
    }
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    answer = client(app).post(path, content=body, headers=sent)
    return answer.status_code, answer.json()


def items(*given: dict[str, Any], ticket: str = TICKET) -> dict[str, object]:
    return {"ticket": ticket, "items": list(given) or [PICTURE]}


def with_hash(**changed: object) -> dict[str, Any]:
    return {"media": "image", "hashes": [PICTURE["hashes"][0] | changed]}


def policy(answer: Any) -> dict[str, list[str]]:
    parts = answer.headers["content-security-policy"].split("; ")
    return {name: rest for name, *rest in (part.split(" ") for part in parts)}


def test_codes_become_a_case_with_a_pin_that_is_said_once(app: MiniApp) -> None:
    status, made = post(app, items())
    assert status == 200
    assert made.keys() == {"case", "pin", "images"}
    assert re.fullmatch(r"\w{3}-\w{3}-\w{3}", made["case"])
    assert re.fullmatch(r"[0-9]{6}", made["pin"])
    assert made["images"] == 1


def test_pictures_added_to_a_case_get_no_second_pin(app: MiniApp) -> None:
    _, first = post(app, items())
    asyncio.run(issue(app.registry, OTHER, NOW + timedelta(hours=1), first["case"]))
    more = with_hash(value="77" * 32)
    assert post(app, items(more, ticket=OTHER)) == (
        200, {"case": first["case"], "pin": None, "images": 2},
    )  # fmt: skip


def test_a_used_ticket_registers_nothing(app: MiniApp) -> None:
    post(app, items())
    assert post(app, items()) == (410, {"error": "used"})


def test_a_ticket_nobody_issued_is_unknown(app: MiniApp) -> None:
    assert post(app, items(ticket=OTHER)) == (410, {"error": "unknown"})


def test_a_ticket_ends_by_the_clock(app: MiniApp) -> None:
    late = replace(app, clock=lambda: NOW + timedelta(hours=1))
    assert post(late, items()) == (410, {"error": "expired"})


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"", "form"),
        (b"\xff\xd8\xff\xe0 a picture", "form"),
        (b"[" * 50_000, "form"),
        ([], "form"),
        ({"ticket": TICKET}, "form"),
        ({**items(), "note": "x"}, "form"),
        ({"ticket": 5, "items": [PICTURE]}, "form"),
        ({"ticket": "", "items": [PICTURE]}, "form"),
        ({"ticket": "ก" * 20, "items": [PICTURE]}, "form"),
        ({"ticket": "t" * 201, "items": [PICTURE]}, "form"),
        ({"ticket": TICKET, "items": []}, "empty"),
        (items(*[PICTURE] * 11), "too_many"),
        (items(with_hash(value="5A" * 32)), "value"),
        (items(with_hash(variant="1024")), "variant"),
        (items(with_hash(quality=49)), "low_quality"),
        (items({**PICTURE, "name": "me.jpg"}), "form"),
    ],
)
def test_what_is_not_of_the_agreed_form_is_refused_and_the_ticket_is_kept(
    app: MiniApp, said: object, code: str
) -> None:
    assert post(app, said) == (400, {"error": code})
    assert post(app, items())[0] == 200


def test_a_case_that_would_grow_too_large_is_refused_whole(app: MiniApp) -> None:
    _, first = post(app, items(*[with_hash(value=f"{n:02x}" * 32) for n in range(10)]))
    for batch in range(1, 4):
        ticket = f"en-{batch}" + "v" * 20
        asyncio.run(issue(app.registry, ticket, NOW + timedelta(hours=1), first["case"]))
        more = [with_hash(value=f"{batch * 10 + n:02x}" * 32) for n in range(10)]
        answer = post(app, items(*more, ticket=ticket))
    assert answer == (400, {"error": "too_many"})


@pytest.mark.parametrize("length", [80_001, 3_000_000])
def test_a_body_over_the_limit_is_not_read_to_its_end(app: MiniApp, length: int) -> None:
    assert post(app, b" " * length) == (413, {"error": "too_large"})


def test_a_store_that_cannot_write_now_says_so(app: MiniApp) -> None:
    class Busy:
        async def register(self, *_: object) -> None:
            raise Unwritten("locked")

    assert post(replace(app, registry=Busy()), items()) == (503, {"error": "busy"})


# ---------------------------------------------------------------- the PIN of a case of the chat


async def offered(store: SqliteStore) -> str:
    """The number of a case made in the chat, whose page may be opened with `PIN_TICKET`."""
    who, ends = ConversationId(b"c" * 16), NOW + timedelta(hours=1)
    sent = Ticket(b"s" * 16, who, "adults", ends)
    case = await store.register_sent(sent, parse_items([PICTURE]), NOW)
    assert case
    pin = Ticket(digest(PIN_TICKET), who, "adults", ends, case.number, "pin")
    await store.issue(pin)
    return case.number


def test_number_and_pin_of_a_case_of_the_chat_are_shown_once(app: MiniApp) -> None:
    number = asyncio.run(offered(app.registry))
    status, shown = post(app, {"ticket": PIN_TICKET}, "/app/pin")
    assert (status, shown["case"], shown["images"]) == (200, number, 1)
    assert re.fullmatch(r"[0-9]{6}", shown["pin"])
    assert post(app, {"ticket": PIN_TICKET}, "/app/pin") == (410, {"error": "used"})


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"", (400, "form")),
        ({"ticket": PIN_TICKET, "items": [PICTURE]}, (400, "form")),
        ({"ticket": PIN_TICKET, "case": "K7Q-2XH-DPM"}, (400, "form")),
        (b" " * 80_001, (413, "too_large")),
        ({"ticket": TICKET}, (410, "unknown")),
    ],
)
def test_whatever_else_is_posted_shows_no_pin(
    app: MiniApp, said: object, answer: tuple[int, str]
) -> None:
    asyncio.run(offered(app.registry))
    status, code = answer
    assert post(app, said, "/app/pin") == (status, {"error": code})
    assert post(app, {"ticket": PIN_TICKET}, "/app/pin")[0] == 200


def test_only_our_own_page_may_ask_for_a_pin(app: MiniApp) -> None:
    asyncio.run(offered(app.registry))
    for headers in ({"origin": "https://elsewhere.example"}, {"content_type": "text/plain"}):
        asked = post(app, {"ticket": PIN_TICKET}, "/app/pin", **headers)
        assert asked == (400, {"error": "form"})
    assert client(app).get("/app/pin").status_code == 405


# ---------------------------------------------------------------- who may post


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "text/plain"},
        {"content_type": "multipart/form-data; boundary=x"},
        {"origin": "https://elsewhere.example"},
        {"sec_fetch_site": "cross-site", "origin": HOME},
        {"sec_fetch_site": "same-origin", "origin": "https://elsewhere.example"},
        {"origin": "null"},
        {"sec_fetch_site": "none"},
    ],
)
def test_only_our_own_page_may_post(app: MiniApp, headers: dict[str, str]) -> None:
    assert post(app, items(), **headers) == (400, {"error": "form"})


@pytest.mark.parametrize(
    "headers",
    [{"origin": HOME}, {"sec_fetch_site": "same-origin", "origin": "null"}, {}],
)
def test_the_page_may_post_however_its_browser_names_it(
    app: MiniApp, headers: dict[str, str]
) -> None:
    assert post(app, items(), **headers)[0] == 200


def test_an_address_that_takes_hashes_gives_none(app: MiniApp) -> None:
    assert client(app).get("/app/hashes").status_code == 405


def test_only_the_pages_own_files_are_served(app: MiniApp) -> None:
    page = client(app)
    assert [page.get(path).status_code for path in FILES] == [200] * len(FILES)
    for path in ("/app/pdq.js", "/app/box.js", "/app/../routes.py", "/app/index.html"):
        assert page.get(path).status_code == 404


@pytest.mark.parametrize("path", [*FILES, "/app/hashes", "/app/pin"])
def test_nothing_is_kept_sniffed_or_told_to_other_sites(app: MiniApp, path: str) -> None:
    page = client(app)
    sent = (page.get(path) if path in FILES else page.post(path)).headers
    assert sent["cache-control"] == "no-store"
    assert sent["x-content-type-options"] == "nosniff"
    assert sent["referrer-policy"] == "no-referrer"
    assert sent["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in sent["permissions-policy"]
    assert "set-cookie" not in sent


def test_the_page_may_load_its_own_files_and_post_to_two_addresses(app: MiniApp) -> None:
    answer = client(app).get("/app")
    assert policy(answer) == {
        "default-src": ["'none'"],
        "script-src": [f"{HOME}/app/app.js"],
        "style-src": [f"{HOME}/app/style.css"],
        "img-src": ["data:"],
        "frame-src": [f"{HOME}/app/box.html"],
        "connect-src": [f"{HOME}/app/hashes", f"{HOME}/app/pin"],
        "frame-ancestors": ["https://web.telegram.org"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "require-trusted-types-for": ["'script'"],
        "trusted-types": ["'none'"],
    }
    assert answer.headers["connection-allowlist"].startswith("(response-origin")


def test_the_frame_that_sees_the_picture_reaches_nothing(app: MiniApp) -> None:
    answer = client(app).get("/app/box.html")
    held = policy(answer)
    assert held["default-src"] == ["'none'"]
    assert held["sandbox"] == ["allow-scripts"]
    assert held["frame-ancestors"] == [HOME, "https://web.telegram.org"]
    assert held["media-src"] == ["blob:"]  # of its own memory: a chosen video is looked into
    assert not held.keys() & {"connect-src", "img-src", "frame-src", "worker-src"}
    assert answer.headers["connection-allowlist"] == "()"
    for element in ("script", "style"):
        found = re.search(rf"<{element}[^>]*>(.*?)</{element}>", answer.text, re.DOTALL)
        assert found
        pin = b64encode(hashlib.sha256(found.group(1).encode()).digest()).decode()
        assert held[f"{element}-src"] == [f"'sha256-{pin}'"]


def test_on_one_machine_both_names_of_the_loopback_are_ours(app: MiniApp) -> None:
    here = replace(app, public_url="http://127.0.0.1:8000")
    page = client(here, "http://localhost:8765")
    assert policy(page.get("/app"))["connect-src"] == [
        "http://127.0.0.1:8765/app/hashes",
        "http://localhost:8765/app/hashes",
        "http://127.0.0.1:8765/app/pin",
        "http://localhost:8765/app/pin",
    ]


def test_another_host_name_does_not_change_whom_the_page_trusts(app: MiniApp) -> None:
    answer = client(app, "https://elsewhere.example").get("/app")
    assert policy(answer)["connect-src"] == [f"{HOME}/app/hashes", f"{HOME}/app/pin"]


def test_the_page_carries_every_text_and_no_markup_in_them(app: MiniApp) -> None:
    by_language = {k: dict(v) for k, v in app.texts.by_language.items()}
    by_language["en"]["app.heading"] = "</script><b>"
    page = client(replace(app, texts=replace(app.texts, by_language=by_language))).get("/app").text
    data = re.search(r'id="texts">(.*?)</script>', page, re.DOTALL)
    assert data
    said = json.loads(data.group(1))
    assert said.keys() == set(LANGUAGES)
    assert said["en"]["heading"] == "</script><b>"
    assert "{{" not in page


ERRORS = (
    "unknown", "used", "expired", "form", "too_many", "value", "variant", "low_quality", "empty",
    "too_large", "busy", "network",
)  # fmt: skip


PIN_ERRORS = ("unknown", "used", "expired", "busy", "network")


def test_every_text_the_page_asks_for_exists_in_every_language() -> None:
    names = ("index.html", "app.js", "box.js", "hashes.js")
    source = "".join((STATIC / name).read_text() for name in names)
    wanted = set(re.findall(r'(?:data-text=|data-title=|words\(|say\()"([\w.]+)"', source))
    wanted |= {f"problem.{id}" for id in re.findall(r'Problem\("(\w+)"\)', source)}
    wanted |= {f"error.{code}" for code in ERRORS}
    wanted |= {f"pin.error.{code}" for code in PIN_ERRORS}
    wanted |= {"done.heading", "pin.heading", "sending", "pin.sending"}
    assert len(wanted) > 40
    for language in LANGUAGES:
        assert wanted <= load_texts().group("app", language).keys()


def test_the_three_languages_have_the_same_texts_and_the_same_blanks() -> None:
    english = load_texts().group("app", "en")
    for language in LANGUAGES:
        other = load_texts().group("app", language)
        assert other.keys() == english.keys()
        for id, text in english.items():
            assert re.findall(r"\{\w+\}", text) == re.findall(r"\{\w+\}", other[id]), id


def test_the_page_never_speaks_of_uploading_or_of_fingerprints() -> None:
    for language in LANGUAGES:
        said = " ".join(load_texts().group("app", language).values()).lower()
        for word in ("upload", "อัปโหลด", "ลายนิ้วมือ", "subir", "huella", "coger", "fingerprint"):
            assert word not in said


def test_the_exit_is_the_operators_and_is_escaped(app: MiniApp) -> None:
    page = client(replace(app, exit_url='https://dull.example/?q="x"')).get("/app")
    assert 'href="https://dull.example/?q=&quot;x&quot;"' in page.text
    assert '"https://dull.example"' in page.headers["connection-allowlist"]


def test_the_page_pins_its_own_script_and_style(app: MiniApp) -> None:
    page = client(app).get("/app").text
    for name in ("app.js", "style.css"):
        pin = b64encode(hashlib.sha256((STATIC / name).read_bytes()).digest()).decode()
        assert f'/app/{name}" integrity="sha256-{pin}"' in page


def test_the_pages_scripts_store_nothing_and_write_no_log() -> None:
    for name in ("app.js", "box.html"):
        text = (STATIC / name).read_text()
        for word in ("localStorage", "sessionStorage", "indexedDB", "document.cookie", "console.",
                     "innerHTML", "file.name", "serviceWorker", "sendBeacon"):  # fmt: skip
            assert word not in text
