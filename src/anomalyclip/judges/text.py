"""The two text embeddings that judges compare features with, as NumPy arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class TextEmbeddings:
    """``features`` (2, E) float32, L2-normalised, [normal, abnormal]; what they are called, and a hash of what decided
    them.

    ``method`` says how the words came about: "anomalyclip", a baseline's name, or a hand-written ensemble's.
    """

    features: NDArray[np.float32]
    name: str
    sha256: str
    method: str = "anomalyclip"
