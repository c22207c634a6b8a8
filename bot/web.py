"""The web door: verify, store, answer. Every route that strangers or partners can reach."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from bot.channels import browser
from bot.channels.browser import BrowserDoor
from bot.channels.webhook import Webhook
from bot.exchange import routes as exchange
from bot.exchange.routes import Desk
from bot.gate import Gate
from bot.miniapp import routes as miniapp
from bot.miniapp.routes import MiniApp

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Health:
    """How Sala is: whether the worker works, and how many events were set aside."""

    works: Callable[[], bool]
    parked: Callable[[], Awaitable[int]]


def site(
    door: BrowserDoor,
    app: MiniApp,
    desk: Desk,
    lifespan: Lifespan,
    health: Health,
    chat_apps: Sequence[BaseRoute] = (),
) -> Starlette:
    """The whole site as one ASGI application."""
    routes: list[BaseRoute] = [
        *chat_apps,  # first, because most of what comes in is theirs
        *browser.routes(door),
        *miniapp.routes(app),
        *exchange.routes(desk),
        Route("/healthz", healthz(health)),
    ]
    webhooks = {
        one.path: one.app
        for one in chat_apps
        if isinstance(one, Route) and isinstance(one.app, Webhook)
    }
    gate = Middleware(Gate, public_url=door.public_url, ahead=webhooks)
    return Starlette(routes=routes, lifespan=lifespan, middleware=[gate])


def healthz(health: Health) -> Callable[[Request], Awaitable[JSONResponse]]:
    """200 while the worker works, else 503."""

    async def answer(request: Request) -> JSONResponse:
        works, parked = health.works(), await health.parked()
        said = {"ok": works} | ({"parked": parked} if parked else {})
        return JSONResponse(said, 200 if works else 503, {"Cache-Control": "no-store"})

    return answer
