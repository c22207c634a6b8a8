"""The time of an answer tells nothing of what is listed, or whose case is followed."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette

from bot.exchange.routes import LEAST, Desk, routes
from bot.store import ConversationId
from bot.store.engine import Engine
from bot.store.sqlite import SqliteStore
from tests.cases_kept import ANN, BOB, NOW, VAULT, A, B, C, registered

CARL = ConversationId(b"c" * 16)
D = "d" * 64

SAID = {
    "SubmitFeedback": lambda value: {
        "count": 1, "hashFeedbacks": [{"hashValue": value, "feedbackValue": "Blocked"}],
    },
    "SubmitHashes": lambda value: {
        "count": 1, "hashRecords": [{"hashValue": value, "signalType": "ImagePDQ"}],
    },
}  # fmt: skip


@pytest.mark.parametrize("call", SAID)
@pytest.mark.parametrize("value", [A, B, "no hash of any list"])
def test_what_a_partner_says_is_answered_after_the_same_while_whether_it_is_listed_or_not(
    tmp_path: Path, call: str, value: str
) -> None:
    """The while begins with the work, and no answer is given before it is over."""

    async def story() -> None:
        store = SqliteStore.open(tmp_path / "sala.db", VAULT, lambda: NOW)
        keys = await store.add_partner("Chirp", ["adults"], NOW, submits=True)
        await registered(store, A)
        over, rests = asyncio.Event(), asyncio.Queue[float]()

        async def rest(seconds: float) -> None:
            rests.put_nowait(seconds)
            await over.wait()

        desk = Desk(store, VAULT, lambda: NOW, lambda: None, least=LEAST, rest=rest)
        app = httpx2.ASGITransport(Starlette(routes=routes(desk)))
        key = keys.feedback_key if call == "SubmitFeedback" else keys.submit_key
        headers = {"x-functions-key": key or "", "ocp-apim-subscription-key": keys.subscription_key}
        async with httpx2.AsyncClient(transport=app, base_url="http://sala.test") as partner:
            body = json.dumps(SAID[call](value)).encode()
            address = f"/exchange/adults/v1/{call}"
            asked = asyncio.create_task(partner.post(address, content=body, headers=headers))
            assert await rests.get() == LEAST
            await store.prove_writable()  # what was asked for is written before this is
            assert not asked.done()
            over.set()
            assert (await asked).status_code == 200
            assert rests.empty()
        await store.close()

    asyncio.run(story())


def test_c13_codes_that_are_listed_already_are_the_same_work_as_new_ones(tmp_path: Path) -> None:
    async def story() -> None:
        store = SqliteStore.open(tmp_path / "sala.db", VAULT, lambda: NOW)
        assert isinstance(store._engine, Engine)
        done: list[str] = []
        store._engine._writing.set_trace_callback(done.append)
        counts = []
        for name, who, values in (("a", ANN, [A, B]), ("b", BOB, [A, B]), ("c", CARL, [C, D])):
            done.clear()
            await registered(store, *values, name=name, who=who)
            counts.append(Counter(one.split()[0] for one in done))
        assert counts[0] == counts[1] == counts[2]
        assert counts[0]["insert"]
        await store.close()

    asyncio.run(story())
