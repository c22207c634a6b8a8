"""Events, deaths, lost sends and erasures in any order, against a model of plain fields: each event
makes one turn in its order, each message goes out once and none is lost, and what was erased leaves
nothing and gets nothing. `SALA_FUZZ=long` (`make fuzz`) plays many more, on either database."""

import asyncio
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bot.cases.hashes import Hash, Item
from bot.channels import Message, Plain, SendError, TryAgain, Unreachable
from bot.conversation.codec import decode_state, encode_inbound
from bot.conversation.flows import TABLE
from bot.conversation.model import (
    LANGUAGES,
    Chose,
    Event,
    Gone,
    Hashed,
    Language,
    Media,
    NodeId,
    Opened,
    State,
    TooLong,
)
from bot.conversation.table import Ask
from bot.store import Arrival, ConversationId, Ticket
from bot.store.jobs import Connection, Runs
from bot.store.ledger import named
from bot.store.retention import VISIT_IDLE
from bot.store.whole import WholeStore
from bot.voice import Operator, Voice
from bot.worker import Worker
from tests import databases
from tests.fuzz.grammar import LONG
from tests.machine_model import TEXTS, Person
from tests.talking import BANGKOK, DAY, HOME, TO_APP, VAULT, Killed

T = TypeVar("T")
NAMES = ("ann", "bob", "eve")
DOOR = "browser"
"""Where a visit that nobody comes back to is forgotten after a month."""
CHOICES = [(one.id, option.value) for one in TABLE.values() if isinstance(one, Ask)
           for option in one.options]  # fmt: skip
USUAL = [tuple(choice.split("=")) for choice in (*TO_APP, "ask.aftercare=yes")]
PLAYED = settings(
    max_examples=400 if LONG else 8, stateful_step_count=60 if LONG else 25,
    derandomize=not LONG, database=None, deadline=None, suppress_health_check=list(HealthCheck),
)  # fmt: skip

happens: st.SearchStrategy[Callable[[datetime], Event]] = st.one_of(
    st.sampled_from([*CHOICES, *USUAL * 5]).map(
        lambda one: lambda at: Chose(at, NodeId(one[0]), one[1])
    ),
    st.sampled_from(LANGUAGES).map(lambda language: lambda at: Opened(at, language)),
    st.sampled_from([Gone, TooLong, lambda at: Media(at, "sticker")]),
)
people = st.sampled_from(NAMES)


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

    async def asked(self, query: str) -> list[tuple[Any, ...]]:
        return await self.engine.engine.read(lambda db: db.execute(query).fetchall())

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
        about = f"x'{who(name).hex()}'"
        if databases.Chosen.address:
            about = f"'\\x{who(name).hex()}'::bytea"
        query = f"select count(*) from {table} where conversation = {about} {more}"
        return int((await self.asked(query))[0][0])

    def about(self, *cells: bytes) -> list[str]:
        """The tables in which one of these stands."""
        kept = databases.dump(self.folder / "sala.db")
        return [name for name, rows in kept.items() for row in rows if {*cells} & {*row}]


def who(name: str) -> ConversationId:
    """A conversation's id."""
    return ConversationId(name.encode().ljust(16, b"."))


