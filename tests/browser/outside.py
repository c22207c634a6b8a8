"""What stands outside Sala's process in a whole case: a platform, TLS before the site, a phone.

Sala is served as in the field, under a public https address behind a proxy. Platform and proxy run
in a loop of their own thread, since Playwright holds the one of the tests.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self, TypeVar

import httpx2
from aiohttp import ClientSession, DummyCookieJar, web
from anyio.from_thread import BlockingPortal, start_blocking_portal
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import Browser, Request
from threatexchange.exchanges.clients.stopncii.api import (
    StopNCIIAPI,
    StopNCIICSPFeedbackValue,
    StopNCIISignalType,
)
from threatexchange.signal_type.pdq.signal import PdqSignal

from bot.conversation.model import Language
from bot.text import Texts, load_texts
from tests.browser.conftest import CHROMIUM, FLAGS, PHONE
from tests.browser.test_whole_case import as_jpeg, everyday_photo, make_codes
from tests.serving import Served, served

NAME = "sala.example"
HOME = f"https://{NAME}"
KEYS = "own.keys"
PATIENCE = 15
"""Seconds in which something that must happen happens."""
T = TypeVar("T")


def daytime_zone() -> str:
    """A time zone where it is between one and two in the afternoon: news may come now (C15)."""
    ahead = 13 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}"


# ---------------------------------------------------------------- Sala in the field


@dataclass
class Field:
    """Sala under its public address. Platforms and partners come by `url`, browsers by TLS."""

    portal: BlockingPortal
    url: str = ""
    tls_port: int = 0
    inside: str = ""
    sala: Served | None = None

    @contextmanager
    def serves(self, folder: Path, **settings: str) -> Iterator[Self]:
        """A real `sala run` behind the proxy, with what a public address asks for."""
        public = {
            "SALA_PUBLIC_URL": HOME, "SALA_KEY_FILE": str(folder / KEYS),
            "SALA_OPERATOR": "Sala", "SALA_CONTACT": "help@sala.example",
            "SALA_LEGAL_BASIS": "consent", "SALA_IMPACT_ASSESSMENT": "2026-03-01",
            "SALA_TIMEZONE": daytime_zone(),
        }  # fmt: skip
        with served(folder, **public, **settings) as sala:
            self.inside, self.sala = sala.url, replace(sala, url=self.url)
            yield self

    def partner(self, name: str) -> StopNCIIAPI:
        """The unmodified client of a new partner."""
        assert self.sala
        return self.sala.partner(name, "adults")

    @contextmanager
    def chromium(self, like: Browser) -> Iterator[Browser]:
        """A browser that finds Sala's public name here, and nothing else anywhere."""
        rules = f"MAP {NAME}:443 127.0.0.1:{self.tls_port}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        flags = [*FLAGS, f"--host-resolver-rules={rules}"]
        browser = like.browser_type.launch(executable_path=CHROMIUM, args=flags)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def field(folder: Path) -> Iterator[Field]:
    """The proxy, on free ports; Sala is served behind it later."""
    with start_blocking_portal() as portal:
        here = Field(portal)
        with portal.wrap_async_context_manager(_proxy(here, _certificate(folder))):
            yield here


@asynccontextmanager
async def _proxy(here: Field, tls: ssl.SSLContext) -> AsyncIterator[None]:
    async with ClientSession(cookie_jar=DummyCookieJar(), auto_decompress=False) as line:

        async def pass_on(request: web.Request) -> web.Response:
            return await _passed(line, here.inside, request)

        app = web.Application(client_max_size=4_000_000)
        app.router.add_route("*", "/{path:.*}", pass_on)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        for context in (None, tls):
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        (_, port), (_, here.tls_port) = runner.addresses
        here.url = f"http://127.0.0.1:{port}"
        try:
            yield
        finally:
            await runner.cleanup()


async def _passed(line: ClientSession, inside: str, request: web.Request) -> web.Response:
    headers = request.headers.copy()
    headers["Host"] = NAME
    async with line.request(
        request.method, inside + request.path_qs, headers=headers,
        data=await request.read(), allow_redirects=False,
    ) as answer:  # fmt: skip
        back = answer.headers.copy()
        back.popall("Transfer-Encoding", None)
        back.popall("Content-Length", None)
        return web.Response(status=answer.status, headers=back, body=await answer.read())


def _certificate(folder: Path) -> ssl.SSLContext:
    """TLS under Sala's name, by nobody's authority."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, bare = serialization.Encoding.PEM, serialization.NoEncryption()
    kept = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, bare)
    path = folder / "tls.pem"
    path.write_bytes(kept + made.public_bytes(pem))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


# ---------------------------------------------------------------- a person's phone


class Phone:
    """A phone with a chat app: its chat is what the platform holds, its pages are real ones."""

    def __init__(self, place: Field, browser: Browser, language: Language) -> None:
        self.portal = place.portal
        self.language = language
        self.texts: Texts = load_texts()
        self.requests: list[Request] = []
        self.web = httpx2.Client(base_url=place.url, trust_env=False)
        self.context = browser.new_context(**PHONE, locale=language, ignore_https_errors=True)
        self.context.on("request", self.notice)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()
        self.web.close()

    def notice(self, request: Request) -> None:
        self.requests.append(request)

    def text(self, id: str, **values: str) -> str:
        return self.texts.say(id, self.language, **values)

    def until(self, look: Callable[[], T]) -> T:
        """What a look at the platform finds, once it finds something."""
        found: T = self.portal.call(_until, look)
        return found

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        """The platform posts to the webhook, which keeps it."""
        assert self.web.post(path, content=body, headers=headers).status_code == 200

    def went_to(self) -> set[str]:
        """Where the pages' requests went, but for what they carried themselves."""
        asked = {request.url for request in self.requests}
        return {"/".join(url.split("/")[:3]) for url in asked if not url.startswith("data:")}

    def makes_codes(self, address: str, photo: bytes) -> tuple[str, str]:
        """Open a link, choose the photograph and send its codes: the case's number and PIN."""
        page = self.context.new_page()
        page.goto(address)
        page.wait_for_url(f"{HOME}/app**")
        return make_codes(self, page, photo)


async def _until(look: Callable[[], T]) -> T:
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
