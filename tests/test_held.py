"""A picture that is sent again is told apart from another one, within its case alone."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from bot.cases.hashes import Hash, Item
from bot.cases.likeness import SAME_PDQ, SAME_PHASH, Held, is_held
from bot.store import ConversationId, Registered
from bot.store.held import HeldAlready
from bot.store.whole import WholeStore
from tests.cases_kept import ANN, BOB, NOW, VAULT, A, B, after, dump, fed, platform, play, ticket

pytestmark = pytest.mark.usefixtures("both")

PHASH = "f0" * 8


def off(value: str, bits: int) -> str:
    """A hash so many bits away."""
    return f"{int(value, 16) ^ ((1 << bits) - 1):0{len(value)}x}"


def sent(pdq: str = A, phash: str | None = PHASH, file: str = "1", variant: str = "512") -> Item:
    return Item("image", (Hash("pdq", variant, pdq, 90), Hash("md5", "file", file * 32)), phash)


def held(pdq: str = A, phash: str | None = PHASH) -> Iterable[Held]:
    return [Held(()), Held((B, pdq), phash)]


# ---------------------------------------------------------------- the rule


@pytest.mark.parametrize(
    ("item", "same"),
    [
        (sent(), True),
        (sent(off(A, SAME_PDQ), off(PHASH, SAME_PHASH)), True),
        (sent(off(A, SAME_PDQ + 1)), False),
        (sent(phash=off(PHASH, SAME_PHASH + 1)), False),
        (sent(phash=None), True),
        (sent(variant="256"), True),
        (sent(variant="512-mirror"), False),
        (Item("video", sent().hashes[1:]), False),
    ],
)
def test_a_picture_is_the_same_when_pdq_and_phash_both_say_so(item: Item, same: bool) -> None:
    assert is_held(item, held()) is same


def film(*pdqs: str) -> Item:
    stills = (Hash("pdq", f"frame-{n}", one, 90) for n, one in enumerate(pdqs, 1))
    return Item("video", (*stills, Hash("md5", "file", "2" * 32)))


@pytest.mark.parametrize(
    ("item", "same"),
    [
        (film(A, B), True),
        (film(off(A, SAME_PDQ)), True),
        (film(A, off(B, SAME_PDQ + 1)), False),
        (film(), False),
        (sent(phash=None), False),
    ],
)
def test_a_video_is_the_same_when_all_its_stills_say_so(item: Item, same: bool) -> None:
    assert is_held(item, [Held((A, B), media="video")]) is same


def test_of_a_picture_without_phash_pdq_alone_says_it() -> None:
    assert is_held(sent(off(A, SAME_PDQ)), held(phash=None))
    assert not is_held(sent(off(A, SAME_PDQ + 1)), held(phash=None))


# ---------------------------------------------------------------- in the store


async def sends(
    store: WholeStore, item: Item, number: str | None = None, name: str = "s",
    who: ConversationId = ANN, now: datetime = NOW,
) -> Registered:  # fmt: skip
    one = ticket(name, who, number=number, expires_at=after(days=400))
    case = await store.register_sent(one, [item], now)
    assert case
    return case


async def is_there(store: WholeStore, item: Item, number: str, name: str = "u") -> None:
    with pytest.raises(HeldAlready):
        await sends(store, item, number, name)


COPY = sent(off(A, 3), off(PHASH, 2), "2")
OTHER = sent(B, off(PHASH, 40), "3")


def test_a_copy_sent_again_registers_nothing_and_another_picture_joins(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await sends(store, sent())
        before = dump(tmp_path)
        await is_there(store, COPY, case.number)
        assert dump(tmp_path) == before
        assert (await sends(store, OTHER, case.number, "t")).images == 2
        await is_there(store, COPY, case.number)

    play(tmp_path, story)


def test_a_video_sent_again_registers_nothing_nor_does_it_hide_a_picture(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await sends(store, film(A, B))
        await is_there(store, film(A, B), case.number)
        assert (await sends(store, sent(A), case.number, "v")).images == 2

    play(tmp_path, story)


def test_what_one_case_holds_says_nothing_to_another(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await sends(store, sent())
        assert (await sends(store, COPY, name="t", who=BOB)).images == 1
        assert (await sends(store, COPY, name="u")).images == 1

    play(tmp_path, story)


def test_a_picture_of_the_mini_app_is_known_again_by_its_pdq(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.issue(one := ticket())
        case = await store.register(one.digest, [sent(phash=None)], NOW)
        await is_there(store, COPY, case.number)

    play(tmp_path, story)


def test_the_mini_app_adds_what_it_is_given(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await sends(store, sent())
        await store.issue(one := ticket(number=case.number))
        assert (await store.register(one.digest, [replace(COPY, phash=None)], NOW)).images == 2

    play(tmp_path, story)


def test_the_phash_is_sealed_never_in_the_feed_and_goes_with_the_hashes(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await sends(store, sent())
        page = await fed(store, await platform(store))
        assert {one.value for one in page.records} == {A}
        ((id, image, sealed, _),) = dump(tmp_path)["likeness"]
        assert isinstance(id, bytes)
        assert isinstance(sealed, bytes)
        assert PHASH.encode() not in sealed
        assert VAULT.open(f"likeness.phash|{id.hex()}|{image}", sealed) == PHASH.encode()
        await store.withdraw(case.number, NOW, erase=False)
        await store.sweep(NOW)
        assert dump(tmp_path)["likeness"] == []

    play(tmp_path, story)


def test_what_was_withdrawn_can_be_sent_anew(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await sends(store, sent())
        await store.withdraw(case.number, NOW, erase=False)
        await store.sweep(NOW)
        assert (await sends(store, COPY, case.number, "t")).images == 1
        assert len(dump(tmp_path)["likeness"]) == 1

    play(tmp_path, story)


def test_when_its_time_is_over_the_phash_goes_too_and_the_newer_one_stays(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await sends(store, sent())
        await sends(store, OTHER, case.number, "t", now=after(days=300))
        await store.sweep(after(days=750))
        assert len(dump(tmp_path)["likeness"]) == 1
        await is_there(store, OTHER, case.number)

    play(tmp_path, story)


def test_a_phash_shows_in_no_printed_item() -> None:
    assert PHASH not in repr(sent())
    assert PHASH not in repr(Held((), PHASH))
