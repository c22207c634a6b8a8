"""What an operator asks of cases, partners and the exchange: `sala case|partner|exchange`.

Everything is shown in numbers; no command shows a hash or a person.
"""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, get_args

import click

from bot.above import above_lines, check, try_service
from bot.app import Sala, now
from bot.cases.eligibility import List
from bot.cases.hashes import Item
from bot.exchange import transparency
from bot.exchange.partner_name import read_name
from bot.hashing.errors import ImageError, told
from bot.hashing.own import OwnFiles
from bot.opening import usable_settings, with_sala
from bot.store import PartnerKeys
from bot.store.figures import CaseState, PartnerState

LISTS: Final[dict[str, tuple[List, ...]]] = {
    "adults": ("adults",),
    "minors": ("minors",),
    "both": get_args(List),
}
LATELY: Final = timedelta(days=30)


# ---------------------------------------------------------------- partners


@click.group()
def partner() -> None:
    """Platforms that read the lists and answer."""


@partner.command("add")
@click.argument("name")
@click.option("--list", "lists", type=click.Choice(list(LISTS)), required=True)
@click.option("--submits", is_flag=True, help="Its agreement lets it add hashes (SubmitHashes).")
@click.option("--a-minute", type=click.IntRange(1, 6000), default=60, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The keys as JSON.")
def partner_add(name: str, lists: str, submits: bool, a_minute: int, as_json: bool) -> None:
    """Add a partner and print its keys, once."""

    async def use(sala: Sala) -> None:
        try:
            keys = await sala.store.add_partner(
                read_name(name), LISTS[lists], now(), submits=submits, a_minute=a_minute
            )
        except ValueError as error:
            raise click.ClickException(str(error)) from None
        _show_keys(keys, as_json)

    with_sala(usable_settings(), use)


@partner.command("rotate")
@click.argument("name")
@click.option("--days", type=click.IntRange(0, 90), default=7, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The keys as JSON.")
def partner_rotate(name: str, days: int, as_json: bool) -> None:
    """Print new keys, once; the former ones open for some days more, or until `revoke --former`."""

    async def use(sala: Sala) -> None:
        try:
            keys = await sala.store.rotate(read_name(name), now(), timedelta(days=days))
        except ValueError as error:
            raise click.ClickException(str(error)) from None
        _show_keys(keys, as_json)

    with_sala(usable_settings(), use)


@partner.command("revoke")
@click.argument("name")
@click.option("--former", is_flag=True, help="Only the keys from before the last rotation.")
def partner_revoke(name: str, former: bool) -> None:
    """Close a partner's keys, at once. Its name leaves what people are told about readers."""

    async def use(sala: Sala) -> None:
        try:
            await sala.store.revoke(read_name(name), now(), former=former)
        except ValueError as error:
            raise click.ClickException(str(error)) from None
        click.echo("Its former keys open nothing." if former else "Its keys open nothing.")

    with_sala(usable_settings(), use)


@partner.command("list")
def partner_list() -> None:
    """Who reads which list."""

    async def use(sala: Sala) -> None:
        for one in await sala.store.partners():
            revoked = " (revoked)" if one.revoked else ""
            lists = ", ".join(one.lists) or "reads nothing here"
            click.echo(f"{one.name}: {lists}{revoked}")

    with_sala(usable_settings(), use)


@partner.command("show")
def partner_show() -> None:
    """What each partner did in the last thirty days, and how far behind it is."""

    async def use(sala: Sala) -> None:
        behind = await sala.store.behind()
        for one in await sala.store.partner_states(now() - LATELY):
            lines = [f"  {count} changes of the {list}' list not fetched yet"
                     for name, list, count in behind if name == one.name]  # fmt: skip
            click.echo("\n".join([*_partner_lines(one), *lines]))

    with_sala(usable_settings(), use)


def _partner_lines(one: PartnerState) -> Iterator[str]:
    yield f"{one.name}: {one.lists.replace(',', ', ')}" + (" (revoked)" if one.revoked else "")
    yield f"  since {one.since:%Y-%m-%d}; may ask {one.a_minute} times a minute"
    yield "  keys: fetch, feedback" + (", submit" if one.submits else "")
    if one.former_until:
        yield f"  former keys open until {one.former_until:%Y-%m-%d %H:%M} UTC"
    last = f"{one.last_read:%Y-%m-%d %H:%M} UTC" if one.last_read else "not in thirty days"
    yield f"  last read: {last}; {one.reads} pages, {one.records} records in thirty days"
    yield f"  answered on {one.answers} hashes"


def _show_keys(keys: PartnerKeys, as_json: bool) -> None:
    shown = {
        "fetch_key": keys.fetch_key,
        "subscription_key": keys.subscription_key,
        "feedback_key": keys.feedback_key,
    } | ({"submit_key": keys.submit_key} if keys.submit_key else {})
    if as_json:
        click.echo(json.dumps(shown))
        return
    for label, key in shown.items():
        click.echo(f"{label}: {key}")
    click.echo("These keys are shown once; only their digests are kept.")


# ---------------------------------------------------------------- cases


@click.command()
@click.argument("number", required=False)
def case(number: str | None) -> None:
    """One case by its number, or how many there are: never a hash, never who."""

    async def use(sala: Sala) -> None:
        if number is None:
            for list, status, cases, pictures in await sala.store.case_counts():
                click.echo(f"{list}, {status}: {cases} cases, {pictures} pictures and videos")
            return
        state = await sala.store.case_state(number)
        if state is None:
            raise click.ClickException("There is no such case.")
        click.echo("\n".join(_case_lines(state)))

    with_sala(usable_settings(), use)


def _case_lines(state: CaseState) -> Iterator[str]:
    standing = state.standing
    yield f"{state.list}' list, {standing.status}, {standing.images} pictures and videos"
    yield f"opened {state.opened:%Y-%m-%d}; updates {'wanted' if state.followed else 'not wanted'}"
    if state.withdraws:
        yield f"to be withdrawn {state.withdraws:%Y-%m-%d %H:%M} UTC"
    for one in standing.told:
        yield f"  {one.partner}: {one.outcome}"


# ---------------------------------------------------------------- the exchange


@click.group(invoke_without_command=True)
@click.pass_context
def exchange(context: click.Context) -> None:
    """What stands on the lists, who is behind, and what waits for you."""
    if context.invoked_subcommand is None:
        with_sala(usable_settings(), _show_exchange)


async def _show_exchange(sala: Sala) -> None:
    for list, status, hashes in await sala.store.listed():
        click.echo(f"{list}, {status}: {hashes} hashes")
    for name, list, changes in await sala.store.behind():
        click.echo(f"{name} has {changes} changes of the {list}' list to fetch")
    for line in await above_lines(sala):
        click.echo(line)
    waiting, denied = await sala.store.denials("asked"), await sala.store.denials("denied")
    click.echo(f"denylist: {len(denied)} codes; {len(waiting)} to decide (sala exchange queue)")


exchange.add_command(try_service)
exchange.add_command(check)


@exchange.command("queue")
def queue() -> None:
    """What several partners refused and none blocked: numbers, nothing of the picture. Until you
    decide, copies of it add no code to the list."""

    async def use(sala: Sala) -> None:
        for one in await sala.store.denials("asked"):
            click.echo(f"{one.number}  {one.kind}, from {one.source}, since {one.at:%Y-%m-%d}")

    with_sala(usable_settings(), use)


@exchange.command("decide")
@click.argument("number", type=int)
@click.argument("what", type=click.Choice(["deny", "allow"]))
def decide(number: int, what: str) -> None:
    """Deny a number of the queue from now on, or allow it for good. Cases that hold it keep it."""

    async def use(sala: Sala) -> None:
        try:
            await sala.store.decide(number, "denied" if what == "deny" else "allowed")
        except ValueError as error:
            raise click.ClickException(str(error)) from None

    with_sala(usable_settings(), use)


@exchange.command("deny")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def deny(paths: tuple[Path, ...]) -> None:
    """Register nothing that looks like these pictures of everybody's (or those in a folder)."""

    async def use(sala: Sala) -> None:
        codes = pictures = 0
        async for item in _items(paths):
            codes += await sala.store.deny([item], now())
            pictures += 1
        click.echo(f"{pictures} pictures, {codes} new codes on the denylist")

    with_sala(usable_settings(), use)


async def _items(paths: tuple[Path, ...]) -> AsyncIterator[Item]:
    files = OwnFiles(partial(click.echo, err=True))
    for path in paths:
        inside = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else []
        for file in inside or [path]:
            try:
                yield await files.hash(file)
            except ImageError as error:
                if not inside:
                    raise click.ClickException(f"{path}: {told(error)}") from None


@exchange.command("report")
@click.argument("month", metavar="YYYY-MM")
@click.option("--page", is_flag=True, help="As an HTML page instead of CSV.")
def report(month: str, page: bool) -> None:
    """The transparency file of a month on standard output: counts alone, none under five."""
    try:
        start, end = transparency.span(month)
    except ValueError:
        raise click.ClickException("A month is written 2026-11.") from None
    if start > now():
        raise click.ClickException("That month has not begun.")

    async def use(sala: Sala) -> None:
        await _print_month(sala, month, (start, end), page)

    with_sala(usable_settings(), use)


async def _print_month(sala: Sala, month: str, time: tuple[datetime, datetime], page: bool) -> None:
    rows = await sala.store.month(*time)
    shown = transparency.as_page if page else transparency.as_csv
    click.echo(shown(month, rows), nl=False)


commands: Final[tuple[click.Command, ...]] = (partner, case, exchange)
