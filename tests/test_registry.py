"""What the case ledger promises to the person: one ticket, one case, a PIN, and a way out."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from bot.cases.hashes import Hash, Item
from bot.cases.number import read_number
from bot.conversation.model import Hashed
from bot.store import (
    PinResult,
    Registered,
    TicketRefused,
    TooManyImages,
)
from bot.store.ledger import MAX_IMAGES
from bot.store.whole import WholeStore
from tests.cases_kept import (
    ANN,
    BOB,
    NOW,
    UNKNOWN,
    A,
    B,
    C,
    after,
    dump,
    fed,
    inbox,
    picture,
    platform,
    play,
    record_of,
    registered,
    ticket,
    wrong,
)

pytestmark = pytest.mark.usefixtures("both")

# ---------------------------------------------------------------- tickets and cases


def test_a_ticket_opens_a_case_and_tells_its_conversation(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await registered(store, A, B)
        assert read_number(case.number) == case.number
        assert (len(case.pin or ""), case.images) == (6, 2)
        assert await inbox(store, ANN) == [Hashed(NOW, case.number, 2)]
        assert await inbox(store, BOB) == []

    play(tmp_path, story)


@pytest.mark.parametrize("reason", ["unknown", "used", "expired"])
def test_a_ticket_that_opens_nothing_writes_nothing(tmp_path: Path, reason: str) -> None:
    async def story(store: WholeStore) -> None:
        one = ticket()
        if reason != "unknown":
            await store.issue(one)
        if reason == "used":
            await store.register(one.digest, [picture(A)], NOW)
        now = after(hours=1) if reason == "expired" else NOW
        before = dump(tmp_path)
        with pytest.raises(TicketRefused, match=reason):
            await store.look(one.digest, now)
        with pytest.raises(TicketRefused, match=reason):
            await store.register(one.digest, [picture(B)], now)
        assert dump(tmp_path) == before

    play(tmp_path, story)


def test_of_two_posts_with_one_ticket_one_is_kept(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.issue(one := ticket())
        posts = [store.register(one.digest, [picture(value)], NOW) for value in (A, B)]
        outcomes = await asyncio.gather(*posts, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == [
            "Registered", "TicketRefused",
        ]  # fmt: skip
        assert len(await inbox(store, ANN)) == 1

    play(tmp_path, story)


def test_issuing_a_ticket_again_does_not_renew_it(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await registered(store, A)
        await store.issue(ticket())
        with pytest.raises(TicketRefused, match="used"):
            await store.look(ticket().digest, NOW)

    play(tmp_path, story)


def test_a_ticket_is_looked_at_as_it_was_issued(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        one = ticket(number="K7Q-2XH-DPM", list="minors")
        await store.issue(one)
        assert await store.look(one.digest, NOW) == one

    play(tmp_path, story)


def test_a_ticket_with_a_number_grows_its_case_and_shows_no_pin(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await registered(store, A)
        grown = await registered(store, B, name="u", number=case.number)
        assert grown == Registered(case.number, None, 2)
        assert await inbox(store, ANN) == [Hashed(NOW, case.number, n) for n in (1, 2)]

    play(tmp_path, story)


def test_a_picture_the_case_has_already_counts_once(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await registered(store, A, A)
        assert case.images == 1
        partner = await platform(store)
        before = await fed(store, partner)
        again = await registered(store, A, B, name="u", number=case.number, now=after(hours=1))
        assert again.images == 2
        assert (await fed(store, partner)).records[0] == before.records[0]

    play(tmp_path, story)


def test_a_case_holds_no_more_than_it_may_and_too_many_writes_nothing(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await registered(store, *(f"{n:064x}" for n in range(MAX_IMAGES)))
        await store.issue(one := ticket("u", number=case.number))
        before = dump(tmp_path)
        with pytest.raises(TooManyImages):
            await store.register(one.digest, [picture(A)], NOW)
        assert dump(tmp_path) == before
        assert (await store.look(one.digest, NOW)).number == case.number

    play(tmp_path, story)


def test_a_case_that_is_gone_cannot_grow(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        with pytest.raises(TicketRefused, match="unknown"):
            await registered(store, A, number=UNKNOWN)

    play(tmp_path, story)


@pytest.mark.parametrize(("first", "second"), [("adults", "minors"), ("minors", "adults")])
def test_where_case_and_ticket_differ_the_minors_list_holds(
    tmp_path: Path, first: str, second: str
) -> None:
    async def story(store: WholeStore) -> None:
        minors, adults = await platform(store, "M", "minors"), await platform(store, "A", "adults")
        case = await registered(store, A, list=first)
        await registered(store, B, name="u", number=case.number, list=second)
        assert B in [record.value for record in (await fed(store, minors)).records]
        assert B not in [record.value for record in (await fed(store, adults)).records]

    play(tmp_path, story)


def test_expired_tickets_are_dropped(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.issue(ticket("t"))
        await store.issue(ticket("u", expires_at=after(days=1)))
        assert await store.sweep(after(hours=1)) == 0
        assert len(dump(tmp_path)["ticket"]) == 1

    play(tmp_path, story)


# ---------------------------------------------------------------- the PIN


def test_number_and_pin_belong_together(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case, other = await registered(store, A), await registered(store, A, name="u")
        assert await store.check_pin(case.number, case.pin or "", NOW) == PinResult(right=True)
        typed = case.number.lower().replace("-", " ")
        assert (await store.check_pin(typed, case.pin or "", NOW)).right
        assert not (await store.check_pin(case.number, wrong(case), NOW)).right
        assert not (await store.check_pin(other.number, wrong(other), NOW)).right

    play(tmp_path, story)


async def guesses(store: WholeStore, number: str, pin: str) -> list[PinResult]:
    """Ten tries, each as soon as it is read, and before each of them one too early."""
    now, results = NOW, []
    for _ in range(10):
        result = await store.check_pin(number, pin, now)
        results.append(result)
        if result.wait:
            early = now + timedelta(seconds=result.wait - 1)
            results.append(await store.check_pin(number, pin, early))
        now += timedelta(seconds=result.wait)
    return results


def test_wrong_pins_slow_down_and_an_unknown_number_answers_the_same(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await registered(store, A)
        known = await guesses(store, case.number, wrong(case))
        assert not any(result.right for result in known)
        assert [result.wait for result in known if result.wait != 1] == [
            0, 0, 60, 120, 240, 480, 960, 1920, 3600, 3600,
        ]  # fmt: skip
        assert await guesses(store, UNKNOWN, "000000") == known

    play(tmp_path, story)


def test_while_waiting_even_the_right_pin_is_not_read(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await registered(store, A)
        for _ in range(3):
            await store.check_pin(case.number, wrong(case), NOW)
        pin = case.pin or ""
        assert await store.check_pin(case.number, pin, NOW) == PinResult(right=False, wait=60)
        assert (await store.check_pin(case.number, pin, after(seconds=60))).right

    play(tmp_path, story)


def test_many_guesses_at_once_do_not_get_round_the_wait(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await registered(store, A)
        pins = [wrong(case)] * 3 + [case.pin or ""] * 3
        checks = [store.check_pin(case.number, pin, NOW) for pin in pins]
        results = await asyncio.gather(*checks)
        assert [result.right for result in results] == [False] * 6

    play(tmp_path, story)


def test_a_right_pin_forgets_the_wrong_ones_and_so_does_a_quiet_day(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await registered(store, A)
        for _ in range(3):
            await store.check_pin(case.number, wrong(case), NOW)
        assert (await store.check_pin(case.number, case.pin or "", after(minutes=1))).right
        for _ in range(3):
            last = await store.check_pin(case.number, wrong(case), after(minutes=2))
        assert last.wait == 60
        await store.sweep(after(days=2))
        assert (await store.check_pin(case.number, wrong(case), after(days=2))).wait == 0

    play(tmp_path, story)


def test_who_guesses_locks_out_nobody_else(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await registered(store, A)
        for _ in range(3):
            last = await store.check_pin(case.number, wrong(case), NOW, BOB)
        assert last.wait == 60
        assert (await store.check_pin(case.number, case.pin or "", NOW, ANN)).right
        assert (await store.check_pin(case.number, case.pin or "", NOW, BOB)).wait == 60

    play(tmp_path, story)


# ---------------------------------------------------------------- withdrawal (C12)


def test_c12_a_planned_withdrawal_waits_and_can_be_undone(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        partner = await platform(store)
        case = await registered(store, A)
        await store.withdraw(case.number, after(hours=48), erase=True)
        assert await store.sweep(after(hours=47)) == 0
        await store.keep(case.number)
        assert await store.sweep(after(hours=49)) == 0
        assert (await record_of(store, partner, A)).status == "Active"

    play(tmp_path, story)


def test_c12_the_earliest_time_asked_for_holds(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await registered(store, A)
        await store.withdraw(case.number, NOW, erase=False)
        await store.withdraw(case.number, after(hours=48), erase=False)
        assert await store.sweep(NOW) == 1
        assert await store.sweep(after(hours=48)) == 0

    play(tmp_path, story)


def test_erasing_removes_the_case_from_the_rows_and_leaves_the_tombstone(
    tmp_path: Path,
) -> None:
    async def story(store: WholeStore) -> None:
        partner = await platform(store)
        file_hash = Hash("sha256", "file", C)
        await store.issue(one := ticket())
        item = Item("image", (Hash("pdq", "512", A, 90), file_hash))
        case = await store.register(one.digest, [item], NOW)
        await store.check_pin(case.number, wrong(case), NOW)
        await store.withdraw(case.number, NOW, erase=True)
        assert await store.sweep(NOW) == 1
        assert await store.standing(case.number) is None
        assert dump(tmp_path)["guess"] == []
        assert [(r.status, r.cases) for r in (await fed(store, partner)).records] == [
            ("Withdrawn", ())
        ]

    play(tmp_path, story)


def test_numbers_that_are_nobodys_change_nothing(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        before = dump(tmp_path)
        await store.withdraw(UNKNOWN, NOW, erase=True)
        await store.keep(UNKNOWN)
        await store.follow(UNKNOWN, ANN, on=True)
        assert await store.standing(UNKNOWN) is None
        assert await store.sweep(NOW) == 0
        assert dump(tmp_path) == before

    play(tmp_path, story)


def test_a_renewed_ticket_takes_the_place_of_the_newest_open_one(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        old = ticket()
        assert await store.renew(old.conversation, b"n" * 16, NOW) is None
        await store.issue(old)
        renewed = await store.renew(old.conversation, b"n" * 16, NOW)
        assert renewed is not None
        assert (renewed.list, renewed.expires_at) == (old.list, old.expires_at)
        with pytest.raises(TicketRefused, match="used"):
            await store.look(old.digest, NOW)
        assert (await store.look(b"n" * 16, NOW)).conversation == old.conversation
        assert await store.renew(BOB, b"m" * 16, NOW) is None

    play(tmp_path, story)
