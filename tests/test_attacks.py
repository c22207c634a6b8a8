"""What a hostile outsider sends to the running server: each is refused or comes to nothing, and the
next person is answered."""

import gzip
import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bot.callers import MOST_LINES, allow_lines
from tests.serving import Served, served
from tests.visiting import Visitor

JSON_POSTS = ("/chat/visit", "/chat/open", "/chat/say", "/chat/seen", "/chat/leave", "/app/hashes",
              "/app/pin", "/exchange/v1/SubmitFeedback", "/exchange/v1/SubmitHashes")  # fmt: skip
PAGES = ("/", "/app", "/app/box.html")
EVIL = "evil.example"


@pytest.fixture(scope="module")
def sala(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    allow_lines()
    with served(tmp_path_factory.mktemp("attacked")) as sala:
        yield sala


@pytest.fixture(scope="module")
def visitor(sala: Served) -> Visitor:
    return Visitor(sala.url)


def raw(sala: Served, said: str, *, host: bool = True) -> str:
    """All that is answered to these very bytes; the other side must end the line."""
    port = int(sala.url.rpartition(":")[2])
    first, _, rest = said.replace("\n", "\r\n").partition("\r\n")
    own = f"\r\nHost: 127.0.0.1:{port}\r\n" if host else "\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=15) as line:
        line.sendall(f"{first}{own}{rest}".encode("latin-1"))
        got = b""
        try:
            while some := line.recv(65_536):
                got += some
        except ConnectionResetError:
            pass
    return got.decode("latin-1")


def answers(said: str) -> list[int]:
    return [int(status) for status in re.findall(r"^HTTP/1\.1 (\d+)", said, re.MULTILINE)]


@pytest.mark.parametrize(
    "lengths",
    [
        "Content-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n",
        "Transfer-Encoding: chunked\nContent-Length: 5\n\n0\n\n",
        "Content-Length: 0\nTransfer-Encoding: chunked\n\n0\n\n",
        "Content-Length: 5\nContent-Length: 6\n\n",
        "Transfer-Encoding: xchunked\n\n",
        "Transfer-Encoding: chunked, identity\n\n0\n\n",
        "Transfer-Encoding : chunked\n\n0\n\n",
        "Content-Length: +5\n\n",
    ],
)
def test_a_request_whose_length_is_doubtful_is_refused_with_all_behind_it(
    sala: Served, lengths: str
) -> None:
    smuggled = "GET /healthz HTTP/1.1\nHost: 127.0.0.1\n\n"
    said = raw(
        sala, f"POST /chat/visit HTTP/1.1\nContent-Type: application/json\n{lengths}{smuggled}"
    )
    assert answers(said) in ([400], [501])


@pytest.mark.parametrize(
    "said",
    [
        "GET / HTTP/1.1\nX: " + "a" * 200_000 + "\n\n",
        "GET / HTTP/1.1\nCookie: " + "v=1; " * 10_000 + "\n\n",
        "GET /" + "a" * 100_000 + " HTTP/1.1\n\n",
        "GET / HTTP/1.1\n" + "X: a\n" * 10_000 + "\n",
    ],
)
def test_a_head_that_is_too_large_is_refused_and_its_line_ended(sala: Served, said: str) -> None:
    assert answers(raw(sala, said)) in ([400], [])


@pytest.mark.parametrize("path", JSON_POSTS)
@pytest.mark.parametrize(
    ("body", "more"),
    [
        (b"[" * 60_000, {}),
        (b'{"id":' * 10_000, {}),
        (b"[" * 100_000, {}),
        (gzip.compress(b"0" * 10_000_000), {"Content-Encoding": "gzip"}),
        (b"\xff\xfe\x00", {}),
        (b"id=1&text=x", {"Content-Type": "application/x-www-form-urlencoded"}),
        (b'{"id": "1"}', {"Content-Type": "text/plain"}),
        (b"<!DOCTYPE x SYSTEM 'file:///etc/passwd'>", {"Content-Type": "application/xml"}),
    ],
)
def test_what_is_no_post_of_ours_comes_to_nothing(
    visitor: Visitor, path: str, body: bytes, more: dict[str, str]
) -> None:
    status, headers, _ = visitor.post(path, body, **more)
    harmless = path in {"/chat/visit", "/chat/leave"} and "Content-Type" not in more
    assert status == 204 if harmless and len(body) <= 64_000 else 400 <= status < 500
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("path", JSON_POSTS)
@pytest.mark.parametrize(
    "sender",
    [
        {"Origin": f"https://{EVIL}"},
        {"Origin": "null"},
        {"Origin": f"https://{EVIL}", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "multipart/form-data; boundary=x"},
    ],
)
def test_another_sites_page_can_post_nothing(
    visitor: Visitor, path: str, sender: dict[str, str]
) -> None:
    status, headers, _ = visitor.post(path, {}, **sender)
    assert status in {400, 401, 403, 415}
    assert "set-cookie" not in headers
    assert "access-control-allow-origin" not in headers


def test_no_other_site_is_ever_let_in_by_the_browser(sala: Served) -> None:
    ask = f"Origin: https://{EVIL}\nAccess-Control-Request-Method: POST\nConnection: close\n\n"
    for path in (*PAGES, *JSON_POSTS):
        assert "access-control" not in raw(sala, f"OPTIONS {path} HTTP/1.1\n{ask}").lower()


@pytest.mark.parametrize("path", PAGES)
def test_no_page_stands_in_another_sites_frame(sala: Served, path: str) -> None:
    said = raw(sala, f"GET {path} HTTP/1.1\nConnection: close\n\n")
    [framed_by] = re.findall(r"frame-ancestors ([^;]+)", said)
    own = {f"http://{name}:{sala.url.rpartition(':')[2]}" for name in ("127.0.0.1", "localhost")}
    assert set(framed_by.split()) <= {"'none'", "https://web.telegram.org"} | own


@pytest.mark.parametrize(
    "said",
    [
        f"GET / HTTP/1.1\nHost: {EVIL}\n\n",
        f"GET / HTTP/1.1\nX-Forwarded-Host: {EVIL}\nForwarded: host={EVIL}\nConnection: close\n\n",
        f"GET //{EVIL}/app HTTP/1.1\nConnection: close\n\n",
        f"GET http://{EVIL}/ HTTP/1.1\nConnection: close\n\n",
        f"GET /app/%0d%0aLocation:%20https://{EVIL} HTTP/1.1\nConnection: close\n\n",
        f"GET /?l=%0d%0aSet-Cookie:%20{EVIL} HTTP/1.1\nConnection: close\n\n",
        f"GET / HTTP/1.1\nAccept-Language: th\r, {EVIL}\nConnection: close\n\n",
        f"GET /healthz/ HTTP/1.1\nX-Forwarded-Proto: {EVIL}\nConnection: close\n\n",
    ],
)
def test_no_name_that_is_asked_for_comes_back_in_an_answer(sala: Served, said: str) -> None:
    got = raw(sala, said)
    assert EVIL not in got
    assert "location:" not in got.lower()


@pytest.mark.parametrize(
    "name",
    [
        "..%2f..%2fgate.py", "../../gate.py", "..%5c..%5cgate.py", "%2e%2e/%2e%2e/gate.py",
        "....//gate.py", "%00chat.js", "chat.js%00", "/etc/passwd", "%252e%252e%252fgate.py",
    ],
)  # fmt: skip
@pytest.mark.parametrize("folder", ["/chat/static/", "/app/", "/exchange/"])
def test_no_path_leads_to_another_file(sala: Served, folder: str, name: str) -> None:
    got = raw(sala, f"GET {folder}{name} HTTP/1.1\nConnection: close\n\n")
    assert answers(got) in ([404], [400])


def test_an_address_that_somebody_invents_dodges_no_limit(sala: Served) -> None:
    visitor = Visitor(sala.url)
    statuses = set()
    for n in range(40):
        said = {"X-Forwarded-For": f"10.0.0.{n}", "X-Real-IP": f"10.0.1.{n}"}
        statuses.add(visitor.post("/chat/seen", json.dumps({"ids": []}).encode(), **said)[0])
    assert 429 in statuses


def test_more_idle_lines_than_there_may_be_keep_nobody_out(sala: Served) -> None:
    port = int(sala.url.rpartition(":")[2])
    with ExitStack() as held:
        for _ in range(MOST_LINES + 20):
            held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=15))
        assert answers(raw(sala, "GET / HTTP/1.1\nConnection: close\n\n")) == [200]
        assert Visitor(sala.url).cookie
