"""Partners' keys turn over without a gap and close at once; what partners add is theirs alone."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from bot.cases.status import Told
from bot.store import Partner, PartnerKeys, Submitted, TooManyImages
from bot.store.ledger import MAX_A_DAY
from bot.store.retention import SEEN_AT_LAST, SEEN_WITHIN
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
    told,
)

pytestmark = pytest.mark.usefixtures("both")


async def opens(store: WholeStore, keys: PartnerKeys) -> bool:
    return await store.partner(keys.fetch_key, keys.subscription_key, "fetch") is not None


# ---------------------------------------------------------------- keys


def test_a_rotation_leaves_no_moment_without_keys(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        first = await store.add_partner("Chirp", ["adults"], NOW)
        second = await store.rotate("Chirp", NOW, timedelta(days=7))
        assert await opens(store, first)
        assert await opens(store, second)
        mixed = await store.partner(second.fetch_key, first.subscription_key, "fetch")
        assert mixed is None
        third = await store.rotate("Chirp", NOW)
        assert [await opens(store, keys) for keys in (first, second, third)] == [False, True, True]
        await store.revoke("Chirp", NOW, former=True)
        assert [await opens(store, keys) for keys in (second, third)] == [False, True]

    play(tmp_path, story)


def test_former_keys_end_by_themselves(tmp_path: Path) -> None:
    async def story() -> None:
        now = NOW
        store = databases.open_store(tmp_path / "sala.db", VAULT, lambda: now)
        first = await store.add_partner("Chirp", ["adults"], NOW)
        await store.rotate("Chirp", NOW, timedelta(days=7))
        now = after(days=7)
        assert not await opens(store, first)
        await store.sweep(now)
        await store.close()
        assert dump(tmp_path)["former_keys"] == []

    asyncio.run(story())


def test_a_revoked_partner_opens_nothing_and_is_named_to_nobody(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        first = await store.add_partner("Chirp", ["adults"], NOW)
        second = await store.rotate("Chirp", NOW)
        await store.revoke("Chirp", NOW)
        assert not await opens(store, first)
        assert not await opens(store, second)
        assert await store.readers("adults") == ()
        for again in (store.rotate("Chirp", NOW), store.revoke("Chirp", NOW)):
            with pytest.raises(ValueError, match="revoked"):
                await again

    play(tmp_path, story)


def test_the_key_to_submit_is_only_for_those_whose_agreement_says_so(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        reads = await store.add_partner("Chirp", ["adults"], NOW)
        adds = await store.add_partner("Hotline", ["adults"], NOW, submits=True)
        assert reads.submit_key is None
        assert adds.submit_key
        turned = await store.rotate("Hotline", NOW)
        for keys in (adds, turned):
            key = keys.submit_key or ""
            assert await store.partner(key, keys.subscription_key, "submit")
            assert not await store.partner(keys.fetch_key, keys.subscription_key, "submit")
        for key in ("", reads.fetch_key, reads.feedback_key):
            assert not await store.partner(key, reads.subscription_key, "submit")

    play(tmp_path, story)


# ---------------------------------------------------------------- what partners add


def add(value: str, said: str = "Blocked") -> Submitted:
    return Submitted("ImagePDQ", value, said, ("x",))


async def hotline(store: WholeStore, name: str = "Hotline") -> Partner:
    await store.add_partner(name, ["adults"], NOW, submits=True)
    return next(one for one in await store.partners() if one.name == name)


def test_what_a_partner_adds_is_listed_with_its_word_and_added_twice_is_once(
    tmp_path: Path,
) -> None:
    async def story(store: WholeStore) -> None:
        giver, reader = await hotline(store), await platform(store)
        film = Submitted("VideoMD5", "d" * 32, "PendingReview")
        assert await store.submit(giver, "adults", [add(A), film], NOW) == 2
        first = await fed(store, reader)
        assert await store.submit(giver, "adults", [add(A), film], after(hours=1)) == 2
        assert (await fed(store, reader)).records == first.records
        assert [(one.signal, one.value, one.feedback) for one in first.records] == [
            ("ImagePDQ", A, (("Hotline", "Blocked", ("x",)),)),
            ("VideoMD5", "d" * 32, (("Hotline", "PendingReview", ()),)),
        ]

    play(tmp_path, story)


@pytest.mark.parametrize("said", ["Withdrawn", "Deleted"])
def test_a_partner_takes_back_its_own_and_nothing_of_a_person(tmp_path: Path, said: str) -> None:
    async def story(store: WholeStore) -> None:
        giver, other = await hotline(store), await hotline(store, "Other")
        await registered(store, B)
        await store.submit(giver, "adults", [add(A), add(B)], NOW)
        await store.submit(other, "adults", [add(A, said), add(B, said)], NOW)
        await store.give_feedback(other, [(A, said, ())], NOW)
        assert [(await record_of(store, giver, v)).status for v in (A, B)] == ["Active"] * 2
        await store.submit(giver, "adults", [add(A, said)], NOW)
        await store.give_feedback(giver, [(B, said, ())], NOW)
        assert (await record_of(store, giver, A)).status == "Withdrawn"
        assert (await record_of(store, giver, B)).status == "Active"
        await store.submit(giver, "adults", [add(A)], NOW)
        assert (await record_of(store, giver, A)).status == "Active"

    play(tmp_path, story)


# ---------------------------------------------------------------- limits


def test_one_person_registers_no_more_than_so_many_a_day(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        values = [f"{n:064x}" for n in range(MAX_A_DAY)]
        for start in range(0, MAX_A_DAY, 30):
            await registered(store, *values[start : start + 30], name=chr(97 + start // 30))
        with pytest.raises(TooManyImages):
            await registered(store, A, name="y", now=after(hours=23))
        await registered(store, A, name="z", who=BOB)
        await registered(store, B, name="x", who=ANN, now=after(hours=25))

    play(tmp_path, story)


# ---------------------------------------------------------------- withdrawal, until it is seen


def test_the_person_is_told_which_platforms_have_fetched_the_withdrawal(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        chirp, plaza = await platform(store), await platform(store, "Plaza")
        await platform(store, "Never")
        mine, other = await registered(store, A), await registered(store, A, name="u", who=BOB)
        for partner in (chirp, plaza):
            await fed(store, partner)
        await store.withdraw(mine.number, NOW, erase=False)
        await store.sweep(NOW)
        both = (Told("Chirp", "stop_unseen"), Told("Plaza", "stop_unseen"))
        assert await told(store, mine.number) == both
        await fed(store, plaza)
        assert await told(store, mine.number) == (
            Told("Chirp", "stop_unseen"),
            Told("Plaza", "stop_seen"),
        )
        assert await told(store, other.number) == (Told("Chirp", "shared"), Told("Plaza", "shared"))

    play(tmp_path, story)


def test_a_tombstone_waits_for_the_partners_that_were_there_and_not_for_ever(
    tmp_path: Path,
) -> None:
    async def story(store: WholeStore) -> None:
        chirp, plaza = await platform(store), await platform(store, "Plaza")
        await platform(store, "Minors", "minors")
        case = await registered(store, A)
        await store.withdraw(case.number, NOW, erase=True)
        await store.sweep(NOW)

        async def kept(now: timedelta) -> bool:
            await store.sweep(NOW + now)
            return bool(dump(tmp_path)["hash"])

        await fed(store, chirp)
        assert await kept(SEEN_WITHIN)
        assert await kept(SEEN_AT_LAST - timedelta(seconds=1))
        await fed(store, plaza)
        assert not await kept(SEEN_AT_LAST - timedelta(seconds=1))

    async def nobody_comes(store: WholeStore) -> None:
        await platform(store)
        case = await registered(store, A)
        await store.withdraw(case.number, NOW, erase=True)
        await store.sweep(NOW)
        await store.sweep(NOW + SEEN_AT_LAST)
        assert dump(tmp_path / "b")["hash"] == []

    play(tmp_path, story)
    (tmp_path / "b").mkdir()
    play(tmp_path / "b", nobody_comes)
