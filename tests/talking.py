"""A talk through a recording door, on a store on disk, with a clock that is moved by hand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

from bot.cases.hashes import Hash, Item
from bot.channels import Message, Plain, SendError
from bot.conversation.codec import encode_inbound
from bot.conversation.model import Chose, Inbound, Language, NodeId, Opened, Typed
from bot.hashing.jail import Jail
from bot.store import Arrival, ConversationId, Partner, Registered
from bot.store.whole import WholeStore
from bot.taking import Taking
from bot.text import load_texts
from bot.vault import Vault
from bot.voice import Operator, Voice, ticket_digest
from bot.worker import Worker
from tests import databases

VAULT = Vault.generate()
BANGKOK = ZoneInfo("Asia/Bangkok")
DAY = datetime(2026, 3, 1, 7, tzinfo=UTC)
"""Two in the afternoon in Bangkok."""
HOME = "https://sala.example"
PICTURE = "5a" * 32
TO_APP = (
    "ask.phone=own", "ask.situation=money", "ask.who=self", "ask.age=adult", "ask.image=here",
    "ask.consent=yes",
)  # fmt: skip


class Killed(BaseException):
    """The process ends here."""


class Door(Plain):
    """Records what is sent. `fails` are raised by the next sends; `during` runs before each."""

    def __init__(self, *, wakes: bool = False) -> None:
        self.name = "door"
        self.wakes = wakes
        self.sent: list[Message] = []
        self.fails: list[SendError] = []
        self.during: Callable[[], Awaitable[None]] | None = None
        self.kills = False

    async def send(
        self, address: bytes, messages: Sequence[Message], way: bytes | None = None
    ) -> None:
        if self.during:
            await self.during()
        error = self.fails.pop(0) if self.fails else None
        self.sent += messages[: error.sent] if error else messages
        if self.kills:
            raise Killed
        if error:
            raise error


class Talk:
    """One person, the door they came by, and Sala behind it."""

    def __init__(self, folder: Path, door: Door) -> None:
        self.door = door
        self.now = DAY
        self.store = databases.open_store(folder / "sala.db", VAULT, lambda: self.now)
        self.conversation = ConversationId(VAULT.digest("conversation", b"ann"))
        self.texts = load_texts()
        self.ids = count()
        self.restart()

    def restart(self) -> None:
        """A worker that remembers nothing, on what was kept."""
        voice = Voice(self.texts, self.store, VAULT, Operator("", "", 24), HOME)
        self.worker = Worker(
            self.store, self.store, voice, VAULT, self.texts, {self.door.name: self.door},
            lambda: self.now, BANGKOK,
        )  # fmt: skip

    async def arrives(
        self, event: Inbound | bytes, id: str = "", who: ConversationId | None = None
    ) -> bool:
        """Keep an event, as a door does, without working on it."""
        body = event if isinstance(event, bytes) else encode_inbound(event)
        place = who or self.conversation
        event_id = id or f"event {next(self.ids)}"
        return await self.store.receive(
            Arrival(self.door.name, event_id, place, b"to", body, self.now)
        )

    async def opens(self, language: Language = "en") -> None:
        await self.arrives(Opened(self.now, language))
        await self.work()

    async def says(self, text: str) -> None:
        await self.arrives(Typed(self.now, text))
        await self.work()

    async def presses(self, *choices: str) -> None:
        for choice in choices:
            node, _, value = choice.partition("=")
            await self.arrives(Chose(self.now, NodeId(node), value))
            await self.work()

    async def work(self) -> None:
        await self.worker.drain()

    async def works_later(self, **time: float) -> None:
        self.now += timedelta(**time)
        await self.work()

    async def ends(self) -> None:
        """A worker that was killed: what it had begun beside ends too, as with its process."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    def text(self, id: str, **values: str) -> str:
        return self.texts.say(id, "en", **values)

    def heard(self, id: str, **values: str) -> int:
        """How often a text was sent."""
        words = self.text(id, **values)
        return sum(words in message.text for message in self.door.sent)

    def forget_sent(self) -> None:
        self.door.sent.clear()

    async def register(self) -> Registered:
        """A case, made with the link that was sent last."""
        (url,) = [link.url for link in self.door.sent[-1].links if link.app]
        digest = ticket_digest(VAULT, url.partition("#")[2])
        item = Item("image", (Hash("pdq", "512", PICTURE, 90),))
        case = await self.store.register(digest, [item], self.now)
        await self.work()
        return case

    async def makes_a_case(self) -> Registered:
        await self.opens()
        await self.presses(*TO_APP)
        return await self.register()

    async def partner(self, name: str = "Chirp") -> Partner:
        await self.store.add_partner(name, ["adults"], self.now)
        return next(one for one in await self.store.partners() if one.name == name)

    async def answers(self, partner: Partner) -> None:
        """A platform reads the list and says that it blocked the picture."""
        await self.store.feed(partner, ["adults"], 0, None, 100, self.now)
        self.now += timedelta(seconds=1)
        await self.store.give_feedback(partner, [(PICTURE, "Blocked", ())], self.now)
        await self.work()

    async def status(self, number: str) -> str:
        standing = await self.store.standing(number)
        return standing.status if standing else "gone"


def taking(store: WholeStore, clock: Callable[[], datetime]) -> Taking:
    """What takes pictures, with a real jail."""
    return Taking(store, store, VAULT, Jail().hash, clock)


async def until(happens: Callable[[], Awaitable[bool]]) -> None:
    """Look again and again, for ten seconds at the most."""
    async with asyncio.timeout(10):
        while not await happens():
            await asyncio.sleep(0)  # lets the others go on


def play(folder: Path, story: Callable[[Talk], Awaitable[None]], door: Door | None = None) -> None:
    """Tell a story in a folder."""

    async def told() -> None:
        talk = Talk(folder, door or Door())
        try:
            await story(talk)
        finally:
            await talk.store.close()

    asyncio.run(told())


@asynccontextmanager
async def working(talk: Talk) -> AsyncIterator[None]:
    """The worker goes round by itself while the block lasts."""
    task = asyncio.create_task(talk.worker.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
