"""The command line: run · talk · understand · hash · case · partner · exchange · keys · migrate ·
export · import · backup · rotate · erase."""

import asyncio
import gc
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from socket import AF_INET, AF_INET6, create_server, socket
from typing import Any, Final

import click
import uvicorn
from starlette.applications import Starlette
from uvicorn.loops.auto import auto_loop_factory

from bot import talk as talking
from bot.app import Role, Sala, now
from bot.callers import Caller, allow_lines
from bot.cases.hashes import Item
from bot.conversation.model import LANGUAGES, Language
from bot.exchanging import commands as exchanging
from bot.hashing import comparing
from bot.hashing.answers import posted
from bot.hashing.errors import ImageError, told
from bot.hashing.jail import Broken, Jail
from bot.hashing.own import OwnFiles
from bot.hashing.walls import no_core
from bot.keeping import commands as keeping
from bot.log import log, quieten_all
from bot.moving import commands as moving
from bot.opening import usable_settings, with_sala
from bot.operating import commands as operating
from bot.settings import Settings
from bot.vault import VaultError, load_or_make

QUIET: Final = 5
"""Seconds after which a line is ended on which nothing is asked. The web server in front must end
its own sooner: what it posts on a line that is just being ended is lost (docs/deploy.md)."""

_SERVED: Final[dict[str, Any]] = {
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,  # who asks is nowhere looked at
    "ws": "none",
    "h11_max_incomplete_event_size": 16_384,
    "timeout_keep_alive": QUIET,
    "timeout_graceful_shutdown": 3,
}


@click.group()
@click.version_option(package_name="sala-bot")
def main() -> None:
    """Sala: a chat front door for people whose intimate images are being spread."""


@main.command()
@click.option("--web-only", is_flag=True, help="The doors alone (PostgreSQL).")
@click.option("--worker-only", is_flag=True, help="The work for LINE and Telegram (PostgreSQL).")
@click.option("--watch", type=click.IntRange(1, 65535), metavar="PORT",
              help="With --worker-only: its /healthz and /metrics on a port.")  # fmt: skip
def run(web_only: bool, worker_only: bool, watch: int | None) -> None:
    """Serve the chat, the mini-app and the exchange.

    On PostgreSQL as many processes with --web-only and with --worker-only as wanted do it together.
    """
    settings = usable_settings()
    if watch is not None and not worker_only:
        raise click.ClickException("--watch is for --worker-only: elsewhere the doors have it.")
    if not (web_only or worker_only):
        with_sala(settings, _serve, auto_loop_factory())
        return
    if refused := _alone(settings, web_only and worker_only):
        raise click.ClickException(refused)
    role: Role = "web" if web_only else "worker"
    use = partial(_serve, role=role) if web_only else partial(_work, watch=watch)
    with_sala(settings, use, auto_loop_factory(), role)


def _alone(settings: Settings, both: bool) -> str | None:
    """Why a process cannot do a part alone."""
    if both:
        return "--web-only and --worker-only: a process does one of them, or without either all."
    if not settings.postgres:
        return (
            "--web-only and --worker-only need PostgreSQL, because one process has the SQLite file "
            "to itself. Set DATABASE_URL=postgresql://…, or run Sala without them."
        )
    if settings.telegram and settings.telegram.polling:
        return (
            "SALA_TELEGRAM=polling is for one process alone: set SALA_TELEGRAM=webhook, or run "
            "Sala without --web-only and --worker-only."
        )
    return None


@main.command()
@click.option("--lang", type=click.Choice(LANGUAGES), help="The language to begin in.")
def talk(lang: Language | None) -> None:
    """Talk in this terminal: a line is a message, `/hash PATH…` makes codes of pictures."""

    async def use(sala: Sala) -> None:
        await talking.talk(sala, lang, sys.stdin, click.echo)

    with_sala(usable_settings(), use)


@main.command("hash")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--turned", is_flag=True, help="A picture's turned copies too.")
@click.option("--check", is_flag=True, help="Compare with what the server would make of it.")
@click.option("--no-jail", is_flag=True, help="Open them in this very process.")
def hash_(paths: tuple[Path, ...], as_json: bool, turned: bool, check: bool, no_jail: bool) -> None:
    """Print what would be registered of pictures or videos. Nothing is kept or sent.

    Each is opened in a locked process that can read this one file and nothing else, where the
    machine has such a jail (Linux with libseccomp2). Without one, videos need --no-jail.

    Every hash is as the mini-app's page makes it. The server decodes a picture from the chat at a
    smaller scale: with --check its form of each is compared, and a fixed one more than 10 bits off
    is a failure.
    """
    files = OwnFiles(partial(click.echo, err=True), jailed=not no_jail)

    async def each() -> bool:
        return all([await _is_hashed(files, path, as_json, turned, check) for path in paths])

    if not asyncio.run(each()):
        sys.exit(1)


