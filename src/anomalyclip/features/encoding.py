"""Features between an encoder, the records of a cache, and training: one global and one kind of local ones."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from anomalyclip.encoders import base
from anomalyclip.features.key import CacheKey


class Features(NamedTuple):
    """``image`` (B, E), the global feature, and ``patches`` (B, L, N, width), the local ones, of B images.

    Of windows: (B, 1, windows, E). None of them is normalised.
    """

    image: Tensor
    patches: Tensor


def from_records(rows: Tensor, key: CacheKey) -> Features:
    """Features out of cached records (B, ...) of any dtype, as float32."""
    rows = rows.float()
    return Features(rows[:, : key.embed_dim], rows[:, key.embed_dim :].reshape(len(rows), *key.local_shape))


@torch.no_grad()
def encode(encoder: base.Encoder, pixels: Tensor, key: CacheKey) -> Features:
    """Features of normalised images (B, 3, S, S), on the device of ``pixels``.

    On a CPU the images go one by one: larger batches are not faster there, and an image's features then do not depend
    on its neighbours in the batch, so that cached and streamed features are the same to the last bit.
    """
    parts = torch.split(pixels, 1 if pixels.device.type == "cpu" else len(pixels))
    found = [_stacked(encoder.run(part, key.request), key, pixels.device) for part in parts]
    return Features(torch.cat([one.image for one in found]), torch.cat([one.patches for one in found]))


def _stacked(found: base.Features, key: CacheKey, device: torch.device) -> Features:
    """As one tensor each: layers side by side, windows of all scales behind one another."""
    given = found if isinstance(found.image, Tensor) else found.map(torch.from_numpy)
    given = given.map(lambda values: values.to(device))
    local = [getattr(given, key.kind)[number] for number in (key.scales if key.kind == "windows" else key.layers)]
    if not local:
        return Features(given.image, given.image.new_empty(len(given.image), *key.local_shape))
    joined = torch.cat(local, dim=1).unsqueeze(1) if key.kind == "windows" else torch.stack(local, dim=1)
    return Features(given.image, joined)
