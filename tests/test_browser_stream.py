"""When a message counts as sent: its page was open and said that it has shown it."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import TypeVar

import pytest

from bot.channels import Choice, Link, Message, TryAgain
from bot.channels.browser import BrowserChannel, render
from bot.channels.browser_stream import Visit, address_of
from bot.store import EffectId

T = TypeVar("T")
HELLO = Message(
    EffectId("e1"),
    "Hello <b>\nyou",
    "News",
    (Choice("Yes", "hi=yes"),),
    (Link("Open", "/a", True),),
)
ADA = Visit("a" * 64)
EVE = Visit("e" * 64)


def run(talk: Coroutine[None, None, T]) -> T:
    """A talk that hangs has failed."""
    return asyncio.run(asyncio.wait_for(talk, 10))


async def reading(
    channel: BrowserChannel, visit: Visit, see: Callable[[list[str]], list[str]] = lambda ids: ids
) -> asyncio.Task[list[str]]:
    """A page that acknowledges what `see` leaves of each message; its task ends with the frames."""
    live = channel.connect(visit)
    assert live is not None

    async def read() -> list[str]:
        frames = []
        async for frame in channel.stream(live):
            frames.append(frame)
            if frame.startswith("event: message"):
                ids = [json.loads(frame.split("data: ")[1])["id"]]
                channel.seen(visit, [EffectId(id) for id in see(ids)])
        return frames

    task = asyncio.create_task(read())
    await asyncio.sleep(0)
    return task


def held(error: pytest.ExceptionInfo[TryAgain]) -> tuple[int, datetime | None]:
    return error.value.sent, error.value.again_at


def test_a_message_without_an_open_page_is_held() -> None:
    with pytest.raises(TryAgain) as error:
        asyncio.run(BrowserChannel().send(address_of(ADA), [HELLO]))
    assert held(error) == (0, None)


def test_a_message_the_page_acknowledged_is_sent() -> None:
    async def talk() -> list[str]:
        channel = BrowserChannel()
        page = await reading(channel, ADA)
        await channel.send(address_of(ADA), [HELLO])
        channel.close()
        return await page

    frames = run(talk())
    assert frames[0] == "event: ready\ndata: 1\n\n"
    assert len(frames) == 2


def test_a_page_that_does_not_acknowledge_is_ended_and_told_how_far_it_came() -> None:
    messages = [HELLO, Message(EffectId("e2"), "two", "News"), Message(EffectId("e3"), "3", "News")]

    async def talk() -> None:
        channel = BrowserChannel(ack_within=0.02)
        page = await reading(channel, ADA, lambda ids: [id for id in ids if id != "e2"])
        with pytest.raises(TryAgain) as error:
            await channel.send(address_of(ADA), messages)
        assert held(error) == (1, None)
        assert len(await page) == 4

    run(talk())


def test_only_the_visits_own_page_can_acknowledge() -> None:
    async def talk() -> None:
        channel = BrowserChannel(ack_within=0.02)
        channel.connect(ADA)
        channel.connect(EVE)
        sending = asyncio.create_task(channel.send(address_of(ADA), [HELLO]))
        await asyncio.sleep(0)
        channel.seen(EVE, [HELLO.id])
        with pytest.raises(TryAgain):
            await sending

    run(talk())


def test_a_new_page_of_a_visit_takes_over_from_the_older_one() -> None:
    async def talk() -> None:
        channel = BrowserChannel()
        older = await reading(channel, ADA)
        newer = await reading(channel, ADA)
        assert (await older)[-1].startswith("event: moved")
        await channel.send(address_of(ADA), [HELLO])
        channel.drop(ADA)
        assert len(await newer) == 2

    run(talk())


def test_the_end_of_an_older_stream_leaves_the_newer_one() -> None:
    async def talk() -> None:
        channel = BrowserChannel()
        older = channel.connect(ADA)
        page = await reading(channel, ADA)
        channel.drop(ADA, older)
        await channel.send(address_of(ADA), [HELLO])
        channel.close()
        await page

    run(talk())


def test_a_quiet_stream_ticks() -> None:
    async def talk() -> str:
        channel = BrowserChannel(keepalive=0.001)
        live = channel.connect(ADA)
        assert live is not None
        frames = channel.stream(live)
        return [await anext(frames), await anext(frames)][1]

    assert run(talk()).startswith(": ")


def test_there_are_only_so_many_pages_at_once() -> None:
    async def talk() -> None:
        channel = BrowserChannel(most=1)
        assert channel.connect(ADA) is not None
        channel.opened(ADA)
        assert channel.connect(EVE) is None
        assert channel.connect(ADA) is not None

    run(talk())


def test_a_stream_whose_page_never_opened_makes_room_for_another() -> None:
    async def talk() -> None:
        channel = BrowserChannel(most=1)
        idle = await reading(channel, EVE)
        assert channel.connect(ADA) is not None
        assert await idle == ["event: ready\ndata: 1\n\n"]

    run(talk())


def test_a_stream_whose_page_does_not_open_soon_is_ended_and_an_open_one_is_not() -> None:
    async def talk() -> None:
        channel = BrowserChannel(open_within=0.01, ack_within=0.01)
        page = await reading(channel, ADA)
        channel.opened(ADA)
        idle = await reading(channel, EVE)
        await idle
        await channel.send(address_of(ADA), [HELLO])
        channel.close()
        assert len(await page) == 2

    run(talk())


def test_a_message_is_rendered_without_its_preview() -> None:
    assert render(HELLO) == {
        "id": "e1",
        "text": "Hello <b>\nyou",
        "choices": [{"label": "Yes", "data": "hi=yes"}],
        "links": [{"label": "Open", "url": "/a", "app": True}],
        "lang": "en",
    }
