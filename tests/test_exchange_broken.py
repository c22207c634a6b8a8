"""Partners' addresses when the line breaks or the database is held by another."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils.utils import sqlite3
from starlette.applications import Starlette
from starlette.types import Message

from bot.exchange.routes import Desk, routes
from bot.store import engine
from bot.store.sqlite import SqliteStore
from tests.cases_kept import NOW, VAULT, A


async def answered(folder: Path, body: Message, *, locked: bool = False) -> tuple[int, Any]:
    """What a partner's feedback is answered with."""
    store = SqliteStore.open(folder / "sala.db", VAULT, lambda: NOW)
    keys = await store.add_partner("Chirp", ["adults"], NOW)
    said: list[Message] = []

    async def receive() -> Message:
        return body

    async def send(message: Message) -> None:
        said.append(message)

    headers = [
        (b"x-functions-key", keys.feedback_key.encode()),
        (b"ocp-apim-subscription-key", keys.subscription_key.encode()),
    ]
    path = "/exchange/v1/SubmitFeedback"
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
    other = sqlite3.connect(folder / "sala.db", isolation_level=None)
    if locked:
        other.execute("begin immediate")
    app = Starlette(routes=routes(Desk(store, VAULT, lambda: NOW, lambda: None)))
    await app(scope | {"query_string": b""}, receive, send)
    other.close()
    await store.close()
    return said[0]["status"], json.loads(said[1]["body"])


def test_a_body_that_breaks_off_is_a_bad_request_and_not_a_fault(tmp_path: Path) -> None:
    answer = asyncio.run(answered(tmp_path, {"type": "http.disconnect"}))
    assert answer == (400, {"error": "bad request: body"})


def test_a_database_that_is_held_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY_MS", 20)
    said = {"count": 1, "hashFeedbacks": [{"hashValue": A, "feedbackValue": "Blocked"}]}
    body = {"type": "http.request", "body": json.dumps(said).encode()}
    answer = asyncio.run(answered(tmp_path, body, locked=True))
    assert answer == (503, {"error": "busy"})
