"""One Sala after another on what is kept, mortal at each of its writes and sends, and the people
of the model whom it serves."""

import asyncio
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar

from bot.channels import Message, Plain, SendError, Unreachable
from bot.conversation.codec import decode_state, encode_inbound
from bot.conversation.model import Event, Language, State
from bot.store import Arrival, ConversationId
from bot.store.jobs import Connection, Runs
from bot.store.retention import VISIT_IDLE
from bot.store.whole import WholeStore
from bot.voice import Operator, Voice
from bot.worker import Worker
from tests import databases
from tests.machine_model import TEXTS, Person
from tests.talking import BANGKOK, DAY, HOME, VAULT, Killed

T = TypeVar("T")
NAMES = ("ann", "bob", "eve")
DOOR = "browser"
"""Where a visit that nobody comes back to is forgotten after a month."""


class Mortal:
    """Runs jobs on a real engine, until its process ends before or after one of its writes."""

    def __init__(self, engine: Runs) -> None:
        self.engine = engine
        self.left: int | None = None
        self.after = False
        self.is_dead = False

    def dies(self, writes: int, *, after: bool) -> None:
        self.left, self.after = writes, after

    def lives_on(self) -> None:
        self.left = None

    async def write(self, job: Callable[[Connection], T], about: bytes | None = None) -> T:
        self.lives()
        ends, self.left = self.left == 0, None if self.left is None else self.left - 1
        if ends and self.after:
            await self.engine.write(job, about)
        self.is_dead = ends
        self.lives()
        return await self.engine.write(job, about)

    async def read(self, job: Callable[[Connection], T]) -> T:
        self.lives()
        return await self.engine.read(job)

    async def scrub(self) -> None:
        await self.engine.scrub()

    async def close(self) -> None:
        await self.engine.close()

    def lives(self) -> None:
        """Nothing is done by the dead."""
        if self.is_dead:
            raise Killed


class Door(Plain):
    """Tells the model what goes out; `fails` and `kills` are for the next send."""

    name = DOOR
    wakes = False

    def __init__(self, sala: "Sala") -> None:
        self.sala = sala
        self.fails: list[SendError] = []
        self.kills = False

    async def send(
        self, address: bytes, messages: Sequence[Message], way: bytes | None = None
    ) -> None:
        self.sala.engine.lives()
        person, now = self.sala.people[address.decode()], self.sala.now
        error = self.fails.pop() if self.fails else None
        sent = min(error.sent, len(messages) - 1) if error else len(messages)
        with self.sala.seeing():
            person.hears(messages[:sent], now)
        if self.kills:
            self.sala.engine.is_dead = True
            raise Killed
        if error:
            error.sent = sent
            person.fails(error, now)
            raise error

    async def speak(self, address: bytes, language: Language) -> None:
        self.sala.engine.lives()
        with self.sala.seeing():
            assert address, "to nobody"
        person = self.sala.people[address.decode()]
        if self.fails and isinstance(self.fails[-1], Unreachable):
            person.fails(error := self.fails.pop(), self.sala.now)
            raise error
        with self.sala.seeing():
            person.speaks(language)


