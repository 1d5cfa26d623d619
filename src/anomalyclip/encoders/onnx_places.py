"""Where an ONNX graph says that its weights lie, read from the file itself: the core has no `onnx` package."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

_MOST_FIELDS = 4_000_000  # of messages on the way to a tensor; ViT-L/14 has 40,000
_WIRE_BYTES = {1: 8, 5: 4}  # protobuf's wire types of a fixed size
_VARINT, _LENGTH = 0, 2

#: message -> {number of a field: the message in it}, as onnx.proto has them; all that leads to a tensor
_WAYS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
_KEY, _VALUE = 1, 2


def places(path: Path) -> set[str]:
    """Every `location` of external data in the graph, wherever a tensor may stand.

    Raises:
        ValueError: the file is no message of protobuf, or has more parts than any model. OSError: it cannot be read.
    """
    found: set[str] = set()
    with path.open("rb") as file:
        if not path.stat().st_size:
            return found
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            left, pending = _MOST_FIELDS, [("model", 0, len(data))]
            while pending:  # no recursion: graphs may lie in graphs
                kind, start, end = pending.pop()
                if kind == "entry":
                    found |= _location(data, start, end)
                    continue
                for number, first, last in _fields(data, start, end):
                    left -= 1
                    if left < 0:
                        raise ValueError(f"more than {_MOST_FIELDS:,} parts")
                    if number in _WAYS[kind]:
                        pending.append((_WAYS[kind][number], first, last))
    return found


def _location(data: mmap.mmap, start: int, end: int) -> set[str]:
    """The value of an entry whose key is "location"; of a key or value told twice all count."""
    told = [(number, data[first:last]) for number, first, last in _fields(data, start, end)]
    if (_KEY, b"location") not in told:
        return set()
    return {value.decode("utf-8", "backslashreplace") for number, value in told if number == _VALUE}


def _fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(number, first byte, end) of each field with a length; others are passed over."""
    while start < end:
        tag, start = _varint(data, start, end)
        wire = tag & 7
        if wire == _LENGTH:
            size, start = _varint(data, start, end)
            yield tag >> 3, start, start + size
            start += size
        elif wire == _VARINT:
            start = _varint(data, start, end)[1]
        elif wire in _WIRE_BYTES:
            start += _WIRE_BYTES[wire]
        else:
            raise ValueError(f"a part of an unknown kind ({wire})")
        if start > end:
            raise ValueError("a part that is longer than what holds it")


def _varint(data: mmap.mmap, start: int, end: int) -> tuple[int, int]:
    """(number, where the next byte lies)."""
    value = 0
    for place, at in enumerate(range(start, min(end, start + 10))):
        byte = data[at]
        value |= (byte & 127) << (7 * place)
        if byte < 128:
            return value, at + 1
    raise ValueError("a number that does not end")
