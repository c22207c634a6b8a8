"""What a turn writes, sealed and ready to be written: given to whichever database."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from bot.store import ConversationId, EffectId
from bot.vault import Unopened, Vault

DAMAGED: Final = b"\0"
"""No codec reads it."""

Effect = tuple[ConversationId, EffectId, int | None, bytes, bool]
"""(conversation, id, when it is due or None while it is held, body, said)."""
Settled = tuple[ConversationId, tuple[EffectId, ...]]
Attempted = tuple[tuple[bytes, ConversationId, EffectId], ...]
"""(way, conversation, id) of messages that go out together."""
Moved = tuple[bytes | None, bool]
"""The address, and whether something is older than the turn."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An event that arrived."""

    event: bytes
    conversation: ConversationId
    channel: str
    address: bytes = field(repr=False)
    body: bytes = field(repr=False)
    at: int
    active_at: int


class Met(NamedTuple):
    """The conversation of an event that was kept; `alone`: the event is all it has to do here."""

    seq: int
    version: int
    state: bytes | None
    alone: bool


@dataclass(frozen=True, slots=True)
class Turned:
    """What a turn changes of the conversation that had this version."""

    conversation: ConversationId
    version: int
    state: bytes = field(repr=False)
    consumed: tuple[int, ...]
    rung: tuple[str, ...]
    timers: tuple[tuple[str, int], ...]
    cancel_timers: bool
    hush: bool
    effects: tuple[Effect, ...] = field(repr=False)


def place(column: str, row: bytes) -> str:
    """Where a column of this row is sealed for."""
    return f"{column}|{row.hex()}"


def way_place(conversation: ConversationId, effect: str) -> str:
    """Where an effect's way is sealed for."""
    return f"outbox.way|{conversation.hex()}|{effect}"


def effect_place(conversation: ConversationId, effect: str) -> str:
    """Where an effect's body is sealed for."""
    return f"outbox.body|{conversation.hex()}|{effect}"


def opened(vault: Vault, where: str, sealed: bytes) -> bytes:
    """What was sealed; of a damaged row what nobody can read, so that it holds up nobody else."""
    try:
        return vault.open(where, sealed)
    except Unopened:
        return DAMAGED
