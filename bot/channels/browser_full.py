"""What a visitor finds when there is no more room: the help card, made beforehand, needing nothing.

The chat page, once it is there with its script, shows its own card when a post is refused; whoever
comes anew gets this one.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from bot.channels.browser import linked, page_language, static
from bot.channels.browser_entry import BrowserDoor
from bot.conversation.model import LANGUAGES, Language

STATIC: Final = "/chat/static/"
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Retry-After": "5",
}
_PAGE: Final = """<!doctype html>
<html lang="{lang}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{name}</title>
<p><a href="{exit_url}" rel="noreferrer">{exit}</a></p>
<h1><a href="/">{name}</a></h1>
<p>{help_card}</p>
{lines}
</html>
"""


class Full:
    """503, at `/` with the help card in the visitor's language; but a page that is there already
    gets its script."""

    def __init__(self, door: BrowserDoor) -> None:
        self.door = door
        self.pages: Mapping[Language, str] = {one: _page(door, one) for one in LANGUAGES}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        answer: Response = JSONResponse({"error": "busy"}, 503, _HEADERS)
        if scope["path"].startswith(STATIC):
            name = {"name": scope["path"].removeprefix(STATIC)}
            answer = await static(self.door, Request({**scope, "path_params": name}))
        elif scope["path"] == "/":
            language = page_language(Request(scope).headers.get("accept-language", ""))
            answer = Response(self.pages[language], 503, _HEADERS, "text/html")
        await answer(scope, receive, send)


def _page(door: BrowserDoor, language: Language) -> str:
    words = {id: escape(text) for id, text in door.texts.group("door", language).items()}
    lines = "\n".join(f"<p>{linked(one)}</p>" for one in _lines(door, language))
    more = {"lang": language, "exit_url": escape(door.exit_url), "lines": lines}
    return _PAGE.format(**words | more)


def _lines(door: BrowserDoor, language: Language) -> Sequence[str]:
    return door.help_lines.get(language, ())
