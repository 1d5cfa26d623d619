"""A safetensors header read and checked by ourselves before any library maps the file.

The format: 8 bytes of length N (little-endian), N bytes of JSON, then the tensors' bytes without gaps or overlaps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import IO, Any

from anomalyclip.clip.limits import shown
from anomalyclip.errors import InputError, WeightsError
from anomalyclip.io.json_objects import loads_once

MAX_HEADER = 16 * 2**20  # a model of 100,000 tensors has less; the library itself takes 100 MB
MAX_TENSORS = 100_000
_MAX_AXES = 8
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "U16": 16, "I16": 16, "F16": 16, "BF16": 16,
    "U32": 32, "I32": 32, "F32": 32, "U64": 64, "I64": 64, "F64": 64, "C64": 64,
}  # fmt: skip


@dataclass(frozen=True)
class Header:
    """Tensors by name: (type, shape); and the file's own text entries."""

    tensors: dict[str, tuple[str, tuple[int, ...]]]
    metadata: dict[str, str]


def read_header(stream: IO[bytes], size: int, path: object) -> Header:
    """The checked header of a stream of ``size`` bytes, read from its current position.

    Raises:
        WeightsError: too long, no JSON, a name twice, a shape or type that cannot be, or offsets that leave the file,
            overlap, leave gaps or do not fit the shape.
    """
    length = int.from_bytes(stream.read(8), "little")
    if size < 8 or not 2 <= length <= size - 8:
        raise _damaged(path, f"a header of {length} bytes in a file of {size}")
    if length > MAX_HEADER:
        raise _damaged(path, f"a header of {length} bytes, {MAX_HEADER} are the most")
    try:
        text = stream.read(length).decode("utf-8")
        if text.count('"data_offsets"') > MAX_TENSORS:  # to parse them would take seconds
            raise _damaged(path, f"more than {MAX_TENSORS:,} tensors")
        header = loads_once(text)
    except RecursionError as error:
        raise _damaged(path, "its header is nested too deeply") from error
    except (ValueError, InputError) as error:
        raise _damaged(path, f"its header is not valid: {error}") from error
    if not isinstance(header, dict) or len(header) > MAX_TENSORS:
        raise _damaged(path, "its header is no list of tensors")
    metadata = header.pop("__metadata__", {})
    texts = isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values())
    if not texts:
        raise _damaged(path, "its __metadata__ holds more than texts")
    found = {name: _entry(name, value, path) for name, value in header.items()}
    _check_layout(found, size - 8 - length, path)
    return Header({name: (kind, shape) for name, (kind, shape, _) in found.items()}, metadata)


_Entry = tuple[str, tuple[int, ...], tuple[int, int]]


def _entry(name: str, value: Any, path: object) -> _Entry:
    """Type, shape and offsets of a tensor."""
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise _damaged(path, f"{shown(name)} is described by {shown(value)}")
    kind, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(kind, str) or kind not in _BITS:
        raise _damaged(path, f"{shown(name)} is of the type {shown(kind)}")
    if not _whole_numbers(shape) or len(shape) > _MAX_AXES:
        raise _damaged(path, f"{shown(name)} has the shape {shown(shape)}")
    if not _whole_numbers(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _damaged(path, f"{shown(name)} lies at {shown(offsets)}")
    if math.prod(shape) * _BITS[kind] != 8 * (offsets[1] - offsets[0]):
        raise _damaged(path, f"{shown(name)} of the shape {shown(shape)} has {offsets[1] - offsets[0]} bytes")
    return kind, tuple(shape), (offsets[0], offsets[1])


def _check_layout(found: dict[str, _Entry], room: int, path: object) -> None:
    """Every byte after the header belongs to exactly one tensor."""
    end = 0
    for name, (_, _, (start, stop)) in sorted(found.items(), key=lambda item: item[1][2]):
        if start != end or stop > room:
            problem = "overlaps another tensor" if start < end else "leaves a gap" if start > end else "leaves the file"
            raise _damaged(path, f"{shown(name)} at {start} to {stop} {problem}")
        end = stop
    if end != room:
        raise _damaged(path, f"{room - end} bytes after its tensors belong to none")


def _whole_numbers(values: Any) -> bool:
    """A list of numbers in 0..2**62."""
    return isinstance(values, list) and all(type(each) is int and 0 <= each <= 2**62 for each in values)


def _damaged(path: object, reason: str) -> WeightsError:
    return WeightsError(f"{path} is a damaged safetensors file ({reason}); download it again")
