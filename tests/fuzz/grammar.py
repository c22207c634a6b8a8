"""What strangers may send: good samples gone wrong in one to three places, and JSON beyond itself.

Some wrong things cannot be written by a JSON library: they are put in afterwards (`BEYOND`).
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

LONG: Final = "SALA_FUZZ" in os.environ
CANARY: Final = "canary-0812345678"
"""In much of what is sent, and in no log and no answer."""


def bounded(examples: int) -> settings:
    """The same few in every short run; others, and so many as `SALA_FUZZ` says, in a long one."""
    return settings(
        max_examples=int(os.environ.get("SALA_FUZZ") or examples), derandomize=not LONG,
        database=None, deadline=None, phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip


# ---------------------------------------------------------------- values

BEYOND: Final[Mapping[str, str]] = {
    "<deep>": "[" * 3_000 + "]" * 3_000,
    "<deeper>": '{"a":' * 60_000 + "1" + "}" * 60_000,
    "<open>": "[" * 3_000,
    "<digits>": "9" * 5_000,
    "<many digits>": "7" * 4_300,
    "<exponent>": "1e999999",
    "<not a number>": "NaN",
    "<infinite>": "-Infinity",
    "<twice>": '{"id":1,"id":"2","id":[]}',
    "<comma>": "[1,]",
    "<surrogate>": '"\\ud83d"',
    "<surrogates>": '"\\udc00\\ud800"',
    "<nul>": '"\\u0000"',
}
"""Markers, and what is written in their place."""

WORDS: Final = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=12),
    st.sampled_from([
        CANARY, "", "\0", "\ud83d", "\u202e", "ก" * 5_001, "x" * 70_000, "ask.phone=own",
        "ask.age=adult", "=", "a=b", "../..", "{{data}}", "%00", "\r\nSet-Cookie: a=b", "-1",
        "1e5", "true", "private", "user", "active", "/start", "/start@a b", "stop", "หยุด",
    ]),
)  # fmt: skip
NUMBERS: Final = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([0, -1, 2**31, 2**53, 2**63, -(2**63) - 1, 10**18, 10**400, -(10**400)]),
)
LEAVES: Final = st.none() | st.booleans() | NUMBERS | WORDS | st.sampled_from(sorted(BEYOND))


def values(names: Sequence[str] = ()) -> st.SearchStrategy[Any]:
    """Any JSON at all, with these names in it rather more often."""
    keys = st.sampled_from(names) | WORDS if names else WORDS
    return st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=8,
    )


# ---------------------------------------------------------------- good samples gone wrong

Path = tuple[str | int, ...]


def paths(plain: Any, here: Path = ()) -> Iterator[Path]:
    """Where something stands in a sample, the whole first."""
    yield here
    inner = plain.items() if isinstance(plain, dict) else ()
    inner = enumerate(plain) if isinstance(plain, list) else inner
    for name, one in inner:
        yield from paths(one, (*here, name))


def _names(samples: Sequence[Any]) -> list[str]:
    every = (path for sample in samples for path in paths(sample))
    return sorted({path[-1] for path in every if path and isinstance(path[-1], str)})


@st.composite
def changed(draw: st.DrawFn, samples: Sequence[Any]) -> Any:
    """One of the samples with something else, more, or nothing, in one to three places."""
    plain = {"all": deepcopy(draw(st.sampled_from(samples)))}
    for _ in range(draw(st.integers(1, 3))):
        where = ("all", *draw(st.sampled_from(list(paths(plain["all"])))))
        _change(draw, plain, where, values(_names(samples)))
    return plain["all"]


def _change(draw: st.DrawFn, plain: Any, where: Path, wild: st.SearchStrategy[Any]) -> None:
    holder = plain
    for name in where[:-1]:
        holder = holder[name]
    last, how = where[-1], draw(st.sampled_from(("other", "gone", "inside", "more")))
    if how == "gone" and len(where) > 1:
        del holder[last]
    elif how == "inside":
        holder[last] = [holder[last]] if draw(st.booleans()) else {"all": holder[last]}
    elif how == "more" and isinstance(holder[last], dict):
        holder[last][draw(WORDS)] = draw(wild)
    elif how == "more" and isinstance(holder[last], list):
        holder[last] *= draw(st.integers(0, 30))
    else:
        holder[last] = draw(wild)


# ---------------------------------------------------------------- as bytes


@st.composite
def written(draw: st.DrawFn, plain: st.SearchStrategy[Any]) -> bytes:
    """JSON as bytes, sometimes in another encoding, broken off, or with some bytes changed."""
    text = json.dumps(draw(plain), ensure_ascii=draw(st.booleans()))
    for marker, beyond in BEYOND.items():
        text = text.replace(f'"{marker}"', beyond)
    how = draw(st.sampled_from(("whole",) * 6 + ("utf-16", "utf-8-sig", "cut", "noise", "twice")))
    code = how if how.startswith("utf") else "utf-8"
    body = text.encode(code, "surrogatepass")
    if how == "cut":
        return body[: draw(st.integers(0, len(body)))]
    if how == "twice":
        return body * 2
    return draw(noisy(body)) if how == "noise" else body


@st.composite
def noisy(draw: st.DrawFn, body: bytes, most: int = 8) -> bytes:
    """With some of its bytes changed."""
    noise = bytearray(body)
    for _ in range(draw(st.integers(1, most))):
        if noise:
            noise[draw(st.integers(0, len(noise) - 1))] = draw(st.integers(0, 255))
    return bytes(noise)
