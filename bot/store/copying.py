"""Copies the SQLite file while Sala writes it, by SQLite's own backup: all of one moment, sealed as
it is kept."""

import os
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bot.store import StoreError
from bot.vault import sync

if TYPE_CHECKING:
    import sqlite3
else:
    from sqlite_utils.utils import sqlite3  # the SQLite that Sala uses


class NotCopied(StoreError):
    """There is no whole copy, and no part of one was left."""


def copy_file(database: Path, to: Path) -> None:
    """A new file (mode 600), written whole or not at all, read through, and durable.

    Nothing is written over: FileExistsError. NotCopied when the database is missing, or it or its
    copy cannot be read or written.
    """
    with written_whole(to) as draft:
        try:
            _copy(database, draft)
            _read_through(draft)
        except sqlite3.Error as error:
            raise NotCopied(f"{database} was not copied: {type(error).__name__}.") from error


@contextmanager
def written_whole(to: Path) -> Iterator[Path]:
    """A draft (mode 600) that becomes the new file at the end, durably; nothing is left of it when
    it failed. FileExistsError when there is such a file."""
    draft = to.with_name(f".{to.name}.{secrets.token_hex(8)}")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield draft
        sync(draft)
        os.link(draft, to)
        sync(to.parent)
    finally:
        draft.unlink(missing_ok=True)


def _copy(database: Path, draft: Path) -> None:
    """In one step: another's write would begin it anew between two.

    Opened to write, though nothing is: else the log's files would stay beside it when Sala stands.
    """
    with closing(_open(database, "mode=rw")) as kept, closing(_open(draft, "mode=rw")) as copy:
        copy.execute("pragma journal_mode = off").fetchall()  # a draft needs none beside it
        kept.backup(copy)


def _read_through(draft: Path) -> None:
    with closing(_open(draft, "mode=ro&immutable=1")) as copy:
        if copy.execute("pragma quick_check(1)").fetchone() != ("ok",):
            raise NotCopied("The copy is not whole: look at the database, and at its disk.")


def _open(path: Path, how: str) -> "sqlite3.Connection":
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None)
