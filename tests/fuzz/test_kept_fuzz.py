"""What is kept, altered: sealed bytes of which any are changed open for nobody; and a state, an
event or an effect of other bytes is set aside, while everybody else is answered."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation import codec
from bot.conversation.engine import step
from bot.conversation.model import Chose, NodeId, Opened, State
from bot.store import ConversationId, EffectId, Planned, Turn
from bot.vault import Unopened, Vault
from tests.fuzz.grammar import CANARY, bounded, changed, noisy, values, written
from tests.talking import DAY, TO_APP, Door, Talk

VAULT = Vault.generate()
PLACE = "conversation.state|ann"


def states() -> list[State]:
    """Those of one talk."""
    made = [step(State(), Opened(DAY, "th")).state]
    for choice in TO_APP:
        node, _, value = choice.partition("=")
        made.append(step(made[-1], Chose(DAY, NodeId(node), value)).state)
    return made


STATES = states()
CHOSE = Chose(DAY, NodeId("ask.phone"), "own")
KEPT = [json.loads(codec.encode_state(state)) for state in STATES]
EVENTS = [json.loads(codec.encode_inbound(one)) for one in (CHOSE, Opened(DAY, "es"))]
EFFECTS = [
    json.loads(codec.encode_effect(one)) for state in STATES for one in step(state, CHOSE).effects
]


@bounded(50)
@given(st.sampled_from(STATES), st.data())
def test_a_sealed_state_with_any_bytes_changed_does_not_open(
    state: State, data: st.DataObject
) -> None:
    sealed = VAULT.seal(PLACE, codec.encode_state(state))
    cut = st.integers(0, len(sealed) - 1).map(lambda most: sealed[:most])
    altered = data.draw(noisy(sealed) | st.binary() | cut)
    if altered != sealed:
        with pytest.raises(Unopened):
            VAULT.open(PLACE, altered)


class Kept:
    """A talk with Ann after Ann, each of whom has something odd in the database."""

    def __init__(self, runner: asyncio.Runner, talk: Talk) -> None:
        self.runner = runner
        self.talk = talk
        self.number = 0

    def someone(self) -> ConversationId:
        self.number += 1
        return ConversationId(self.number.to_bytes(16))

    async def is_heard(self) -> None:
        """Somebody new."""
        before = len(self.talk.door.sent)
        await self.talk.arrives(CHOSE, who=self.someone())
        await self.talk.work()
        assert len(self.talk.door.sent) > before

    async def plans(self, who: ConversationId, turn: Turn) -> None:
        """A turn that no worker of this Sala wrote."""
        await self.talk.arrives(CHOSE, who=who)
        (claimed,) = await self.talk.store.claim(["door"], self.talk.now, 1)
        assert await self.talk.store.commit(claimed, turn) is not None


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    with asyncio.Runner() as runner:
        talk = runner.run(_begun(tmp_path_factory))
        yield Kept(runner, talk)
        runner.run(talk.store.close())


async def _begun(folders: pytest.TempPathFactory) -> Talk:
    return Talk(folders.mktemp("kept"), Door())


def odd(samples: list[Any], *names: str) -> st.SearchStrategy[bytes]:
    return written(changed(samples) | values(names)) | st.binary()


@bounded(12)
@given(odd(KEPT, "v", "node", "answers", "trail"))
def test_a_state_of_other_bytes_holds_up_nobody_else(kept: Kept, state: bytes) -> None:
    async def story() -> None:
        who = kept.someone()
        await kept.plans(who, Turn(state))
        await kept.talk.arrives(CHOSE, who=who)
        await kept.is_heard()
        assert await kept.talk.store.claim(["door"], kept.talk.now, 1) == []

    kept.runner.run(story())


@bounded(12)
@given(odd(EVENTS, "v", "t", "at", "text"))
def test_an_event_of_other_bytes_is_set_aside_or_heard(kept: Kept, event: bytes) -> None:
    async def story() -> None:
        who, before = kept.someone(), len(kept.talk.door.sent)
        await kept.talk.arrives(event, who=who)
        await kept.talk.arrives(CHOSE, who=who)
        await kept.talk.work()
        assert len(kept.talk.door.sent) > before
        await kept.is_heard()

    kept.runner.run(story())


@bounded(12)
@given(odd(EFFECTS, "v", "t", "text", "language"))
def test_an_effect_of_other_bytes_holds_up_nobody_else(kept: Kept, effect: bytes) -> None:
    async def story() -> None:
        planned = Planned(EffectId(f"effect {kept.number}"), effect, kept.talk.now)
        turn = Turn(codec.encode_state(STATES[0]), (planned,))
        await kept.plans(kept.someone(), turn)
        await kept.is_heard()

    kept.runner.run(story())


def test_none_of_it_was_in_the_log(kept: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    async def story() -> None:
        for said in (CANARY.encode(), json.dumps({"v": 1, "t": CANARY}).encode()):
            await kept.talk.arrives(said)
            await kept.plans(kept.someone(), Turn(said))
        await kept.is_heard()

    kept.runner.run(story())
    logged = capsys.readouterr().err
    assert "turn_parked" in logged
    assert CANARY not in logged
