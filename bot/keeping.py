"""What an operator does to all that is kept: `sala backup FILE`, `sala rotate`,
`sala erase CASE`."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from bot.app import Sala, now
from bot.cases.number import read_number
from bot.opening import usable_settings, with_sala
from bot.settings import Settings
from bot.store import WITHDRAW_AFTER, StoreError
from bot.store.opening import begins_alone, copy_store, ends_alone, open_store
from bot.vault import Vault, VaultError, load_or_make, replace_keys, turning


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Copy the database, while Sala runs or not, into a new file (mode 600), sealed as it is.

    Restoring it needs the key file, which is not in it. Of PostgreSQL it is an archive of pg_dump,
    which pg_restore reads.
    """
    settings = usable_settings()
    try:
        copy_store(settings, file)
    except FileExistsError:
        raise click.ClickException(f"{file} is there already, and was left as it is.") from None
    except StoreError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename or file}: {error.strerror}") from None


@click.command()
@click.option("--running", is_flag=True, help="PostgreSQL: while Sala runs, of one key file.")
def rotate(running: bool) -> None:
    """Put a new seal key into the key file and seal with it what is kept, while Sala runs or not.

    Ended midway it goes on when it is run again. The former key goes from the file once nothing is
    sealed with it and Sala stands. What is looked up by (the pepper) stays as it is.

    On PostgreSQL all processes of Sala are stopped first, as other machines have the key file of
    before: copy the new one there. --running is for those that all read this very file.
    """
    settings = usable_settings()
    for file in (settings.key_file, *([] if settings.postgres else [settings.database])):
        if not file.exists():
            raise click.ClickException(f"There is no {file}.")
    try:
        with turning(settings.key_file) as key_file:
            _rotate(replace(settings, key_file=key_file), running=running or not settings.postgres)
    except (StoreError, VaultError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None


def _rotate(settings: Settings, *, running: bool) -> None:
    key_file = settings.key_file
    vault, _ = load_or_make(key_file)
    goes_on = vault.former
    if goes_on:
        click.echo("Goes on with the new key that is there already.")
    else:
        asyncio.run(_belong(settings, vault))
        vault = vault.with_new_key()
    _begin(settings, vault, running=running, known=goes_on)
    if not goes_on:
        click.echo(f"A new key is first in {key_file}. Copy that file offline again, now.")
    click.echo(f"{asyncio.run(_sealed_anew(settings, vault))} values sealed anew.")
    if ends_alone(settings, vault, lambda: replace_keys(key_file, vault.without_former())):
        click.echo("The former key is gone from the file, and opens old backups alone.")
    else:
        click.echo(
            "The former key stays in the file while Sala runs: stop Sala, run `sala rotate` once "
            "more, and start it."
        )


def _begin(settings: Settings, vault: Vault, *, running: bool, known: bool) -> None:
    """Put the new key first, unless it is `known` already."""

    def put() -> None:
        if not known:
            replace_keys(settings.key_file, vault)

    if running:
        put()
    elif not begins_alone(settings, vault, put):
        raise click.ClickException(
            "Other processes have the database open: stop Sala on every machine, run `sala rotate` "
            "again, copy the key file to every machine, and start Sala. Where all of them read "
            "this very key file, `sala rotate --running` changes the key while they run."
        )


async def _belong(settings: Settings, vault: Vault) -> None:
    """An error when these keys are not those of the database."""
    await open_store(settings, vault).close()


async def _sealed_anew(settings: Settings, vault: Vault) -> int:
    store = open_store(settings, vault)
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
