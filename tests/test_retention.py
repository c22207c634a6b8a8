"""What was kept for its time ends by itself: cases, talks, and the record of who read what."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.store import Arrival, ConversationId
from bot.store.retention import months_before
from bot.store.whole import WholeStore
from tests import databases
from tests.cases_kept import (
    ANN,
    BOB,
    NOW,
    VAULT,
    A,
    B,
    after,
    dump,
    fed,
    platform,
    play,
    record_of,
    registered,
)

pytestmark = pytest.mark.usefixtures("both")

ENDS = NOW.replace(year=2028)
"""24 months later."""
EVE = ConversationId(b"e" * 16)


@pytest.mark.parametrize(
    ("now", "months", "then"),
    [((2026, 3, 31), 1, (2026, 2, 28)), ((2026, 1, 5), 1, (2025, 12, 5)),
     ((2026, 3, 1), 24, (2024, 3, 1)), ((2026, 12, 31), 12, (2025, 12, 31))],
)  # fmt: skip
def test_months_are_those_of_the_calendar(
    now: tuple[int, int, int], months: int, then: tuple[int, int, int]
) -> None:
    assert months_before(datetime(*now, tzinfo=UTC), months) == datetime(*then, tzinfo=UTC)


def test_a_case_is_withdrawn_at_its_end_and_erased_a_month_later(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        partner = await platform(store)
        case = await registered(store, A)
        await store.sweep(ENDS - timedelta(seconds=1))
        assert (await record_of(store, partner, A)).status == "Active"
        assert await store.sweep(ENDS) == 1
        record = await record_of(store, partner, A)
        assert (record.status, [held for _, held in record.cases]) == ("Withdrawn", ["Withdrawn"])
        standing = await store.standing(case.number)
        assert standing is not None
        assert (standing.status, standing.leaving) == ("Withdrawn", False)
        await store.keep(case.number)
        await store.sweep(ENDS + timedelta(days=29))
        assert await store.standing(case.number) is not None
        await store.sweep(ENDS + timedelta(days=30))
        assert await store.standing(case.number) is None
        assert (await record_of(store, partner, A)).cases == ()
        await store.sweep(ENDS + timedelta(days=61))
        assert dump(tmp_path)["hash"] == []

    play(tmp_path, story)


def test_what_was_added_later_is_kept_for_its_own_time(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        partner = await platform(store)
        case = await registered(store, A)
        later = after(days=90)
        await registered(store, B, name="u", number=case.number, now=later)
        await store.sweep(ENDS)
        assert (await record_of(store, partner, A)).status == "Withdrawn"
        assert (await record_of(store, partner, B)).status == "Active"
        await store.sweep(ENDS + timedelta(days=90))
        assert (await record_of(store, partner, B)).status == "Withdrawn"

    play(tmp_path, story)


def test_a_move_to_the_other_list_keeps_nothing_longer(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        minors = await platform(store, "M", "minors")
        await registered(store, A, now=after(days=-30))
        await store.lower(ANN)
        await store.sweep(ENDS - timedelta(days=29))
        assert (await record_of(store, minors, A)).status == "Withdrawn"

    play(tmp_path, story)


def test_a_case_its_person_withdrew_is_erased_in_the_end(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await registered(store, A)
        await store.withdraw(case.number, NOW, erase=False)
        for days in (0, 1, 32):
            await store.sweep(ENDS + timedelta(days=days))
        assert await store.standing(case.number) is None

    play(tmp_path, story)


async def begins(store: WholeStore, channel: str) -> None:
    await store.receive(Arrival(channel, "1", EVE, b"to", b"hello", NOW))


def talks(folder: Path) -> set[object]:
    return {row[0] for row in dump(folder)["conversation"]}


@pytest.mark.parametrize("channel", ["browser", "terminal"])
def test_a_visit_nobody_can_come_back_to_is_forgotten_after_a_month(
    tmp_path: Path, channel: str
) -> None:
    async def story(store: WholeStore) -> None:
        await begins(store, channel)
        await store.sweep(after(days=29))
        assert EVE in talks(tmp_path)
        await store.sweep(after(days=30))
        assert talks(tmp_path) == {ANN, BOB}
        assert dump(tmp_path)["inbox"] == []

    play(tmp_path, story)


def test_a_talk_that_was_idle_is_forgotten_whole_and_its_case_is_not(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await registered(store, A, now=after(days=30))
        await store.follow(case.number, ANN, on=True)
        await store.sweep(ENDS)
        kept = dump(tmp_path)
        assert (kept["conversation"], kept["inbox"], kept["origin"]) == ([], [], [])
        standing = await store.standing(case.number)
        assert standing is not None
        assert standing.status == "Active"

    play(tmp_path, story)


def test_a_message_that_was_set_aside_is_kept_for_a_month_and_no_longer(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await begins(store, "line")
        claimed = next(one for one in await store.claim(["line"], NOW, 9) if one.waiting)
        await store.park(claimed, claimed.waiting[0].seq)
        await store.sweep(after(days=30) - timedelta(seconds=1))
        assert await store.parked() == 1
        await store.sweep(after(days=30))
        assert await store.parked() == 0
        assert dump(tmp_path)["inbox"] == []
        assert EVE in talks(tmp_path)

    play(tmp_path, story)


def test_the_record_of_reads_is_kept_as_long_as_the_cases(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await fed(store, await platform(store))
        await store.sweep(ENDS - timedelta(seconds=1))
        assert len(dump(tmp_path)["reading"]) == 1
        await store.sweep(ENDS)
        assert dump(tmp_path)["reading"] == []

    play(tmp_path, story)


def test_the_operator_says_how_long(tmp_path: Path) -> None:
    async def story(_: WholeStore) -> None:
        path = tmp_path / "sala.db"
        store = databases.open_store(path, VAULT, lambda: NOW, retention_months=1)
        case = await registered(store, A)
        await store.sweep(after(days=31))
        standing = await store.standing(case.number)
        assert standing is not None
        assert standing.status == "Withdrawn"
        await store.close()

    play(tmp_path, story)
