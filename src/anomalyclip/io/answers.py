"""What a decoder's process answered, checked: one that was taken over could say anything."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from anomalyclip.errors import ImageReadError
from anomalyclip.io.names import StrPath, printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAMPLES = {"bool": 1, "uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8, "float16": 2, "float32": 4, "float64": 8}


def array_of(answer: dict[str, Any], data: bytearray, source: StrPath) -> NDArray[Any]:
    """Of rows and columns. Raises ImageReadError for what its decoder cannot have meant."""
    import numpy as np

    shape, kind = [int(side) for side in answer["shape"]], str(answer["dtype"])
    size = _SAMPLES.get(kind, 0)
    if len(shape) != 2 or min(shape) < 1 or math.prod(shape) * size != len(data):
        raise ImageReadError(f"{printable(source)}: its decoder gave {len(data):,} bytes for {shape} {kind}")
    return np.frombuffer(data, kind).reshape(shape)
