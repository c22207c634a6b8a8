"""The codec: what is kept reads back, and what is newer is refused by name."""

import json
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation import codec
from bot.conversation.codec import UnknownVersion
from bot.conversation.model import Effect, Inbound, State, Typed

TIMES = st.floats(0, 4e9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
st.register_type_strategy(float, st.floats(0, 1))
st.register_type_strategy(datetime, TIMES)


@given(st.from_type(State))
def test_a_state_reads_back(state):
    assert codec.decode_state(codec.encode_state(state)) == state


@pytest.mark.parametrize("kind", get_args(Inbound))
def test_every_inbound_event_reads_back(kind):
    @given(st.builds(kind, at=TIMES))
    def reads_back(event):
        assert codec.decode_inbound(codec.encode_inbound(event)) == event

    reads_back()


@pytest.mark.parametrize("kind", get_args(Effect))
def test_every_effect_reads_back(kind):
    @given(st.from_type(kind))
    def reads_back(effect):
        assert codec.decode_effect(codec.encode_effect(effect)) == effect

    reads_back()


def test_an_unknown_kind_field_or_version_is_refused():
    good = json.loads(codec.encode_inbound(Typed(datetime.now(UTC), "hi")))
    for change in ({"t": "Nobody"}, {"surprise": 1}, {"v": 99}):
        with pytest.raises(UnknownVersion):
            codec.decode_inbound(json.dumps(good | change).encode())


def test_words_and_keys_are_not_shown_by_repr():
    said = repr(Typed(datetime.now(UTC) + timedelta(1), "a secret"))
    assert "secret" not in said
