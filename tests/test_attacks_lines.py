"""Attacks on the lines themselves: who holds them, dribbles, floods or does not read keeps nobody
out, and whoever comes in vain meanwhile finds the help card."""

import asyncio
import json
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from html import escape
from http.client import HTTPConnection
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware

from bot.callers import Caller
from bot.channels.browser import routes
from bot.channels.browser_full import Full
from bot.conversation.model import LANGUAGES
from bot.gate import Gate
from tests.test_browser_door import HOME, Peer

PATIENCE = 15
LINES = {one: (f"{one}: 191", f"{one} & co: 911 / SMS 911 (some)") for one in LANGUAGES}


class Quick(Caller):
    """With little patience and little room."""

    most = 8
    asks_within = 0.2
    reads_within = 0.2


class Roomy(Caller):
    """Waits as long as no test lasts."""

    most = 8
    asks_within = 100.0
    reads_within = 100.0


@dataclass
class Open:
    """A door on a loopback port."""

    port: int
    door: Peer

    def line(self, said: str = "") -> socket.socket:
        line = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        line.sendall(said.replace("\n", "\r\n").encode())
        return line

    def asks(self, method: str = "GET", path: str = "/", **headers: str) -> tuple[int, str]:
        """Another person, on a line of their own."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as line:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            line.request(method, path, b"{}" if method == "POST" else None, sent)
            answer = line.getresponse()
            return answer.status, answer.read().decode()

    def visits(self) -> int:
        return self.asks("POST", "/chat/visit", content_type="application/json")[0]


@contextmanager
def opened(
    folder: Path,
    caller: type[Caller],
    *,
    patience: float = 100,
    inside: int = 100,
    quiet: float = 5,
) -> Iterator[Open]:
    peer = Peer(folder / "sala.db")
    door = replace(peer.door, help_lines=LINES)
    gate = Middleware(Gate, HOME, patience=patience, full=Full(door), most=inside)
    site = Starlette(routes=routes(door), middleware=[gate])
    config = uvicorn.Config(
        site, http=caller, log_level="critical", timeout_graceful_shutdown=1,
        timeout_keep_alive=quiet,  # type: ignore[arg-type]
    )  # fmt: skip
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield Open(listening.getsockname()[1], peer)
        finally:
            server.should_exit = True
            server.force_exit = True
            thread.join()
    asyncio.run(peer.store.close())


def ended(line: socket.socket) -> bytes:
    """What came down a line until it was ended; TimeoutError when it never is."""
    said = b""
    with line:
        try:
            while some := line.recv(65_536):
                said += some
        except ConnectionResetError:
            pass
    return said


HEAD = "POST /chat/visit HTTP/1.1\nHost: 127.0.0.1\nContent-Type: application/json\n"


@pytest.mark.parametrize("said", ["", "G", HEAD, "GET / HTTP/1.1\nHost: 127.0.0.1\n\nGET /"])
def test_a_request_that_dribbles_in_ends_its_line_and_others_are_answered(
    tmp_path: Path, said: str
) -> None:
    with opened(tmp_path, Quick, quiet=0.2) as sala:
        slow = [sala.line(said) for _ in range(3)]
        assert sala.asks()[0] == 200
        answers = {ended(line)[:12] for line in slow}
        assert answers == ({b"HTTP/1.1 200"} if "\n\n" in said else {b""})


def test_a_byte_now_and_then_buys_no_more_time(tmp_path: Path) -> None:
    with opened(tmp_path, Quick) as sala, sala.line("GET / HTTP/1.1\n") as line:
        line.settimeout(0.02)
        with suppress(ConnectionError):
            while True:
                line.sendall(b"X-A: b\r\n")
                with suppress(TimeoutError):
                    assert line.recv(1) == b"", "nothing is answered"
                    break


def test_idle_lines_keep_nobody_out(tmp_path: Path) -> None:
    with opened(tmp_path, Roomy) as sala, ExitStack() as held:
        for _ in range(5 * Roomy.most):
            held.enter_context(sala.line("GET / HTTP/1.1\n"))
        assert sala.asks()[0] == 200
        assert sala.visits() == 204


@pytest.mark.parametrize(
    "length", ["Content-Length: 9\n\n1", "Transfer-Encoding: chunked\n\n1\n1\n"]
)
def test_a_body_that_dribbles_is_refused_and_its_line_ended(tmp_path: Path, length: str) -> None:
    with opened(tmp_path, Roomy, patience=0.2) as sala:
        slow = sala.line(HEAD + length)
        assert sala.visits() == 204
        assert ended(slow).startswith(b"HTTP/1.1 400 ")


def test_slow_bodies_make_room_when_there_are_too_many(tmp_path: Path) -> None:
    with opened(tmp_path, Roomy, inside=3) as sala:
        slow = [sala.line(f"{HEAD}Content-Length: 9\nExpect: 100-continue\n\n") for _ in range(3)]
        for line in slow:
            assert line.recv(100).startswith(b"HTTP/1.1 100 "), "it is being waited for"
        assert sala.visits() == 204
        assert ended(slow[0]).startswith(b"HTTP/1.1 400 ")
        assert [line.close() for line in slow[1:]] == [None, None]


def test_chunks_without_end_are_read_no_further_than_the_most(tmp_path: Path) -> None:
    with (
        opened(tmp_path, Roomy) as sala,
        sala.line(f"{HEAD}Transfer-Encoding: chunked\n\n") as line,
    ):
        left = 1_000
        with suppress(ConnectionError):
            while left:
                line.sendall(b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n")
                left -= 1
        assert left > 0
        assert sala.visits() == 204


def test_who_does_not_read_is_not_waited_for(tmp_path: Path) -> None:
    with opened(tmp_path, Quick) as sala, sala.line() as line:
        hangs_up = select.poll()
        hangs_up.register(line, select.POLLHUP)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.settimeout(0.05)
        ask = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 1000
        while not hangs_up.poll(0):
            try:
                line.sendall(ask)
            except TimeoutError:
                continue
            except OSError:
                break
        assert sala.asks()[0] == 200


@contextmanager
def page(sala: Open) -> Iterator[None]:
    """A page that is open: it takes a place."""
    with closing(HTTPConnection("127.0.0.1", sala.port, timeout=PATIENCE)) as line:
        line.request("POST", "/chat/visit", b"{}", {"Content-Type": "application/json"})
        with line.getresponse() as answer:
            cookie = answer.headers["Set-Cookie"].partition(";")[0]
            answer.read()
        line.request("GET", "/chat/stream", headers={"Cookie": cookie})
        with line.getresponse() as stream:
            assert stream.readline() == b"event: ready\n"
            yield


def test_who_comes_when_all_places_are_taken_finds_the_help_card_in_their_language(
    tmp_path: Path,
) -> None:
    with opened(tmp_path, Roomy, inside=2) as sala, page(sala), page(sala):
        for language in LANGUAGES:
            status, said = sala.asks(accept_language=f"{language}-XX,en;q=0.1")
            assert status == 503
            card = sala.door.door.texts.say("door.help_card", language)
            assert escape(card) in said
            assert f'<a href="tel:191">{language}: 191</a>' in said
            remarked = f'<a href="tel:911">{language} &amp; co: 911</a> / SMS 911 (some)'
            assert remarked in said, "what is dialled is the link, the remark beside it is not"
        status, said = sala.asks("POST", "/chat/say", content_type="application/json")
        assert (status, json.loads(said)) == (503, {"error": "busy"})
        assert sala.asks(path="/chat/static/chat.js")[0] == 200, (
            "a page that is there shows its own"
        )
