"""What people write, send and are known by is in no log line, error or byte of the database.

Every route of the whole site is asked with canaries in all its parts, and each must also take one
of them as good: a new route without its own canary here fails.
"""

import asyncio
import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from PIL import Image
from starlette.routing import Match, Route

from bot.app import open_sala
from bot.cases.hashes import parse_items
from bot.doors import telegram_secret
from bot.settings import read_settings
from bot.store import ConversationId, Ticket
from bot.vault import load_or_make
from tests.peers import specs
from tests.peers.line_api import CHANNEL_TOKEN, LOGIN_CHANNEL, FakeLine
from tests.peers.line_talk import LIFF, SECRET, sign
from tests.peers.telegram_api import TOKEN, TelegramApi, telegram
from tests.serving import Served, served
from tests.talking import TO_APP
from tests.test_line_liff import id_token
from tests.test_log import bytes_kept
from tests.test_telegram_init import signed
from tests.visiting import Visitor, codes, ticket_of

T = TypeVar("T")
Json = dict[str, Any]
WORDS = "canary-words he wants money 0812345678"
THAI = "แคนารีเขาขู่จะปล่อยรูป"
NAME = "canary-IMG_0001.jpg"
LINE_USER = "U" + "ca7a" * 8
CHAT = 5_550_123_456_789
MESSAGE = "461230966842064897"
EVENT = "01CANARYEVENT0000000000"
HASH = "c0ffee" * 10 + "abcd"
PHASH = "c0ffee" * 2 + "dcba"
NUMBERS = "canary-0f1e2d3c4b5a69788796a5b4c3d2e1f0"
BOTH_LISTS = ("/exchange/v1", "/exchange/minors/v1", "/exchange/adults/v1")


def picture() -> bytes:
    """An everyday picture with a remark inside."""
    out = BytesIO()
    Image.new("RGB", (64, 64), "teal").save(out, "JPEG", comment=b"canary-inside-the-picture")
    return out.getvalue()


PICTURE = picture()


# ---------------------------------------------------------------- who asks


@dataclass
class Asker:
    """Asks a Sala, and remembers what each route answered at best and what errors said."""

    url: str
    routes: list[Route]
    numbers: bytes = b""
    best: dict[str, int] = field(default_factory=dict)
    errors: list[bytes] = field(default_factory=list)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(HTTPConnection(urlsplit(self.url).netloc, timeout=15)) as line:
            line.request(method, path, body or None, named)
            answer = line.getresponse()
            self.answered(method, path, answer.status)
            said = answer.read()
        if answer.status >= 400:
            self.errors += [said, str(answer.getheaders()).encode()]
        return answer.status, said

    def counted(self) -> None:
        """The page of numbers."""
        status, self.numbers = self.ask("GET", "/metrics", authorization=f"Bearer {NUMBERS}")
        assert status == 200

    def posts(self, path: str, plain: Any, **headers: str) -> Json:
        """What a good post is answered."""
        body = plain if isinstance(plain, bytes) else json.dumps(plain).encode()
        status, said = self.ask("POST", path, body, content_type="application/json", **headers)
        assert status < 300, (path, said)
        return json.loads(said or b"{}")

    def answered(self, method: str, path: str, status: int) -> None:
        name = named(self.routes, method, path)
        self.best[name] = min(status, self.best.get(name, 999))


def named(routes: list[Route], method: str, path: str) -> str:
    scope = {"type": "http", "method": method, "path": path.partition("?")[0]}
    found = (one for one in routes if one.matches(scope)[0] is Match.FULL)
    return next((f"{method} {one.path}" for one in found), "no route")


class Noted(Visitor):
    """A visitor's browser whose posts are noted as well."""

    def __init__(self, asker: Asker) -> None:
        self.asker = asker
        super().__init__(asker.url)

    def post(self, path: str, plain: object, **more: str) -> tuple[int, dict[str, str], Json]:
        answer = super().post(path, plain, **more)
        self.asker.answered("POST", path, answer[0])
        return answer


def all_routes(environment: dict[str, str], folder: Path) -> list[Route]:
    """Of the site that these settings make."""

    async def look() -> list[Route]:
        settings = read_settings(environment | {"SALA_DATA_DIR": str(folder)}, folder / ".env")
        async with open_sala(settings) as sala:
            return [one for one in sala.site().routes if isinstance(one, Route)]

    return asyncio.run(look())


