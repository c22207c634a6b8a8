"""What an operator asks of lists above Sala's own: whether a connector works, how it stands, and a
hotline's look-up. No code and no person is shown."""

import re
from collections.abc import Iterator
from typing import IO, Final, get_args

import click

from bot.app import Sala, connectors
from bot.channels import TryAgain
from bot.exchange.shield import NotInstalled, NotLookedUp, look_up
from bot.exchange.upward import LABEL, LIST_OF, BadAnswer, ServiceName
from bot.finding import Finding, good, note, wrong
from bot.opening import usable_settings, with_sala
from bot.passing import NotPassed, try_out
from bot.settings import ServiceSettings, Settings
from bot.store.upward import ServiceState
from bot.store.whole import WholeStore

PAUSE: Final = 5.0
STUCK: Final = 8
"""After so many tries (some ten minutes) it is time to say that nothing goes up."""
_CODE: Final = re.compile("[0-9a-f]{64}")


# ---------------------------------------------------------------- trying, looking up


@click.command("try")
@click.argument("name", type=click.Choice(get_args(ServiceName)), metavar="stopncii|ncmec")
@click.option("--wait", type=click.IntRange(0, 3600), default=120, show_default=True,
              help="Seconds until it has to show what it took.")  # fmt: skip
def try_service(name: ServiceName, wait: int) -> None:
    """Let an invented code, which matches nothing, go up and be let go; then the service is on."""

    async def use(sala: Sala) -> None:
        connector = next((one for one in connectors(sala.settings) if one.name == name), None)
        passing = sala.passing()
        if connector is None or passing is None:
            raise click.ClickException(f"Set the keys of {LABEL[name]} first (.env.example).")
        try:
            fault = await try_out(passing, connector, PAUSE, 1 + int(wait / PAUSE))
        except (NotPassed, TryAgain, BadAnswer) as error:
            fault = f"{type(error).__name__}: {error}."
        finally:
            await passing.close()
        if fault:
            raise click.ClickException(f"{LABEL[name]} at {connector.address}: {fault}")
        click.echo(f"It works: codes of the {LIST_OF[name]}' list go up to {LABEL[name]} "
                   "for people who are told of it from now on.")  # fmt: skip

    with_sala(usable_settings(), use)


@click.command("check")
@click.argument("file", type=click.File("r", encoding="utf-8"))
def check(file: IO[str]) -> None:
    """Look PDQ codes up at Project Arachnid's Shield: a line each in FILE, none of the database."""
    service = usable_settings().shield
    if service is None or service.missing:
        raise click.ClickException("Set SALA_SHIELD_USER and SALA_SHIELD_PASSWORD first.")
    codes = [line.strip().lower() for line in file if line.strip()]
    for number, code in enumerate(codes, 1):
        if not _CODE.fullmatch(code):
            raise click.ClickException(f"Code {number} is no PDQ code (64 hex digits).")
    try:
        found = look_up(service, codes)
    except NotInstalled:
        raise click.ClickException(
            "Install its SDK first: pip install 'sala-bot[shield]'"
        ) from None
    except (NotLookedUp, BadAnswer) as error:
        raise click.ClickException(f"Shield: {type(error).__name__}: {error}.") from None
    for number, said in enumerate(found, 1):
        click.echo(f"{number}  {said}")


# ---------------------------------------------------------------- how it stands


async def above_lines(sala: Sala) -> list[str]:
    """How each list above Sala's own stands, in numbers."""
    return [
        f"{LABEL[name]}: {_standing(service, await sala.store.service_state(name))}"
        for name, service in _services(sala.settings)
    ]


def _services(settings: Settings) -> Iterator[tuple[ServiceName, ServiceSettings | None]]:
    yield "stopncii", settings.stopncii
    yield "ncmec", settings.ncmec


def _standing(service: ServiceSettings | None, state: ServiceState | None) -> str:
    counts = f"{state.listed} codes there, {state.let_go} let go, " if state else ""
    counts += f"{state.waiting} changes wait, {state.answers} answers" if state else ""
    if service is None or service.missing:
        return f"off{f' ({counts})' if counts else ''}"
    if state is None or state.address != service.address:
        return "off until it was tried (sala exchange try)"
    return f"on since {state.since:%Y-%m-%d}; {counts}"


async def above_findings(settings: Settings, store: WholeStore | None) -> list[Finding]:
    """Connectors that are half set, not tried, or stuck; nothing of those that are not wanted."""
    found = [_half(one) for one in _all(settings) if one.missing]
    for name, service in _services(settings):
        if service and not service.missing:
            state = await store.service_state(name) if store else None
            found.append(_tried(name, service, state))
    return found


def _all(settings: Settings) -> Iterator[ServiceSettings]:
    yield from (one for one in (settings.stopncii, settings.ncmec, settings.shield) if one)


def _half(service: ServiceSettings) -> Finding:
    words = f"{service.address} is only half set, and so off."
    return wrong("Other lists", words, f"Set {', '.join(service.missing)} too, or none of them.")


def _tried(name: ServiceName, service: ServiceSettings, state: ServiceState | None) -> Finding:
    about, label = "Other lists", LABEL[name]
    if state is None or state.address != service.address:
        words = f"no code goes up to {label}: it was not tried at {service.address} yet."
        return note(about, words, f"sala exchange try {name}")
    if state.attempts >= STUCK:
        words = f"{state.waiting} changes could not be passed on to {label}."
        return wrong(about, words, f"Check its keys and address: sala exchange try {name}")
    return good(about, f"{label}: {state.listed} codes there, {state.waiting} changes wait")
