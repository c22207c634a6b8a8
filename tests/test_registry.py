"""What the case ledger promises: to the person, to partners, and about each to the other (C13)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlite_utils.utils import sqlite3

from bot.cases.hashes import Hash, Item
from bot.cases.number import read_number
from bot.cases.status import Told
from bot.conversation.codec import decode_inbound
from bot.conversation.model import Hashed, News
from bot.store import (
    Arrival,
    ConversationId,
    Page,
    Partner,
    PinResult,
    Record,
    Registered,
    Ticket,
    TicketRefused,
    TooManyImages,
    Turn,
)
from bot.store.ledger import MAX_IMAGES
from bot.store.sqlite import SqliteStore
from bot.vault import Vault

VAULT = Vault.generate()
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANN, BOB = ConversationId(b"a" * 16), ConversationId(b"b" * 16)
A, B, C = (letter * 64 for letter in "abc")
UNKNOWN = "ZZZ-ZZZ-ZZZ"
Story = Callable[[SqliteStore], Awaitable[None]]
Play = Callable[[Story], None]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Runs a story in a new store where Ann and Bob have a conversation."""

    async def told(story: Story) -> None:
        store = SqliteStore.open(tmp_path / "sala.db", VAULT, lambda: NOW)
        try:
            for who in (ANN, BOB):
                await store.receive(Arrival("line", who.hex(), who, b"to", b"hello", NOW))
            for claimed in await store.claim(["line"], NOW, 9):
                await store.commit(claimed, Turn(b"s"))
            await story(store)
        finally:
            await store.close()

    return lambda story: asyncio.run(told(story))


def after(**time: float) -> datetime:
    return NOW + timedelta(**time)


def picture(value: str) -> Item:
    return Item("image", (Hash("pdq", "512", value, 90),))


def ticket(name: str = "t", who: ConversationId = ANN, **more: object) -> Ticket:
    fields = {"list": "adults", "expires_at": after(hours=1), "number": None, **more}
    return Ticket(name.encode() * 16, who, **fields)


async def registered(
    store: SqliteStore, *values: str, name: str = "t", who: ConversationId = ANN,
    now: datetime = NOW, **more: object,
) -> Registered:  # fmt: skip
    await store.issue(one := ticket(name, who, expires_at=now + timedelta(hours=1), **more))
    return await store.register(one.digest, [picture(value) for value in values], now)


async def platform(store: SqliteStore, name: str = "Chirp", *lists: str) -> Partner:
    await store.add_partner(name, lists or ("adults", "minors"), NOW)
    return next(one for one in await store.partners() if one.name == name)


async def fed(
    store: SqliteStore, partner: Partner, start: int = 0, after: int | None = None,
    limit: int = 100, now: datetime = NOW,
) -> Page:  # fmt: skip
    return await store.feed(partner, ("adults", "minors"), start, after, limit, now)


async def record_of(store: SqliteStore, partner: Partner, value: str) -> Record:
    (record,) = [one for one in (await fed(store, partner)).records if one.value == value]
    return record


async def inbox(store: SqliteStore, who: ConversationId) -> list[object]:
    claims = await store.claim(["line"], NOW, 9)
    return [decode_inbound(e.body) for c in claims if c.conversation == who for e in c.waiting]


async def news(store: SqliteStore, who: ConversationId) -> int:
    return sum(isinstance(event, News) for event in await inbox(store, who))


async def told(store: SqliteStore, number: str) -> tuple[Told, ...]:
    standing = await store.standing(number)
    assert standing is not None
    return standing.told


