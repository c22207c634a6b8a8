"""Numbers about cases and the exchange are the same on either database."""

from datetime import timedelta
from pathlib import Path

import pytest

from bot.store import Submitted
from bot.store.whole import WholeStore
from tests.cases_kept import ANN, BOB, NOW, A, B, C, after, fed, platform, play, registered

pytestmark = pytest.mark.usefixtures("both")


def test_what_is_counted_is_what_happened(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await platform(store, "Plaza", "adults")
        partner = await platform(store)
        mine = await registered(store, A, B)
        await registered(store, C, name="u", who=BOB, list="minors")
        await fed(store, partner)
        await store.give_feedback(partner, [(A, "Blocked", ())], after(seconds=1))
        await store.submit(partner, "adults", [Submitted("ImagePDQ", "e" * 64, "Blocked")], NOW)
        await store.withdraw(mine.number, NOW, erase=False)
        await store.sweep(NOW)

        state = await store.case_state(mine.number)
        assert state
        assert (state.list, state.opened, state.withdraws, state.followed) == (
            "adults", NOW, None, False,
        )  # fmt: skip
        assert await store.case_state("ZZZ-ZZZ-ZZZ") is None
        assert await store.case_counts() == [
            ("adults", "Withdrawn", 1, 2), ("minors", "Active", 1, 1),
        ]  # fmt: skip
        assert await store.listed() == [
            ("adults", "Active", 1), ("adults", "Withdrawn", 2), ("minors", "Active", 1),
        ]  # fmt: skip
        assert await store.behind() == [
            ("Chirp", "adults", 3), ("Chirp", "minors", 0), ("Plaza", "adults", 3),
        ]  # fmt: skip
        counted = {one.name: (one.reads, one.records, one.answers) for one in (
            await store.partner_states(NOW - timedelta(days=1))
        )}  # fmt: skip
        assert counted == {"Chirp": (1, 3, 2), "Plaza": (0, 0, 0)}
        assert await store.month(NOW, after(days=1)) == [
            ("cases opened", "adults", 1),
            ("cases opened", "minors", 1),
            ("pictures and videos registered", "adults", 2),
            ("pictures and videos registered", "minors", 1),
            ("hashes submitted by partners", "adults", 1),
            ("hashes withdrawn", "adults", 2),
            ("answer Blocked", "adults", 2),
            ("pages read by partners", "adults,minors", 1),
        ]
        assert await store.month(after(days=1), after(days=2)) == []
        await store.follow(mine.number, ANN, on=True)
        followed = await store.case_state(mine.number)
        assert followed
        assert followed.followed

    play(tmp_path, story)


def test_what_waits_is_counted_and_that_it_can_be_written_is_proved(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.prove_writable()
        await registered(store, A)
        waits = await store.backlog(["line"], after(minutes=1))
        assert (waits.event_seconds, waits.due, waits.parked) == (60.0, 0, 0)

    play(tmp_path, story)