def everywhere(asker: Asker) -> None:
    """Canaries in the path, the query, every header that is read, and bodies of three forms."""
    shown = {
        "cookie": f"sala={NAME}", "user-agent": WORDS, "referer": f"https://{NAME}.example/",
        "x-line-signature": NAME, "x-telegram-bot-api-secret-token": NAME,
        "x-functions-key": NAME, "ocp-apim-subscription-key": NAME, "if-none-match": NAME,
        "authorization": f"Bearer {NAME}",
    }  # fmt: skip
    form = json.dumps({"id": WORDS, "text": THAI, "ticket": NAME}).encode()
    bodies = {form: "application/json", b"{" + PICTURE: "application/json", PICTURE: "image/jpeg"}
    for route in asker.routes:
        path = route.path.replace("{name}", NAME)
        for method in (route.methods or set()) - {"HEAD"}:
            for body, kind in bodies.items():
                headers = shown | {"content-type": kind}
                asker.ask(method, f"{path}?{NAME}={quote(THAI)}", body, **headers)


# ---------------------------------------------------------------- good canaries, door by door


def shows_a_pin(asker: Asker, folder: Path) -> list[str]:
    """Of a case made in a chat, by the button in it."""
    token, who = f"en-pin-{'c0ffee' * 5}", ConversationId(b"c" * 16)

    async def offered() -> None:
        settings = read_settings({"SALA_DATA_DIR": str(folder)}, folder / ".env")
        async with open_sala(settings) as sala:
            now = datetime.now(UTC)
            sent = Ticket(b"s" * 16, who, "adults", now + timedelta(hours=1))
            (item,) = parse_items(codes(HASH))
            case = await sala.store.register_sent(sent, [replace(item, phash=PHASH)], now)
            assert case
            digest = sala.ticket_digest(token)
            await sala.store.issue(replace(sent, digest=digest, number=case.number, opens="pin"))

    asyncio.run(offered())
    made = asker.posts("/app/pin", {"ticket": token})
    return [token, made["case"], made["pin"], PHASH]


def opens_the_pages(asker: Asker) -> None:
    for path in (
        "/", "/chat/static/chat.js", "/chat/static/log.js", "/app", "/app/", "/app/app.js",
        "/app/style.css", "/app/box.html", "/line/app", "/line/static/liff.js", "/telegram/app",
        "/telegram/app/telegram_app.js", "/healthz", "/healthz/alive",
        "/exchange/tx_sala.py", "/exchange/openapi.json",
    ):  # fmt: skip
        assert asker.ask("GET", f"{path}?{NAME}", user_agent=WORDS)[0] == 200


def talks_in_the_browser(asker: Asker) -> list[str]:
    visitor = Noted(asker)
    with visitor.page() as page:
        asker.answered("GET", "/chat/stream", page.stream.status)
        page.until("own phone")
        assert visitor.says(WORDS)
        page.message()
        visitor.presses(*TO_APP)
        ticket = ticket_of(page.until("Choose the picture"))
        posted = {"ticket": ticket, "items": codes(HASH)}
        status, _, made = visitor.post("/app/hashes", posted)
        assert status == 200
        page.until(made["case"])
        assert visitor.says(THAI)
    token = visitor.cookie.partition("=")[2]
    assert visitor.post("/chat/leave", {})[0] == 204
    return [ticket, made["case"], made["pin"], token]


def answers_as_partner(asker: Asker, sala: Served) -> list[str]:
    keys = json.loads(sala.command("partner", "add", "Chirp", "--list", "both", "--json"))
    subscription = {"Ocp_Apim_Subscription_Key": keys["subscription_key"]}
    said = {"hashValue": HASH, "signalType": "ImagePDQ", "feedbackValue": "Blocked"}
    for base in BOTH_LISTS:
        fetch, feedback = keys["fetch_key"], keys["feedback_key"]
        path = f"{base}/FetchHashes?{NAME}"
        assert asker.ask("GET", path, x_functions_key=fetch, **subscription)[0] == 200
        asker.posts(
            f"{base}/SubmitFeedback", {"count": 1, "hashFeedbacks": [said]},
            x_functions_key=feedback, **subscription,
        )  # fmt: skip
    return [*keys.values(), *submits(asker, sala)]


def submits(asker: Asker, sala: Served) -> list[str]:
    """A partner that may add hashes, for each address one."""
    given: list[str] = []
    for n, (base, name) in enumerate(zip(BOTH_LISTS, ("adults", "minors", "adults"), strict=True)):
        made = sala.command("partner", "add", f"H{n}", "--list", name, "--submits", "--json")
        keys = json.loads(made)
        record = {"hashValue": HASH, "signalType": "ImagePDQ", "CSPFeedbacks": [{"tags": [NAME]}]}
        record["CSPFeedbacks"][0]["feedbackValue"] = "Blocked"
        asker.posts(
            f"{base}/SubmitHashes", {"count": 1, "hashRecords": [record]},
            x_functions_key=keys["submit_key"],
            Ocp_Apim_Subscription_Key=keys["subscription_key"],
        )  # fmt: skip
        given += keys.values()
    return given


