"""What the turn engine promises, whichever way events, turns and sending fall together."""

import asyncio
import stat
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlite_utils.utils import sqlite3

from bot.store import Arrival, Claimed, ConversationId, EffectId, NewerSchema, Planned, Turn
from bot.store.engine import GROUP, Engine, Unreadable, Unwritten
from bot.store.schema import micros, moment
from bot.store.sqlite import SqliteStore
from bot.vault import Vault

VAULT = Vault.generate()
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANN, BOB = ConversationId(b"a" * 16), ConversationId(b"b" * 16)
DOORS = ("line", "telegram")


@asynccontextmanager
async def opened(path: Path, now: datetime = NOW) -> AsyncIterator[SqliteStore]:
    store = SqliteStore.open(path, VAULT, lambda: now)
    try:
        yield store
    finally:
        await store.close()


Play = Callable[[Callable[[SqliteStore], Awaitable[None]]], None]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    def run(story: Callable[[SqliteStore], Awaitable[None]]) -> None:
        async def told() -> None:
            async with opened(tmp_path / "sala.db") as store:
                await story(store)

        asyncio.run(told())

    return run


def event(id: str, who: ConversationId = ANN, at: datetime = NOW, door: str = "line") -> Arrival:
    return Arrival(door, id, who, b"address of " + id.encode(), id.encode(), at)


def effect(id: str, due_at: datetime | None = NOW) -> Planned:
    return Planned(EffectId(id), id.encode(), due_at)


async def the_claim(store: SqliteStore, now: datetime = NOW) -> Claimed:
    (claimed,) = await store.claim(DOORS, now, 10)
    return claimed


async def answered(store: SqliteStore, id: str, *effects: Planned, hush: bool = False) -> None:
    assert await store.receive(event(id))
    assert await store.commit(await the_claim(store), Turn(b"s", effects, hush=hush))


async def due_ids(store: SqliteStore, now: datetime = NOW) -> list[str]:
    return [e.id for bundle in await store.due(DOORS, now, 10) for e in bundle.effects]


# ---------------------------------------------------------------- events


