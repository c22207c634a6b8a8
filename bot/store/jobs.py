"""What every room of the store is made of: jobs, which are run on either database.

A job is given a connection that speaks the SQL both understand. It is whole or leaves no trace,
and may be run again from the start when others were in its way.

StoreError > Unwritten (try again), Unreadable (other keys), NewerSchema
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from bot.store import StoreError
from bot.vault import Unopened, Vault

T = TypeVar("T")
V = TypeVar("V")
Clock = Callable[[], datetime]


class Unwritten(StoreError):
    """The database, its disk or another process prevented it: nothing of it was kept."""


class Unreadable(StoreError):
    """The database was sealed with other keys."""


class Cursor(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int:
        """How many rows it wrote."""
        ...

    @property
    def lastrowid(self) -> int | None:
        """The number that the row it inserted was given."""
        ...

    def fetchone(self) -> Any:
        """The next row; None at the end."""
        ...

    def fetchall(self) -> list[Any]:
        """All rows."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """A database as a job sees it; placeholders are `?` or `:name`."""

    def execute(self, sql: str, parameters: Any = (), /) -> Cursor:
        """Run one statement."""
        ...

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Cursor:
        """Run one statement for each of these."""
        ...


@dataclass(frozen=True, slots=True)
class Alike(Generic[V, T]):
    """A job of a kind of which a group may hold many: a database to which each statement is a
    journey runs those in one go."""

    kind: str
    run: Callable[[Connection, V], T]
    value: V

    def __call__(self, db: Connection) -> T:
        """Run it by itself."""
        return self.run(db, self.value)


class Runs(Protocol):
    """Runs jobs on one database."""

    async def write(self, job: Callable[[Connection], T], about: bytes | None = None) -> T:
        """What the job returns or raises, once it is durable; a job that raises leaves no trace.

        No other job about the same conversation is run meanwhile, in whichever process; jobs about
        none (of cases and partners) are run one after the other.
        """
        ...

    async def read(self, job: Callable[[Connection], T]) -> T:
        """What the job makes of one consistent state of the database."""
        ...

    async def scrub(self) -> None:
        """Let nothing of what was erased stay in the log of writes, where that can be done."""
        ...

    async def close(self) -> None:
        """Write what was asked for, then close."""
        ...


class Part:
    """One room of the store; all rooms share one engine, one vault and one clock."""

    def __init__(self, engine: Runs, vault: Vault, clock: Clock, months: int = 24) -> None:
        self._engine = engine
        self._vault = vault
        self._clock = clock
        self._months = months

    @property
    def vault(self) -> Vault:
        """The keys that belong to the database."""
        return self._vault


def prove(db: Connection, vault: Vault) -> None:
    """Unreadable unless this vault's seals and pepper are those the database began with."""
    if not proven(db, vault):
        sealed = vault.seal("proof.sealed|1", vault.digest("proof"))
        db.execute("insert into proof values (1, ?)", (sealed,))


def proven(db: Connection, vault: Vault) -> bool:
    """Whether the database began already; Unreadable when it did with other keys."""
    row = db.execute("select sealed from proof").fetchone()
    if row is None:
        return False
    try:
        ours = vault.same(vault.open("proof.sealed|1", row[0]), vault.digest("proof"))
    except Unopened:
        ours = False
    if not ours:
        raise Unreadable("The keys do not belong to this database.")
    return True