async def _is_hashed(files: OwnFiles, path: Path, as_json: bool, turned: bool, check: bool) -> bool:
    try:
        if check:
            lines, right = await comparing.compared(files, path, turned=turned)
            click.echo("\n".join((str(path), *(f"  {line}" for line in lines))))
            return right
        _print_hashes(path, await files.hash(path, turned=turned), as_json)
        return True
    except ImageError as error:
        click.echo(f"{path}: {told(error)}", err=True)
        return False


def _print_hashes(path: Path, item: Item, as_json: bool) -> None:
    hashes = posted(item)
    if as_json:
        click.echo(json.dumps({"file": str(path), "media": item.media, "hashes": hashes}))
        return
    click.echo(str(path))
    for one in hashes:
        click.echo("  " + "  ".join(str(value) for value in one.values()))


@main.command()
@click.option("--evaluate", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def understand(folder: Path | None) -> None:
    """Hear messages, one a line on standard input, and print what was understood, one JSON object
    a line; or with --evaluate report on a folder of th.txt, en.txt, es.txt. Nothing is kept."""
    from bot.hearing import evaluated, heard  # noqa: PLC0415  # the ear takes a moment to load

    try:
        for line in evaluated(folder) if folder else heard(sys.stdin, now().year):
            click.echo(line)
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from None


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
def keys(file: Path) -> None:
    """Make a key file (mode 600). Keep a copy offline: without it nothing can be read."""
    try:
        _, made = load_or_make(file)
    except VaultError as error:
        raise click.ClickException(str(error)) from None
    click.echo("made" if made else "was there already, and can be used")


@main.command()
def migrate() -> None:
    """Bring the database up to date."""

    async def use(sala: Sala) -> None:
        click.echo("The database is up to date.")

    with_sala(usable_settings(), use)


class _Server(uvicorn.Server):
    """Ends the open streams first, so that stopping does not wait for them."""

    def __init__(self, config: uvicorn.Config, close_streams: Callable[[], None]) -> None:
        super().__init__(config)
        self._close_streams = close_streams

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        self._close_streams()
        await super().shutdown(sockets)


def _listening(settings: Settings, port: int) -> socket:
    family = AF_INET6 if ":" in settings.host else AF_INET
    try:
        return create_server((settings.host, port), family=family)
    except OSError as error:
        place = f"{settings.host} port {port}"
        reason = error.strerror or type(error).__name__
        raise click.ClickException(
            f"Cannot listen on {place}: {reason}. Stop what uses it, or set SALA_PORT."
        ) from None


for _command in (*operating, *exchanging, *moving, *keeping):
    main.add_command(_command)


async def _work(sala: Sala, watch: int | None = None) -> None:
    settings = sala.settings
    if not (settings.line or settings.telegram):
        raise click.ClickException(
            "There is nothing to work for: --worker-only is for LINE and Telegram, and neither is "
            "set. What is said on the page is worked for where the page is open."
        )
    serve = partial(_watched, listening=_listening(settings, watch)) if watch else None
    jail, stop = await _jail(settings), asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    gc.freeze()
    log("started")
    click.echo("Sala works.  (stop with Ctrl-C)")
    await sala.work(jail, stop, serve)
    log("stopped")


async def _watched(site: Starlette, listening: socket) -> None:
    config = uvicorn.Config(site, **_SERVED, limit_concurrency=20)
    quieten_all()
    await _Watched(config).serve([listening])


class _Watched(uvicorn.Server):
    """Leaves the signals to the worker beside it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(sala: Sala, role: Role = "whole") -> None:
    settings = sala.settings
    site = sala.site(await _jail(settings) if role == "whole" else None, role)
    config = uvicorn.Config(site, **_SERVED, http=Caller)
    quieten_all()
    allow_lines()
    server = _Server(config, site.state.close_streams)
    # The server passes the signal on when it has ended, and the store is to be closed after it.
    signal.signal(signal.SIGTERM, _goes_on)
    serving = asyncio.create_task(server.serve([_listening(settings, settings.port)]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.02)
    if server.started:
        gc.freeze()  # what was loaded stays: it need not be looked through for garbage again
        log("started", port=settings.port)
        click.echo(f"Sala is open at {settings.public_url}/  (stop with Ctrl-C)")
        if not settings.own_keys:
            click.echo(f"Keys: {settings.key_file} (mode 600; made by Sala; keep it with the data)")
    await serving
    log("stopped")


def _goes_on(*_: object) -> None:
    """A signal that was heeded already."""


async def _jail(settings: Settings) -> Jail | None:
    """The jail for pictures from chats, proved; None where none are taken (C16)."""
    if not (settings.takes and (settings.line or settings.telegram)):
        return None
    jail = Jail()
    try:
        await jail.prove()
    except Broken as error:
        if settings.transient is None:
            click.echo(f"Pictures are not taken from chats: no working jail ({error}).")
            return None
        raise click.ClickException(
            f"SALA_TRANSIENT=adults needs a working jail: {error}. On Debian: apt-get install "
            "libseccomp2; or set SALA_TRANSIENT=off."
        ) from None
    no_core()
    return jail