def dump(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    db = sqlite3.connect(folder / "sala.db")
    tables = db.execute("select name from sqlite_master where type = 'table'").fetchall()
    rows = {name: db.execute(f"select * from {name}").fetchall() for (name,) in tables}
    db.close()
    return rows


# ---------------------------------------------------------------- tickets and cases


def test_a_ticket_opens_a_case_and_tells_its_conversation(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        case = await registered(store, A, B)
        assert read_number(case.number) == case.number
        assert (len(case.pin or ""), case.images) == (6, 2)
        assert await inbox(store, ANN) == [Hashed(NOW, case.number, 2)]
        assert await inbox(store, BOB) == []

    play(story)


@pytest.mark.parametrize("reason", ["unknown", "used", "expired"])
def test_a_ticket_that_opens_nothing_writes_nothing(
    play: Play, tmp_path: Path, reason: str
) -> None:
    async def story(store: SqliteStore) -> None:
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

    play(story)


def test_of_two_posts_with_one_ticket_one_is_kept(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        await store.issue(one := ticket())
        posts = [store.register(one.digest, [picture(value)], NOW) for value in (A, B)]
        outcomes = await asyncio.gather(*posts, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == [
            "Registered", "TicketRefused",
        ]  # fmt: skip
        assert len(await inbox(store, ANN)) == 1

    play(story)


def test_issuing_a_ticket_again_does_not_renew_it(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        await registered(store, A)
        await store.issue(ticket())
        with pytest.raises(TicketRefused, match="used"):
            await store.look(ticket().digest, NOW)

    play(story)


def test_a_ticket_is_looked_at_as_it_was_issued(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        one = ticket(number="K7Q-2XH-DPM", list="minors")
        await store.issue(one)
        assert await store.look(one.digest, NOW) == one

    play(story)


def test_a_ticket_with_a_number_grows_its_case_and_shows_no_pin(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        case = await registered(store, A)
        grown = await registered(store, B, name="u", number=case.number)
        assert grown == Registered(case.number, None, 2)
        assert await inbox(store, ANN) == [Hashed(NOW, case.number, n) for n in (1, 2)]

    play(story)


def test_a_picture_the_case_has_already_counts_once(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        case = await registered(store, A, A)
        assert case.images == 1
        partner = await platform(store)
        before = await fed(store, partner)
        again = await registered(store, A, B, name="u", number=case.number, now=after(hours=1))
        assert again.images == 2
        assert (await fed(store, partner)).records[0] == before.records[0]

    play(story)


def test_a_case_holds_no_more_than_it_may_and_too_many_writes_nothing(
    play: Play, tmp_path: Path
) -> None:
    async def story(store: SqliteStore) -> None:
        case = await registered(store, *(f"{n:064x}" for n in range(MAX_IMAGES)))
        await store.issue(one := ticket("u", number=case.number))
        before = dump(tmp_path)
        with pytest.raises(TooManyImages):
            await store.register(one.digest, [picture(A)], NOW)
        assert dump(tmp_path) == before
        assert (await store.look(one.digest, NOW)).number == case.number

    play(story)


def test_a_case_that_is_gone_cannot_grow(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        with pytest.raises(TicketRefused, match="unknown"):
            await registered(store, A, number=UNKNOWN)

    play(story)


@pytest.mark.parametrize(("first", "second"), [("adults", "minors"), ("minors", "adults")])
def test_where_case_and_ticket_differ_the_minors_list_holds(
    play: Play, first: str, second: str
) -> None:
    async def story(store: SqliteStore) -> None:
        minors, adults = await platform(store, "M", "minors"), await platform(store, "A", "adults")
        case = await registered(store, A, list=first)
        await registered(store, B, name="u", number=case.number, list=second)
        assert B in [record.value for record in (await fed(store, minors)).records]
        assert B not in [record.value for record in (await fed(store, adults)).records]

    play(story)


def test_expired_tickets_are_dropped(play: Play, tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        await store.issue(ticket("t"))
        await store.issue(ticket("u", expires_at=after(days=1)))
        assert await store.sweep(after(hours=1)) == 0
        assert len(dump(tmp_path)["ticket"]) == 1

    play(story)


# ---------------------------------------------------------------- the PIN


def test_number_and_pin_belong_together(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        case, other = await registered(store, A), await registered(store, A, name="u")
        assert await store.check_pin(case.number, case.pin or "", NOW) == PinResult(right=True)
        typed = case.number.lower().replace("-", " ")
        assert (await store.check_pin(typed, case.pin or "", NOW)).right
        assert not (await store.check_pin(case.number, wrong(case), NOW)).right
        assert not (await store.check_pin(other.number, wrong(other), NOW)).right

    play(story)


def wrong(case: Registered) -> str:
    return f"{(int(case.pin or 0) + 1) % 10**6:06d}"


async def guesses(store: SqliteStore, number: str, pin: str) -> list[PinResult]:
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


def test_wrong_pins_slow_down_and_an_unknown_number_answers_the_same(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        case = await registered(store, A)
        known = await guesses(store, case.number, wrong(case))
        assert not any(result.right for result in known)
        assert [result.wait for result in known if result.wait != 1] == [
            0, 0, 60, 120, 240, 480, 960, 1920, 3600, 3600,
        ]  # fmt: skip
        assert await guesses(store, UNKNOWN, "000000") == known

    play(story)


def test_while_waiting_even_the_right_pin_is_not_read(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        case = await registered(store, A)
        for _ in range(3):
            await store.check_pin(case.number, wrong(case), NOW)
        pin = case.pin or ""
        assert await store.check_pin(case.number, pin, NOW) == PinResult(right=False, wait=60)
        assert (await store.check_pin(case.number, pin, after(seconds=60))).right

    play(story)


def test_many_guesses_at_once_do_not_get_round_the_wait(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        case = await registered(store, A)
        pins = [wrong(case)] * 3 + [case.pin or ""] * 3
        checks = [store.check_pin(case.number, pin, NOW) for pin in pins]
        results = await asyncio.gather(*checks)
        assert [result.right for result in results] == [False] * 6

    play(story)


def test_a_right_pin_forgets_the_wrong_ones_and_so_does_a_quiet_day(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        case = await registered(store, A)
        for _ in range(3):
            await store.check_pin(case.number, wrong(case), NOW)
        assert (await store.check_pin(case.number, case.pin or "", after(minutes=1))).right
        for _ in range(3):
            last = await store.check_pin(case.number, wrong(case), after(minutes=2))
        assert last.wait == 60
        await store.sweep(after(days=2))
        assert (await store.check_pin(case.number, wrong(case), after(days=2))).wait == 0

    play(story)


# ---------------------------------------------------------------- one hash, several cases (C13)


def test_c13_a_hash_already_listed_looks_like_a_new_one(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        partner = await platform(store)
        hers = await registered(store, A)
        await fed(store, partner)
        await store.give_feedback(partner, [(A, "Blocked", ())], after(hours=1))
        his = await registered(store, A, name="u", who=BOB, now=after(hours=2))
        assert his.images == hers.images
        assert await told(store, hers.number) == (Told("Chirp", "blocked"),)
        assert await told(store, his.number) == ()

    play(story)


def test_c13_a_word_said_again_after_a_registration_is_told_to_it(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        partner = await platform(store)
        await registered(store, A)
        await store.give_feedback(partner, [(A, "Blocked", ())], after(hours=1))
        his = await registered(store, A, name="u", who=BOB, now=after(hours=2))
        await store.follow(his.number, BOB, on=True)
        for hours in (3, 4):
            await store.give_feedback(partner, [(A, "Blocked", ())], after(hours=hours))
        assert await told(store, his.number) == (Told("Chirp", "blocked"),)
        assert await news(store, BOB) == 1

    play(story)


def test_c13_a_withdrawal_removes_only_its_own_claim(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        partner = await platform(store)
        hers, his = await registered(store, A), await registered(store, A, name="u", who=BOB)
        await fed(store, partner)
        before = await store.standing(hers.number)
        await store.withdraw(his.number, NOW, erase=False)
        assert await store.sweep(NOW) == 1
        assert await store.standing(hers.number) == before
        record = await record_of(store, partner, A)
        assert record.status == "Active"
        assert sorted(status for _, status in record.cases) == ["Active", "Withdrawn"]

    play(story)


def test_c13_the_last_withdrawal_makes_a_tombstone_and_a_new_case_lifts_it(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        partner = await platform(store)
        cases = [await registered(store, A, name=name) for name in "tu"]
        for case in cases:
            await store.withdraw(case.number, NOW, erase=False)
        assert await store.sweep(NOW) == 2
        assert (await record_of(store, partner, A)).status == "Withdrawn"
        await registered(store, A, name="v", now=after(hours=1))
        record = await record_of(store, partner, A)
        assert (record.status, len(record.cases)) == ("Active", 3)

    play(story)


def test_a_withdrawn_case_that_grows_protects_what_was_posted_again(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        partner = await platform(store)
        case = await registered(store, A, B)
        await store.withdraw(case.number, NOW, erase=False)
        await store.sweep(NOW)
        grown = await registered(store, A, name="u", number=case.number, now=after(hours=1))
        assert grown.images == 1
        assert (await record_of(store, partner, A)).status == "Active"
        assert (await record_of(store, partner, B)).status == "Withdrawn"

    play(story)


# ---------------------------------------------------------------- withdrawal (C12)


def test_c12_a_planned_withdrawal_waits_and_can_be_undone(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        partner = await platform(store)
        case = await registered(store, A)
        await store.withdraw(case.number, after(hours=48), erase=True)
        assert await store.sweep(after(hours=47)) == 0
        await store.keep(case.number)
        assert await store.sweep(after(hours=49)) == 0
        assert (await record_of(store, partner, A)).status == "Active"

    play(story)


def test_c12_the_earliest_time_asked_for_holds(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        case = await registered(store, A)
        await store.withdraw(case.number, NOW, erase=False)
        await store.withdraw(case.number, after(hours=48), erase=False)
        assert await store.sweep(NOW) == 1
        assert await store.sweep(after(hours=48)) == 0

    play(story)


def test_erasing_removes_the_case_from_rows_and_bytes_and_leaves_the_tombstone(
    play: Play, tmp_path: Path
) -> None:
    async def story(store: SqliteStore) -> None:
        partner = await platform(store)
        file_hash = Hash("sha256", "file", C)
        await store.issue(one := ticket())
        item = Item("image", (Hash("pdq", "512", A, 90), file_hash))
        case = await store.register(one.digest, [item], NOW)
        await store.check_pin(case.number, wrong(case), NOW)
        sealed = sealed_of_case(tmp_path)
        assert all(
            any(value in file.read_bytes() for file in tmp_path.iterdir()) for value in sealed
        )
        await store.withdraw(case.number, NOW, erase=True)
        assert await store.sweep(NOW) == 1
        assert not [v for v in sealed for file in tmp_path.iterdir() if v in file.read_bytes()]
        assert await store.standing(case.number) is None
        assert dump(tmp_path)["guess"] == []
        assert [(r.status, r.cases) for r in (await fed(store, partner)).records] == [
            ("Withdrawn", ())
        ]

    play(story)


def sealed_of_case(folder: Path) -> list[bytes]:
    db = sqlite3.connect(folder / "sala.db")
    row = db.execute("select id, number, pin, number_digest from cases").fetchone()
    unshared = db.execute("select value from hash where signal is null").fetchone()
    db.close()
    return [*row, *unshared]


def test_numbers_that_are_nobodys_change_nothing(play: Play, tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        before = dump(tmp_path)
        await store.withdraw(UNKNOWN, NOW, erase=True)
        await store.keep(UNKNOWN)
        await store.follow(UNKNOWN, ANN, on=True)
        assert await store.standing(UNKNOWN) is None
        assert await store.sweep(NOW) == 0
        assert dump(tmp_path) == before

    play(story)


# ---------------------------------------------------------------- partners and the feed


def test_a_partner_is_known_by_two_keys_of_the_right_scope(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        keys = await store.add_partner("Chirp", ["adults"], NOW)
        other = await store.add_partner("Other", ["minors"], NOW)
        found = await store.partner(keys.fetch_key, keys.subscription_key, "fetch")
        assert found == Partner(1, "Chirp", ("adults",))
        assert await store.partner(keys.feedback_key, keys.subscription_key, "feedback") == found
        for key, subscription, scope in (
            (keys.fetch_key, keys.subscription_key, "feedback"),
            (keys.feedback_key, keys.subscription_key, "fetch"),
            (keys.fetch_key, other.subscription_key, "fetch"),
            (keys.fetch_key, keys.fetch_key, "fetch"),
            ("", "", "fetch"),
        ):
            assert await store.partner(key, subscription, scope) is None

    play(story)


def test_a_partners_keys_are_not_in_the_file_and_its_name_is_taken(
    play: Play, tmp_path: Path
) -> None:
    async def story(store: SqliteStore) -> None:
        keys = await store.add_partner("Chirp", ["adults"], NOW)
        with pytest.raises(ValueError, match="name"):
            await store.add_partner("Chirp", ["minors"], NOW)
        kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        for key in (keys.fetch_key, keys.subscription_key, keys.feedback_key):
            assert key.encode() not in kept

    play(story)


def test_readers_are_those_whose_agreement_covers_the_list(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        await platform(store, "Both")
        await platform(store, "Adults", "adults")
        assert await store.readers("adults") == ("Adults", "Both")
        assert await store.readers("minors") == ("Both",)

    play(story)


def test_a_record_is_the_whole_state_under_an_opaque_case_id(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        partner = await platform(store)
        case = await registered(store, A)
        await store.give_feedback(partner, [(A, "Blocked", ("nude", "other"))], after(seconds=9))
        (record,) = (await fed(store, partner)).records
        assert (record.signal, record.value, record.status) == ("ImagePDQ", A, "Active")
        assert record.modified == int(after(seconds=9).timestamp())
        assert record.feedback == (("Chirp", "Blocked", ("nude", "other")),)
        ((id, status),) = record.cases
        assert (str(UUID(id)), status) == (id, "Active")
        assert case.number not in id

    play(story)


def test_only_pdq_and_the_md5_of_a_video_leave_the_house(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        partner = await platform(store)
        files = (Hash("md5", "file", "d" * 32), Hash("sha256", "file", "e" * 64))
        film = (Hash("md5", "file", "f" * 32), Hash("pdq", "frame-1", B, 80))
        await store.issue(one := ticket())
        items = [Item("image", (Hash("pdq", "512", A, 90), *files)), Item("video", film)]
        await store.register(one.digest, items, NOW)
        page = await fed(store, partner)
        assert {(record.signal, record.value) for record in page.records} == {
            ("ImagePDQ", A), ("VideoMD5", "f" * 32), ("ImagePDQ", B),
        }  # fmt: skip

    play(story)


def test_a_partner_reads_only_its_own_lists(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        partner = await platform(store, "Adults", "adults")
        await registered(store, A, list="minors")
        assert (await fed(store, partner)).records == ()

    play(story)


def test_paging_while_others_write_loses_nothing_and_never_goes_back(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        partner, values = await platform(store), [f"{n:064x}" for n in range(6)]
        for n, value in enumerate(values[:3]):
            await registered(store, value, name=f"t{n}", now=after(seconds=n))
        latest: dict[str, Record] = {}
        checkpoints, cursor, turn = [0], None, 0
        while True:
            page = await fed(store, partner, 0, cursor, limit=1)
            latest |= {record.value: record for record in page.records}
            checkpoints.append(page.checkpoint)
            cursor, turn = page.cursor, turn + 1
            if cursor is None:
                break
            if turn <= 3:
                late = after(seconds=10 - turn)  # a clock that goes back
                await registered(store, values[2 + turn], name=f"u{turn}", now=late)
                await store.give_feedback(partner, [(values[0], "Blocked", (str(turn),))], late)
        assert checkpoints == sorted(checkpoints)
        whole = {record.value: record for record in (await fed(store, partner)).records}
        assert latest == whole
        assert set(whole) == set(values)

    play(story)


def test_a_fetch_from_a_checkpoint_serves_that_second_again_and_all_after(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        partner = await platform(store)
        for n, value in enumerate((A, B, C)):
            await registered(store, value, name=f"t{n}", now=after(seconds=n))
        first = await fed(store, partner, limit=2)
        again = await fed(store, partner, first.checkpoint)
        assert [record.value for record in again.records] == [B, C]
        empty = await fed(store, partner, again.checkpoint + 5)
        assert (empty.records, empty.checkpoint, empty.cursor) == ((), again.checkpoint + 5, None)

    play(story)


def test_every_read_is_on_record(play: Play, tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        partner = await platform(store)
        await registered(store, A, B)
        await fed(store, partner, limit=1)
        await fed(store, partner, limit=1, after=1)
        one, two = dump(tmp_path)["reading"]
        assert (one[0], *one[2:]) == (partner.id, "adults,minors", 1, 1, 1)
        assert (two[0], *two[2:]) == (partner.id, "adults,minors", 2, 2, 1)

    play(story)


def test_a_platform_is_named_once_it_has_read_past_the_registration(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        partner = await platform(store)
        case = await registered(store, A)
        assert await told(store, case.number) == ()
        await fed(store, partner)
        assert await told(store, case.number) == (Told("Chirp", "shared"),)
        other = await platform(store, "Other")
        await store.give_feedback(other, [(A, "NotBlocked", ())], after(hours=1))
        assert await told(store, case.number) == (
            Told("Chirp", "shared"),
            Told("Other", "not_blocked"),
        )

    play(story)


def test_a_platform_that_skips_is_not_named_for_what_it_left_out(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        partner = await platform(store)
        old = await registered(store, A)
        new = await registered(store, B, name="u", now=after(hours=1))
        start = int(after(hours=1).timestamp())
        assert len((await fed(store, partner, start)).records) == 1
        assert await told(store, old.number) == ()
        await fed(store, partner)
        for case in (old, new):
            assert await told(store, case.number) == (Told("Chirp", "shared"),)

    play(story)


# ---------------------------------------------------------------- feedback and news


def test_a_partners_word_is_news_once_for_the_case_that_follows(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        partner = await platform(store)
        case = await registered(store, A, B)
        await store.follow(case.number, ANN, on=True)
        words = [(A, "Blocked", ()), (B, "PendingReview", ())]
        assert await store.give_feedback(partner, words, after(hours=1)) == 2
        assert (await inbox(store, ANN))[1:] == [News(after(hours=1), case.number)]
        before = await fed(store, partner)
        assert await store.give_feedback(partner, words, after(hours=2)) == 2
        assert (await fed(store, partner)).records == before.records
        assert await news(store, ANN) == 1

    play(story)


def test_a_long_answer_is_heard_whole(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        partner, values = await platform(store), [f"{n:064x}" for n in range(MAX_IMAGES)]
        case = await registered(store, *values)
        words = [(value, "NotBlocked", ()) for value in values]
        assert await store.give_feedback(partner, words, after(hours=1)) == MAX_IMAGES
        assert all(record.feedback for record in (await fed(store, partner)).records)
        assert await told(store, case.number) == (Told("Chirp", "not_blocked"),)

    play(story)


def test_a_word_on_what_the_partner_may_not_read_is_not_kept(play: Play, tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        partner = await platform(store, "Adults", "adults")
        await registered(store, A, list="minors")
        await store.issue(one := ticket("u"))
        await store.register(one.digest, [Item("image", (Hash("md5", "file", "d" * 32),))], NOW)
        before = dump(tmp_path)
        words = [(value, "Blocked", ()) for value in (A, B, "d" * 32, "nonsense")]
        assert await store.give_feedback(partner, words, after(hours=1)) == 0
        assert dump(tmp_path) == before

    play(story)


def test_nobody_is_told_who_did_not_ask_or_has_withdrawn(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        partner = await platform(store)
        silent = await registered(store, A)
        stopped = await registered(store, B, name="u")
        gone = await registered(store, C, name="v")
        for case in (stopped, gone):
            await store.follow(case.number, ANN, on=True)
        await store.follow(stopped.number, BOB, on=False)
        await store.follow(stopped.number, ANN, on=False)
        await store.withdraw(gone.number, NOW, erase=False)
        await store.sweep(NOW)
        words = [(value, "Blocked", ()) for value in (A, B, C)]
        assert await store.give_feedback(partner, words, after(hours=1)) == 3
        assert await news(store, ANN) == 0
        assert await told(store, silent.number) == (Told("Chirp", "blocked"),)

    play(story)


def test_only_the_conversation_that_follows_can_stop_following(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        partner = await platform(store)
        case = await registered(store, A)
        await store.follow(case.number, ANN, on=True)
        await store.follow(case.number, BOB, on=False)
        await store.give_feedback(partner, [(A, "Blocked", ())], after(hours=1))
        assert await news(store, ANN) == 1

    play(story)


def test_a_case_whose_chat_was_never_known_is_registered_all_the_same(play: Play) -> None:
    async def story(store: SqliteStore) -> None:
        stranger = ConversationId(b"x" * 16)
        case = await registered(store, A, who=stranger)
        await store.follow(case.number, stranger, on=True)
        assert await store.standing(case.number) is not None
        assert await inbox(store, stranger) == []

    play(story)


def test_hash_number_and_pin_can_not_be_read_in_the_file(play: Play, tmp_path: Path) -> None:
    async def story(store: SqliteStore) -> None:
        case = await registered(store, A)
        await store.issue(ticket("u", number=case.number))
        kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        plain = [A, case.number, case.number.replace("-", ""), case.pin or "-"]
        assert not [one for one in plain if one.encode() in kept]
        assert bytes.fromhex(A) not in kept

    play(story)
