"""The PIN of a case made in a chat: shown once, on a page, to the chat that made it (C12)."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bot.conversation.model import Hashed
from bot.conversation.picture import PinShown
from bot.store import ConversationId, PinResult, Registered, Ticket, TicketRefused
from bot.store.whole import WholeStore
from tests.cases_kept import ANN, BOB, NOW, A, B, after, dump, inbox, picture, play, registered
from tests.cases_kept import ticket as ticket_of

pytestmark = pytest.mark.usefixtures("both")


async def made(
    store: WholeStore, value: str = A, who: ConversationId = ANN, **more: object
) -> Registered:
    """A case made of a picture that was sent into the chat."""
    case = await store.register_sent(
        ticket_of(f"sent {value[0]}", who, **more), [picture(value)], NOW
    )
    assert case
    return case


async def link(
    store: WholeStore, number: str, name: str = "p", who: ConversationId = ANN
) -> Ticket:
    one = ticket_of(name, who, number=number, opens="pin")
    await store.issue(one)
    return one


async def refused(store: WholeStore, one: Ticket, reason: str) -> None:
    with pytest.raises(TicketRefused, match=reason):
        await store.show_pin(one.digest, NOW)


def test_the_page_shows_a_pin_that_withdraws_at_once_and_the_chat_is_told(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await made(store)
        shown = await store.show_pin((await link(store, case.number)).digest, NOW)
        assert (shown.number, shown.images) == (case.number, 1)
        assert shown.pin not in {None, case.pin}
        assert await store.check_pin(case.number, shown.pin or "", NOW, BOB) == PinResult(True)
        told = [Hashed(NOW, case.number, 1, here=True), PinShown(NOW, case.number)]
        assert await inbox(store, ANN) == told

    play(tmp_path, story)


def test_it_is_shown_once_however_many_links_lead_there(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await made(store)
        one, other = await link(store, case.number), await link(store, case.number, "q")
        tries = [store.show_pin(each.digest, NOW) for each in (one, other, one)]
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
        (shown,) = [each for each in outcomes if isinstance(each, Registered)]
        before = dump(tmp_path)
        for each in (one, other, await link(store, case.number, "r")):
            await refused(store, each, "used")
        assert dump(tmp_path)["cases"] == before["cases"]
        assert (await store.check_pin(case.number, shown.pin or "", NOW)).right

    play(tmp_path, story)


def test_c12_no_link_shows_a_new_pin_for_a_case_that_has_one(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await registered(store, A)
        await refused(store, await link(store, case.number), "used")
        assert (await store.check_pin(case.number, case.pin or "", NOW)).right

    play(tmp_path, story)


def test_c12_no_other_chat_is_shown_it(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await made(store)
        await refused(store, await link(store, case.number, who=BOB), "unknown")
        await refused(store, await link(store, "ZZZ-ZZZ-ZZZ"), "unknown")
        assert await store.show_pin((await link(store, case.number, "q")).digest, NOW)

    play(tmp_path, story)


def test_a_withdrawn_case_shows_none(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await made(store)
        await store.withdraw(case.number, NOW, erase=False)
        await store.sweep(NOW)
        await refused(store, await link(store, case.number), "unknown")

    play(tmp_path, story)


def test_a_link_ends_by_the_clock(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        one = await link(store, (await made(store)).number)
        with pytest.raises(TicketRefused, match="expired"):
            await store.show_pin(one.digest, after(hours=1))

    play(tmp_path, story)


def test_what_posts_codes_shows_no_pin_and_what_shows_a_pin_posts_no_codes(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        one = await link(store, (await made(store)).number)
        await store.issue(page := ticket_of("t"))
        await refused(store, page, "unknown")
        with pytest.raises(TicketRefused, match="unknown"):
            await store.register(one.digest, [picture(B)], NOW)
        assert await store.show_pin(one.digest, NOW)
        assert await store.register(page.digest, [picture(B)], NOW)

    play(tmp_path, story)


def test_the_chat_apps_own_button_and_the_link_both_work_until_it_is_shown(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        one = await link(store, (await made(store)).number)
        await store.issue(ticket_of("t"))
        assert await store.renew(ANN, b"m" * 16, NOW) == ticket_of("m")
        renewed = await store.renew(ANN, b"n" * 16, NOW, "pin")
        assert renewed == replace(one, digest=b"n" * 16)
        assert await store.show_pin(one.digest, NOW)
        await refused(store, renewed, "used")
        assert await store.renew(BOB, b"o" * 16, NOW, "pin") is None

    play(tmp_path, story)


def test_a_chat_that_is_cleared_or_lowered_has_no_open_link(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        one = await link(store, (await made(store)).number)
        other = await link(store, (await made(store, B, BOB)).number, "q", BOB)
        await store.drop_tickets(ANN)
        await refused(store, one, "unknown")
        assert await store.show_pin(other.digest, NOW)

    play(tmp_path, story)


def test_the_pin_stands_in_no_byte_of_the_file(tmp_path: Path) -> None:
    async def story(store: WholeStore) -> None:
        case = await made(store)
        shown = await store.show_pin((await link(store, case.number)).digest, NOW)
        rows = repr(dump(tmp_path))
        assert shown.pin
        assert f"'{shown.pin}'" not in rows
        assert case.number not in rows
        assert "pin=" not in repr(shown)

    play(tmp_path, story)