@dataclass
class OnLine:
    """A person on LINE."""

    asker: Asker
    line: FakeLine
    portal: BlockingPortal
    given: list[str] = field(default_factory=list)

    def happens(self, kind: str, **more: Any) -> None:
        token = self.portal.call(self.line.token, LINE_USER)
        number = len(self.given)
        self.given += [token, f"{EVENT}{number:02}"]
        event = {
            "type": kind, "mode": "active", "timestamp": 1, "replyToken": token,
            "webhookEventId": f"{EVENT}{number:02}", "deliveryContext": {"isRedelivery": False},
            "source": {"type": "user", "userId": LINE_USER},
        }  # fmt: skip
        body = json.dumps({"destination": "U", "events": [event | more]}).encode()
        self.asker.posts("/line", body, x_line_signature=sign(body).decode())

    def talks(self) -> None:
        self.happens("follow", follow={"isUnblocked": False})
        self.line.faults["/v2/bot/message/reply"] = ["500", "cut after", "rate"]
        content = [
            {"type": "text", "text": WORDS, "quoteToken": NAME},
            {"type": "text", "text": THAI, "quoteToken": NAME},
            {"type": "image", "contentProvider": {"type": "external", "originalContentUrl": NAME}},
            {"type": "file", "fileName": NAME, "fileSize": 1},
            {"type": "location", "title": WORDS, "address": THAI, "latitude": 1, "longitude": 2},
        ]
        for one in content:
            self.happens("message", message={"id": MESSAGE} | one)
        self.happens("unsend", unsend={"messageId": MESSAGE})
        for choice in TO_APP:
            self.happens("postback", postback={"data": choice, "params": {NAME: WORDS}})

    def opens_the_mini_app(self) -> list[str]:
        token = id_token()
        until = datetime.now(UTC) + timedelta(hours=1)
        self.line.id_tokens[token] = {
            "iss": "https://access.line.me", "aud": LOGIN_CHANNEL, "sub": LINE_USER,
            "name": WORDS, "picture": NAME, "exp": int(until.timestamp()),
        }  # fmt: skip
        ticket = self.asker.posts("/line/ticket", {"id_token": token})["ticket"]
        return [ticket, *self.given]


@dataclass
class OnTelegram:
    """A person on Telegram."""

    asker: Asker
    api: TelegramApi
    portal: BlockingPortal
    secret: str
    given: list[str] = field(default_factory=list)

    def happens(self, update: Json) -> None:
        self.given += [str(update["update_id"])]
        self.asker.posts("/telegram", update, X_Telegram_Bot_Api_Secret_Token=self.secret)

    def sends(self, **what: Any) -> None:
        self.happens(self.portal.call(lambda: self.api._incoming(CHAT, what)))

    def talks(self) -> None:
        self.api.troubles["sendMessage"] += ["500", "not json"]
        size = {"file_id": NAME, "file_unique_id": NAME, "width": 1, "height": 1}
        file = {"file_id": NAME, "file_unique_id": NAME, "file_name": NAME}
        self.sends(text="/start")
        self.sends(text=WORDS)
        self.sends(photo=[size], caption=THAI)
        self.sends(document=file)
        self.sends(contact={"phone_number": "0812345678", "first_name": WORDS})
        for choice in TO_APP:
            self.happens(self.portal.call(self.api.presses, CHAT, choice))

    def opens_the_mini_app(self) -> list[str]:
        user = json.dumps({"id": CHAT, "first_name": WORDS})
        shown = signed(at=datetime.now(UTC), user=user)
        posted = {"init_data": shown, "language": "th"}
        ticket = self.asker.posts("/telegram/ticket", posted)["ticket"]
        return [ticket, shown, *self.given]


def until(portal: BlockingPortal, look: Callable[[], T]) -> T:
    """What a look at a platform finds, once it finds something."""

    async def looking() -> T:
        async with asyncio.timeout(60):
            while not (found := look()):
                await asyncio.sleep(0.01)
        return found

    return portal.call(looking)


# ---------------------------------------------------------------- the whole


