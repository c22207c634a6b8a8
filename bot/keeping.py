"""What an operator does to all that is kept: `sala backup FILE`, `sala rotate`,
`sala erase CASE`."""

import asyncio
from pathlib import Path
from typing import Final

import click

from bot.app import Sala, now
from bot.cases.number import read_number
from bot.opening import usable_settings, with_sala
from bot.store import WITHDRAW_AFTER, StoreError
from bot.store.copying import copy_file
from bot.store.resealing import ends_alone
from bot.store.sqlite import SqliteStore
from bot.vault import Vault, VaultError, load_or_make, replace_keys, turning


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Copy the database, while Sala runs or not, into a new file (mode 600), sealed as it is.

    Restoring it needs the key file, which is not in it.
    """
    settings = usable_settings()
    if settings.postgres:
        raise click.ClickException(
            "PostgreSQL has its own backups (pg_basebackup, pg_dump); "
            "`sala export FILE` writes all that is kept into one file."
        )
    try:
        copy_file(settings.database, file)
    except FileExistsError:
        raise click.ClickException(f"{file} is there already, and was left as it is.") from None
    except StoreError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename or file}: {error.strerror}") from None


@click.command()
def rotate() -> None:
    """Put a new seal key into the key file and seal with it what is kept, while Sala runs or not.

    Ended midway it goes on when it is run again. The former key goes from the file once nothing is
    sealed with it and Sala stands. What is looked up by (the pepper) stays as it is.
    """
    settings = usable_settings()
    if settings.postgres:
        raise click.ClickException("On PostgreSQL keys cannot be changed yet.")
    for file in (settings.key_file, settings.database):
        if not file.exists():
            raise click.ClickException(f"There is no {file}.")
    try:
        with turning(settings.key_file) as key_file:
            _rotate(key_file, settings.database)
    except (StoreError, VaultError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None


def _rotate(key_file: Path, database: Path) -> None:
    vault, _ = load_or_make(key_file)
    if vault.former:
        click.echo("Goes on with the new key that is there already.")
    else:
        asyncio.run(_belong(database, vault))
        vault = vault.with_new_key()
        replace_keys(key_file, vault)
        click.echo(f"A new key is first in {key_file}. Copy that file offline again, now.")
    click.echo(f"{asyncio.run(_sealed_anew(database, vault))} values sealed anew.")
    if ends_alone(database, vault, lambda: replace_keys(key_file, vault.without_former())):
        click.echo("The former key is gone from the file, and opens old backups alone.")
    else:
        click.echo(
            "The former key stays in the file while Sala runs: stop Sala, run `sala rotate` once "
            "more, and start it."
        )


async def _belong(database: Path, vault: Vault) -> None:
    """An error when these keys are not those of the database."""
    await SqliteStore.open(database, vault).close()


async def _sealed_anew(database: Path, vault: Vault) -> int:
    store = SqliteStore.open(database, vault)
    try:
        return sum([count async for count in store.reseal()])
    finally:
        await store.close()


@click.command()
@click.argument("case")
@click.option("--undo", is_flag=True, help="Keep a case whose erasure waits.")
def erase(case: str, undo: bool) -> None:
    """Erase one case, as its person may (C12): at once with its PIN, else in 48 hours.

    Its codes stand on the lists as withdrawn until partners have seen it, and as another case's
    while another case holds them.
    """

    async def use(sala: Sala) -> None:
        if await sala.store.standing(case) is None:
            raise click.ClickException("There is no such case.")
        if undo:
            await sala.store.keep(case)
            click.echo("It is kept, unless its withdrawal has taken effect already.")
            return
        if read_number(click.prompt("Type the case number again")) != read_number(case):
            raise click.ClickException("That is another number: nothing was erased.")
        click.echo("Whoever holds the person's phone must not lift their protection by a word.")
        pin = click.prompt("PIN (empty without it)", "", hide_input=True, show_default=False)
        await _erase(sala, case, pin)

    with_sala(usable_settings(), use)


async def _erase(sala: Sala, case: str, pin: str) -> None:
    if not pin:
        await sala.store.withdraw(case, now() + WITHDRAW_AFTER, erase=True)
        click.echo(
            "It will be erased in 48 hours, by Sala that runs. Until then the person can keep"
        )
        click.echo("it in the chat, and you with `sala erase --undo`.")
        return
    found = await sala.store.check_pin(case, pin, now())
    if not found.right:
        wait = f" The next try is read in {found.wait} seconds." if found.wait else ""
        raise click.ClickException(f"Number and PIN do not belong together.{wait}")
    await sala.store.withdraw(case, now(), erase=True)
    await sala.store.sweep(now())
    click.echo("The case is erased.")


commands: Final[tuple[click.Command, ...]] = (backup, rotate, erase)
