"""A storm of wrong PINs, from many chats at many numbers: it opens nothing, tells nothing, and
keeps nobody out of their own case."""

from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from bot.store import ConversationId
from bot.store.pins import TRIES_A_DAY
from bot.store.whole import WholeStore
from bot.vault import Vault
from tests.cases_kept import ANN, BOB, NOW, UNKNOWN, A, B, after, play, registered, wrong

pytestmark = pytest.mark.usefixtures("both")


@pytest.fixture(autouse=True)
def stretched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What was stretched, each by its salt's length; quickly, so that a storm is short."""
    done: list[int] = []

    def quick(self: Vault, secret: bytes, salt: bytes) -> bytes:
        done.append(len(salt))
        return sha256(salt + secret).digest()

    monkeypatch.setattr(Vault, "stretch", quick)
    return done


async def storm(store: WholeStore, number: str, pin: str, day: int = 0) -> list[tuple[bool, int]]:
    """As many as a day takes, each from a chat of its own, and a few more; what each was told."""
    told = []
    for who in range(TRIES_A_DAY + 3):
        by = ConversationId(bytes([who + 100]) * 16)
        answer = await store.check_pin(number, pin, NOW + timedelta(days=day, seconds=who), by)
        told.append((answer.right, answer.wait))
    return told


def test_day_after_day_it_keeps_nobody_out_of_the_chat_that_made_the_case(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await registered(store, A)
        for day in range(2):
            assert (await storm(store, case.number, wrong(case), day))[-1][1] > 0
            at = NOW + timedelta(days=day, hours=1)
            assert not (await store.check_pin(case.number, case.pin or "", at, BOB)).right
            assert (await store.check_pin(case.number, case.pin or "", at, ANN)).right

    play(tmp_path, story)


def test_in_the_chat_that_made_the_case_guesses_still_slow_down(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await registered(store, A)
        waits = [(await store.check_pin(case.number, wrong(case), NOW, ANN)).wait for _ in "1234"]
        assert waits == [0, 0, 60, 60]
        assert not (await store.check_pin(case.number, case.pin or "", NOW, ANN)).right

    play(tmp_path, story)


def test_what_it_is_told_is_the_same_whether_the_case_exists(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await registered(store, A)
        assert await storm(store, case.number, wrong(case)) == await storm(store, UNKNOWN, "000000")

    play(tmp_path, story)


def test_what_it_costs_is_the_same_whether_the_case_exists(
    tmp_path: Path, stretched: list[int]
) -> None:
    """The time of an answer is that of the stretching, which is done once for either."""

    async def story(store: WholeStore) -> None:
        case = await registered(store, A)
        for number in (case.number, UNKNOWN):
            stretched.clear()
            await store.check_pin(number, "000000", NOW, BOB)
            assert stretched == [16]

    play(tmp_path, story)


def test_a_storm_at_many_numbers_closes_no_other(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case, other = await registered(store, A), await registered(store, B, name="u", who=BOB)
        for number in (case.number, UNKNOWN, "YYY-YYY-YYY"):
            await storm(store, number, wrong(case))
        assert (await store.check_pin(other.number, other.pin or "", NOW, ANN)).right

    play(tmp_path, story)


@pytest.mark.parametrize("known", [True, False])
def test_thirty_wrong_pins_from_anywhere_close_a_number_for_the_day(
    tmp_path: Path, known: bool
) -> None:
    async def story(store: WholeStore) -> None:
        case = await registered(store, A)
        number = case.number if known else UNKNOWN
        for who in range(10):
            by = ConversationId(bytes([who]) * 16)
            for _ in range(3):
                last = await store.check_pin(number, wrong(case), after(hours=1), by)
        assert last.wait == 24 * 3600
        assert not (await store.check_pin(number, case.pin or "", after(hours=2), BOB)).right
        tomorrow = await store.check_pin(number, case.pin or "", after(hours=25), BOB)
        assert tomorrow.right == known

    play(tmp_path, story)


def test_right_pins_do_not_use_up_the_day(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await registered(store, A)
        checks = [await store.check_pin(case.number, case.pin or "", NOW, ANN) for _ in range(31)]
        assert all(one.right for one in checks)

    play(tmp_path, story)
