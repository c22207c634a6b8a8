"""What is hardly HTTP, to a real `sala run`: an answer below 500 or a closed line, no exception and
no word of it in the log, and the next request is served. `SALA_FUZZ=300` makes so many."""

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from threading import Thread
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.grammar import CANARY, bounded
from tests.serving import Served, served

PATIENCE = 60
"""Seconds for an answer, which comes at once."""
PATHS = (
    "/", "/chat/visit", "/chat/open", "/chat/say", "/chat/seen", "/chat/leave", "/chat/stream",
    "/chat/static/chat.js", "/app", "/app/", "/app/box.html", "/app/hashes", "/app/pin", "/healthz",
    "/exchange/v1/FetchHashes", "/exchange/minors/v1/SubmitFeedback", "/exchange/openapi.json",
    "/line", "/telegram", "*", "//", "/../..", "/%00", "/%ff", "/app/%2e%2e/app",
    "http://127.0.0.1/app", "/chat/visit/", "/healthz/", "/app/app.js/", "/" + "a" * 9_000,
)  # fmt: skip
CHARACTERS = st.characters(max_codepoint=255, exclude_characters="\r\n")
WORDS = st.text(CHARACTERS, max_size=30) | st.sampled_from((CANARY, "", " ", "\0", "a" * 20_000))
TARGETS = st.builds(
    "{}{}".format,
    st.sampled_from(PATHS),
    st.sampled_from(("", "?", "?a=%ff&%zz", "?\xff=\xfe", f"?{CANARY}", "#a")) | WORDS,
)
METHODS = st.sampled_from(("GET", "POST", "HEAD", "OPTIONS", "PUT", "CONNECT", "get", "G\0T", ""))
VERSIONS = st.sampled_from(("HTTP/1.1",) * 6 + ("HTTP/1.0", "HTTP/2.0", "HTTP/9.9", "", "http"))
HEADERS = st.one_of(
    st.tuples(WORDS, WORDS),
    st.sampled_from([
        ("Content-Length", "0"), ("Content-Length", "5"), ("Content-Length", "-1"),
        ("Content-Length", "99999999999999999999"), ("Content-Length", "1, 2"),
        ("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "gzip, chunked"),
        ("Transfer-Encoding", "\x0bchunked"), ("Expect", "100-continue"), ("Upgrade", "websocket"),
        ("Connection", "Upgrade, HTTP2-Settings"), ("Content-Type", "application/json"),
        ("Content-Type", "multipart/form-data; boundary="), ("Content-Encoding", "gzip"),
        ("Host", "[::1"), ("Host", "a b"), ("Host", "127.0.0.1:99999999"), ("Host", ""),
        ("Cookie", "v=" + "a" * 43), ("Cookie", "v=\xff; v=\xfe;;="), ("Origin", "null"),
        ("Sec-Fetch-Site", "same-origin"), ("If-None-Match", "*"), ("Range", "bytes=0-0,-1,5-"),
        ("Accept-Language", "th;q=\xff,*"), ("X-Functions-Key", "\xff"), (" Folded", "a"),
        ("Ocp-Apim-Subscription-Key", CANARY), ("X-Forwarded-For", CANARY), ("TE", "trailers"),
    ]),
)  # fmt: skip
BODIES = st.binary(max_size=60) | st.sampled_from(
    (
        b"", b"5\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffff\r\na", b"-1\r\n\r\n", b"zz\r\n",
        b"5;a=b\r\nhello\r\n0\r\nTrailer: a\r\n\r\n", b"{}" * 40_000, b"GET / HTTP/1.1\r\n\r\n" * 3,
        b"\x1f\x8b\x08\0", CANARY.encode(),
    )
)  # fmt: skip
LINE_ENDS = st.sampled_from((b"\r\n",) * 8 + (b"\n", b"\r", b"\r\n "))


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request, more or less."""
    given = draw(st.lists(HEADERS, max_size=6))
    if draw(st.integers(0, 5)):
        given.insert(0, ("Host", "127.0.0.1"))
    first = f"{draw(METHODS)} {draw(TARGETS)} {draw(VERSIONS)}"
    lines = [first, *(f"{name}: {value}" for name, value in given)]
    end = draw(LINE_ENDS)
    return end.join(one.encode("latin-1") for one in lines) + end * 2 + draw(BODIES)


@pytest.fixture(scope="module")
def sala(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("sala"), SALA_TRANSIENT="off") as one:
        assert one.process.stdout
        printed: list[str] = []
        reading = Thread(target=printed.extend, args=(one.process.stdout,))
        reading.start()  # or a full pipe would hold it up
        yield one
        one.process.terminate()
        reading.join()
        logged = [json.loads(line) for line in printed if line.startswith("{")]
        assert CANARY not in json.dumps(logged)
        failed = [line for line in logged if line.get("error", "WARNING") != "WARNING"]
        assert failed == []
        assert {line["event"] for line in logged} <= {"request_failed", "stopped"}


def answered(sala: Served, sent: bytes) -> bytes:
    """All that comes back, until the line is closed."""
    where, said = urlsplit(sala.url), b""
    with socket.create_connection((where.hostname, where.port), PATIENCE) as line:
        with suppress(ConnectionError):  # it may be closed in the middle of what is sent
            line.sendall(sent)
            line.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            while part := line.recv(1 << 16):
                said += part
    return said


def statuses(said: bytes) -> list[int]:
    """Of the answers on one line."""
    found = (one.split(b" ")[:2] for one in said.split(b"\r\n") if one.startswith(b"HTTP/1."))
    return [int(status) for _, status in found]


@bounded(60)
@given(requests() | st.binary())
def test_what_is_hardly_http_is_refused_and_the_next_request_is_served(
    sala: Served, sent: bytes
) -> None:
    said = answered(sala, sent)
    assert [one for one in statuses(said) if one >= 500] == []
    assert CANARY.encode() not in said
    with urlopen(f"{sala.url}/healthz", timeout=PATIENCE) as health:
        assert health.status == 200