def test_an_event_is_kept_once_however_often_it_comes(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        assert await store.receive(event("1"))
        assert not await store.receive(event("1"))
        assert await store.commit(await the_claim(store), Turn(b"s"))
        assert not await store.receive(event("1"))
        assert await store.claim(DOORS, NOW, 10) == []

    play(story)


def test_the_same_event_id_of_another_channel_is_another_event(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        assert await store.receive(event("1"))
        assert await store.receive(event("1", BOB, door="telegram"))

    play(story)


@pytest.mark.parametrize(("days", "new"), [(3, False), (4, True)])
def test_an_event_is_remembered_for_three_days(tmp_path: Path, days: int, new: bool) -> None:
    async def story() -> None:
        later = NOW + timedelta(days=days)
        async with opened(tmp_path / "sala.db") as store:
            await answered(store, "1")
        async with opened(tmp_path / "sala.db", later) as store:
            await store.receive(event("2", BOB, at=later))
            assert await store.receive(event("1", at=later)) is new

    asyncio.run(story())


def test_an_event_that_still_waits_is_never_kept_twice(tmp_path: Path) -> None:
    async def story() -> None:
        later = NOW + timedelta(days=30)
        async with opened(tmp_path / "sala.db", later) as store:
            await store.receive(event("1"))
            await store.park(await the_claim(store))
            await store.receive(event("2", BOB, at=later))
            assert not await store.receive(event("1", at=later))

    asyncio.run(story())


def test_an_event_from_a_wrong_future_makes_nothing_forgotten(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        await store.receive(event("1"))
        await store.receive(event("2", at=NOW + timedelta(days=3650)))
        assert not await store.receive(event("1"))

    play(story)


def test_events_are_claimed_in_the_order_of_their_arrival(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        for number in range(5):
            await store.receive(event(str(number), at=NOW - timedelta(seconds=number)))
        claimed = await the_claim(store)
        assert [waiting.body for waiting in claimed.waiting] == [b"0", b"1", b"2", b"3", b"4"]
        assert (claimed.state, claimed.version, claimed.channel) == (None, 0, "line")

    play(story)


def test_who_waits_longest_is_claimed_first_over_all_channels(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        for number in range(6):
            who = ConversationId(bytes([255 - number]) * 16)
            await store.receive(event(str(number), who, door=DOORS[number % 2]))
        claims = await store.claim(DOORS, NOW, 4)
        assert [one.waiting[0].body for one in claims] == [b"0", b"1", b"2", b"3"]
        claims = await store.claim(["telegram"], NOW, 4)
        assert [one.waiting[0].body for one in claims] == [b"1", b"3", b"5"]

    play(story)


def test_an_event_that_comes_during_a_turn_waits_for_the_next(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        await store.receive(event("1"))
        claimed = await the_claim(store)
        await store.receive(event("2"))
        assert await store.commit(claimed, Turn(b"after 1"))
        claimed = await the_claim(store)
        assert [waiting.body for waiting in claimed.waiting] == [b"2"]
        assert (claimed.state, claimed.version) == (b"after 1", 1)

    play(story)


def test_a_crowd_of_events_comes_in_claims_of_a_hundred(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        await asyncio.gather(*(store.receive(event(str(n))) for n in range(130)))
        claimed = await the_claim(store)
        assert len(claimed.waiting) == 100
        assert await store.commit(claimed, Turn(b"s"))
        assert len((await the_claim(store)).waiting) == 30

    play(story)


def test_a_parked_event_lets_the_rest_go_on(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        await store.receive(event("bad"))
        await store.receive(event("good"))
        await store.park(await the_claim(store))
        assert [waiting.body for waiting in (await the_claim(store)).waiting] == [b"good"]
        assert await store.parked() == 1
        assert await store.commit(await the_claim(store), Turn(b"s"))
        assert await store.claim(DOORS, NOW, 10) == []
        assert await store.parked() == 1

    play(story)


def test_a_parked_claim_without_events_drops_the_timer_that_rang(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        await store.receive(event("1"))
        turn = Turn(b"s", timers=(("aftercare", NOW), ("later", NOW + timedelta(days=1))))
        await store.commit(await the_claim(store), turn)
        await store.park(await the_claim(store))
        assert await store.claim(DOORS, NOW, 10) == []
        assert (await the_claim(store, NOW + timedelta(days=2))).rung == ("later",)

    play(story)


# ---------------------------------------------------------------- turns


def test_of_two_turns_on_one_claim_one_is_written(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        await store.receive(event("1"))
        claimed = await the_claim(store)
        turns = [Turn(name, (effect(name.decode()),)) for name in (b"x", b"y")]
        won = await asyncio.gather(*(store.commit(claimed, turn) for turn in turns))
        assert sorted(won) == [False, True]
        assert await due_ids(store) == ["x" if won[0] else "y"]

    play(story)


def test_a_timer_rings_when_it_is_due_and_only_once(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        later = NOW + timedelta(hours=1)
        await store.receive(event("1"))
        await store.commit(await the_claim(store), Turn(b"s", timers=(("aftercare", later),)))
        assert await store.claim(DOORS, later - timedelta(microseconds=1), 10) == []
        claimed = await the_claim(store, later)
        assert (claimed.rung, claimed.waiting) == (("aftercare",), ())
        assert await store.commit(claimed, Turn(b"s"))
        assert await store.claim(DOORS, later, 10) == []

    play(story)


def test_cancelling_drops_earlier_timers_and_keeps_this_turns(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        for id, name, cancel in (("1", "old", False), ("2", "new", True)):
            await store.receive(event(id))
            turn = Turn(b"s", timers=((name, NOW + timedelta(hours=1)),), cancel_timers=cancel)
            await store.commit(await the_claim(store), turn)
        assert (await the_claim(store, NOW + timedelta(hours=2))).rung == ("new",)

    play(story)


def test_a_future_timer_never_blocks_a_present_message(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        await store.receive(event("1"))
        turn = Turn(b"s", timers=(("aftercare", NOW + timedelta(days=9)),))
        await store.commit(await the_claim(store), turn)
        await store.receive(event("2"))
        assert [waiting.body for waiting in (await the_claim(store)).waiting] == [b"2"]

    play(story)


# ---------------------------------------------------------------- effects


def test_effects_are_handed_out_in_order_with_the_newest_address(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        await answered(store, "1", effect("a"), effect("b"))
        await answered(store, "2", effect("c"))
        (bundle,) = await store.due(DOORS, NOW, 10)
        assert [(e.id, e.body, e.attempt) for e in bundle.effects] == [
            ("a", b"a", 0), ("b", b"b", 0), ("c", b"c", 0),
        ]  # fmt: skip
        assert (bundle.address, bundle.channel) == (b"address of 2", "line")

    play(story)


def test_a_held_effect_holds_back_the_later_ones_until_a_new_event(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        await answered(store, "1", effect("a"), effect("held", None), effect("c"))
        assert await due_ids(store) == ["a"]
        await store.settle(ANN, [EffectId("a")])
        assert await due_ids(store) == []
        assert not await store.receive(event("1"))
        assert await due_ids(store) == []
        assert await store.receive(event("2"))
        assert await due_ids(store) == ["held", "c"]

    play(story)


def test_a_held_conversation_does_not_hold_back_another(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        await answered(store, "1", effect("held", None))
        await store.receive(event("2", BOB))
        await store.commit(await the_claim(store), Turn(b"s", (effect("b"),)))
        assert await due_ids(store) == ["b"]

    play(story)


def test_a_failed_effect_comes_again_at_its_time_with_its_count(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        await answered(store, "1", effect("a"), effect("b"))
        later = NOW + timedelta(minutes=1)
        await store.retry(ANN, EffectId("a"), later)
        assert await due_ids(store) == []
        (bundle,) = await store.due(DOORS, later, 10)
        assert [(e.id, e.attempt) for e in bundle.effects] == [("a", 1), ("b", 0)]

    play(story)


def test_an_effect_held_after_failing_is_released_by_a_new_event(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        await answered(store, "1", effect("a"))
        await store.retry(ANN, EffectId("a"), None)
        assert await due_ids(store, NOW + timedelta(days=9)) == []
        await store.receive(event("2"))
        assert await due_ids(store) == ["a"]

    play(story)


def test_hush_drops_what_earlier_turns_planned_and_keeps_this_turns(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        await answered(store, "1", effect("a"), effect("b", None))
        await answered(store, "2", effect("bland"), hush=True)
        assert await due_ids(store) == ["bland"]

    play(story)


def test_a_forgotten_address_leaves_nothing_to_send_and_plans_nothing(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        turn = Turn(b"s", (effect("a"),), (("aftercare", NOW),))
        await store.receive(event("1"))
        await store.commit(await the_claim(store), turn)
        await store.forget_address(ANN)
        assert await due_ids(store) == []
        assert await store.commit(await the_claim(store), Turn(b"s", (effect("b"),)))
        await answered(store, "2", effect("c"))
        assert await due_ids(store) == ["c"]

    play(story)


def test_at_most_as_many_conversations_as_asked_are_handed_out(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        for number in range(4):
            who = ConversationId(bytes([number]) * 16)
            await store.receive(event(str(number), who, door=DOORS[number % 2]))
        for claimed in await store.claim(DOORS, NOW, 10):
            at = NOW - timedelta(seconds=claimed.conversation[0])
            await store.commit(claimed, Turn(b"s", (effect(str(claimed.conversation[0]), at),)))
        bundles = await store.due(DOORS, NOW, 3)
        assert [bundle.effects[0].id for bundle in bundles] == ["3", "2", "1"]

    play(story)


# ---------------------------------------------------------------- the same, against a model


@dataclass
class Model:
    """What one conversation should look like, written as plainly as can be."""

    seen: set[int] = field(default_factory=set)
    waiting: list[int] = field(default_factory=list)
    version: int = 0
    outbox: list[tuple[str, int | None]] = field(default_factory=list)
    reachable: bool = False
    parked: int = 0

    def receive(self, id: int) -> bool:
        if id in self.seen:
            return False
        self.seen.add(id)
        self.waiting.append(id)
        self.outbox = [(name, 0 if due is None else due) for name, due in self.outbox]
        self.reachable = True
        return True

    def commit(self, effects: list[tuple[str, int | None]], *, hush: bool) -> None:
        self.version += 1
        self.waiting = []
        self.outbox = [] if hush else self.outbox
        self.outbox += effects if self.reachable else []

    def due(self, now: int) -> Iterator[str]:
        for name, due in self.outbox:
            if due is None or due > now:
                return
            yield name


ACTS = st.one_of(
    st.tuples(st.just("receive"), st.integers(0, 6)),
    st.tuples(
        st.just("commit"),
        st.tuples(st.lists(st.sampled_from([0, 5, None]), max_size=3), st.booleans()),
    ),
    st.tuples(st.sampled_from(["stale", "park", "forget", "settle", "tick"]), st.none()),
    st.tuples(st.just("retry"), st.sampled_from([3, None])),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(ACTS, max_size=14))
def test_any_history_leaves_what_the_model_says(acts: list[tuple[str, object]]) -> None:
    async def story(folder: str) -> None:
        async with opened(Path(folder) / "sala.db") as store:
            await lived(store, acts)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(story(folder))


async def lived(store: SqliteStore, acts: list[tuple[str, object]]) -> None:
    model, now, last = Model(), 0, None
    for act, value in acts:
        claims = await store.claim(DOORS, seconds(now), 10)
        match act, value:
            case "receive", int(id):
                assert await store.receive(event(str(id))) == model.receive(id)
            case "commit", (list(times), bool(hush)) if claims:
                last = claims[0]
                named = [(f"{last.version}-{n}", due) for n, due in enumerate(times)]
                effects = tuple(effect(n, due if due is None else seconds(due)) for n, due in named)
                assert await store.commit(last, Turn(b"s", effects, hush=hush))
                model.commit(named, hush=hush)
            case "stale", _ if last:
                assert not await store.commit(last, Turn(b"stale", (effect("stale"),), hush=True))
            case "park", _ if claims:
                await store.park(claims[0])
                model.waiting.pop(0)
                model.parked += 1
            case "forget", _:
                await store.forget_address(ANN)
                model.outbox, model.reachable = [], False
            case "settle", _ if model.outbox:
                await store.settle(ANN, [EffectId(model.outbox.pop(0)[0])])
            case "retry", at if model.outbox:
                name, _ = model.outbox[0]
                await store.retry(ANN, EffectId(name), at if at is None else seconds(at))
                model.outbox[0] = (name, at)
            case "tick", _:
                now += 2
        await same(store, model, now)


async def same(store: SqliteStore, model: Model, now: int) -> None:
    claims = await store.claim(DOORS, seconds(now), 10)
    waiting = [int(one.body) for claimed in claims for one in claimed.waiting]
    assert waiting == model.waiting
    assert all(claimed.version == model.version for claimed in claims)
    assert await due_ids(store, seconds(now)) == list(model.due(now))
    assert await store.parked() == model.parked


def seconds(number: int) -> datetime:
    return NOW + timedelta(seconds=number)


# ---------------------------------------------------------------- the file


def test_what_was_written_is_there_after_opening_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with opened(tmp_path / "sala.db") as store:
            await answered(store, "1", effect("a"))
        async with opened(tmp_path / "sala.db") as store:
            assert await due_ids(store) == ["a"]
            assert not await store.receive(event("1"))

    asyncio.run(story())


def test_two_processes_may_write_the_same_file(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "sala.db"
        async with opened(path) as one, opened(path) as other:
            await asyncio.gather(
                *(one.receive(event(f"x{n}")) for n in range(60)),
                *(other.receive(event(f"y{n}")) for n in range(60)),
            )
            assert not await other.receive(event("x0"))
            assert len((await the_claim(one)).waiting) == 100

    asyncio.run(story())


def test_nothing_a_person_wrote_or_is_called_can_be_read_in_the_file(tmp_path: Path) -> None:
    canaries = [f"canary-{name}".encode() for name in ("address", "body", "state", "effect")]

    async def story() -> None:
        async with opened(tmp_path / "sala.db") as store:
            arrival = Arrival("line", "canary-event", ANN, canaries[0], canaries[1], NOW)
            await store.receive(arrival)
            turn = Turn(canaries[2], (Planned(EffectId("a"), canaries[3], NOW),))
            await store.commit(await the_claim(store), turn)
            await store.receive(Arrival("line", "2", ANN, canaries[0], canaries[1], NOW))
            kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
            assert not [canary for canary in [*canaries, b"canary"] if canary in kept]
            assert b"aftercare" not in kept

    asyncio.run(story())


def test_the_files_are_their_owners_alone(play: Play, tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        await store.receive(event("1"))
        modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
        assert modes == {0o600}

    play(story)


def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "sala.db"
    newer = sqlite3.connect(path)
    newer.execute("pragma user_version = 999")
    newer.close()
    with pytest.raises(NewerSchema):
        SqliteStore.open(path, VAULT)


def test_keys_of_another_database_are_noticed_at_opening(tmp_path: Path, play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        await store.receive(event("1"))

    play(story)
    seal, pepper = VAULT.to_keys().splitlines()[1], Vault.generate().to_keys().splitlines()[2]
    for keys in (Vault.generate().to_keys(), f"{seal}\n{pepper}"):
        with pytest.raises(Unreadable):
            SqliteStore.open(tmp_path / "sala.db", Vault.from_keys(keys))


def test_the_database_is_durable_forgetful_and_strict(tmp_path: Path, play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        await store.receive(event("1"))

    play(story)
    db = sqlite3.connect(tmp_path / "sala.db")
    assert db.execute("pragma journal_mode").fetchone() == ("wal",)
    assert db.execute("pragma auto_vacuum").fetchone() == (2,)
    loose = "select name from pragma_table_list where strict = 0 and name not like '%sqlite_%'"
    assert db.execute(loose).fetchall() == []
    db.close()


def test_a_time_is_kept_to_the_microsecond_and_needs_its_zone() -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 123457, tzinfo=UTC)
    assert moment(micros(at)) == at
    with pytest.raises(TypeError):
        micros(at.replace(tzinfo=None))


# ---------------------------------------------------------------- writing in groups


Job = Callable[[sqlite3.Connection], object]


async def together(engine: Engine, *jobs: Job) -> list[object]:
    """Outcomes of jobs that are all queued before the first of them ends."""
    gate = Event()

    async def open_gate() -> None:
        gate.set()

    asked = [engine.write(lambda _: gate.wait(10)), *(engine.write(job) for job in jobs)]
    outcomes = await asyncio.gather(*asked, open_gate(), return_exceptions=True)
    return outcomes[1:-1]


def noting(digest: bytes) -> Job:
    return lambda db: db.execute("insert into seen values (?, 1)", (digest,)).rowcount


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path / "sala.db", VAULT)
    yield engine
    asyncio.run(engine.close())


async def noted(engine: Engine) -> list[tuple[bytes]]:
    return await engine.read(lambda db: db.execute("select digest from seen").fetchall())


def test_one_failing_write_does_not_undo_the_others_of_its_group(engine: Engine) -> None:
    async def story() -> None:
        outcomes = await together(engine, noting(b"1"), noting(b"1"), noting(b"2"))
        assert (outcomes[0], outcomes[2]) == (1, 1)
        assert isinstance(outcomes[1], sqlite3.IntegrityError)
        assert await noted(engine) == [(b"1",), (b"2",)]

    asyncio.run(story())


def test_a_group_that_is_lost_is_told_to_all_who_asked(engine: Engine) -> None:
    async def story() -> None:
        first, lost, last = await together(
            engine, noting(b"1"), lambda db: db.rollback(), noting(b"2")
        )
        assert isinstance(lost, Unwritten)
        told = [name for name, told in ((b"1", first), (b"2", last)) if told == 1]
        assert await noted(engine) == [(name,) for name in told]
        assert await engine.write(noting(b"3")) == 1

    asyncio.run(story())


def test_a_crowd_of_writes_shares_commits(engine: Engine) -> None:
    async def story() -> None:
        statements: list[str] = []
        await engine.write(lambda db: db.set_trace_callback(statements.append))
        await together(engine, *(noting(bytes([n])) for n in range(3 * GROUP)))
        assert len(await noted(engine)) == 3 * GROUP
        assert 3 <= statements.count("commit") < GROUP

    asyncio.run(story())


def test_a_cancelled_write_that_has_not_begun_is_not_written(engine: Engine) -> None:
    async def story() -> None:
        gate = Event()
        first = asyncio.create_task(engine.write(lambda _: gate.wait(10)))
        second = asyncio.create_task(engine.write(noting(b"1")))
        await asyncio.wait([first, second], timeout=0)
        second.cancel()
        await asyncio.wait([second])
        gate.set()
        await first
        assert await noted(engine) == []

    asyncio.run(story())


def test_what_was_accepted_before_closing_is_written(tmp_path: Path) -> None:
    async def story() -> None:
        store = SqliteStore.open(tmp_path / "sala.db", VAULT)
        writes = [asyncio.create_task(store.receive(event(str(n)))) for n in range(80)]
        await asyncio.gather(*writes[:1])
        await asyncio.gather(store.close(), *writes[1:])
        with pytest.raises(Unwritten):
            await store.receive(event("late"))
        async with opened(tmp_path / "sala.db") as again:
            assert len((await the_claim(again)).waiting) == 80

    asyncio.run(story())
