"""The databases that the store's tests run on: an SQLite file, or a PostgreSQL of the tests' own.

The server keeps its data in a temporary folder and listens on a socket there alone. It runs as an
unprivileged user where the tests run as root.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp

import psycopg
from sqlite_utils.utils import sqlite3

from bot.store.ended import Ended
from bot.store.postgres import PostgresStore
from bot.store.sqlite import SqliteStore
from bot.store.whole import WholeStore
from bot.vault import Vault

SPEED = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
OURS = "sala"


def program(name: str) -> str:
    """One of the server's programs, where Debian keeps them or on the path."""
    kept = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = str(kept[-1]) if kept else shutil.which(name)
    assert found, "The tests need PostgreSQL's server (on Debian: apt-get install postgresql)."
    return found


def _words(*command: str) -> list[str]:
    """The command as an unprivileged user, ended with the tests however they end."""
    nobody = ("--reuid=nobody", "--regid=nogroup", "--clear-groups") if os.getuid() == 0 else ()
    return ["setpriv", "--pdeathsig=QUIT", *nobody, *command]


@contextmanager
def server(settings: Sequence[str] = SPEED) -> Iterator[str]:
    """The address of a new server's own database, while it runs."""
    folder = Path(mkdtemp(prefix="sala-pg-"))
    try:
        make_cluster(folder)
        with running(folder, settings) as address:
            yield address
    finally:
        shutil.rmtree(folder)


def make_cluster(folder: Path, *more: str) -> None:
    """What a server keeps, in a folder that is there already."""
    if os.getuid() == 0:
        shutil.chown(folder, "nobody", "nogroup")
    quick = ("--no-sync", "--no-locale", "--encoding=UTF8", "--auth=trust")
    initdb = _words(program("initdb"), *quick, *more, "-U", OURS, "-D", str(folder / "data"))
    subprocess.run(initdb, check=True, cwd="/", stdout=subprocess.DEVNULL)


@contextmanager
def running(folder: Path, settings: Sequence[str]) -> Iterator[str]:
    """The address of a server on what `make_cluster` made, while it runs."""
    address = f"postgresql://{OURS}@/postgres?host={folder}"
    with subprocess.Popen(
        starting(folder, settings), cwd="/", stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait(address, process)
            yield address
        finally:
            process.send_signal(signal.SIGQUIT)


def starting(folder: Path, settings: Sequence[str] = SPEED) -> list[str]:
    """The command that begins the server in its folder, the first time or again."""
    own = (f"unix_socket_directories={folder}", "listen_addresses=", *settings)
    options = [word for one in own for word in ("-c", one)]
    return _words(program("postgres"), "-D", str(folder / "data"), *options)


def _wait(address: str, process: "subprocess.Popen[bytes]") -> None:
    """Until it takes connections."""
    while process.poll() is None:
        with suppress(psycopg.OperationalError), psycopg.connect(address):
            return
    raise AssertionError("PostgreSQL's server did not start.")


# ---------------------------------------------------------------- which one


class Chosen:
    """Where stores are opened: in PostgreSQL at this address, or (None) in files.

    In PostgreSQL there is one database; it stands for the path that was opened last.
    """

    address: str | None = None
    path: Path | None = None


def open_store(
    path: Path, vault: Vault, clock: Callable[[], datetime], retention_months: int = 24
) -> WholeStore:
    if Chosen.address is None:
        return SqliteStore.open(path, vault, clock, retention_months)
    stand_for(path)
    ended = Ended(path, "here")
    return PostgresStore.open(Chosen.address, vault, clock, retention_months, ended=ended)


def stand_for(path: Path) -> None:
    """PostgreSQL's database, when that is chosen, stands for this path, and is empty at first."""
    if Chosen.address is not None and path != Chosen.path:
        forget()
        Chosen.path = path


def put_back(copy: Path, path: Path) -> None:
    """What `sala backup` wrote, in place of the database, as docs/deploy.md says."""
    if Chosen.address is None:
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()
        copy.rename(path)
        return
    drop(Chosen.address)
    words = ("--exit-on-error", "--single-transaction", "--no-owner", f"--dbname={Chosen.address}")
    subprocess.run([program("pg_restore"), *words, str(copy)], check=True, capture_output=True)
    Chosen.path = path


def forget() -> None:
    """Empty PostgreSQL's tables, when there are any."""
    with psycopg.connect(Chosen.address or "", autocommit=True) as pg:
        if tables := ", ".join(_tables(pg)):
            pg.execute(f"truncate {tables} restart identity")
            pg.execute("insert into edge values (1, 0, 0)")


def drop(address: str) -> None:
    """Remove the tables too."""
    ran(address, "drop schema public cascade")
    ran(address, "create schema public")


def dump(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, without what only PostgreSQL keeps."""
    if Chosen.address is None:
        db = sqlite3.connect(path)
        tables = db.execute("select name from sqlite_master where type = 'table'").fetchall()
        rows = {name: db.execute(f"select * from {name}").fetchall() for (name,) in tables}
        db.close()
        return rows
    with psycopg.connect(Chosen.address) as pg:
        rows = {name: _rows(pg, name) for name in _tables(pg)}
    return rows | {"conversation": [row[:-2] for row in rows["conversation"]]}


def ran(address: str, statement: str) -> list[tuple[object, ...]]:
    """What one statement gives, past all stores."""
    with psycopg.connect(address, autocommit=True) as pg:
        done = pg.execute(statement)
        return done.fetchall() if done.description else []


def _rows(pg: psycopg.Connection[tuple[object, ...]], name: str) -> list[tuple[object, ...]]:
    return sorted(pg.execute(f"select * from {name}", binary=True).fetchall(), key=repr)


def _tables(pg: psycopg.Connection[tuple[object, ...]]) -> list[str]:
    tables = pg.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
    return [str(name) for (name,) in tables if not str(name).startswith(("sala", "seen_"))]
