"""Events, deaths, lost sends and erasures in any order, against a model of plain fields: each event
makes one turn in its order, each message goes out once and none is lost, and what was erased leaves
nothing and gets nothing. `SALA_FUZZ=300` (`make fuzz`) plays so many."""

import asyncio
import os
from collections.abc import Callable
from datetime import datetime, timedelta

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
from bot.channels import SendError, TryAgain, Unreachable
from bot.conversation.flows import TABLE
from bot.conversation.model import (
    LANGUAGES,
    Chose,
    Event,
    Gone,
    Hashed,
    Media,
    NodeId,
    Opened,
    TooLong,
)
from bot.conversation.table import Ask
from bot.store import Ticket
from bot.store.ledger import named
from tests import databases
from tests.fuzz.grammar import LONG
from tests.machine_sala import NAMES, Sala, who
from tests.talking import TO_APP, VAULT

CHOICES = [(one.id, option.value) for one in TABLE.values() if isinstance(one, Ask)
           for option in one.options]  # fmt: skip
USUAL = [tuple(choice.split("=")) for choice in (*TO_APP, "ask.aftercare=yes")]
PLAYED = settings(
    max_examples=int(os.environ.get("SALA_FUZZ") or 8), stateful_step_count=60 if LONG else 25,
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

    @rule(name=people, event=happens)
    def leave_before_it_is_said(self, name: str, event: Callable[[datetime], Event]) -> None:
        """What did not go out in time falls (`Hush`)."""
        self.the_next_send_fails(0, "later")
        self.receive_and_work(name, event)
        self.receive(name, Gone)
        self.tick(1_000)
        self.work()

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
    cells = [cell for cell in cells if cell not in [*map(who, NAMES)]]  # its follower lives on
    await sala.store.withdraw(number, sala.now, erase=True)
    await sala.sweeps(writes, after=after)
    assert await sala.store.standing(number) is None
    assert sala.about(*cells) == []


def test_whatever_happens_in_whatever_order_nothing_is_lost_or_said_twice(both: str) -> None:
    played = PLAYED if both == "sqlite" else settings(PLAYED, max_examples=PLAYED.max_examples // 4)
    run_state_machine_as_test(Machine, settings=played)
