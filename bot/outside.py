"""Sala as others see it: its public address, its pages compared byte by byte, the clock."""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar
from starlette.applications import Starlette

from bot.app import open_sala
from bot.finding import Finding, good, wrong
from bot.settings import Settings
from bot.vault import load_or_make

SECONDS: Final = 10
MOST: Final = 5_000_000
"""Bytes that are read of an answer."""
SKEW: Final = timedelta(seconds=30)
PAGES: Final = ("/app", "/app/app.js", "/app/style.css", "/app/box.html")
"""All that the mini-app consists of (docs/hashing.md)."""
POLICY: Final = "content-security-policy"


class Unreached(Exception):
    """Nobody answered; the text is the kind of error alone."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an address answered. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def fetch(url: str, form: Mapping[str, str] | None = None) -> Answer:
    """GET, or POST of a form; no redirect is followed and no proxy asked. Unreached."""
    timeout = ClientTimeout(total=SECONDS)
    session = ClientSession(trust_env=False, cookie_jar=DummyCookieJar(), timeout=timeout)
    method = "GET" if form is None else "POST"
    try:
        async with (
            session,
            session.request(method, url, data=form, allow_redirects=False) as answer,
        ):
            body = await _read(answer.content.iter_chunked(65_536))
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, headers, body)
    except (ClientError, OSError, ValueError) as error:
        raise Unreached(type(error).__name__) from None


async def _read(parts: AsyncIterator[bytes]) -> bytes:
    body = bytearray()
    async for part in parts:
        body += part
        if len(body) > MOST:
            raise ValueError("too long")
    return bytes(body)


# ---------------------------------------------------------------- the clock


async def clock(platform: str, base: str, now: datetime) -> list[Finding]:
    """This machine's clock against the Date of a platform's answer; nothing if there is none."""
    try:
        answer = await fetch(base + "/")
        theirs = parsedate_to_datetime(answer.headers.get("date", ""))
    except (Unreached, ValueError, TypeError):
        return []
    apart = abs(now - theirs)
    if apart <= SKEW:
        return [good("Clock", f"agrees with {platform}'s")]
    return [
        wrong(
            "Clock",
            f"{round(apart.total_seconds())} seconds away from {platform}'s: sign-ins and "
            "tokens will be refused.",
            "Set the clock by the network: timedatectl set-ntp true",
        )
    ]


# ---------------------------------------------------------------- the public address


async def reachable(url: str) -> Finding:
    """Whether /healthz answers at the public address as Sala does."""
    about, look = "Public address", "Look at the web server (Caddy), DNS and the firewall"
    try:
        answer = await fetch(f"{url}/healthz")
    except Unreached as error:
        return wrong(about, f"{url} cannot be reached ({error}).", f"{look}, and start Sala.")
    if answer.status == 200 and _is_healthy(answer.body):
        return good(about, f"{url} answers")
    if answer.status == 503:
        return wrong(about, *_failing(answer.body))
    words = f"{url}/healthz answered {answer.status}, and not as Sala does."
    return wrong(about, words, f"{look}: another program answers there.")


_FAILS: Final = {
    "worker": "its worker stands still",
    "store": "its database cannot be written",
    "queue": "messages wait and get no answer",
    "outbox": "answers are not sent",
    "line": "LINE takes nothing from it",
    "telegram": "Telegram takes nothing from it, or gives nothing to it",
}


def _failing(body: bytes) -> tuple[str, str]:
    """What /healthz says is wrong, and the mend."""
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    failing = said.get("failing") if isinstance(said, dict) else None
    failing = failing if isinstance(failing, list) else []
    words = [_FAILS[one] for one in failing if isinstance(one, str) and one in _FAILS]
    if not words or "worker" in failing or "store" in failing:
        mend = "Read its log (journalctl -u sala), mend the disk or database, and start it again."
    else:
        mend = "Read its log (journalctl -u sala)."
    return f"Sala answers that {'; '.join(words) or 'it does not work'}.", mend


def _is_healthy(body: bytes) -> bool:
    try:
        said = json.loads(body)
    except ValueError:
        return False
    return isinstance(said, dict) and said.get("ok") is True


# ---------------------------------------------------------------- the page that opens images


async def same_page(url: str, settings: Settings) -> list[Finding]:
    """Whether the mini-app served at `url` is this installation's, file by file (SHA-256).

    The address may be given with or without /app. The rules sent along (CSP) are compared too.
    """
    base = url.partition("#")[0].rstrip("/").removesuffix("/app")
    async with _own_site(replace(settings, public_url=base, line=None, telegram=None)) as site:
        return [await _compared(site, base, path) for path in PAGES]


async def _compared(site: Starlette, base: str, path: str) -> Finding:
    about = f"Page {path}"
    try:
        theirs = await fetch(base + path)
    except Unreached as error:
        return wrong(about, f"cannot be fetched ({error}).", "Check the address given to --page.")
    ours = await ask(site, base, path)
    digest = hashlib.sha256(theirs.body).hexdigest()
    if theirs.status != ours.status or theirs.body != ours.body:
        return wrong(
            about,
            f"is NOT this installation's file (SHA-256 there {digest}).",
            "Unless version or SALA_EXIT_URL differ, somebody changed it: close that address, "
            "find out who can write there, and install anew.",
        )
    if theirs.headers.get(POLICY) != ours.headers.get(POLICY):
        return wrong(
            about,
            "is the same file, but its Content-Security-Policy was changed on the way.",
            "Let the web server in front pass Sala's headers on as they are.",
        )
    return good(about, f"is the same (SHA-256 {digest})")


@asynccontextmanager
async def _own_site(settings: Settings) -> AsyncIterator[Starlette]:
    """This installation's site, on an empty database that is gone afterwards."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        load_or_make(folder / "keys")
        own = replace(settings, data_dir=folder, key_file=folder / "keys")
        async with open_sala(own) as sala:
            yield sala.site()


async def ask(site: Starlette, base: str, path: str) -> Answer:
    """What a site answers a GET under an address, without any network."""
    parts = urlsplit(base)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    scope = {
        "type": "http",
        "method": "GET",
        "scheme": parts.scheme,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", parts.netloc.encode())],
        "server": (parts.hostname, port),
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await site(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(one.get("body", b"") for one in sent[1:]))
