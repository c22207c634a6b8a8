"""What PostgreSQL adds: many processes on one database, each conversation worked for by one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from threading import Event

import pytest

from bot.cases.hashes import Hash, Item
from bot.store import (
    ConversationId,
    EffectId,
    TicketRefused,
    Turn,
)
from bot.store.jobs import Connection, Unwritten
from bot.store.postgres import NOBODYS, PostgresStore
from tests import cases_kept
from tests.databases import ran
from tests.turns_kept import ANN, BOB, DOORS, NOW, VAULT, answered, due_ids, effect, event

Many = tuple[PostgresStore, ...]


@asynccontextmanager
async def processes(address: str, count: int = 2) -> AsyncIterator[Many]:
    """As many stores, which know nothing of each other."""
    stores = tuple(PostgresStore.open(address, VAULT, lambda: NOW) for _ in range(count))
    try:
        yield stores
    finally:
        for store in stores:
            await store.close()


def play(address: str, story: Callable[[Many], Awaitable[None]], count: int = 2) -> None:
    async def told() -> None:
        async with processes(address, count) as stores:
            await story(stores)

    asyncio.run(told())


def person(number: int) -> ConversationId:
    return ConversationId(number.to_bytes(16, "big"))


# ---------------------------------------------------------------- who works for whom


def test_what_one_process_claimed_no_other_claims(database: str) -> None:
    async def story(stores: Many) -> None:
        one, other = stores
        for who in (ANN, BOB):
            await one.receive(event(who.hex(), who))
        [first] = await other.claim(DOORS, NOW, 1)
        [second] = await one.claim(DOORS, NOW, 9)
        assert {first.conversation, second.conversation} == {ANN, BOB}
        assert [one.conversation for one in await other.claim(DOORS, NOW, 9)] == [
            first.conversation
        ]

    async def nobodys(stores: Many) -> None:
        for store in stores:
            store._here = ()
        await story(stores)

    play(database, nobodys)


def test_at_the_same_time_two_claims_share_what_waits(database: str) -> None:
    async def story(stores: Many) -> None:
        for number in range(40):
            await stores[0].receive(event(str(number), person(number)))
        claims = await asyncio.gather(*(store.claim(DOORS, NOW, 40) for store in stores))
        claimed = [one.conversation for claim in claims for one in claim]
        assert len(claimed) == len(set(claimed))
        rest = [await store.claim(DOORS, NOW, 40) for store in stores]
        assert sum(map(len, rest)) == 40

    play(database, story, 3)


@pytest.mark.parametrize("way", ["closed", "died"])
def test_who_is_gone_holds_nothing_back(database: str, way: str) -> None:
    async def story(stores: Many) -> None:
        one, other = stores
        await answered(one, "1", effect("a"))
        await one.receive(event("2", BOB))
        assert await due_ids(other) == []
        assert await other.claim(DOORS, NOW, 9) == []
        if way == "closed":
            await one.close()
        else:
            ran(database, "update conversation set held_until = now() - interval '1 second'")
        assert await due_ids(other) == ["a"]
        [claimed] = await other.claim(DOORS, NOW, 9)
        assert claimed.conversation == BOB

    play(database, story)


def test_what_a_process_still_works_for_it_keeps(database: str) -> None:
    async def story(stores: Many) -> None:
        one, other = stores
        await answered(one, "1", effect("a"))
        ran(database, "update conversation set held_until = now() + interval '1 second'")
        assert await due_ids(one) == ["a"]
        ((left,),) = ran(database, "select held_until > now() + interval '20 s' from conversation")
        assert left
        assert await due_ids(other) == []

    play(database, story)


def test_with_nothing_left_to_do_a_conversation_is_anybodys(database: str) -> None:
    async def story(stores: Many) -> None:
        one, other = stores
        await answered(one, "1", effect("a"))
        await one.settle(ANN, [EffectId("a")])
        await answered(other, "2", effect("b"))
        assert await due_ids(other) == ["b"]

    play(database, story)


def test_what_is_newer_is_sent_by_who_still_sends_what_is_older(database: str) -> None:
    async def story(stores: Many) -> None:
        one, other = stores
        await answered(one, "1", effect("a"))
        assert await other.receive(event("2"))
        assert other.fresh(DOORS) == []
        [claimed] = await one.claim(DOORS, NOW, 9)
        planned = await other.commit(claimed, Turn(b"s", (effect("b"),)))
        assert planned
        assert planned.effects == ()
        assert await due_ids(other) == []
        assert await due_ids(one) == ["a", "b"]

    play(database, story)


def test_what_a_door_alone_keeps_is_left_to_the_workers(database: str) -> None:
    async def story() -> None:
        doors = PostgresStore.open(database, VAULT, lambda: NOW, here=("browser",))
        async with processes(database, 1) as (worker,):
            await doors.receive(event("1"))
            await doors.receive(event("2", BOB, door="browser"))
            assert [one.conversation for one in doors.fresh([*DOORS, "browser"])] == [BOB]
            [claimed] = await worker.claim([*DOORS, "browser"], NOW, 9)
            assert claimed.conversation == ANN
        await doors.close()

    asyncio.run(story())


def test_many_workers_turn_every_event_once_and_in_order(database: str) -> None:
    people, events = 30, 4
    turned: dict[ConversationId, list[bytes]] = {person(n): [] for n in range(people)}

    async def work(store: PostgresStore, received: asyncio.Event) -> None:
        """Until all is turned. A turn that came too late turned nothing."""
        while True:
            over = received.is_set()
            claims = await store.claim(DOORS, NOW, 5)
            for claimed in claims:
                if await store.commit(claimed, Turn(b"s")):
                    turned[claimed.conversation] += [one.body for one in claimed.waiting]
            if over and not await held_back(database):
                return

    async def receive(store: PostgresStore, mine: range) -> None:
        for number in range(events):
            await asyncio.gather(
                *(store.receive(event(f"{n}.{number}", person(n))) for n in mine),
                *(store.receive(event(f"{n}.{number}", person(n))) for n in range(3)),
            )

    async def story(stores: Many) -> None:
        received = asyncio.Event()
        working = [asyncio.create_task(work(store, received)) for store in stores]
        halves = (range(people // 2), range(people // 2, people))
        await asyncio.gather(*map(receive, stores, halves))
        received.set()
        await asyncio.gather(*working)
        for who, bodies in turned.items():
            number = int.from_bytes(who, "big")
            assert bodies == [f"{number}.{n}".encode() for n in range(events)]

    play(database, story, 3)


async def held_back(address: str) -> bool:
    return await asyncio.to_thread(lambda: bool(ran(address, "select 1 from inbox limit 1")))


# ---------------------------------------------------------------- writing beside each other


def test_an_event_that_comes_to_two_doors_at_once_is_kept_once(database: str) -> None:
    async def story(stores: Many) -> None:
        kept = await asyncio.gather(
            *(store.receive(event(str(n), person(n % 5))) for n in range(60) for store in stores)
        )
        assert sum(kept) == 60

    play(database, story)


def test_of_two_posts_with_one_ticket_at_once_one_is_registered(database: str) -> None:
    async def story(stores: Many) -> None:
        await stores[0].receive(event("1"))
        await stores[0].issue(one := cases_kept.ticket(who=ANN))
        items = [[Item("image", (Hash("pdq", "512", value * 64, 90),))] for value in "ab"]
        posts = zip(stores, items, strict=True)
        outcomes = await asyncio.gather(
            *(store.register(one.digest, some, NOW) for store, some in posts),
            return_exceptions=True,
        )
        assert sorted(isinstance(one, TicketRefused) for one in outcomes) == [False, True]
        ((cases, hashes),) = ran(
            database, "select (select count(*) from cases), (select count(*) from hash)"
        )
        assert (cases, hashes) == (1, 1)

    play(database, story)


def test_the_feeds_places_are_given_out_in_order_by_whichever_process(database: str) -> None:
    async def story(stores: Many) -> None:
        partner = await cases_kept.platform(stores[0])

        async def registers(number: int) -> None:
            store, who = stores[number % 2], person(number)
            await store.receive(event(str(number), who))
            await cases_kept.registered(store, f"{number:064x}", name=chr(97 + number), who=who)

        await asyncio.gather(*map(registers, range(8)))
        page = await cases_kept.fed(stores[1], partner)
        assert len(page.records) == 8
        ((first, last),) = ran(database, "select min(change), max(change) from hash")
        assert (first, last) == (1, 8)

    play(database, story)


def test_a_line_to_the_server_that_breaks_ends_nothing(database: str) -> None:
    async def story(stores: Many) -> None:
        (store,) = stores
        await store.receive(event("1"))
        await store.parked()
        ran(
            database,
            "select pg_terminate_backend(pid) from pg_stat_activity where pid != pg_backend_pid()"
            " and backend_type = 'client backend'",
        )
        assert await again(lambda: store.receive(event("2")))
        assert await again(store.parked) == 0
        [claimed] = await store.claim(DOORS, NOW, 9)
        assert [one.body for one in claimed.waiting] == [b"1", b"2"]

    play(database, story, 1)


def test_days_that_are_over_are_forgotten_whole(database: str) -> None:
    async def story(stores: Many) -> None:
        (store,) = stores
        for days in range(8):
            at = NOW + timedelta(days=days)
            await store.receive(event(str(days), at=at))
        await store.sweep(NOW + timedelta(days=7))
        today = NOW.timestamp() // 86_400 + 7
        kept = {day for (day,) in ran(database, "select distinct day from seen")}
        assert {today - ago for ago in range(4)} <= kept
        assert len(kept) < 8
        assert not await store.receive(event("4", at=NOW + timedelta(days=7)))

    play(database, story, 1)


def test_one_failing_write_does_not_undo_the_others_of_its_group(database: str) -> None:
    async def story(stores: Many) -> None:
        engine = stores[0]._engine
        gate = Event()

        def fails(db: Connection) -> None:
            db.execute("insert into timer values (?, 'half', 1)", (ANN,))
            raise ZeroDivisionError

        asked = (lambda _: gate.wait(10), keeps("1"), fails, lambda db: db.execute("x"), keeps("2"))
        writes = [asyncio.ensure_future(engine.write(job, NOBODYS)) for job in asked]
        await asyncio.sleep(0)
        gate.set()
        _, *came = await asyncio.gather(*writes, return_exceptions=True)
        assert [type(one) for one in came] == [int, ZeroDivisionError, Unwritten, int]
        assert ran(database, "select name from timer order by name") == [("1",), ("2",)]

    def keeps(name: str) -> Callable[[Connection], int]:
        return lambda db: db.execute("insert into timer values (?, ?, 1)", (ANN, name)).rowcount

    async def known(stores: Many) -> None:
        await stores[0].receive(event("1"))
        await story(stores)

    play(database, known, 1)


def test_while_the_server_is_away_everybody_is_told_at_once(database: str) -> None:
    async def story(stores: Many) -> None:
        (store,) = stores
        store._engine._pool.close()
        told = await asyncio.gather(
            *(store.receive(event(str(n))) for n in range(20)), store.parked(),
            return_exceptions=True,
        )  # fmt: skip
        assert {type(one) for one in told} == {Unwritten}

    play(database, story, 1)


def test_after_closing_nothing_is_written(database: str) -> None:
    async def story(stores: Many) -> None:
        (store,) = stores
        receiving = [asyncio.ensure_future(store.receive(event(str(n)))) for n in range(30)]
        await asyncio.gather(*receiving[:1])
        await store.close()
        assert all(await asyncio.gather(*receiving))
        with pytest.raises(Unwritten):
            await store.receive(event("late"))

    play(database, story, 1)


async def again(use: Callable[[], Awaitable[int]]) -> int:
    """Until it can be done, as a platform tries again."""
    while True:
        with suppress(Unwritten):
            return await use()
