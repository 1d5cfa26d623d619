"""Features between an encoder and the records of a cache, in NumPy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.encoders.base import Features

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.features.key import CacheKey


def local_rows(features: Features, key: CacheKey) -> NDArray[np.float32]:
    """The local features of B images as a record holds them: (B, L, N, width), of windows (B, 1, windows, E)."""
    numbers = key.scales if key.kind == "windows" else key.layers
    local = [getattr(features, key.kind)[number] for number in numbers]
    if not local:
        return np.empty((len(features.image), *key.local_shape), np.float32)
    return np.concatenate(local, axis=1)[:, None] if key.kind == "windows" else np.stack(local, axis=1)


def summary_rows(features: Features, key: CacheKey) -> NDArray[np.float32]:
    """The summaries of B images as a record holds them, (B, numbers)."""
    found = [features.summaries[stage] for stage, _ in key.summaries]
    return np.concatenate(found, axis=1) if found else np.empty((len(features.image), 0), np.float32)


def from_rows(rows: NDArray[Any], key: CacheKey) -> Features:
    """Features out of records (B, ...) of any dtype, as float32."""
    side = math.isqrt(key.patches)
    given = np.asarray(rows, np.float32)
    end = key.embed_dim + math.prod(key.local_shape)
    local = given[:, key.embed_dim : end].reshape(len(given), *key.local_shape)
    if key.kind == "windows":
        ends = np.cumsum([max(side - scale + 1, 0) ** 2 for scale in key.scales])[:-1]
        groups = dict(zip(key.scales, np.split(local[:, 0], ends, axis=1), strict=True))
    else:
        groups = {layer: local[:, index] for index, layer in enumerate(key.layers)}
    ends = np.cumsum([width for _, width in key.summaries])[:-1]
    summaries = np.split(given[:, end:], ends, axis=1) if key.summaries else []
    named: dict[str, Any] = {
        key.kind: groups,
        "summaries": {stage: one for (stage, _), one in zip(key.summaries, summaries, strict=True)},
    }
    return Features((side, side), given[:, : key.embed_dim], **named)
