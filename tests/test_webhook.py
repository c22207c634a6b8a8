"""The bare webhook: what is read, what is not, what is answered."""

import asyncio

import pytest
from starlette.types import Message

from bot.channels.webhook import Answer, Headers, Webhook

PARTS: list[Message] = [
    {"type": "http.request", "body": b"12", "more_body": True},
    {"type": "http.request", "body": b"345"},
]
BROKE_OFF: Message = {"type": "http.disconnect"}


async def echo(body: bytes, headers: Headers) -> Answer:
    return Answer(200, body + headers.get(b"x-mark", b""))


def asked(
    webhook: Webhook, *parts: Message, headers: Headers | None = None
) -> tuple[int, bytes, int]:
    """The answer's status and body, and how many parts were read."""
    waiting, said = list(parts), []

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        said.append(message)

    scope = {"type": "http", "headers": list((headers or {}).items())}
    asyncio.run(webhook(scope, receive, send))
    start, body = said
    assert (b"content-length", b"%d" % len(body["body"])) in start["headers"]
    return start["status"], body["body"], len(parts) - len(waiting)


def test_a_body_in_parts_is_heard_whole_with_the_headers() -> None:
    webhook = Webhook(5, echo)
    assert asked(webhook, *PARTS, headers={b"x-mark": b"!"}) == (200, b"12345!", 2)


@pytest.mark.parametrize(("most", "read"), [(4, 2), (1, 1)])
def test_a_body_that_is_too_long_is_read_no_further(most: int, read: int) -> None:
    assert asked(Webhook(most, echo), *PARTS) == (413, b"", read)


def test_a_body_that_breaks_off_is_heard_as_none() -> None:
    assert asked(Webhook(5, echo), PARTS[0], BROKE_OFF) == (200, b"", 2)


def test_of_a_stranger_nothing_is_read() -> None:
    webhook = Webhook(5, echo, lambda headers: headers.get(b"x-mark") == b"ours")
    assert asked(webhook, *PARTS) == (403, b"", 0)
    assert asked(webhook, *PARTS, headers={b"x-mark": b"ours"}) == (200, b"12345ours", 2)
