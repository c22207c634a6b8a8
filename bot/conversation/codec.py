"""State, events and effects as bytes and back, versioned.

JSON with a tag naming the class; fields at their default are left out, so that a field added later
reads old bytes. A reader of an older version meets a newer one with `UnknownVersion`.
"""

import json
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, Union, cast, get_args, get_origin, get_type_hints

from bot.conversation import model
from bot.conversation.model import Effect, Inbound, State

VERSION: Final = 1

_INBOUND: Final = {kind.__name__: kind for kind in get_args(Inbound)}
_EFFECTS: Final = {kind.__name__: kind for kind in get_args(Effect)}


class UnknownVersion(ValueError):
    """Bytes of a version, or of a kind, that this Sala does not know."""


def encode_state(state: State) -> bytes:
    """A state as bytes."""
    return _dump({"v": VERSION, **_plain_fields(state)})


def decode_state(data: bytes) -> State:
    """The state in these bytes; UnknownVersion when they are newer."""
    return cast(State, _build(State, _load(data)))


def encode_inbound(event: Inbound) -> bytes:
    """An inbound event as bytes."""
    return _tagged(event)


def decode_inbound(data: bytes) -> Inbound:
    """The inbound event in these bytes."""
    return cast(Inbound, _untagged(data, _INBOUND))


def encode_effect(effect: Effect) -> bytes:
    """An effect as bytes."""
    return _tagged(effect)


def decode_effect(data: bytes) -> Effect:
    """The effect in these bytes."""
    return cast(Effect, _untagged(data, _EFFECTS))


def _tagged(value: Any) -> bytes:
    return _dump({"v": VERSION, "t": type(value).__name__, **_plain_fields(value)})


def _untagged(data: bytes, kinds: dict[str, type]) -> Any:
    plain = _load(data)
    kind = kinds.get(plain.pop("t", ""))
    if kind is None:
        raise UnknownVersion("kind")
    return _build(kind, plain)


def _dump(plain: dict[str, Any]) -> bytes:
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()


def _load(data: bytes) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(data)
    if plain.pop("v", None) != VERSION:
        raise UnknownVersion("version")
    return plain


def _plain_fields(value: Any) -> dict[str, Any]:
    return {
        f.name: _plain(held)
        for f in fields(value)
        if (held := getattr(value, f.name)) != f.default or f.default is MISSING
    }


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return _plain_fields(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, vars(model))


def _build(kind: type, plain: dict[str, Any]) -> Any:
    hints = _hints(kind)
    if not plain.keys() <= hints.keys():
        raise UnknownVersion("field")
    return kind(**{name: _read(hints[name], held) for name, held in plain.items()})


def _read(hint: Any, held: Any) -> Any:
    if hint is datetime:
        return datetime.fromisoformat(held)
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        options = [option for option in get_args(hint) if option is not NoneType]
        return None if held is None else _read(options[0], held)
    if origin is tuple:
        return _read_tuple(get_args(hint), held)
    return _build(hint, held) if isinstance(hint, type) and is_dataclass(hint) else held


def _read_tuple(kinds: tuple[Any, ...], held: list[Any]) -> tuple[Any, ...]:
    if kinds[-1] is Ellipsis:
        return tuple(_read(kinds[0], one) for one in held)
    return tuple(_read(kind, one) for kind, one in zip(kinds, held, strict=True))
