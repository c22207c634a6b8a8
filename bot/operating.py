"""What an operator runs beside the bot: `sala setup …`, `sala doctor`, `sala knowledge`."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final, TypeVar, get_args

import click

from bot.conversation.model import LANGUAGES, Country, Language
from bot.finding import Finding, wrong
from bot.knowledge import Record, records
from bot.settings import Settings, SettingsError, read_settings
from bot.text import MissingText, Texts, load_texts
from bot.vault import VaultError, load_or_make

if TYPE_CHECKING:
    from bot.setup import Step

SECRET: Final = "SALA_LINE_LOGIN_SECRET"  # noqa: S105  # a name
T = TypeVar("T")

# setup and doctor are imported where they are used: LINE's and Telegram's libraries take 90 MB,
# which `sala run` without them does without.


@click.group()
def setup() -> None:
    """Set up a chat app's account, and say what only a person can do."""


@setup.command("line")
@click.option("--login-channel", help="Id of the LINE Login channel, to make or check a LIFF app.")
@click.option("--menu", type=click.Choice(LANGUAGES), default="th", show_default=True)
@click.option("--login-secret", envvar=SECRET, hidden=True)
def line(login_channel: str | None, menu: Language, login_secret: str | None) -> None:
    """Webhook, menus and LIFF app. May be run again; --menu is shown until a language is known."""
    from bot import setup as doing  # noqa: PLC0415  # see above

    settings = _settings()
    click.echo(doing.LINE_BY_HAND)
    login = _login(settings, login_channel, login_secret)
    _tell(doing.set_up_line(settings, _texts(), login, menu))


@setup.command("telegram")
def telegram() -> None:
    """Webhook (or none, for polling), commands, name and words. May be run again."""
    from bot import setup as doing  # noqa: PLC0415  # see above

    settings = _settings()
    click.echo(doing.TELEGRAM_BY_HAND)
    try:
        vault, _ = load_or_make(settings.key_file)
    except (VaultError, OSError) as error:
        raise click.ClickException(str(error)) from None
    _tell(doing.set_up_telegram(settings, _texts(), vault))


@click.command()
@click.option("--page", default="", help="Compare the mini-app's files at this address with ours.")
@click.option("--login-secret", envvar=SECRET, hidden=True)
def doctor(page: str, login_secret: str | None) -> None:
    """Say what is wrong and how to mend it; exit code 1 if anything is."""
    from bot import doctor as looking  # noqa: PLC0415  # see above

    try:
        settings = read_settings()
    except SettingsError as error:
        click.echo(str(wrong("Settings", str(error), "Then run sala doctor again.")))
        sys.exit(1)
    place = looking.Place(login_secret=login_secret or "")
    _diagnose(asyncio.run(_said(looking.examine(settings, place, page))))


@click.command()
@click.option("--unverified", is_flag=True, help="Only what waits, and what would settle it.")
@click.option("--country", type=click.Choice(get_args(Country)), help="Only this country's.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def knowledge(unverified: bool, country: Country | None, as_json: bool) -> None:
    """Every fact on the shelf: its sources, when it was checked, how sure it is."""
    for one in records():
        if (unverified and one.papers.sure) or (country and one.country != country):
            continue
        click.echo(json.dumps(one.plain(), ensure_ascii=False) if as_json else _entry(one))


commands: Final[tuple[click.Command, ...]] = (setup, doctor, knowledge)


def _settings() -> Settings:
    try:
        return read_settings()
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def _texts() -> Texts:
    try:
        return load_texts()
    except MissingText as error:
        raise click.ClickException(str(error)) from None


def _login(settings: Settings, channel: str | None, secret: str | None) -> tuple[str, str] | None:
    """Id and secret of the LINE Login channel; the secret is asked for when the id was given."""
    known = settings.line.login_channel if settings.line else ""
    if channel and not secret:
        secret = click.prompt("Channel secret of the LINE Login channel", hide_input=True)
    id = channel or known
    return (id, secret) if id and secret else None


def _entry(one: Record) -> str:
    papers = one.papers
    said = f"{one.name}: {one.value}" if one.value else one.name
    state = f"{'sure' if papers.sure else 'UNSURE'}, checked {papers.checked}"
    lines = [
        f"{one.country or '--'} {one.kind}  {said}",
        f"   {state}, reviewed by {papers.reviewer or 'nobody yet'}",
    ]
    lines += [f"   {source}" for source in papers.sources]
    lines += [f"   ? {papers.doubts}"] if papers.doubts else []
    lines += [f"   → {papers.settle}"] if papers.settle else []
    return "\n".join(lines)


def _tell(steps: "AsyncIterator[Step]") -> None:
    """Exit code 1 when a step was not done."""
    states = [step.state for step in asyncio.run(_said(steps))]
    if "failed" in states:
        sys.exit(1)
    click.echo("Nothing had to be changed." if set(states) == {"same"} else "Set up.")


def _diagnose(found: list[Finding]) -> None:
    ill = sum(one.grade == "wrong" for one in found)
    click.echo(f"{ill} to mend." if ill else "Nothing is wrong.")
    if ill:
        sys.exit(1)


async def _said(lines: AsyncIterator[T]) -> list[T]:
    """What comes, each printed as it comes."""
    found = []
    async for one in lines:
        click.echo(str(one))
        found.append(one)
    return found
