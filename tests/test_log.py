"""Nothing a person said or was given is in a log line, nor in a byte of the database."""

import ast
import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from bot.log import FIELDS, log, quieten, where
from tests.serving import Served, served
from tests.visiting import Visitor, codes, ticket_of

ROOT = Path(__file__).parents[1]
WORDS = "canary-words he wants money 0812345678 ann@canary.example"
SOME_WORDS = ("canary-words", "0812345678", "ann@canary.example")
THAI = "เขาขู่จะปล่อยรูปแคนารี"
FILE = "canary-IMG_0001.jpg"
QUERY = "canary-query"
HASH = "c0ffee" * 10 + "abcd"
WAY = (
    "ask.phone=own", "ask.situation=money", "ask.who=self", "ask.age=adult", "ask.image=here",
    "ask.consent=yes",
)  # fmt: skip


def talks(visitor: Visitor) -> list[str]:
    """A talk to its case; what of it must be found nowhere."""
    with visitor.page() as page:
        page.until("own phone")
        assert visitor.says(WORDS)
        page.message()
        visitor.presses(*WAY)
        ticket = ticket_of(page.until("Choose the picture"))
        named = [{**codes(HASH)[0], "name": FILE}]
        assert visitor.post("/app/hashes", {"ticket": ticket, "items": named})[0] == 400
        _, _, made = visitor.post("/app/hashes", {"ticket": ticket, "items": codes(HASH)})
        page.until(made["case"])
    assert visitor.says(THAI)
    assert visitor.says(f"{made['case']} {made['pin']}"), "held: no page is open"
    return [made["case"], made["pin"], ticket]


def posts_badly(visitor: Visitor) -> None:
    bad = [
        b'{"id": 1, "text": "' + WORDS.encode() + b'"',
        b"\xff" + WORDS.encode(),
        {"id": str(uuid4()), "choice": WORDS},
        {"id": str(uuid4()), "text": WORDS, "more": FILE},
        {"id": WORDS, "text": WORDS},
    ]
    for path in ("/chat/say", "/chat/open", "/chat/seen", "/app/hashes", f"/{QUERY}?{QUERY}"):
        for plain in bad:
            assert visitor.post(path, plain)[0] in {400, 404}
    assert visitor.post("/chat/say", bad[0], Origin=f"https://{QUERY}.example")[0] == 403
    assert visitor.post("/chat/say", b"x" * 70_000 + WORDS.encode())[0] == 413


def asks_as_no_partner(visitor: Visitor) -> None:
    keys = {"x-functions-key": QUERY, "Ocp-Apim-Subscription-Key": QUERY}
    path = f"/exchange/v1/SubmitFeedback?{QUERY}"
    assert visitor.post(path, {"hashes": WORDS}, **keys)[0] == 401


def answers_as_partner(sala: Served) -> list[str]:
    keys = json.loads(sala.command("partner", "add", "Chirp", "--list", "both", "--json"))
    visitor = Visitor(sala.url)
    sent = {
        "x-functions-key": keys["feedback_key"],
        "Ocp-Apim-Subscription-Key": keys["subscription_key"],
    }
    for plain in ({"hashes": WORDS}, WORDS.encode(), [{"hashValue": WORDS}]):
        assert visitor.post("/exchange/v1/SubmitFeedback", plain, **sent)[0] == 400
    return list(keys.values())


def bytes_kept(folder: Path) -> bytes:
    """Every byte beside the keys: the database, its log, its index."""
    kept = [path for path in sorted(folder.iterdir()) if path.is_file() and path.name != "keys"]
    assert {path.name for path in kept} >= {"sala.db", "sala.db-wal"}
    return b"".join(path.read_bytes() for path in kept)


def test_what_was_said_and_given_is_in_no_log_line_and_no_byte_of_the_database(
    tmp_path: Path,
) -> None:
    with served(tmp_path) as sala:
        visitor = Visitor(sala.url)
        given = talks(visitor)
        posts_badly(visitor)
        asks_as_no_partner(visitor)
        given += answers_as_partner(sala)
        kept = bytes_kept(tmp_path)
        sala.process.terminate()
        assert sala.process.stdout is not None
        logged = "".join(sala.printed) + sala.process.stdout.read()
    token = visitor.cookie.partition("=")[2]
    canaries = [WORDS, *SOME_WORDS, THAI, FILE, QUERY, HASH, token, *given]
    assert all(len(canary) >= 6 for canary in canaries)
    assert [canary for canary in canaries if canary in logged] == []
    assert [canary for canary in canaries if canary.encode() in kept] == []
    assert b"Hello, this is Sala" not in kept, "nothing readable waits in the outbox"


