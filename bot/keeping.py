"""What an operator does to all that is kept: `sala backup FILE`."""

from pathlib import Path
from typing import Final

import click

from bot.opening import usable_settings
from bot.store import StoreError
from bot.store.copying import copy_file


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


commands: Final[tuple[click.Command, ...]] = (backup,)