class Sala:
    """One Sala after another on what is kept, and the people of the model."""

    def __init__(self) -> None:
        self.now = DAY
        self.people = {name: Person() for name in NAMES}
        self.known: list[tuple[str, Arrival]] = []
        self.cases: dict[str, str] = {}
        self.fault: AssertionError | None = None
        self.ids = count(1)
        self.folder = Path(mkdtemp(prefix="sala-machine-"))
        self.opens()

    def opens(self) -> None:
        self.store: WholeStore = databases.open_store(
            self.folder / "sala.db", VAULT, lambda: self.now
        )
        self.engine = Mortal(self.store._engine)
        self.store._engine = self.engine
        self.door = Door(self)
        voice = Voice(TEXTS, self.store, VAULT, Operator("", "", 24), HOME)
        self.worker = Worker(
            self.store, self.store, voice, VAULT, TEXTS, {DOOR: self.door}, lambda: self.now,
            BANGKOK,
        )  # fmt: skip

    async def closes(self) -> None:
        await self.engine.close()
        shutil.rmtree(self.folder)

    async def begins_anew(self) -> None:
        """After a death: what was begun ends, and what was written by then is there."""
        self.engine.is_dead = True
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)
        if databases.Chosen.address:  # its half minute is over
            await self.engine.close()
            databases.ran(databases.Chosen.address, "update conversation set held_by = null")
        else:
            left, self.folder = self.folder, Path(mkdtemp(prefix="sala-machine-"))
            for file in left.glob("sala*"):
                if not file.name.endswith("-shm"):
                    shutil.copy(file, self.folder)
            await self.engine.close()
            shutil.rmtree(left)
        self.opens()

    @contextmanager
    def dying(self, writes: int | None, *, after: bool) -> Iterator[None]:
        """The process ends in the block, at one of its writes, or it does not come so far."""
        if writes is not None:
            self.engine.dies(writes, after=after)
        with suppress(Killed):
            yield
        self.engine.lives_on()

    @contextmanager
    def seeing(self) -> Iterator[None]:
        """A fault that a door sees is the end, for the outbox would try again."""
        try:
            yield
        except AssertionError as fault:
            self.fault, self.engine.is_dead = fault, True
            raise Killed from None

    # -- what happens

    def arrival(self, name: str, event: Event) -> Arrival:
        id = f"event {next(self.ids)}"
        return Arrival(DOOR, id, who(name), name.encode(), encode_inbound(event), self.now)

    async def receives(self, name: str, event: Event) -> None:
        arrival = self.arrival(name, event)
        assert await self.store.receive(arrival)
        self.met(name, arrival, event)

    def met(self, name: str, arrival: Arrival, event: Event) -> None:
        self.people[name].arrives(event)
        self.known.append((name, arrival))

    async def works(self, writes: int | None = None, *, after: bool = False) -> None:
        """All there is to do now, or until the process ends."""
        before = {name: one.as_now() for name, one in self.people.items()}
        for one in self.people.values():
            one.turns(self.now)
        with self.dying(writes, after=after):
            await self.worker.drain()
        if self.fault:
            raise self.fault
        if not self.engine.is_dead:
            for one in self.people.values():
                one.rests(self.now)
            return
        await self.begins_anew()
        rows = await self.rows()
        for name, one in self.people.items():
            version, has_address = rows.get(who(name), (0, False))
            self.people[name] = one.died(version, has_address=has_address, before=before[name])

    async def sweeps(self, writes: int | None, *, after: bool) -> None:
        """Whose time is over is forgotten, though the process may end meanwhile."""
        with self.dying(writes, after=after):
            await self.store.sweep(self.now)
        if self.engine.is_dead:
            await self.begins_anew()
            await self.store.sweep(self.now)
        last = {name: arrival.at for name, arrival in self.known}
        for name, at in last.items():
            if at <= self.now - VISIT_IDLE:
                self.people[name] = Person()

    # -- what is kept

    async def asked(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return await self.engine.engine.read(lambda db: db.execute(query, values).fetchall())

    async def rows(self) -> dict[ConversationId, tuple[int, bool]]:
        found = await self.asked("select id, version, address is not null from conversation")
        return {ConversationId(id): (version, bool(there)) for id, version, there in found}

    async def is_as(self, name: str, one: Person) -> None:
        """What is kept about a person is what the model says."""
        version, has_address = (await self.rows())[who(name)]
        assert (version, has_address) == (one.version, one.has_address)
        kept = await self.store.state(who(name))
        assert (decode_state(kept) if kept else State()) == one.state
        assert await self.count("inbox", name) == len(one.waiting)
        assert await self.count("timer", name) == len(one.timers)
        left = await self.count("outbox", name, "and said = 1")
        assert sum(saying.sure for saying in one.outbox) <= left <= len(one.outbox)

    async def count(self, table: str, name: str, more: str = "") -> int:
        query = f"select count(*) from {table} where conversation = ? {more}"
        return int((await self.asked(query, who(name)))[0][0])

    def about(self, *cells: bytes) -> list[str]:
        """The tables in which one of these stands."""
        kept = databases.dump(self.folder / "sala.db")
        return [name for name, rows in kept.items() for row in rows if {*cells} & {*row}]


def who(name: str) -> ConversationId:
    """A conversation's id."""
    return ConversationId(name.encode().ljust(16, b"."))
