"""Copies a PostgreSQL database while Sala uses it, by its own `pg_dump`: all of one moment, sealed
as it is kept."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from psycopg import ProgrammingError, pq

from bot.store.copying import NotCopied, written_whole

_HOME: Final = {"PATH": os.defpath, "HOME": str(Path.home())}
"""Where PostgreSQL's programs look for their parts, and for certificates."""


def dump(url: str, to: Path) -> None:
    """A new file (mode 600) that `pg_restore` reads, whole or not at all, read through, durable.

    Nothing is written over: FileExistsError. NotCopied when `pg_dump` is missing or gave up.
    """
    with written_whole(to) as draft:
        _run(
            "pg_dump",
            "--format=custom",
            "--no-owner",
            "--no-privileges",
            f"--file={draft}",
            url=url,
        )
        _run("pg_restore", f"--file={os.devnull}", str(draft), url=url)


def _run(program: str, *words: str, url: str) -> None:
    found = shutil.which(program)
    if not found:
        raise NotCopied(f"{program} is needed (on Debian: apt-get install postgresql-client).")
    done = subprocess.run(  # noqa: S603  # the words are ours
        [found, *words], env=_HOME | _named(pq.Conninfo.get_defaults()) | named(url),
        stdin=subprocess.DEVNULL,
        capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise NotCopied(f"{program} gave up: {said[0]}")


def named(url: str) -> dict[str, str]:
    """The address as the variables that PostgreSQL's programs read: a command line is everybody's,
    and there is a password in it."""
    try:
        options = pq.Conninfo.parse(url.encode())
    except ProgrammingError:
        raise NotCopied("DATABASE_URL is no address of a PostgreSQL database.") from None
    return _named(options)


def _named(options: list[pq.ConninfoOption]) -> dict[str, str]:
    return {one.envvar.decode(): one.val.decode() for one in options if one.envvar and one.val}