def test_every_line_it_logs_is_an_event_of_the_vocabulary(tmp_path: Path) -> None:
    with served(tmp_path) as sala:
        posts_badly(Visitor(sala.url))
        sala.process.terminate()
        assert sala.process.stdout is not None
        logged = "".join(sala.printed) + sala.process.stdout.read()
    lines = [json.loads(line) for line in logged.splitlines() if line.startswith("{")]
    rest = [line for line in logged.splitlines() if not line.startswith(("{", "Sala is", "Keys:"))]
    assert rest == []
    assert lines
    assert all(line.keys() <= FIELDS | {"at", "event"} for line in lines)


@pytest.mark.parametrize("field", ["text", "conversation", "address", "case", "url", "name"])
def test_a_field_outside_the_list_is_refused_and_nothing_is_written(
    field: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match="allow-list"):
        log("send_failed", **{field: WORDS})
    assert capsys.readouterr() == ("", "")


def test_an_event_outside_the_vocabulary_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="allow-list"):
        log(cast(Any, WORDS))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "value",
    [WORDS, *SOME_WORDS, THAI, FILE, HASH, "K7Q-2XH-DPM", "a b", "x" * 61, "U" + "a" * 32 + "\n"],
)
def test_of_a_value_that_is_no_name_nothing_is_written(
    value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log("send_failed", reason=value)
    assert json.loads(capsys.readouterr().err)["reason"] == "?"


def test_names_doors_places_and_numbers_are_written_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said: dict[str, int | str] = {
        "channel": "upward.stopncii", "error": "HTTPError", "where": "store/pg_engine.py:7",
        "attempt": 3,
    }  # fmt: skip
    log("send_failed", **said)
    line = json.loads(capsys.readouterr().err)
    assert {name: line[name] for name in said} == said


def test_every_call_of_the_log_names_its_event_and_its_fields() -> None:
    for path in sorted((ROOT / "bot").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "log"):
                continue
            assert isinstance(node.args[0], ast.Constant | ast.Name), path
            further = [ast.unparse(one.value) for one in node.keywords if one.arg is None]
            assert all("where(error)" in one for one in further), path
            named = {one.arg for one in node.keywords if one.arg}
            assert named <= FIELDS, path


def test_nothing_else_of_sala_writes_to_the_log_nor_does_a_library() -> None:
    writes = re.compile(r"sys\.stderr|logg(er|ing)\.(debug|info|warning|error|exception|critical)")
    found = [p for p in (ROOT / "bot").rglob("*.py") if writes.search(p.read_text("utf-8"))]
    assert [path.name for path in found] == ["log.py"]
    libraries = f"""
import logging, warnings
from bot.log import quieten_all
quieten_all()
logging.getLogger("aiohttp.client").warning({WORDS!r})
logging.getLogger("uvicorn.error").error({WORDS!r})
warnings.warn({WORDS!r})
"""
    done = subprocess.run(
        [sys.executable, "-c", libraries], cwd=ROOT, check=True, capture_output=True, text=True
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["event"], line["error"]) for line in lines] == [
        ("request_failed", "WARNING"), ("request_failed", "ERROR"), ("request_failed", "WARNING"),
    ]  # fmt: skip
    assert done.stdout == ""


def test_of_a_librarys_error_its_class_is_said_and_not_its_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    quieten("a.library")
    library = logging.getLogger("a.library.error")
    library.info(WORDS)
    library.warning(WORDS)
    try:
        raise KeyError(WORDS)
    except KeyError:
        library.exception(WORDS)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["error"] for line in lines] == ["WARNING", "KeyError"]


def test_of_an_error_its_class_and_place_are_said_and_not_its_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    try:
        log("send_failed", **{"text": 1})
    except ValueError as error:
        log("send_failed", **where(error))
    line = json.loads(capsys.readouterr().err)
    assert line["error"] == "ValueError"
    assert re.fullmatch(r"log\.py:[0-9]+", line["where"])
