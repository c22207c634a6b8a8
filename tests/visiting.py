"""A visitor's browser in a few lines: the chat page's posts and its stream, over a real line."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

PATIENCE = 15
"""Seconds that one read may take."""


class Visitor:
    """One open page. `url` may change: the cookie stays."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.cookie = ""
        self.seen: dict[str, dict[str, Any]] = {}
        """Messages by their id, as the page shows them: a repeated id is invisible."""
        status, headers, _ = self.post("/chat/visit", {})
        assert status == 204
        self.cookie = headers["set-cookie"].partition(";")[0]

    def line(self) -> HTTPConnection:
        return HTTPConnection(urlsplit(self.url).netloc, timeout=PATIENCE)

    def post(
        self, path: str, plain: object, **more: str
    ) -> tuple[int, dict[str, str], dict[str, Any]]:
        body = plain if isinstance(plain, bytes) else json.dumps(plain).encode()
        headers = {"Content-Type": "application/json", "Cookie": self.cookie, **more}
        with closing(self.line()) as line:
            line.request("POST", path, body, headers)
            answer = line.getresponse()
            said = answer.read()
        got = {name.lower(): value for name, value in answer.getheaders()}
        plain_text = got.get("content-type") != "application/json"
        return answer.status, got, {} if plain_text else json.loads(said)

    def kept(self, path: str, plain: object) -> bool:
        """Whether the post was acknowledged; a broken line is no acknowledgement."""
        try:
            return self.post(path, plain)[0] == 204
        except (OSError, HTTPException):
            return False

    def says(self, text: str) -> bool:
        return self.kept("/chat/say", {"id": str(uuid4()), "text": text})

    def presses(self, *choices: str) -> None:
        for choice in choices:
            assert self.kept("/chat/say", {"id": str(uuid4()), "choice": choice})

    @contextmanager
    def page(self) -> Iterator["Page"]:
        """The page is open: its stream runs, and what was held is released."""
        with closing(self.line()) as line:
            line.request("GET", "/chat/stream", headers={"Cookie": self.cookie})
            page = Page(self, line.getresponse())
            assert self.kept("/chat/open", {"id": str(uuid4()), "language": "en"})
            yield page


class Page:
    """A stream and what comes down it."""

    def __init__(self, visitor: Visitor, stream: HTTPResponse) -> None:
        self.visitor = visitor
        self.stream = stream
        assert stream.status == 200
        assert self._event() == ("ready", "1")

    def message(self, *, acknowledge: bool = True) -> dict[str, Any]:
        """The next message, shown and acknowledged."""
        event, data = self._event()
        while event != "message":
            event, data = self._event()
        message = json.loads(data)
        self.visitor.seen[message["id"]] = message
        if acknowledge:
            assert self.visitor.kept("/chat/seen", {"ids": [message["id"]]})
        return message

    def until(self, words: str) -> dict[str, Any]:
        """Messages up to one that holds these words."""
        message = self.message()
        while words not in message["text"]:
            message = self.message()
        return message

    def _event(self) -> tuple[str, str]:
        fields: dict[str, str] = {}
        while (line := self.stream.readline().decode()) != "\n" or not fields:
            assert line, "the stream ended"
            name, _, value = line.rstrip("\n").partition(": ")
            if name:
                fields[name] = value
        return fields["event"], fields["data"]


def ticket_of(message: dict[str, Any]) -> str:
    """The ticket of the mini-app's link in a message."""
    (url,) = [link["url"] for link in message["links"] if link["app"]]
    return str(url.partition("#")[2])


def codes(*values: str) -> list[dict[str, object]]:
    """Pictures as the mini-app posts them."""
    return [
        {
            "media": "image",
            "hashes": [{"kind": "pdq", "variant": "512", "value": value, "quality": 90}],
        }
        for value in values
    ]
