"""What is kept of codes that go up to another list, on either database."""

from pathlib import Path

import pytest

from bot.store import Ticket
from bot.store.denials import SEVERAL
from bot.store.upward import channel_of
from bot.store.whole import WholeStore
from tests.cases_kept import ANN, NOW, A, after, picture, platform, play, ticket

pytestmark = pytest.mark.usefixtures("both")


async def told_of(store: WholeStore, one: Ticket) -> str:
    case = await store.register_sent(one, [picture(A)], NOW, told=NOW)
    assert case
    return case.number


def test_a_code_is_planned_sent_answered_and_taken_back(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        await store.serve("above", "Above", "adults", "https://above.example", "0", "us", NOW)
        number = await told_of(store, ticket(expires_at=after(days=400)))
        assert await store.plan_raising("above", NOW) == 1
        assert await store.plan_raising("above", NOW) == 0
        [bundle] = await store.due([channel_of("above")], NOW, 9)
        [planned] = bundle.effects
        hash = bytes.fromhex(planned.body.decode())
        [code] = await store.raisable("above", [hash])
        assert (code.value, code.gone) == (A, False)
        await store.has_raised("above", [code])
        await store.settle(bundle.conversation, [planned.id])
        await store.follow(number, ANN, on=True)
        words = [("ImagePDQ", A, "Chirp", "Blocked")]
        for _ in range(2):
            await store.heard_above("above", "Above", [("ImagePDQ", A)], words, NOW)
        await store.heard_until("above", "7")
        service = await store.service("above")
        assert service
        assert service.checkpoint == "7"
        await store.withdraw(number, NOW, erase=False)
        await store.sweep(NOW)
        assert await store.plan_raising("above", NOW) == 1
        [gone] = await store.raisable("above", [hash])
        assert gone.gone
        await store.has_raised("above", [gone])
        state = await store.service_state("above")
        assert state
        assert (state.listed, state.let_go, state.answers, state.waiting) == (0, 1, 1, 1)

    play(tmp_path, story)


def test_who_answers_through_another_list_refuses_nothing_and_may_speak_for_it(
    tmp_path: Path,
) -> None:
    async def story(store: WholeStore) -> None:
        await store.serve("above", "Above", "adults", "https://above.example", "0", "us", NOW)
        await told_of(store, ticket(expires_at=after(days=400)))
        await store.plan_raising("above", NOW)
        [bundle] = await store.due([channel_of("above")], NOW, 9)
        code = await store.raisable("above", [bytes.fromhex(bundle.effects[0].body.decode())])
        await store.has_raised("above", code)
        for n in range(SEVERAL - 1):
            await store.give_feedback(await platform(store, f"P{n}"), [(A, "NotBlocked", ())], NOW)
        words = [("ImagePDQ", A, "P0", "NotBlocked")]
        await store.heard_above("above", "Above", [("ImagePDQ", A)], words, NOW)
        assert await store.denials("asked") == []
        await store.give_feedback(await platform(store, "P9"), [(A, "NotBlocked", ())], NOW)
        assert len(await store.denials("asked")) == 1
        words = [("ImagePDQ", A, "Chirp", "Met")]
        await store.heard_above("above", "Above", [("ImagePDQ", A)], words, NOW)
        assert await store.denials("asked") == []

    play(tmp_path, story)
