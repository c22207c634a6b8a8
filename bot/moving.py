"""Moves all that Sala keeps to another database: `sala export FILE`, then `sala import FILE`;
and shows what is kept about one case: `sala export --everything CASE`."""

import json
import os
from pathlib import Path
from typing import Final

import click

from bot.app import Sala
from bot.opening import usable_settings, with_sala


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--everything", metavar="CASE", help="Only what is kept about one case, readable.")
def export(file: Path | None, everything: str | None) -> None:
    """Write all that is kept into a new file (mode 600), sealed as it is, and print its digest.

    Stop Sala first, so that nothing is kept afterwards that is not in the file.

    With --everything: all that could be handed over about one case, opened, as JSON, into the file
    or on standard output. Codes of pictures, the chat's address and its state are among it.
    """
    if everything is None and file is None:
        raise click.UsageError("Name a FILE, or a case with --everything.")

    async def use(sala: Sala) -> None:
        if everything is not None:
            await _show(sala, everything, file)
        elif file is not None:
            with os.fdopen(_made(file), "w", encoding="utf-8") as out:
                click.echo(await sala.store.write_out(out))

    with_sala(usable_settings(), use)


async def _show(sala: Sala, case: str, file: Path | None) -> None:
    found = await sala.store.everything(case)
    standing = await sala.store.standing(case)
    if found is None or standing is None:
        raise click.ClickException("There is no such case.")
    told = [{"partner": one.partner, "outcome": one.outcome} for one in standing.told]
    text = json.dumps({"told": told} | found, ensure_ascii=False, indent=2)
    if file is None:
        click.echo(text)
        return
    with os.fdopen(_made(file), "w", encoding="utf-8") as out:
        out.write(text + "\n")


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_(file: Path) -> None:
    """Fill an empty database with such a file, whole or not at all, and print its digest.

    The same key file is needed; the digest is that of `export` when both hold the same.
    """

    async def use(sala: Sala) -> None:
        with file.open(encoding="utf-8") as kept:
            await sala.store.read_in(kept)
        click.echo(await sala.store.write_out(None))

    with_sala(usable_settings(), use)


commands: Final[tuple[click.Command, ...]] = (export, import_)


def _made(file: Path) -> int:
    return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
