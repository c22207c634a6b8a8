"""The gate: our own host names only, and no body that takes for ever."""

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message

from bot.gate import Gate

PUBLIC = "https://sala.example"
HERE = "http://127.0.0.1:8080"


async def read(request: Request) -> PlainTextResponse:
    try:
        return PlainTextResponse(await request.body())
    except ClientDisconnect:
        return PlainTextResponse("broke off", 400)


async def refuse(request: Request) -> PlainTextResponse:
    return PlainTextResponse("no", 401)


SITE = Starlette(
    routes=[
        Route("/read", read, methods=["GET", "POST"]),
        Route("/refuse", refuse, methods=["POST"]),
        Route("/healthz", read),
        Route("/metrics", read),
    ]
)


@pytest.mark.parametrize(
    ("own", "host", "status"),
    [
        (PUBLIC, "sala.example", 200),
        (PUBLIC, "SALA.example:443", 200),
        (PUBLIC, "evil.example", 421),
        (PUBLIC, "127.0.0.1:8080", 421),
        (PUBLIC, "sala.example.evil.example", 421),
        (PUBLIC, "[", 421),
        (PUBLIC, "", 421),
        (HERE, "127.0.0.1:1", 200),
        (HERE, "localhost:8080", 200),
        (HERE, "[::1]:8080", 200),
        (HERE, "evil.example:8080", 421),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_under_another_name_than_ours_is_refused(
    own: str, host: str, status: int, method: str
) -> None:
    client = TestClient(Gate(SITE, own))
    assert client.request(method, "/read", headers={"host": host}).status_code == status


def test_whoever_watches_the_machine_may_ask_under_any_name() -> None:
    """Prometheus asks by the address, and cannot name another host."""
    for path in ("/healthz", "/metrics"):
        assert TestClient(Gate(SITE, PUBLIC)).get(path).status_code == 200


async def posted(path: str, *parts: Message, patience: float = 10) -> list[Message]:
    """What is answered to a body that comes in these parts and then stops."""
    waiting, said = list(parts), []

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    async def send(message: Message) -> None:
        said.append(message)

    headers = [(b"host", b"sala.example"), (b"content-length", b"9")]
    scope: dict[str, Any] = {
        "type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b"",
    }  # fmt: skip
    await asyncio.wait_for(Gate(SITE, PUBLIC, patience)(scope, receive, send), 5)
    return said


@pytest.mark.parametrize("host", ["sala.example", "evil.example"])
def test_what_goes_past_the_router_goes_through_the_gate_all_the_same(host: str) -> None:
    ahead = Gate(SITE, PUBLIC, ahead={"/hook": PlainTextResponse("ahead")})
    said = TestClient(ahead).post("/hook", headers={"host": host})
    assert said.status_code == (421 if host == "evil.example" else 200)
    assert TestClient(ahead).get("/hook", headers={"host": "sala.example"}).status_code == 404


def part(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_that_does_not_come_in_time_breaks_off_and_the_line_is_closed() -> None:
    start, body = asyncio.run(posted("/read", part(b"1"), patience=0.01))
    assert (start["status"], body["body"]) == (400, b"broke off")
    assert (b"connection", b"close") in start["headers"]


def test_a_body_that_comes_in_time_is_read_and_the_line_stays() -> None:
    start, body = asyncio.run(posted("/read", part(b"1"), part(b"2", more=False)))
    assert (start["status"], body["body"]) == (200, b"12")
    assert (b"connection", b"close") not in start["headers"]


def test_an_answer_before_the_end_of_the_body_closes_the_line() -> None:
    start, _ = asyncio.run(posted("/refuse", part(b"1")))
    assert start["status"] == 401
    assert (b"connection", b"close") in start["headers"]
