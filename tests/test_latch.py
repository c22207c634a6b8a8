"""C16 in the ledger: after a sign of under 18 nothing of a talk is on the adults' list."""

import asyncio
from pathlib import Path

import pytest

from bot.cases.status import Told
from bot.store import Partner, TicketRefused
from bot.store.whole import WholeStore
from tests.cases_kept import (
    ANN,
    BOB,
    NOW,
    A,
    B,
    after,
    dump,
    fed,
    platform,
    play,
    registered,
    ticket,
    told,
)

pytestmark = pytest.mark.usefixtures("both")


async def listed(store: WholeStore, partner: Partner) -> dict[str, str]:
    return {one.value: one.status for one in (await fed(store, partner)).records}


def test_c16_unused_tickets_and_those_to_come_are_for_the_minors_list(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.issue(ticket("t"))
        await store.issue(ticket("b", BOB))
        await store.lower(ANN)
        assert (await store.look(ticket("t").digest, NOW)).list == "minors"
        await store.issue(ticket("u"))  # planned before the sign, sent after it
        assert (await store.look(ticket("u").digest, NOW)).list == "minors"
        assert (await store.look(ticket("b").digest, NOW)).list == "adults"

    play(tmp_path, story)


def test_c16_a_case_made_before_the_sign_moves_to_the_minors_list(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        adults = await platform(store, "A", "adults")
        minors = await platform(store, "M", "minors")
        case = await registered(store, A, B)
        await registered(store, B, name="b", who=BOB)
        await store.lower(ANN)
        assert await listed(store, adults) == {A: "Withdrawn", B: "Active"}, "B is Bob's too"
        assert await listed(store, minors) == {A: "Active", B: "Active"}
        assert await told(store, case.number) == (Told("M", "shared"),)
        grown = await registered(store, "c" * 64, name="u", number=case.number)
        assert grown.images == 3
        assert (await listed(store, minors))["c" * 64] == "Active"

    play(tmp_path, story)


def test_c16_a_case_posted_to_from_two_conversations_is_lowered_by_either(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        minors = await platform(store, "M", "minors")
        case = await registered(store, A)
        await registered(store, B, name="b", who=BOB, number=case.number)
        await store.lower(BOB)
        await store.lower(BOB)
        assert await listed(store, minors) == {A: "Active", B: "Active"}

    play(tmp_path, story)


def test_c13_a_case_that_moved_is_not_told_what_was_answered_to_others(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        minors = await platform(store, "M", "minors")
        await registered(store, A, name="b", who=BOB, list="minors")
        case = await registered(store, A)
        await store.give_feedback(minors, [(A, "Blocked", ())], NOW)
        await store.lower(ANN)
        assert await told(store, case.number) == ()

    play(tmp_path, story)


def test_a_withdrawal_planned_before_the_move_still_takes_effect(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        minors = await platform(store, "M", "minors")
        case = await registered(store, A)
        await store.withdraw(case.number, after(hours=48), erase=True)
        await store.lower(ANN)
        await store.sweep(after(hours=48))
        assert await listed(store, minors) == {A: "Withdrawn"}
        assert dump(tmp_path)["origin"] == []

    play(tmp_path, story)


def test_which_chat_made_a_case_can_not_be_read_in_the_file(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await registered(store, A)
        [(origin, _)] = dump(tmp_path)["origin"]
        assert origin not in {ANN, BOB}

    play(tmp_path, story)


# ---------------------------------------------------------------- one live ticket


def test_a_new_ticket_retires_the_older_one_of_its_conversation(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        for one in (ticket("b", BOB), ticket("t"), ticket("u"), ticket("t")):
            await store.issue(one)
        with pytest.raises(TicketRefused, match="used"):
            await store.look(ticket("t").digest, NOW)
        assert (await store.look(ticket("u").digest, NOW)).conversation == ANN
        assert (await store.look(ticket("b").digest, NOW)).conversation == BOB

    play(tmp_path, story)


def test_dropped_tickets_open_nothing_and_do_not_come_back(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.issue(ticket("t"))
        await store.issue(ticket("b", BOB))
        await store.drop_tickets(ANN)
        await store.issue(ticket("t"))
        with pytest.raises(TicketRefused, match="used"):
            await store.look(ticket("t").digest, NOW)
        assert (await store.look(ticket("b").digest, NOW)).conversation == BOB

    play(tmp_path, story)


def test_a_post_and_the_sign_at_the_same_time_leave_nothing_on_the_adults_list(
    tmp_path: Path,
) -> None:
    async def story(store: WholeStore) -> None:
        adults = await platform(store, "A", "adults")
        await asyncio.gather(registered(store, A), store.lower(ANN))
        assert "Active" not in (await listed(store, adults)).values()

    play(tmp_path, story)
