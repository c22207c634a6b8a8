"""The reviewed tables beside this code, read once when the room is first opened.

A table that is missing or broken raises here, so that Sala refuses to start without its ear.
"""

import re
import tomllib
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

Patterns = tuple[re.Pattern[str], ...]


def table(name: str) -> dict[str, Any]:
    """The table `name`.toml. Raises OSError or tomllib.TOMLDecodeError."""
    source = files("bot.understanding").joinpath("data", f"{name}.toml")
    return tomllib.loads(source.read_text(encoding="utf-8"))


def patterns(sources: Iterable[str]) -> Patterns:
    """Compiled patterns. Raises re.error."""
    return tuple(re.compile(source) for source in sources)
