"""The weights of a prepared graph: arrays that onnxruntime is handed, so that it need not cast them when it opens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TURNED = "^T"
"""Ends the name of a weight that is wanted transposed."""


def prepared_weights(path: Path, names: Iterable[str]) -> dict[str, NDArray[np.float32]]:
    """Weights of a safetensors file by the names that a prepared graph has for them; raises OSError, ValueError."""
    from safetensors.numpy import load_file

    return float_arrays(load_file(path), names)


def float_arrays(tensors: Mapping[str, NDArray[Any]], names: Iterable[str]) -> dict[str, NDArray[np.float32]]:
    """name -> float32, contiguous; a name with :data:`TURNED` is that of a matrix, transposed."""
    return {
        name: np.ascontiguousarray(tensors[name.removesuffix(TURNED)].T, np.float32)
        if name.endswith(TURNED)
        else tensors[name].astype(np.float32)
        for name in names
    }
