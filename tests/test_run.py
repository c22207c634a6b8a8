"""`sala run`: what it says, that it can be stopped and started again, and what it says when not."""

import json
import signal
import socket
import stat
import subprocess
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from tests.serving import SALA, Served, clean_environment, served
from tests.visiting import Visitor

SOON = 5


def get(sala: Served, path: str) -> tuple[int, bytes]:
    with closing(HTTPConnection(urlsplit(sala.url).netloc, timeout=SOON)) as line:
        line.request("GET", path)
        answer = line.getresponse()
        return answer.status, answer.read()


def test_it_prints_where_it_is_open_and_is_open_there(tmp_path: Path) -> None:
    with served(tmp_path) as sala:
        assert f"Sala is open at {sala.url}/" in sala.printed[-1]
        status, body = get(sala, "/healthz")
        assert (status, json.loads(body)) == (200, {"ok": True})
        assert get(sala, "/")[0] == 200
        assert get(sala, "/app")[0] == 200
        assert get(sala, "/no/such/page")[0] == 404


def test_it_answers_under_its_own_names_alone_and_knows_its_own_visits(tmp_path: Path) -> None:
    with served(tmp_path) as sala:
        visitor = Visitor(sala.url)
        post = {"id": str(uuid4()), "text": "hello"}
        for path in ("/chat/say", "/app/hashes", "/exchange/v1/SubmitFeedback"):
            assert visitor.post(path, post, Host="evil.example")[0] == 421
        assert visitor.post("/chat/say", post)[0] == 204
        visitor.cookie = "v=" + "a" * 43
        assert visitor.post("/chat/say", post)[0] == 401


def test_the_keys_it_makes_are_for_its_own_eyes_and_it_says_so(tmp_path: Path) -> None:
    with served(tmp_path) as sala:
        keys = tmp_path / "keys"
        assert stat.S_IMODE(keys.stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "sala.db").stat().st_mode) == 0o600
        assert sala.process.stdout is not None
        said = sala.process.stdout.readline()
        assert str(keys) in said
        assert "600" in said


def test_it_stops_soon_when_it_is_told_to_even_with_a_page_open(tmp_path: Path) -> None:
    with served(tmp_path) as sala:
        visitor = Visitor(sala.url)
        with visitor.page() as page:
            page.message()
            told = time.monotonic()
            sala.process.send_signal(signal.SIGTERM)
            sala.process.wait(SOON)
            assert time.monotonic() - told < SOON


def test_it_starts_again_on_the_same_folder_with_the_same_keys(tmp_path: Path) -> None:
    with served(tmp_path) as sala:
        visitor = Visitor(sala.url)
        with visitor.page() as page:
            page.until("own phone")
            visitor.presses("ask.phone=own")
            page.until("What is happening")
    keys = (tmp_path / "keys").read_bytes()
    with served(tmp_path) as sala:
        assert not any("keys_made" in line for line in sala.printed)
        visitor.url = sala.url
        with visitor.page() as page:
            assert "What is happening" in page.message()["text"], "where the talk stood"
    assert (tmp_path / "keys").read_bytes() == keys


def refused(folder: Path, **settings: str) -> str:
    """What it says when it does not start: one line, no trace of the code."""
    done = subprocess.run(
        [*SALA, "run"], env=clean_environment(folder, **settings), cwd=folder,
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_port_in_use_is_said_with_its_mend(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused(tmp_path, SALA_PORT=port)
    assert port in said
    assert "set SALA_PORT" in said


def test_unsafe_settings_do_not_start(tmp_path: Path) -> None:
    assert "Set SALA_PUBLIC_URL" in refused(tmp_path, SALA_HOST="0.0.0.0")
    assert not (tmp_path / "sala.db").exists()
