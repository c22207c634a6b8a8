"""State, events and effects as bytes and back, versioned.

JSON with a tag naming the class; fields at their default are left out, so that a field added later
reads old bytes. A reader of an older version meets a newer one with `UnknownVersion`.
"""

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache, partial
from types import NoneType, UnionType
from typing import Any, Final, Union, cast, get_args, get_origin, get_type_hints

from bot.conversation import model
from bot.conversation.model import Effect, Inbound, State

VERSION: Final = 1

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_AS_IT_IS: Final = frozenset({str, int, bool, float, NoneType})
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
    return _ENCODER.encode(plain).encode()


def _load(data: bytes) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(data)
    if plain.pop("v", None) != VERSION:
        raise UnknownVersion("version")
    return plain


# ---------------------------------------------------------------- writing


def _plain_fields(value: Any) -> dict[str, Any]:
    kind: type = type(value)
    return {
        name: held if type(held) in _AS_IT_IS else _plain(held)
        for name, default in _defaults(kind)
        if (held := getattr(value, name)) != default
    }


def _plain(value: Any) -> Any:
    if type(value) in _AS_IT_IS:
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return _plain_fields(value)


@cache
def _defaults(kind: Any) -> tuple[tuple[str, Any], ...]:
    """A class's fields with their defaults; MISSING equals nothing."""
    return tuple((one.name, one.default) for one in fields(kind))


# ---------------------------------------------------------------- reading

_Reader = Callable[[Any], Any]


def _build(kind: type, plain: dict[str, Any]) -> Any:
    readers = _readers(kind)
    if not plain.keys() <= readers.keys():
        raise UnknownVersion("field")
    return kind(**{name: readers[name](held) for name, held in plain.items()})


@cache
def _readers(kind: type) -> dict[str, _Reader]:
    return {name: _reader(hint) for name, hint in get_type_hints(kind, vars(model)).items()}


def _reader(hint: Any) -> _Reader:
    """What makes a field of this type of what JSON holds."""
    if hint is datetime:
        return datetime.fromisoformat
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        one = _reader(next(option for option in get_args(hint) if option is not NoneType))
        return lambda held: None if held is None else one(held)
    if origin is tuple:
        return _tuple_reader(get_args(hint))
    return partial(_build, hint) if isinstance(hint, type) and is_dataclass(hint) else _same


def _tuple_reader(kinds: tuple[Any, ...]) -> _Reader:
    if kinds[-1] is Ellipsis:
        one = _reader(kinds[0])
        return tuple if one is _same else lambda held: tuple(map(one, held))
    each = [_reader(kind) for kind in kinds]
    return lambda held: tuple(read(one) for read, one in zip(each, held, strict=True))


def _same(held: Any) -> Any:
    return held
