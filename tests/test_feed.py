"""What partners read and answer, and what neither case on one hash learns of the other (C13)."""

from pathlib import Path
from uuid import UUID

import pytest

from bot.cases.hashes import Hash, Item
from bot.cases.status import Told
from bot.conversation.model import News
from bot.store import (
    ConversationId,
    Partner,
    Record,
)
from bot.store.ledger import MAX_IMAGES
from bot.store.whole import WholeStore
from tests.cases_kept import (
    ANN,
    BOB,
    NOW,
    A,
    B,
    C,
    after,
    dump,
    fed,
    inbox,
    news,
    platform,
    play,
    record_of,
    registered,
    ticket,
    told,
)

pytestmark = pytest.mark.usefixtures("both")

# ---------------------------------------------------------------- one hash, several cases (C13)


def test_c13_a_hash_already_listed_looks_like_a_new_one(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        partner = await platform(store)
        hers = await registered(store, A)
        await fed(store, partner)
        await store.give_feedback(partner, [(A, "Blocked", ())], after(hours=1))
        his = await registered(store, A, name="u", who=BOB, now=after(hours=2))
        assert his.images == hers.images
        assert await told(store, hers.number) == (Told("Chirp", "blocked"),)
        assert await told(store, his.number) == ()

    play(tmp_path, story)


def test_c13_a_word_said_again_after_a_registration_is_told_to_it(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        partner = await platform(store)
        await registered(store, A)
        await store.give_feedback(partner, [(A, "Blocked", ())], after(hours=1))
        his = await registered(store, A, name="u", who=BOB, now=after(hours=2))
        await store.follow(his.number, BOB, on=True)
        for hours in (3, 4):
            await store.give_feedback(partner, [(A, "Blocked", ())], after(hours=hours))
        assert await told(store, his.number) == (Told("Chirp", "blocked"),)
        assert await news(store, BOB) == 1

    play(tmp_path, story)


def test_c13_a_withdrawal_removes_only_its_own_claim(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
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

    play(tmp_path, story)


def test_c13_the_last_withdrawal_makes_a_tombstone_and_a_new_case_lifts_it(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        partner = await platform(store)
        cases = [await registered(store, A, name=name) for name in "tu"]
        for case in cases:
            await store.withdraw(case.number, NOW, erase=False)
        assert await store.sweep(NOW) == 2
        assert (await record_of(store, partner, A)).status == "Withdrawn"
        await registered(store, A, name="v", now=after(hours=1))
        record = await record_of(store, partner, A)
        assert (record.status, len(record.cases)) == ("Active", 3)

    play(tmp_path, story)


def test_a_withdrawn_case_that_grows_protects_what_was_posted_again(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        partner = await platform(store)
        case = await registered(store, A, B)
        await store.withdraw(case.number, NOW, erase=False)
        await store.sweep(NOW)
        grown = await registered(store, A, name="u", number=case.number, now=after(hours=1))
        assert grown.images == 1
        assert (await record_of(store, partner, A)).status == "Active"
        assert (await record_of(store, partner, B)).status == "Withdrawn"

    play(tmp_path, story)


# ---------------------------------------------------------------- partners and the feed


def test_a_partner_is_known_by_two_keys_of_the_right_scope(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
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

    play(tmp_path, story)


def test_a_partners_keys_are_not_in_the_file_and_its_name_is_taken(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        keys = await store.add_partner("Chirp", ["adults"], NOW)
        with pytest.raises(ValueError, match="name"):
            await store.add_partner("Chirp", ["minors"], NOW)
        kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        for key in (keys.fetch_key, keys.subscription_key, keys.feedback_key):
            assert key.encode() not in kept

    play(tmp_path, story)


def test_readers_are_those_whose_agreement_covers_the_list(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await platform(store, "Both")
        await platform(store, "Adults", "adults")
        assert await store.readers("adults") == ("Adults", "Both")
        assert await store.readers("minors") == ("Both",)

    play(tmp_path, story)


def test_a_record_is_the_whole_state_under_an_opaque_case_id(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
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

    play(tmp_path, story)


def test_only_pdq_and_the_md5_of_a_video_leave_the_house(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
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

    play(tmp_path, story)


def test_a_partner_reads_only_its_own_lists(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        partner = await platform(store, "Adults", "adults")
        await registered(store, A, list="minors")
        assert (await fed(store, partner)).records == ()

    play(tmp_path, story)


def test_paging_while_others_write_loses_nothing_and_never_goes_back(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
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

    play(tmp_path, story)


def test_a_fetch_from_a_checkpoint_serves_that_second_again_and_all_after(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        partner = await platform(store)
        for n, value in enumerate((A, B, C)):
            await registered(store, value, name=f"t{n}", now=after(seconds=n))
        first = await fed(store, partner, limit=2)
        again = await fed(store, partner, first.checkpoint)
        assert [record.value for record in again.records] == [B, C]
        empty = await fed(store, partner, again.checkpoint + 5)
        assert (empty.records, empty.checkpoint, empty.cursor) == ((), again.checkpoint + 5, None)

    play(tmp_path, story)


def test_who_reads_and_answers_in_turns_leads_the_feeds_time_no_further_than_a_minute(
    tmp_path: Path,
) -> None:
    async def story(store: WholeStore) -> None:
        await registered(store, A)
        chirp = await platform(store)
        second = int(NOW.timestamp())
        reached = [0]
        for turn in range(70):
            page = await fed(store, chirp, reached[-1])
            assert [record.value for record in page.records] == [A]
            reached.append(page.checkpoint)
            await store.give_feedback(chirp, [(A, "Blocked", (str(turn),))], NOW)
        assert reached == sorted(reached)
        assert reached[-1] == second + 60

    play(tmp_path, story)


def test_every_read_is_on_record(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        partner = await platform(store)
        await registered(store, A, B)
        await fed(store, partner, limit=1)
        await fed(store, partner, limit=1, after=1)
        one, two = dump(tmp_path)["reading"]
        assert (one[0], *one[2:]) == (partner.id, "adults,minors", 1, 1, 1)
        assert (two[0], *two[2:]) == (partner.id, "adults,minors", 2, 2, 1)

    play(tmp_path, story)


def test_a_platform_is_named_once_it_has_read_past_the_registration(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
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

    play(tmp_path, story)


def test_a_platform_that_skips_is_not_named_for_what_it_left_out(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        partner = await platform(store)
        old = await registered(store, A)
        new = await registered(store, B, name="u", now=after(hours=1))
        start = int(after(hours=1).timestamp())
        assert len((await fed(store, partner, start)).records) == 1
        assert await told(store, old.number) == ()
        await fed(store, partner)
        for case in (old, new):
            assert await told(store, case.number) == (Told("Chirp", "shared"),)

    play(tmp_path, story)


# ---------------------------------------------------------------- feedback and news


def test_a_partners_word_is_news_once_for_the_case_that_follows(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
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

    play(tmp_path, story)


def test_a_long_answer_is_heard_whole(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        partner, values = await platform(store), [f"{n:064x}" for n in range(MAX_IMAGES)]
        case = await registered(store, *values)
        words = [(value, "NotBlocked", ()) for value in values]
        assert await store.give_feedback(partner, words, after(hours=1)) == MAX_IMAGES
        assert all(record.feedback for record in (await fed(store, partner)).records)
        assert await told(store, case.number) == (Told("Chirp", "not_blocked"),)

    play(tmp_path, story)


def test_a_word_on_what_the_partner_may_not_read_is_not_kept(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        partner = await platform(store, "Adults", "adults")
        await registered(store, A, list="minors")
        await store.issue(one := ticket("u"))
        await store.register(one.digest, [Item("image", (Hash("md5", "file", "d" * 32),))], NOW)
        before = dump(tmp_path)
        words = [(value, "Blocked", ()) for value in (A, B, "d" * 32, "nonsense")]
        assert await store.give_feedback(partner, words, after(hours=1)) == 0
        assert dump(tmp_path) == before

    play(tmp_path, story)


def test_nobody_is_told_who_did_not_ask_or_has_withdrawn(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
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

    play(tmp_path, story)


def test_only_the_conversation_that_follows_can_stop_following(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        partner = await platform(store)
        case = await registered(store, A)
        await store.follow(case.number, ANN, on=True)
        await store.follow(case.number, BOB, on=False)
        await store.give_feedback(partner, [(A, "Blocked", ())], after(hours=1))
        assert await news(store, ANN) == 1

    play(tmp_path, story)


def test_a_case_whose_chat_was_never_known_is_registered_all_the_same(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        stranger = ConversationId(b"x" * 16)
        case = await registered(store, A, who=stranger)
        await store.follow(case.number, stranger, on=True)
        assert await store.standing(case.number) is not None
        assert await inbox(store, stranger) == []

    play(tmp_path, story)


def test_hash_number_and_pin_can_not_be_read_in_the_file(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await registered(store, A)
        await store.issue(ticket("u", number=case.number))
        files = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        kept = files + repr(dump(tmp_path)).encode()  # PostgreSQL's files are elsewhere
        plain = [A, case.number, case.number.replace("-", ""), case.pin or "-"]
        assert not [one for one in plain if one.encode() in kept]
        assert bytes.fromhex(A) not in kept

    play(tmp_path, story)
