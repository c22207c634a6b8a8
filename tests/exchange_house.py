"""A store with its partners' desk on the loopback, and partners with the library's own client."""

import asyncio
import json
import socket
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import requests
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from threatexchange.exchanges.clients.stopncii.api import (
    FetchHashesResponse,
    StopNCIIAPI,
    StopNCIIEndpoint,
)
from threatexchange.exchanges.collab_config import CollaborationConfigWithDefaults
from threatexchange.exchanges.impl.stop_ncii_api import (
    StopNCIICredentials,
    StopNCIISignalExchangeAPI,
)

from bot.cases.eligibility import List
from bot.cases.hashes import Item
from bot.cases.status import Standing
from bot.exchange.routes import Desk, routes
from bot.store import ConversationId, PartnerKeys, Ticket
from bot.store.sqlite import SqliteStore
from bot.vault import Vault

T = TypeVar("T")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PERSON = ConversationId(b"p" * 16)


@dataclass
class House:
    """A store, its partners' desk on loopback, and a clock that the test turns."""

    store: SqliteStore
    base: str = ""
    now: datetime = NOON
    woken: list[datetime] = field(default_factory=list)
    tickets: int = 0
    routes: list[Route] = field(default_factory=list)

    def open(self, path: str) -> requests.Response:
        return requests.get(f"{self.base}{path}", timeout=10)

    def wait(self, **passed: float) -> None:
        self.now += timedelta(**passed)

    def register(self, list: List, *items: Item) -> str:
        self.tickets += 1
        ticket = Ticket(bytes([self.tickets]) * 32, PERSON, list, self.now + timedelta(hours=1))
        do(self.store.issue(ticket))
        return do(self.store.register(ticket.digest, items, self.now)).number

    def standing(self, number: str) -> Standing:
        standing = do(self.store.standing(number))
        assert standing
        return standing

    def partner(self, name: str, *lists: List, **more: Any) -> "Platform":
        keys = do(self.store.add_partner(name, lists, self.now, **more))
        return Platform(keys, f"{self.base}/exchange/v1")


@dataclass
class Platform:
    """A partner's side: threatexchange's own classes with our address as `base_url_override`."""

    keys: PartnerKeys
    base: str

    @property
    def api(self) -> StopNCIIAPI:
        keys = self.keys
        more = {
            StopNCIIEndpoint.SubmitFeedback: keys.feedback_key,
            StopNCIIEndpoint.SubmitHashes: keys.submit_key or "none",
        }
        return StopNCIIAPI(keys.subscription_key, keys.fetch_key, more, base_url_override=self.base)

    @property
    def exchange(self) -> StopNCIISignalExchangeAPI:
        collab = CollaborationConfigWithDefaults("Sala", "stop_ncii", True)
        credentials = StopNCIICredentials(
            self.keys.fetch_key, self.keys.subscription_key, base_url_override=self.base
        )
        return StopNCIISignalExchangeAPI.for_collab(collab, credentials)

    def pages(self, size: int) -> Iterator[FetchHashesResponse]:
        page = self.api.fetch_hashes(page_size=size)
        yield page
        while page.hasMoreRecords:
            page = self.api.fetch_hashes(page_size=size, next_page=page.nextPageToken or "")
            yield page

    def listed(self) -> set[str]:
        return {record.hashValue for page in self.pages(800) for record in page.hashRecords}

    def headers(self, key: str) -> dict[str, str]:
        return {"x-functions-key": key, "Ocp-Apim-Subscription-Key": self.keys.subscription_key}

    def get(self, **query: object) -> requests.Response:
        headers = self.headers(self.keys.fetch_key)
        return requests.get(f"{self.base}/FetchHashes", query, headers=headers, timeout=10)

    def post(self, body: object) -> requests.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send("SubmitFeedback", raw, self.headers(self.keys.feedback_key))

    def send(self, call: str, body: bytes, headers: dict[str, str]) -> requests.Response:
        verb = "GET" if call == "FetchHashes" else "POST"
        return requests.request(verb, f"{self.base}/{call}", data=body, headers=headers, timeout=10)


def do(wanted: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(wanted)


@contextmanager
def open_house(folder: Path) -> Iterator[House]:
    """Served until the block ends."""
    vault = Vault.generate()
    house = House(SqliteStore.open(folder / "sala.db", vault))
    desk = Desk(house.store, vault, lambda: house.now, lambda: house.woken.append(house.now))
    house.routes = [one for one in routes(desk) if isinstance(one, Route)]
    app = Starlette(routes=house.routes)
    with on_loopback(app) as house.base:
        yield house
    do(house.store.close())


@contextmanager
def on_loopback(app: Starlette) -> Iterator[str]:
    """The address at which it is served until the block ends."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
