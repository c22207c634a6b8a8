"""What is registered for nobody, and what several partners refused: it grows no further, while
nobody loses anything by their word and nobody can tell (C13)."""

from pathlib import Path

import pytest

from bot.cases.hashes import Hash, Item
from bot.cases.status import FeedbackValue, Told
from bot.store import NotTaken, Partner, Submitted
from bot.store.denials import SEVERAL
from bot.store.whole import WholeStore
from tests.cases_kept import (
    BOB,
    NOW,
    A,
    B,
    C,
    after,
    dump,
    fed,
    picture,
    platform,
    play,
    record_of,
    registered,
    ticket,
    told,
)

pytestmark = pytest.mark.usefixtures("both")


def near(value: str, bits: int) -> str:
    return f"{int(value, 16) ^ (2**bits - 1):064x}"


async def refuse(store: WholeStore, *partners: Partner, value: str = A) -> None:
    for partner in partners:
        await say(store, partner, "NotBlocked", value)


async def say(store: WholeStore, partner: Partner, word: FeedbackValue, value: str = A) -> None:
    await store.give_feedback(partner, [(value, word, ())], NOW)


async def platforms(store: WholeStore) -> list[Partner]:
    return [await platform(store, f"P{n}") for n in range(SEVERAL)]


async def listed(store: WholeStore, partner: Partner) -> dict[str, str]:
    return {one.value: one.status for one in (await fed(store, partner)).records}


# ---------------------------------------------------------------- denied by the operator


def test_nothing_is_registered_that_looks_like_a_denied_picture(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        assert await store.deny([picture(A)], NOW) == 1
        assert await store.deny([picture(A)], NOW) == 0
        before = dump(tmp_path)["hash"], dump(tmp_path)["cases"]
        for name, value in (("t", A), ("u", near(A, 31))):
            with pytest.raises(NotTaken):
                await registered(store, B, value, name=name)
        assert (dump(tmp_path)["hash"], dump(tmp_path)["cases"]) == before
        await registered(store, near(A, 32), name="v")
        await store.add_partner("Hotline", ["adults"], NOW, submits=True)
        (giver,) = await store.partners()
        some = [Submitted("ImagePDQ", value, "Blocked") for value in (A, C)]
        assert await store.submit(giver, "adults", some, NOW) == 1

    play(tmp_path, story)


def test_a_denied_video_is_denied_by_its_file(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        film = Item("video", (Hash("md5", "file", "d" * 32),))
        await store.deny([film], NOW)
        await store.add_partner("Hotline", ["adults"], NOW, submits=True)
        (giver,) = await store.partners()
        some = [Submitted("VideoMD5", value * 32, "Blocked") for value in "de"]
        assert await store.submit(giver, "adults", some, NOW) == 1

    play(tmp_path, story)


# ---------------------------------------------------------------- refused by partners


def test_of_what_several_partners_refused_no_new_code_is_listed(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        partners = await platforms(store)
        mine = await registered(store, A)
        await refuse(store, *partners)
        theirs = await registered(store, near(A, 31), near(A, 32), name="u", who=BOB)
        assert await listed(store, partners[0]) == {A: "Active", near(A, 32): "Active"}
        assert (theirs.images, theirs.number != mine.number) == (2, True)
        assert len((await record_of(store, partners[0], A)).cases) == 2

    play(tmp_path, story)


def test_c13_who_registers_what_several_partners_refused_cannot_tell(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        partners = await platforms(store)
        await registered(store, A)
        await refuse(store, *partners)
        for name, value in (("u", A), ("v", near(A, 9)), ("w", B)):
            case = await registered(store, value, name=name, who=BOB, now=after(hours=1))
            assert (case.images, bool(case.pin)) == (1, True)
            assert await told(store, case.number) == ()

    play(tmp_path, story)


def test_by_partners_word_nobody_loses_what_is_listed(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        partners = await platforms(store)
        mine = await registered(store, A, near(A, 20))
        await refuse(store, *partners)
        theirs = await registered(store, near(A, 9), name="u", who=BOB)
        assert await listed(store, partners[0]) == {A: "Active", near(A, 20): "Active"}
        await store.withdraw(mine.number, NOW, erase=True)
        await store.sweep(NOW)
        assert await listed(store, partners[0]) == {A: "Active", near(A, 20): "Withdrawn"}
        await store.give_feedback(partners[0], [(A, "Blocked", ())], after(hours=1))
        assert Told("P0", "blocked") in await told(store, theirs.number)

    play(tmp_path, story)


@pytest.mark.parametrize("word", ["Blocked", "PendingReview", "None"])
def test_one_partners_other_word_ends_it(tmp_path: Path, word: FeedbackValue) -> None:
    async def story(store: WholeStore) -> None:
        partners = await platforms(store)
        await registered(store, A)
        await refuse(store, *partners)
        assert len(await store.denials("asked")) == 1
        await say(store, partners[0], word)
        assert await store.denials("asked") == []
        await registered(store, near(A, 9), name="u", who=BOB)
        assert near(A, 9) in await listed(store, partners[0])

    play(tmp_path, story)


def test_a_partner_that_was_revoked_refuses_no_more(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        partners = await platforms(store)
        await registered(store, A)
        await refuse(store, *partners)
        await store.revoke("P0", NOW)
        await registered(store, near(A, 9), name="u", who=BOB)
        assert near(A, 9) in await listed(store, partners[1])

    play(tmp_path, story)


def test_what_is_refused_on_one_list_is_not_on_the_other(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        partners = await platforms(store)
        await registered(store, A)
        await refuse(store, *partners)
        await registered(store, near(A, 9), name="u", who=BOB, list="minors")
        assert near(A, 9) in await listed(store, partners[0])

    play(tmp_path, story)


def test_the_nearest_of_several_refused_codes_stands_for_a_copy_and_a_file_for_itself(
    tmp_path: Path,
) -> None:
    async def story(store: WholeStore) -> None:
        partners = await platforms(store)
        far = near(A, 40)
        await registered(store, A, far)
        for value in (A, far):
            await refuse(store, *partners, value=value)
        copy = Item("image", (Hash("pdq", "512", near(A, 25), 90), Hash("md5", "file", "d" * 32)))
        await store.issue(ticket("u", BOB))
        await store.register(ticket("u", BOB).digest, [copy], NOW)
        assert len((await record_of(store, partners[0], far)).cases) == 2
        assert len((await record_of(store, partners[0], A)).cases) == 1
        assert len(dump(tmp_path)["hash"]) == 3

    play(tmp_path, story)


def test_the_operator_is_asked_once_and_decides_for_good(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        mine = await registered(store, A, B)
        partners = await platforms(store)
        for partner in partners:
            assert await store.denials("asked") == []
            await refuse(store, partner)
        await say(store, partners[0], "Blocked", B)
        await refuse(store, *partners[1:], value=B)
        (one,) = await store.denials("asked")
        assert (one.kind, one.source) == ("pdq", "partners")
        await registered(store, A, name="u", who=BOB)
        await store.decide(one.number, "denied")
        with pytest.raises(NotTaken):
            await registered(store, A, name="v", who=BOB)
        assert (await record_of(store, partners[0], A)).status == "Active"
        await store.decide(one.number, "allowed")
        await registered(store, near(A, 9), name="w", who=BOB)
        assert near(A, 9) in await listed(store, partners[0])
        await store.give_feedback(partners[0], [(A, "NotBlocked", ("again",))], NOW)
        assert await store.denials("asked") == []
        assert mine.images == 2
        with pytest.raises(ValueError, match="queue"):
            await store.decide(99, "denied")

    play(tmp_path, story)
