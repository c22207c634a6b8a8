"""The browser door: what it lets in, what it keeps, and when a message counts as sent."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from bot.channels import Message, TryAgain
from bot.channels.browser import BrowserChannel, BrowserDoor, page_language, routes
from bot.channels.browser_posts import Malformed, parse_open, parse_say, parse_seen
from bot.channels.browser_stream import address_of, visit_by, visit_of
from bot.conversation.codec import decode_inbound, encode_inbound
from bot.conversation.model import LANGUAGES, Chose, Inbound, NodeId, Opened, TooLong, Typed
from bot.store import Arrival, ConversationId, EffectId, Planned, Turn
from bot.store.sqlite import SqliteStore
from bot.text import load_texts
from bot.vault import Vault
from tests.test_browser_stream import ADA, HELLO, reading, run

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
HOME = "http://127.0.0.1:8000"
ONE = "00000000-0000-4000-8000-000000000001"
TWO = "00000000-0000-4000-8000-000000000002"
VAULT = Vault.generate()


class Peer:
    """A door on a real store. `now` moves only by hand; `reply` answers whatever arrives."""

    def __init__(self, path: Path) -> None:
        self.now = NOW
        self.store = SqliteStore.open(path, VAULT, lambda: self.now)
        self.channel = BrowserChannel(ack_within=10)
        self.addresses: set[bytes] = set()
        self.woken = 0
        self.reply: Message | None = None
        self.sent = threading.Event()
        self.door = BrowserDoor(
            self.channel, self.receive, self.conversation_of, lambda: self.now, self.wake,
            load_texts(), HOME, "https://weather.example/?<",
        )  # fmt: skip

    def app(self, public_url: str = HOME) -> Starlette:
        return Starlette(routes=routes(replace(self.door, public_url=public_url)))

    def client(self, home: str = HOME, *, visiting: bool = True) -> TestClient:
        client = TestClient(self.app(home), base_url=home)
        if visiting:
            client.post("/chat/visit", json={})
        return client

    def conversation_of(self, address: bytes) -> ConversationId:
        self.addresses.add(address)
        return ConversationId(VAULT.digest("conversation", address)[:16])

    async def receive(self, arrival: Arrival) -> bool:
        fresh = await self.store.receive(arrival)
        if self.reply is not None:
            self.sending = asyncio.create_task(self.send(arrival.address, self.reply))
        return fresh

    async def send(self, address: bytes, message: Message) -> None:
        await self.channel.send(address, [message])
        self.sent.set()

    def wake(self) -> None:
        self.woken += 1

    def events(self) -> list[Inbound]:
        """What the store keeps, by conversation, in order."""
        claims = asyncio.run(self.store.claim({"browser"}, self.now, 100))
        return [decode_inbound(one.body) for claim in claims for one in claim.waiting]


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    peer = Peer(tmp_path / "sala.db")
    yield peer
    asyncio.run(peer.store.close())


def test_typed_words_arrive_for_the_visits_conversation(peer: Peer) -> None:
    assert peer.client().post("/chat/say", json={"id": ONE, "text": "hola"}).status_code == 204
    [claim] = asyncio.run(peer.store.claim({"browser"}, NOW, 10))
    [address] = peer.addresses
    assert claim.conversation == peer.conversation_of(address)
    assert decode_inbound(claim.waiting[0].body) == Typed(NOW, "hola")
    assert peer.woken == 1


def test_opening_says_the_pages_language(peer: Peer) -> None:
    peer.client().post("/chat/open", json={"id": ONE, "language": "th"})
    assert peer.events() == [Opened(NOW, "th")]


def test_the_retry_of_a_post_is_the_same_event(peer: Peer) -> None:
    client = peer.client()
    for _ in range(2):
        assert client.post("/chat/say", json={"id": ONE, "choice": "hi=yes"}).status_code == 204
    assert peer.events() == [Chose(NOW, NodeId("hi"), "yes")]


def test_the_address_does_not_hold_the_token(peer: Peer) -> None:
    client = peer.client()
    client.post("/chat/open", json={"id": ONE})
    token = client.cookies["v"]
    [address] = peer.addresses
    assert token.encode() not in address
    assert visit_of(address) == visit_by(token)


@pytest.mark.parametrize("secure", [True, False])
def test_the_cookie_is_of_the_session_and_of_this_page_only(peer: Peer, secure: bool) -> None:
    home = "https://sala.example" if secure else HOME
    client = peer.client(home, visiting=False)
    cookie = client.post("/chat/visit", json={}).headers["set-cookie"]
    flags = {flag.lower() for flag in cookie.split("; ")[1:]}
    assert flags == {"httponly", "path=/", "samesite=strict"} | ({"secure"} if secure else set())
    assert cookie.startswith("__Host-v=" if secure else "v=")
    assert "set-cookie" not in client.post("/chat/visit", json={}).headers
    left = client.post("/chat/leave", json={}).headers["set-cookie"]
    assert ("Secure" in left) == secure
    assert len(client.cookies) == 0


def test_a_visit_begins_once(peer: Peer) -> None:
    assert "set-cookie" not in peer.client().post("/chat/visit", json={}).headers


@pytest.mark.parametrize("path", ["open", "say", "seen"])
def test_without_a_visit_nothing_is_received(peer: Peer, path: str) -> None:
    answer = peer.client(visiting=False).post(f"/chat/{path}", json={"id": ONE, "text": "x"})
    assert (answer.status_code, answer.json()) == (401, {"error": "no_visit"})
    assert peer.events() == []


def test_a_stream_needs_a_visit(peer: Peer) -> None:
    assert peer.client(visiting=False).get("/chat/stream").status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": HOME, "sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"origin": HOME, "sec-fetch-site": "same-origin"}, 204),
    ],
)
@pytest.mark.parametrize("path", ["visit", "say", "leave"])
def test_another_sites_post_is_refused(
    peer: Peer, path: str, headers: dict[str, str], status: int
) -> None:
    client = peer.client()
    body = json.dumps({"id": ONE, "text": "x"})
    sent = {"content-type": "application/json", **headers}
    assert client.post(f"/chat/{path}", content=body, headers=sent).status_code == status
    assert bool(peer.events()) == (status == 204 and path == "say")


def test_another_sites_stream_is_refused(peer: Peer) -> None:
    headers = {"sec-fetch-site": "cross-site"}
    assert peer.client().get("/chat/stream", headers=headers).status_code == 403


def test_the_page_works_by_either_loopback_name_and_by_no_other_name(peer: Peer) -> None:
    client = peer.client()
    for host, own in [("localhost:9", "http://localhost:9"), ("evil.example", HOME)]:
        policy = client.get("/", headers={"host": host}).headers["content-security-policy"]
        own_files = f"{own}/chat/static"
        assert f"script-src {own_files}/log.js {own_files}/chat.js;" in policy


def test_a_public_page_believes_no_host_header(peer: Peer) -> None:
    client = peer.client("https://sala.example")
    policy = client.get("/", headers={"host": "localhost"}).headers["content-security-policy"]
    assert "script-src https://sala.example/chat/static/log.js https://sala.example/chat/" in policy


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 60_000,
        b'{"id": 1e999, "text": "x"}',
        b'{"id": "' + ONE.encode() + b'", "text": 7}',
        b'{"id": "' + ONE.encode() + b'", "text": "  "}',
        b'{"id": "' + ONE.encode() + b'", "text": "x", "choice": "a=b"}',
        b'{"id": "' + ONE.encode() + b'", "text": "x", "more": 1}',
        b'{"id": "' + ONE.upper().encode() + b'x", "text": "x"}',
        b'{"text": "x"}',
    ],
)
def test_a_post_the_page_would_not_make_is_refused_without_detail(peer: Peer, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = peer.client().post("/chat/say", content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (400, {"error": "bad_request"})
    assert peer.events() == []


@pytest.mark.parametrize(
    "choice",
    ["", "x", "=x", "x=", "A=x", "a=x\n", "a=" + "x" * 21, "a" * 41 + "=x", "a=b=c", "a=é"],
)
def test_a_choice_is_a_node_and_a_value_or_nothing(choice: str) -> None:
    with pytest.raises(Malformed):
        parse_say(json.dumps({"id": ONE, "choice": choice}).encode(), NOW, 10)


@pytest.mark.parametrize("ids", [None, "e1", [1], ["a b"], ["x" * 65], ["e1"] * 101])
def test_seen_takes_a_short_list_of_ids(ids: object) -> None:
    with pytest.raises(Malformed):
        parse_seen(json.dumps({"ids": ids}).encode())


def test_an_unknown_language_is_malformed_and_none_is_not() -> None:
    assert parse_open(json.dumps({"id": ONE, "language": None}).encode(), NOW).event == Opened(NOW)
    with pytest.raises(Malformed):
        parse_open(json.dumps({"id": ONE, "language": "fr"}).encode(), NOW)


def test_half_an_emoji_does_not_lose_the_message() -> None:
    post = parse_say(b'{"id": "' + ONE.encode() + b'", "text": "help \\ud83d"}', NOW, 100)
    assert post.event == Typed(NOW, "help ?")


def test_a_long_text_is_received_as_too_long_and_unread(peer: Peer) -> None:
    client = peer.client()
    client.post("/chat/say", json={"id": ONE, "text": "x" * 5_000})
    client.post("/chat/say", json={"id": TWO, "text": "x" * 5_001})
    assert peer.events() == [Typed(NOW, "x" * 5_000), TooLong(NOW)]


def test_too_many_posts_are_slowed_down_until_time_has_passed(peer: Peer) -> None:
    client = peer.client()
    say = {"id": ONE, "text": "x"}
    assert {client.post("/chat/say", json=say).status_code for _ in range(30)} == {204}
    answer = client.post("/chat/say", json=say)
    assert (answer.status_code, answer.json()) == (429, {"error": "slow_down"})
    assert peer.client().post("/chat/say", json=say).status_code == 204
    peer.now += timedelta(seconds=10)
    assert client.post("/chat/say", json=say).status_code == 204


def test_leaving_forgets_the_visit_and_withdraws_nothing(peer: Peer) -> None:
    client = peer.client()
    answer = client.post("/chat/leave", json={})
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert "v" not in client.cookies
    assert peer.events() == []


@pytest.mark.parametrize(
    "path", ["/", "/chat/static/chat.js", "/chat/static/nothing", "/chat/stream"]
)
def test_every_answer_keeps_the_page_to_itself(peer: Peer, path: str) -> None:
    headers = peer.client(visiting=False).get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")


def test_static_files_are_the_three_that_exist(peer: Peer) -> None:
    client = peer.client()
    for name in ("chat.css", "chat.js", "log.js"):
        assert client.get(f"/chat/static/{name}").status_code == 200
    for name in ("chat.html", "../browser.py", "%2e%2e%2fbrowser.py"):
        assert client.get(f"/chat/static/{name}").status_code == 404


def test_the_page_holds_every_language_and_no_running_script_inside(peer: Peer) -> None:
    page = peer.client().get("/", headers={"accept-language": "es-MX,es;q=0.9"}).text
    block = page.split('id="page">')[1].split("</script>")[0]
    texts = json.loads(block)["texts"]
    assert {*texts} == {*LANGUAGES}
    assert '<html lang="es">' in page
    assert "<" not in block
    assert page.count("<script") == 3


@pytest.mark.parametrize(
    ("accept", "language"),
    [("th-TH,en;q=0.8", "th"), ("de,es-419;q=0.7", "es"), ("", "en"), ("fr", "en"), ("est", "en")],
)
def test_the_page_speaks_the_browsers_language_when_it_can(accept: str, language: str) -> None:
    assert page_language(accept) == language


def test_the_doors_texts_are_complete_in_all_languages() -> None:
    groups = [load_texts().group("door", language) for language in LANGUAGES]
    assert groups[0].keys() == groups[1].keys() == groups[2].keys()
    assert all(text.strip() for group in groups for text in group.values())


def test_what_nobody_saw_waits_in_the_store_until_the_page_opens_again(peer: Peer) -> None:
    address = address_of(ADA)
    ada = peer.conversation_of(address)

    async def open_page(id: str) -> None:
        body = encode_inbound(Opened(NOW))
        await peer.store.receive(Arrival("browser", id, ada, address, body, NOW))

    async def waiting() -> list[EffectId]:
        bundles = await peer.store.due({"browser"}, NOW, 10)
        return [effect.id for bundle in bundles for effect in bundle.effects]

    async def talk() -> None:
        await open_page(ONE)
        [claim] = await peer.store.claim({"browser"}, NOW, 10)
        await peer.store.commit(claim, Turn(b"", (Planned(HELLO.id, b"", NOW),)))
        with pytest.raises(TryAgain) as error:
            await peer.channel.send(address, [HELLO])
        await peer.store.retry(ada, [HELLO.id], error.value.again_at)
        assert await waiting() == []
        page = await reading(peer.channel, ADA)
        await open_page(TWO)
        assert await waiting() == [], "its turn comes first"
        [claim] = await peer.store.claim({"browser"}, NOW, 10)
        await peer.store.commit(claim, Turn(b""))
        assert await waiting() == [HELLO.id]
        await peer.channel.send(address, [HELLO])
        peer.channel.close()
        assert len(await page) == 2

    run(talk())