class Machine(RuleBasedStateMachine):
    """Whatever may happen, in any order."""

    @initialize()
    def begins(self) -> None:
        self.runner = asyncio.Runner()
        self.sala = Sala()

    def teardown(self) -> None:
        with self.runner:
            self.runner.run(self.sala.closes())

    @rule(name=people, event=happens)
    def receive(self, name: str, event: Callable[[datetime], Event]) -> None:
        self.runner.run(self.sala.receives(name, event(self.sala.now)))

    @rule(name=people, event=happens, writes=st.integers(0, 1), after=st.booleans())
    def receive_and_die(
        self, name: str, event: Callable[[datetime], Event], writes: int, after: bool
    ) -> None:
        """The platform got no answer: it delivers the event again."""

        async def story() -> None:
            said = event(self.sala.now)
            arrival = self.sala.arrival(name, said)
            with self.sala.dying(writes, after=after):
                assert await self.sala.store.receive(arrival)
            if self.sala.engine.is_dead:
                await self.sala.begins_anew()
                assert await self.sala.store.receive(arrival) is not after
            self.sala.met(name, arrival, said)

        self.runner.run(story())

    @precondition(lambda self: self.sala.known)
    @rule(data=st.data())
    def redeliver(self, data: st.DataObject) -> None:
        """An event of the last two days."""
        since = self.sala.now - timedelta(days=2)
        lately = [arrival for _, arrival in self.sala.known if arrival.at > since]
        if lately:
            again = data.draw(st.sampled_from(lately))
            assert not self.runner.run(self.sala.store.receive(again))

    @rule(name=people, event=happens)
    def receive_and_work(self, name: str, event: Callable[[datetime], Event]) -> None:
        self.receive(name, event)
        self.work()

    @rule()
    def work(self) -> None:
        self.runner.run(self.sala.works())

    @rule(name=people, event=happens, writes=st.integers(0, 6), after=st.booleans())
    def receive_and_work_and_die(
        self, name: str, event: Callable[[datetime], Event], writes: int, after: bool
    ) -> None:
        self.receive(name, event)
        self.work_and_die(writes, after)

    @rule(writes=st.integers(0, 14), after=st.booleans())
    def work_and_die(self, writes: int, after: bool) -> None:
        self.runner.run(self.sala.works(writes, after=after))

    @rule()
    def work_and_die_once_something_was_sent(self) -> None:
        self.sala.door.kills = True
        self.runner.run(self.sala.works())
        self.sala.door.kills = False

    @rule()
    def die(self) -> None:
        self.runner.run(self.sala.begins_anew())

    @rule(sent=st.integers(0, 3), kind=st.sampled_from(["later", "at", "held", "never"]))
    def the_next_send_fails(self, sent: int, kind: str) -> None:
        at = self.sala.now + timedelta(minutes=5)
        error = {
            "later": SendError(sent), "at": TryAgain(sent, at), "held": TryAgain(sent),
            "never": Unreachable(sent),
        }[kind]  # fmt: skip
        self.sala.door.fails = [error]

    @rule(seconds=st.sampled_from([1, 3, 60, 1_000, 3_600, 86_400, 4 * 86_400]))
    def tick(self, seconds: int) -> None:
        self.sala.now += timedelta(seconds=seconds)

    @rule(writes=st.none() | st.integers(0, 5), after=st.booleans())
    def a_month_passes(self, writes: int | None, after: bool) -> None:
        self.sala.now += timedelta(days=31)
        self.runner.run(self.sala.sweeps(writes, after=after))

    @precondition(lambda self: any(one.is_met for one in self.sala.people.values()))
    @rule(data=st.data())
    def register(self, data: st.DataObject) -> None:
        """A picture's codes, for somebody's first case."""
        met = [name for name, one in self.sala.people.items() if one.is_met]
        name = data.draw(st.sampled_from(met))
        if name not in self.sala.cases:
            self.runner.run(registers(self.sala, name))

    @precondition(lambda self: self.sala.cases)
    @rule(data=st.data(), writes=st.none() | st.integers(0, 3), after=st.booleans())
    def erase_a_case(self, data: st.DataObject, writes: int | None, after: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.sala.cases)))
        self.runner.run(erases(self.sala, self.sala.cases.pop(name), writes, after=after))

    @invariant()
    def what_is_kept_is_what_the_model_says(self) -> None:
        for name, one in self.sala.people.items():
            if one.is_met:
                self.runner.run(self.sala.is_as(name, one))
            else:
                assert self.sala.about(who(name)) == []


async def registers(sala: Sala, name: str) -> None:
    digest = f"ticket of {name} {next(sala.ids)}".encode()
    item = Item("image", (Hash("pdq", "512", digest.hex().ljust(64, "0")[:64], 90),))
    await sala.store.issue(Ticket(digest, who(name), "adults", sala.now + timedelta(hours=1)))
    case = await sala.store.register(digest, [item], sala.now)
    sala.cases[name] = case.number
    sala.people[name].arrives(Hashed(sala.now, case.number, 1), from_sala=True)


async def erases(sala: Sala, number: str, writes: int | None, *, after: bool) -> None:
    digest = named(VAULT, number)
    rows = [row for row in databases.dump(sala.folder / "sala.db")["cases"] if digest in row]
    cells = [cell for row in rows for cell in row if isinstance(cell, bytes)]
    cells = [cell for cell in cells if cell not in map(who, NAMES)]  # its follower lives on
    await sala.store.withdraw(number, sala.now, erase=True)
    await sala.sweeps(writes, after=after)
    assert await sala.store.standing(number) is None
    assert sala.about(*cells) == []


def test_whatever_happens_in_whatever_order_nothing_is_lost_or_said_twice(both: str) -> None:
    played = PLAYED if both == "sqlite" else settings(PLAYED, max_examples=200 if LONG else 2)
    run_state_machine_as_test(Machine, settings=played)
