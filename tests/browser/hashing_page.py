"""What the tests of the hashing page stand on: its pictures, a real server, a visit to it."""

import asyncio
import hashlib
import socket
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import uvicorn
from PIL import Image
from playwright.sync_api import BrowserContext, FilePayload, Page, expect
from starlette.applications import Starlette

from bot.cases.hashes import Item
from bot.miniapp.routes import MiniApp, routes
from bot.store import ConversationId, Registered, Ticket
from bot.store.sqlite import SqliteStore
from bot.text import load_texts
from bot.vault import Vault

T = TypeVar("T")
MATCH = 31


def photo(width: int, height: int, seed: int = 1) -> Image.Image:
    chance = np.random.default_rng(seed)
    small = Image.fromarray(chance.integers(0, 256, (12, 16, 3), np.uint8))
    big = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)).astype(np.int16)
    grain = chance.integers(-6, 7, (height, width, 1), np.int16)
    return Image.fromarray(np.clip(big + grain, 0, 255).astype(np.uint8))


def encoded(picture: Image.Image, kind: str = "JPEG", **how: Any) -> bytes:
    out = BytesIO()
    picture.save(out, kind, **how)
    return out.getvalue()


def turned(orientation: int, width: int = 1500, height: int = 900) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(photo(width, height, 3), quality=90, exif=exif)


def see_through() -> bytes:
    picture = photo(900, 700, 4).convert("RGBA")
    alpha = np.asarray(photo(900, 700, 5).convert("L"))
    picture.putalpha(Image.fromarray(alpha))
    return encoded(picture, "PNG")


def bits_apart(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def stills(item: Item) -> list[str]:
    return [one.value for one in item.hashes if one.kind == "pdq"]


def share_met(ours: Item, theirs: Item) -> float:
    """Of our stills, the share that a match finds among theirs."""
    met = [any(bits_apart(a, b) <= MATCH for b in stills(theirs)) for a in stills(ours)]
    return sum(met) / len(met)


@dataclass
class Kept:
    """The real registry, with what came in at its door kept beside it."""

    store: SqliteStore
    came: list[Item] = field(default_factory=list)

    async def register(self, digest: bytes, items: Any, now: datetime) -> Registered:
        self.came.extend(items)
        return await self.store.register(digest, items, now)

    async def show_pin(self, digest: bytes, now: datetime) -> Registered:
        return await self.store.show_pin(digest, now)


@dataclass
class Site:
    url: str
    kept: Kept
    reached: list[str] = field(default_factory=list)
    """Every path that was asked for, whoever asked."""
    bodies: list[bytes] = field(default_factory=list)
    """What came in with those requests, where it was anything."""
    tickets: int = 0

    def ticket(self, language: str) -> str:
        self.tickets += 1
        ticket = f"{language}-{self.tickets:030d}"
        ends = datetime.now(UTC) + timedelta(hours=1)
        new = Ticket(digest(ticket), ConversationId(b"c" * 16), "minors", ends)
        aside(self.kept.store.issue(new))
        return ticket


def aside(job: Coroutine[Any, Any, T]) -> T:
    """Run to its end elsewhere: Playwright keeps a loop running in the tests' own thread."""
    with ThreadPoolExecutor(1) as other:
        return other.submit(asyncio.run, job).result()


def digest(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode()).digest()[:16]


@contextmanager
def open_site(folder: Path) -> Iterator[Site]:
    """The mini-app on a free port over a real store, with nothing else around it."""
    store = SqliteStore.open(folder / "sala.db", Vault.generate())
    kept = Kept(store)
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{door.getsockname()[1]}"
        dull = f"{url.replace('127.0.0.1', 'localhost')}/dull"
        app = MiniApp(kept, digest, lambda: datetime.now(UTC), load_texts(), url, dull)
        pages = Starlette(routes=routes(app))
        made = Site(url, kept)

        async def watched(scope: Any, receive: Any, send: Any) -> None:
            made.reached.append(scope.get("path", scope["type"]))

            async def heard() -> Any:
                message = await receive()
                if body := message.get("body"):
                    made.bodies.append(body)
                return message

            await pages(scope, heard, send)

        server = uvicorn.Server(uvicorn.Config(watched, log_level="critical"))
        runs = threading.Thread(target=server.run, kwargs={"sockets": [door]})
        runs.start()
        try:
            yield made
        finally:
            server.should_exit = True
            runs.join()
    aside(store.close())


NOISE = """() => {
  const read = CanvasRenderingContext2D.prototype.getImageData;
  CanvasRenderingContext2D.prototype.getImageData = function (...where) {
    const image = read.apply(this, where);
    for (let at = 0; at < image.data.length; at += 97) image.data[at] ^= 1;
    return image;
  };
  const copy = VideoFrame.prototype.copyTo;
  VideoFrame.prototype.copyTo = async function (to, how) {
    const layout = await copy.call(this, to, how);
    if (globalThis.alsoFrames) to[5] ^= 1;
    return layout;
  };
}"""


@dataclass
class Visit:
    page: Page
    asked: list[str]
    complaints: list[str]
    posted: list[str] = field(default_factory=list)
    """The bodies of all requests that had one."""

    @property
    def box(self) -> Any:
        return self.page.frame_locator("#box")

    def choose(self, content: bytes, media: str = "image", name: str = "secret-name.jpg") -> None:
        file = FilePayload(name=name, mimeType="", buffer=content)
        self.box.locator(f"#{media}").set_input_files(file)
        expect(self.box.locator("#work")).to_be_hidden(timeout=60_000)
        self.settle()

    def settle(self) -> None:
        """Waits until the page has made room for what the frame shows: buttons move till then."""
        tall = "Math.ceil(document.getElementById('all').getBoundingClientRect().height) + 8"
        height = max(120, self.page.frames[1].evaluate(tall))
        expect(self.page.locator("#box")).to_have_attribute("height", str(height))


def come(context: BrowserContext, url: str) -> Visit:
    """A page at this address, whose requests and complaints are written down."""
    context.set_default_timeout(8_000)
    page = context.new_page()
    here = Visit(page, [], [])
    page.on("request", lambda sent: here.asked.append(f"{sent.method} {sent.url}"))
    page.on("request", lambda sent: here.posted.append(sent.post_data) if sent.post_data else None)
    page.on("console", lambda said: here.complaints.append(said.text))
    page.on("pageerror", lambda wrong: here.complaints.append(str(wrong)))
    page.goto(url)
    return here
