"""The Bot API's machine-readable document (10.1): what is valid, and valid values by chance."""

import json
import random
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.peers import specs

NAME: Final = "telegram-bot-api-10.1.json"
_LIMIT: Final = re.compile(r"(\d+)-(\d+) (characters|bytes)")
_FIXED: Final = re.compile(r"(?:must be|always) [“\"]?([a-z_]+)[”\"]?$")
_NAMED: Final = re.compile(r"[“\"]([a-z_]+)[”\"]")


class Document:
    """Methods and types as data."""

    def __init__(self, path: Path) -> None:
        plain = json.loads(path.read_text("utf-8"))
        self.methods: dict[str, Any] = plain["methods"]
        self.types: dict[str, Any] = plain["types"]

    def fields(self, name: str) -> list[Any]:
        """The fields of a type."""
        fields: list[Any] = self.types[name].get("fields", [])
        return fields

    def call_problem(self, method: str, given: Mapping[str, Any]) -> str | None:
        """Why this call is not in the document; None when it is."""
        return self._fields(method, self.methods[method].get("fields", ()), given)

    def problem(self, types: Iterable[str], value: object, where: str = "") -> str | None:
        """Why this value is of none of these types; None when it is."""
        problems = [self._problem(name, value, where or name) for name in types]
        return None if None in problems else problems[0]

    def _problem(self, name: str, value: object, where: str) -> str | None:
        if name.startswith("Array of "):
            if not isinstance(value, list):
                return f"{where}: not a list"
            inner = [name.removeprefix("Array of ")]
            return _first(self.problem(inner, one, f"{where}[{n}]") for n, one in enumerate(value))
        if name in _PLAIN:
            return None if _PLAIN[name](value) else f"{where}: not {name}"
        if subtypes := self.types[name].get("subtypes"):
            return self.problem(subtypes, value, where)
        if not isinstance(value, dict):
            return f"{where}: not {name}"
        return self._fields(where, self.fields(name), value) or _rule(name, value)

    def _fields(self, where: str, fields: Iterable[Any], given: Mapping[str, Any]) -> str | None:
        known = {one["name"]: one for one in fields}
        unknown = (f"{where}.{name}: unknown" for name in given if name not in known)
        missing = (
            f"{where}.{name}: missing"
            for name, one in known.items()
            if one["required"] and name not in given
        )
        return _first(unknown) or _first(missing) or _first(
            self._field(known[name], value, f"{where}.{name}") for name, value in given.items()
        )  # fmt: skip

    def _field(self, field: Mapping[str, Any], value: object, where: str) -> str | None:
        said, fixed = field["description"], _fixed(field)
        if fixed and value != fixed:
            return f"{where}: not {fixed}"
        return self.problem(field["types"], value, where) or _limit(said, value, where)

    def invent(self, name: str, chance: random.Random, depth: int = 0) -> Any:
        """A valid value of a type; fewer of the optional fields the deeper it goes."""
        if name.startswith("Array of "):
            inner = name.removeprefix("Array of ")
            most = 2 if depth < 5 else 0
            return [self.invent(inner, chance, depth + 1) for _ in range(chance.randint(0, most))]
        if name in _INVENTED:
            return _INVENTED[name](chance)
        if subtypes := self.types[name].get("subtypes"):
            simple = [one for one in subtypes if one in _PLAIN] if depth > 4 else []
            return self.invent(chance.choice(simple or subtypes), chance, depth + 1)
        return {
            one["name"]: self.invent_field(one, chance, depth)
            for one in self.fields(name)
            if one["required"] or chance.random() < 0.3 / (1 + depth * depth)
        }

    def invent_field(self, field: Mapping[str, Any], chance: random.Random, depth: int = 0) -> Any:
        """A valid value of a field."""
        named = _NAMED.findall(field["description"]) if field["types"] == ["String"] else []
        if fixed := _fixed(field):
            return fixed
        if named:
            return chance.choice(named)
        value = self.invent(chance.choice(field["types"]), chance, depth + 1)
        limit = _LIMIT.search(field["description"])
        return value[: int(limit[2]) // 4] or "x" if limit and isinstance(value, str) else value


_PLAIN: Final[dict[str, Callable[[object], bool]]] = {
    "Integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "Float": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "String": lambda value: isinstance(value, str),
    "Boolean": lambda value: isinstance(value, bool),
}
_WORDS: Final = ("hola", "/start", "ช่วยด้วย", "y" * 50, "\U0001f9e1", "https://a.example/?b=c", "")
_INVENTED: Final[dict[str, Callable[[random.Random], Any]]] = {
    "Integer": lambda chance: chance.choice((0, 1, -5, 2**40, chance.randrange(2**31))),
    "Float": lambda chance: chance.uniform(-1, 1),
    "String": lambda chance: chance.choice(_WORDS),
    "Boolean": lambda chance: chance.random() < 0.5,
    "InlineKeyboardButton": lambda chance: {"text": "a", "callback_data": "b"},
    "WebAppInfo": lambda chance: {"url": "https://a.example"},
}


def _first(problems: Iterable[str | None]) -> str | None:
    return next((one for one in problems if one), None)


def _fixed(field: Mapping[str, Any]) -> str | None:
    found = _FIXED.search(field["description"]) if field["types"] == ["String"] else None
    return found[1] if found else None


def _limit(said: str, value: object, where: str) -> str | None:
    found = _LIMIT.search(said)
    if found is None or not isinstance(value, str):
        return None
    size = len(value.encode()) if found[3] == "bytes" else len(value.encode("utf-16-le")) // 2
    return None if int(found[1]) <= size <= int(found[2]) else f"{where}: {size}, not {found[0]}"


def _rule(name: str, value: Mapping[str, Any]) -> str | None:
    """What the document says in words alone."""
    match name:
        case "InlineKeyboardButton":
            acts = value.keys() - {"text", "style", "icon_custom_emoji_id"}
            return None if len(acts) == 1 else "a button does exactly one thing"
        case "WebAppInfo":
            return None if value["url"].startswith("https://") else "a web app is https"
        case "BotCommand":
            return None if re.fullmatch("[a-z0-9_]+", value["command"]) else "a command is a-z0-9_"
        case _:
            return None


@cache
def document() -> Document:
    """The document; skips the test where the folder of documents is absent."""
    return Document(specs.find(NAME))
