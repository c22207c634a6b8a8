"""The reviewed tables beside this code, read once when the room is first opened.

A table that is missing or broken raises here, so that Sala refuses to start without its ear; that
every pattern in them can be read is seen to by the tests.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib.resources import files
from typing import Any


def table(name: str) -> dict[str, Any]:
    """The table `name`.toml. Raises OSError or tomllib.TOMLDecodeError."""
    source = files("bot.understanding").joinpath("data", f"{name}.toml")
    return tomllib.loads(source.read_text(encoding="utf-8"))


class Patterns:
    """Patterns, each compiled when they are first asked for: most commands hear nobody."""

    __slots__ = ("_compiled", "_sources")

    def __init__(self, sources: Iterable[str]) -> None:
        self._sources = tuple(sources)
        self._compiled: tuple[re.Pattern[str], ...] | None = None

    def __iter__(self) -> Iterator[re.Pattern[str]]:
        """Raises re.error. Threads that come at once may compile twice, to the same."""
        if self._compiled is None:
            self._compiled = tuple(map(re.compile, self._sources))
        return iter(self._compiled)
