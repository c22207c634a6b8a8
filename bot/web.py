"""The web door: verify, store, answer. Every route that strangers or partners can reach."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from bot.channels import browser
from bot.channels.browser import BrowserDoor
from bot.exchange import routes as exchange
from bot.exchange.routes import Desk
from bot.miniapp import routes as miniapp
from bot.miniapp.routes import MiniApp

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def site(
    door: BrowserDoor,
    app: MiniApp,
    desk: Desk,
    lifespan: Lifespan,
    chat_apps: Sequence[BaseRoute] = (),
) -> Starlette:
    """The whole site as one ASGI application."""
    routes: list[BaseRoute] = [
        *browser.routes(door),
        *miniapp.routes(app),
        *exchange.routes(desk),
        *chat_apps,
        Route("/healthz", _health),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def _health(request: Request) -> JSONResponse:
    return JSONResponse({"ok": True}, headers={"Cache-Control": "no-store"})
