"""The browser door under pressure: invented visits, crowds, a locked database, and a real line."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.testclient import TestClient

from bot.channels.browser import render, routes
from bot.store import Arrival
from bot.store.jobs import Unwritten
from tests.test_browser_door import HOME, ONE, Peer
from tests.test_browser_stream import HELLO


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    peer = Peer(tmp_path / "sala.db")
    yield peer
    asyncio.run(peer.store.close())


def test_an_invented_token_is_no_visit(peer: Peer) -> None:
    signed = replace(peer.door, sign=lambda token: token[:22])
    client = TestClient(Starlette(routes=routes(signed)), base_url=HOME)
    client.post("/chat/visit", json={})
    say = {"id": ONE, "text": "x"}
    assert client.post("/chat/say", json=say).status_code == 204
    ours = client.cookies["v"]
    for invented in ("a" * 43, "a" * 43 + "." + "b" * 22, ours[:-1], ours.partition(".")[0]):
        cookie = {"cookie": f"v={invented}"}
        client.cookies.clear()
        assert client.post("/chat/say", json=say, headers=cookie).status_code == 401
        assert client.get("/chat/stream", headers=cookie).status_code == 401


def test_new_visits_come_at_a_pace(peer: Peer) -> None:
    app = peer.app()
    begun = [
        TestClient(app, base_url=HOME).post("/chat/visit", json={}).status_code for _ in range(51)
    ]
    assert begun == [204] * 50 + [429]
    peer.now += timedelta(seconds=1)
    assert TestClient(app, base_url=HOME).post("/chat/visit", json={}).status_code == 204


def test_a_database_that_is_locked_is_said_and_leaves_no_trace(
    peer: Peer, capsys: pytest.CaptureFixture[str]
) -> None:
    async def locked(arrival: Arrival) -> bool:
        raise Unwritten("OperationalError")

    door = replace(peer.door, receive=locked)
    client = TestClient(Starlette(routes=routes(door)), base_url=HOME)
    client.post("/chat/visit", json={})
    answer = client.post("/chat/say", json={"id": ONE, "text": "x"})
    assert (answer.status_code, answer.json()) == (503, {"error": "busy"})
    assert '"error": "Unwritten"' in capsys.readouterr().err


# ---------------------------------------------------------------- over a real line


@contextmanager
def served(peer: Peer) -> Iterator[int]:
    """The door on a free loopback port, in a thread."""
    line = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(peer.app(), log_level="critical", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([line],))
    thread.start()
    try:
        yield line.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        line.close()


def post(port: int, path: str, plain: object, cookie: str = "") -> tuple[int, str, bytes]:
    with closing(HTTPConnection("127.0.0.1", port)) as line:
        headers = {"Content-Type": "application/json", "Cookie": cookie}
        line.request("POST", path, json.dumps(plain).encode(), headers)
        answer = line.getresponse()
        return answer.status, answer.headers.get("Set-Cookie", "").split(";")[0], answer.read()


def test_a_text_that_is_far_too_long_is_refused_and_nothing_is_received(peer: Peer) -> None:
    with served(peer) as port:
        _, cookie, _ = post(port, "/chat/visit", {})
        said = {"id": ONE, "text": "x" * 900_000}
        status, _, answer = post(port, "/chat/say", said, cookie)
    assert (status, json.loads(answer)) == (413, {"error": "too_long"})
    assert peer.events() == []


def test_ten_megabytes_are_not_read_to_their_end(peer: Peer) -> None:
    with served(peer) as port:
        _, cookie, _ = post(port, "/chat/visit", {})
        try:
            status, _, _ = post(port, "/chat/say", {"id": ONE, "text": "x" * 10_000_000}, cookie)
        except OSError:
            status = 413  # the line was closed while it was being sent
    assert status == 413
    assert peer.events() == []


def test_an_answer_goes_down_the_line_and_its_acknowledgement_comes_back(peer: Peer) -> None:
    peer.reply = HELLO
    with served(peer) as port, closing(HTTPConnection("127.0.0.1", port)) as line:
        _, cookie, _ = post(port, "/chat/visit", {})
        line.request("GET", "/chat/stream", headers={"Cookie": cookie})
        stream = line.getresponse()
        assert stream.readline() == b"event: ready\n"
        post(port, "/chat/open", {"id": ONE}, cookie)
        [_, _, _, data, _] = [stream.readline() for _ in range(5)]
        assert json.loads(data.removeprefix(b"data: ")) == render(HELLO)
        post(port, "/chat/seen", {"ids": ["e1"]}, cookie)
        assert peer.sent.wait(10)
        post(port, "/chat/leave", {}, cookie)
        assert stream.read() == b""
