"""Moves all that Sala keeps to another database: `sala export FILE`, then `sala import FILE`."""

import os
from pathlib import Path
from typing import Final

import click

from bot.app import Sala
from bot.opening import usable_settings, with_sala


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path))
def export(file: Path) -> None:
    """Write all that is kept into a new file (mode 600), sealed as it is, and print its digest.

    Stop Sala first, so that nothing is kept afterwards that is not in the file.
    """

    async def use(sala: Sala) -> None:
        with os.fdopen(_made(file), "w", encoding="utf-8") as out:
            digest = await sala.store.write_out(out)
        click.echo(digest)

    with_sala(usable_settings(), use)


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
