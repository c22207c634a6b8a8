"""What stands outside Sala's process in a whole case: a platform, and TLS before the site.

Both run in a loop of their own thread, since Playwright holds the one of the tests. A platform
opens pages by https alone, as the world does: Sala stands behind a proxy with a certificate.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx2
from aiohttp import ClientSession, DummyCookieJar, web
from anyio.from_thread import BlockingPortal, start_blocking_portal
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import Browser, BrowserContext, Request
from threatexchange.exchanges.clients.stopncii.api import (
    StopNCIIAPI,
    StopNCIICSPFeedbackValue,
    StopNCIISignalType,
)
from threatexchange.signal_type.pdq.signal import PdqSignal

from bot.conversation.model import Language
from bot.text import Texts, load_texts
from tests.browser.conftest import PHONE
from tests.browser.test_whole_case import as_jpeg, everyday_photo, make_codes

PATIENCE = 15
"""Seconds in which something that must happen happens."""
T = TypeVar("T")


def daytime_zone() -> str:
    """A time zone where it is between one and two in the afternoon: news may come now (C15)."""
    ahead = 13 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}"


# ---------------------------------------------------------------- TLS before Sala


@dataclass
class Front:
    """The proxy. Sala's own address is put into `inside` once it is known."""

    trust: ssl.SSLContext
    url: str = ""
    inside: str = ""


@contextmanager
def outside() -> Iterator[BlockingPortal]:
    """A running loop in a thread of its own."""
    with start_blocking_portal() as portal:
        yield portal


@asynccontextmanager
async def front(folder: Path) -> AsyncIterator[Front]:
    """The proxy on a free port, until the block ends."""
    pem = folder / "tls.pem"
    pem.write_bytes(_certificate())
    shown = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    shown.load_cert_chain(pem)
    here = Front(ssl.create_default_context(cafile=str(pem)))
    async with ClientSession(cookie_jar=DummyCookieJar(), auto_decompress=False) as line:
        app = web.Application(client_max_size=4_000_000)

        async def pass_on(request: web.Request) -> web.Response:
            return await _passed(line, here.inside, request)

        app.router.add_route("*", "/{path:.*}", pass_on)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=shown).start()
        here.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield here
        finally:
            await runner.cleanup()


async def _passed(line: ClientSession, inside: str, request: web.Request) -> web.Response:
    async with line.request(
        request.method, inside + request.path_qs, headers=request.headers,
        data=await request.read(), allow_redirects=False,
    ) as answer:  # fmt: skip
        headers = answer.headers.copy()
        headers.popall("Transfer-Encoding", None)
        headers.popall("Content-Length", None)
        return web.Response(status=answer.status, headers=headers, body=await answer.read())


def _certificate() -> bytes:
    """A key and its certificate for this machine, of today."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sala")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )
    kept = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return kept + made.public_bytes(serialization.Encoding.PEM)


# ---------------------------------------------------------------- a person's phone


class Phone:
    """A phone with a chat app: its chat is what the platform holds, its pages are real ones."""

    def __init__(
        self, portal: BlockingPortal, site: Front, browser: Browser, language: Language
    ) -> None:
        self.portal = portal
        self.site = site
        self.language = language
        self.texts: Texts = load_texts()
        self.requests: list[Request] = []
        self.web = httpx2.Client(verify=site.trust, trust_env=False)
        self.context: BrowserContext = browser.new_context(
            **PHONE, locale=language, ignore_https_errors=True
        )
        self.context.on("request", self.notice)

    def notice(self, request: Request) -> None:
        self.requests.append(request)

    def text(self, id: str, **values: str) -> str:
        return self.texts.say(id, self.language, **values)

    def until(self, look: Callable[[], T]) -> T:
        """What a look at the platform finds, once it finds something."""
        return self.portal.call(_until, look)

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        """The platform posts to the webhook, which keeps it."""
        answer = self.web.post(self.site.url + path, content=body, headers=headers)
        assert answer.status_code == 200

    def went_to(self) -> set[str]:
        """Where the pages' requests went, but for what they carried themselves."""
        asked = {request.url for request in self.requests}
        return {"/".join(url.split("/")[:3]) for url in asked if not url.startswith("data:")}

    def makes_codes(self, address: str, photo: bytes) -> tuple[str, str]:
        """Open a link, choose the photograph and send its codes: the case's number and PIN."""
        page = self.context.new_page()
        page.goto(address)
        page.wait_for_url(f"{self.site.url}/app*")
        return make_codes(self, page, photo)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()
        self.web.close()


async def _until(look: Callable[[], Any]) -> Any:
    async with asyncio.timeout(PATIENCE):
        while not (found := look()):
            # Sala is another process, which needs this machine as well.
            await asyncio.sleep(0.01)
    return found


# ---------------------------------------------------------------- a picture and who finds it


@dataclass(frozen=True)
class Photo:
    """A photograph as it lies on the phone, and as it was posted somewhere."""

    kept: bytes
    posted: bytes


def photo(seed: int) -> Photo:
    picture = everyday_photo(seed)
    return Photo(as_jpeg(picture, 92), as_jpeg(picture.resize((1280, 960)), 70))


def blocks(partner: StopNCIIAPI, found: Photo, folder: Path) -> None:
    """The platform reads the list, knows the copy again, and says that it blocked it."""
    fetched = [one for page in partner.fetch_hashes_iter() for one in page.hashRecords]
    copy = folder / "copy.jpg"
    copy.write_bytes(found.posted)
    seen = PdqSignal.hash_from_file(copy)
    match = [one for one in fetched if PdqSignal.compare_hash(one.hashValue, seen).match]
    assert {one.signalType for one in match} == {StopNCIISignalType.ImagePDQ}
    partner.submit_feedback(
        StopNCIISignalType.ImagePDQ, match[0].hashValue, StopNCIICSPFeedbackValue.Blocked
    )
