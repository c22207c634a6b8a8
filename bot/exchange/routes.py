"""Partners' addresses: /exchange/v1 for all lists of an agreement, /exchange/{list}/v1 for one.

There is no way to ask about a hash. Hashes are added by persons, and by a partner only whose
agreement says so and whose keys include one for it (docs/partners.md).
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, get_args

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bot.cases.eligibility import List
from bot.exchange import stopncii
from bot.exchange.allowance import Allowance
from bot.log import log, where
from bot.metrics import PAGES, REFUSED
from bot.store import Partner, Registry, Scope, StoreError
from bot.vault import Unopened, Vault

LEAST: Final = 0.1
"""Seconds that an answer to what a partner says takes at least: longer than keeping a word does, so
that nobody reads from the time what is listed, or whose case is followed."""
EXTENSION: Final = Path(__file__).with_name("tx_sala.py")
DOCUMENT: Final = Path(__file__).with_name("openapi.json")
HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Desk:
    """Where partners are served. `clock` tells the time with its zone; `wake` rings the worker; the
    vault seals what a partner is given to go on with."""

    registry: Registry
    vault: Vault
    clock: Callable[[], datetime]
    wake: Callable[[], None]
    allowance: Allowance = field(default_factory=Allowance)
    least: float = 0.0
    """Seconds that an answer to what a partner says takes at least (LEAST), `rest`ed meanwhile."""
    rest: Callable[[float], Awaitable[None]] = asyncio.sleep


class _Refused(Exception):
    """The request ends here, with this status."""

    def __init__(self, status: int, error: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(error)
        self.response = _json({"error": error}, status, headers)


def routes(desk: Desk) -> list[BaseRoute]:
    """FetchHashes and SubmitFeedback for an agreement's lists together and for each by itself,
    SubmitHashes, the document of these, and the extension that partners copy."""
    made: list[BaseRoute] = [
        Route("/exchange/tx_sala.py", _extension),
        Route("/exchange/openapi.json", _document),
    ]
    for only in (None, *get_args(List)):
        base = f"/exchange/{only}/v1" if only else "/exchange/v1"
        made.append(Route(f"{base}/FetchHashes", _at(_fetch, desk, only), methods=["GET"]))
        made.append(Route(f"{base}/SubmitFeedback", _at(_submit, desk, only), methods=["POST"]))
        made.append(Route(f"{base}/SubmitHashes", _at(_add, desk, only), methods=["POST"]))
    return made


Endpoint = Callable[[Request], Awaitable[Response]]


def _at(
    serve: Callable[[Request, Desk, List | None], Awaitable[Response]],
    desk: Desk,
    only: List | None,
) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            return await serve(request, desk, only)
        except _Refused as refused:
            response = refused.response
        except stopncii.BadRequest as bad:
            response = _json({"error": f"bad request: {bad.reason}"}, 400)
        except StoreError as error:
            log("store_failed", **where(error))
            response = _json({"error": "busy"}, 503)
        REFUSED[response.status_code].inc()
        return response

    return endpoint


async def _fetch(request: Request, desk: Desk, only: List | None) -> Response:
    partner = await _partner(request, desk, "fetch", only)
    place = f"feed.token|{partner.id}|{','.join(partner.lists)}"
    query = stopncii.read_query(request.query_params, partial(_opened, desk.vault, place))
    page = await desk.registry.feed(
        partner, partner.lists, query.start, query.after, query.size, desk.clock()
    )
    answer = stopncii.answer(page, query, partial(desk.vault.seal, place))
    PAGES.inc()
    return Response(answer, 200, HEADERS, "application/json")


def _opened(vault: Vault, place: str, sealed: bytes) -> bytes:
    try:
        return vault.open(place, sealed)
    except Unopened:
        raise ValueError("not a token of this partner at this address") from None


async def _submit(request: Request, desk: Desk, only: List | None) -> JSONResponse:
    partner = await _partner(request, desk, "feedback", only)
    feedback = stopncii.read_feedback(await _body(request))
    await _alike(desk, desk.registry.give_feedback(partner, feedback.words, desk.clock()))
    desk.wake()
    return _json({"count": feedback.received})


async def _add(request: Request, desk: Desk, only: List | None) -> JSONResponse:
    """At the common address to the one list of the agreement; with two, each has its own."""
    partner = await _partner(request, desk, "submit", only)
    received, hashes = stopncii.read_hashes(await _body(request))
    if len(partner.lists) != 1:
        raise _Refused(403, "one list at a time")
    work = desk.registry.submit(partner, partner.lists[0], hashes, desk.clock())
    await _alike(desk, work)
    return _json({"count": received})


async def _alike(desk: Desk, work: Awaitable[int]) -> None:
    """Do the work; what it found takes no longer than what it did not."""
    pause = asyncio.ensure_future(desk.rest(desk.least))
    try:
        await work
    finally:
        await pause


async def _extension(request: Request) -> Response:
    return FileResponse(EXTENSION, media_type="text/x-python", headers=HEADERS)


async def _document(request: Request) -> Response:
    return FileResponse(DOCUMENT, media_type="application/json", headers=HEADERS)


async def _partner(request: Request, desk: Desk, scope: Scope, only: List | None) -> Partner:
    """Whose keys these are, seeing only the list of this address."""
    key = request.headers.get("x-functions-key", "")
    subscription = request.headers.get("ocp-apim-subscription-key", "")
    partner = await desk.registry.partner(key, subscription, scope)
    if partner is None:
        raise _Refused(401, "unauthorized")
    if wait := desk.allowance.take(partner.id, desk.clock(), partner.a_minute):
        raise _Refused(429, "too many requests", {"Retry-After": str(wait)})
    if only is None:
        return partner
    if only not in partner.lists:
        raise _Refused(403, "not in the agreement")
    return replace(partner, lists=(only,))


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > stopncii.MAX_BODY:
                raise _Refused(413, "too large")
    except ClientDisconnect:
        raise _Refused(400, "bad request: body") from None
    return bytes(body)


def _json(
    content: dict[str, object], status: int = 200, headers: dict[str, str] | None = None
) -> JSONResponse:
    return JSONResponse(content, status, HEADERS | (headers or {}))
