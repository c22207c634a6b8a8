"""The web door: verify, store, answer. Every route that strangers or partners can reach."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route

from bot.channels import browser
from bot.channels.browser import BrowserDoor
from bot.channels.browser_full import Full
from bot.channels.webhook import Webhook
from bot.exchange import routes as exchange
from bot.exchange.routes import Desk
from bot.gate import Gate
from bot.miniapp import routes as miniapp
from bot.miniapp.routes import MiniApp

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def site(
    door: BrowserDoor,
    app: MiniApp,
    desk: Desk,
    lifespan: Lifespan,
    watched: Sequence[BaseRoute],
    chat_apps: Sequence[BaseRoute] = (),
) -> Starlette:
    """The whole site as one ASGI application."""
    routes: list[BaseRoute] = [
        *chat_apps,  # first, because most of what comes in is theirs
        *browser.routes(door),
        *miniapp.routes(app),
        *exchange.routes(desk),
        *watched,
    ]
    webhooks = {
        one.path: one.app
        for one in chat_apps
        if isinstance(one, Route) and isinstance(one.app, Webhook)
    }
    gate = Middleware(Gate, public_url=door.public_url, ahead=webhooks, full=Full(door))
    made = Starlette(routes=routes, lifespan=lifespan, middleware=[gate])
    made.router.redirect_slashes = False  # nobody is sent to an address made of what they asked for
    return made


def guarded(watched: Sequence[BaseRoute], public_url: str) -> Starlette:
    """What watches a process that has no doors, behind the same gate."""
    return Starlette(routes=watched, middleware=[Middleware(Gate, public_url=public_url)])
