"""Judges that compute with torch, whatever arrays they are given."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import Tensor

from anomalyclip.encoders.base import Array, Features, as_numpy

if TYPE_CHECKING:
    from anomalyclip.judges.base import Size

Own = TypeVar("Own")
Verdict = Callable[[Own, Features, "Size"], tuple[Tensor, Tensor]]


def on_tensors(judge: Verdict[Own]) -> Callable[[Own, Features, Size], tuple[Array, Array]]:
    """A `judge` method written for tensors, for arrays as well: NumPy in, NumPy out. No gradients are kept."""

    @wraps(judge)
    def wrapped(self: Own, features: Features, size: Size) -> tuple[Array, Array]:
        with torch.inference_mode():
            if not isinstance(features.image, np.ndarray):
                return judge(self, features, size)
            scores, maps = judge(self, features.map(torch.from_numpy), size)
        return as_numpy(scores), as_numpy(maps)

    return wrapped
