"""Writes down a computation for onnxruntime, as much of the ONNX format as the encoder needs.

The format is protocol buffers; these few lines spare a dependency ten times their size
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

EXTRA: Final = "com.microsoft"
"""Where onnxruntime keeps its own operations."""
_KINDS: Final = {"float32": 1, "uint8": 2, "int64": 7}
_FORMAT, _BASIC, _EXTRA = 9, 17, 1
"""Versions: of the format, of the basic operations, of onnxruntime's own."""


@dataclass(slots=True)
class Graph:
    """A computation in the making, from `x` (float32, one batch of rows of `width` numbers)."""

    width: int
    nodes: list[bytes] = field(default_factory=list)
    kept: list[bytes] = field(default_factory=list)

    def keep(self, name: str, values: NDArray[Any]) -> str:
        """Weights under a name."""
        dims = b"".join(_number(1, size) for size in values.shape)
        kind = _number(2, _KINDS[values.dtype.name])
        raw = _bytes(9, np.ascontiguousarray(values).tobytes())
        self.kept.append(_bytes(5, dims + kind + _text(8, name) + raw))
        return name

    def do(self, what: str, inputs: Iterable[str], *outputs: str, **settings: float) -> str:
        """An operation; its first output. Names in capitals order onnxruntime's own ones."""
        told = b"".join(_text(1, name) for name in inputs)
        told += b"".join(_text(2, name) for name in outputs) + _text(4, what)
        told += b"".join(_bytes(5, _setting(name, value)) for name, value in settings.items())
        domain = b"" if what == "Split" else _text(7, EXTRA)
        self.nodes.append(_bytes(1, told + domain))
        return outputs[0]

    def written(self, last: str) -> bytes:
        """The whole, giving `last`."""
        ends = _bytes(11, _rows("x", self.width)) + _bytes(12, _rows(last, self.width))
        body = b"".join((*self.nodes, _text(2, "encoder"), *self.kept, ends))
        basic, extra = _number(2, _BASIC), _text(1, EXTRA) + _number(2, _EXTRA)
        return _number(1, _FORMAT) + _bytes(7, body) + _bytes(8, basic) + _bytes(8, extra)


def _rows(name: str, width: int) -> bytes:
    sizes = (_number(1, 1), _text(2, "rows"), _number(1, width))
    shape = b"".join(_bytes(1, size) for size in sizes)
    return _text(1, name) + _bytes(2, _bytes(1, _number(1, 1) + _bytes(2, shape)))


def _setting(name: str, value: float) -> bytes:
    if isinstance(value, int):
        return _text(1, name) + _number(3, value) + _number(20, 2)
    return _text(1, name) + bytes([2 << 3 | 5]) + struct.pack("<f", value) + _number(20, 1)


def _number(place: int, value: int) -> bytes:
    return _varint(place << 3) + _varint(value)


def _bytes(place: int, value: bytes) -> bytes:
    return _varint(place << 3 | 2) + _varint(len(value)) + value


def _text(place: int, value: str) -> bytes:
    return _bytes(place, value.encode())


def _varint(value: int) -> bytes:
    told = bytearray()
    while value > 127:
        told.append(value & 127 | 128)
        value >>= 7
    return bytes((*told, value))