@dataclass
class Flown:
    """What was asked of the whole site, and where canaries might be."""

    asker: Asker
    canaries: list[str]
    logged: str
    kept: bytes


@pytest.fixture(scope="module")
def flown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flown]:
    specs.find("messaging-api.yml")
    folder = tmp_path_factory.mktemp("sala")
    fake = FakeLine(lambda: datetime.now(UTC))
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(fake.served()) as line,
        portal.wrap_async_context_manager(telegram(lambda: datetime.now(UTC))) as api,
    ):
        settings = {
            "SALA_LINE_SECRET": SECRET, "SALA_LINE_TOKEN": CHANNEL_TOKEN, "SALA_LINE_LIFF": LIFF,
            "SALA_LINE_LOGIN_CHANNEL": LOGIN_CHANNEL, "SALA_LINE_API": line.url,
            "SALA_TELEGRAM_TOKEN": TOKEN, "SALA_TELEGRAM_API": api.url,
            "SALA_METRICS_TOKEN": NUMBERS,
        }  # fmt: skip
        routes = all_routes(settings, tmp_path_factory.mktemp("other"))
        with served(folder, **settings) as sala:
            vault, _ = load_or_make(folder / "keys")
            asker = Asker(sala.url, routes)
            ann = OnLine(asker, line, portal)
            bob = OnTelegram(asker, api, portal, telegram_secret(vault))
            yield fly(sala, asker, folder, ann, bob)


def fly(sala: Served, asker: Asker, folder: Path, ann: OnLine, bob: OnTelegram) -> Flown:
    """All canaries, then the end of the server: what it wrote is whole."""
    ann.talks()
    bob.talks()
    everywhere(asker)
    opens_the_pages(asker)
    given = talks_in_the_browser(asker)
    given += shows_a_pin(asker, folder)
    given += answers_as_partner(asker, sala)
    until(ann.portal, lambda: "liff.line.me" in json.dumps(ann.line.chats[LINE_USER]))
    until(bob.portal, lambda: "/app#" in json.dumps(bob.api.said(CHAT)))
    given += [*ann.opens_the_mini_app(), *bob.opens_the_mini_app(), bob.secret]
    asker.counted()
    kept = bytes_kept(folder)
    sala.process.terminate()
    assert sala.process.stdout is not None
    logged = "".join(sala.printed) + sala.process.stdout.read()
    known = [WORDS, "canary", "0812345678", THAI, NAME, HASH, LINE_USER, str(CHAT), MESSAGE]
    return Flown(asker, [*known, SECRET, CHANNEL_TOKEN, TOKEN, id_token(), *given], logged, kept)


def found(canaries: list[str], place: bytes) -> list[str]:
    """Those that are there as text, as JSON or an address writes it, or in base 64."""

    def forms(canary: str) -> Iterator[bytes]:
        yield canary.encode()
        yield json.dumps(canary)[1:-1].encode()
        yield quote(canary).encode()
        yield b64encode(canary.encode()).rstrip(b"=")

    return [one for one in canaries if any(form in place for form in forms(one))]


def test_every_route_of_the_site_took_a_canary(flown: Flown) -> None:
    methods = ((one.path, method) for one in flown.asker.routes for method in one.methods or ())
    routes = {f"{method} {path}" for path, method in methods if method != "HEAD"}
    taken = {name for name, status in flown.asker.best.items() if status < 300}
    assert routes - taken == set()
    assert len(routes) > 25


def test_no_canary_is_in_a_log_line(flown: Flown) -> None:
    assert '"send_failed"' in flown.logged
    assert found(flown.canaries, flown.logged.encode()) == []


def test_no_canary_is_in_a_byte_of_the_database(flown: Flown) -> None:
    assert all(len(one) >= 6 for one in flown.canaries)
    assert found(flown.canaries, flown.kept) == []


def test_no_canary_is_among_the_numbers(flown: Flown) -> None:
    assert b'sala_messages_received_total{door="line"} ' in flown.asker.numbers
    assert found(flown.canaries, flown.asker.numbers) == []


def test_no_error_says_a_canary_again(flown: Flown) -> None:
    assert len(flown.asker.errors) > 60
    assert found(flown.canaries, b"\n".join(flown.asker.errors)) == []


def test_no_byte_of_a_picture_is_anywhere(flown: Flown) -> None:
    parts = [PICTURE[at : at + 12] for at in range(0, len(PICTURE) - 12, 12)]
    told = [one for one in parts if len({*one}) > 6]
    assert len(told) > 20
    assert [one for one in told if one in flown.kept or one in flown.logged.encode()] == []
