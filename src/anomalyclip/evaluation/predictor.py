"""Scores and maps of image files by one model; what its encoder gives is kept on disk where that is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.errors import ConfigError
from anomalyclip.evaluation.models import Detector, EncoderDetector
from anomalyclip.features.key import CacheDtype

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from PIL.Image import Image


@dataclass(frozen=True)
class CacheSettings:
    """Keep the encoder's features between evaluations, in the cache that training uses.

    Attributes:
        folder: where; None is `features` in anomalyclip's cache folder.
        dtype: "fp32" leaves every number as it is without a cache; "fp16" takes half the disk and moves scores by
            less than 1e-3.
    """

    folder: str | Path | None = None
    dtype: CacheDtype = "fp16"


def recorded(cache: CacheSettings | None) -> dict[str, str]:
    """What results say about the cache: nothing where it changes no number."""
    return {} if cache is None or cache.dtype == "fp32" else {"features": cache.dtype}


@dataclass(frozen=True)
class Loaded:
    """One image on its way to the model: its features where they lie in the cache, else its pixels (3, S, S)."""

    pixels: torch.Tensor | None
    sha256: str | None = None
    record: NDArray[Any] | None = None


class Predictor:
    """One model with its cache, if any. `load` may be called from several threads, `predict` from one.

    Raises:
        OutputError: the cache's folder cannot be made. ConfigError: a cache for a model that gives no features.
    """

    def __init__(self, model: Detector, cache: CacheSettings | None = None) -> None:
        from anomalyclip.features import FeatureCache

        self.model = model
        self.cache = None
        if cache is not None:
            self.cache = FeatureCache.open(cache.folder, _encoder(model).feature_key(cache.dtype))
            self.cache.sweep()

    def load(self, path: Path, image: Image) -> Loaded:
        """The features of `image`, which was read from `path`, where they are known by the file's content."""
        from anomalyclip.hub.digests import sha256

        if self.cache is None:
            return Loaded(self.model.preprocess(image))
        digest = sha256(path)
        if self.cache.has(digest):
            return Loaded(None, digest, self.cache.get(digest))
        return Loaded(self.model.preprocess(image), digest)

    def predict(self, batch: Sequence[Loaded]) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores (B,) and maps (B, S, S). The encoder runs on images whose features are not in the cache.

        Raises:
            OutputError: the disk is full. ConfigError: features beyond fp16, or not finite.
        """
        import torch

        if self.cache is None:
            return self.model.predict(torch.stack([one.pixels for one in batch if one.pixels is not None]))
        from anomalyclip.features.encoding import from_records

        self._encode([one for one in batch if one.record is None])
        rows = [self.cache.get(str(one.sha256)) if one.record is None else one.record for one in batch]
        stacked = torch.from_numpy(np.stack(rows)).to(self.model.device)
        return _encoder(self.model).score(from_records(stacked, self.cache.key))

    def _encode(self, batch: Sequence[Loaded]) -> None:
        """What is kept is also what is scored, so that the first run and all later ones give the same numbers."""
        import torch

        from anomalyclip.features import encode

        if not batch or self.cache is None:
            return
        pixels = torch.stack([one.pixels for one in batch if one.pixels is not None])
        found = encode(_encoder(self.model).visual, pixels.to(self.model.device), self.cache.key)
        arrays = (part.float().cpu().numpy() for part in found)
        for one, image, patches in zip(batch, *arrays, strict=True):
            self.cache.put(str(one.sha256), image, patches)


def _encoder(model: Detector) -> EncoderDetector:
    if isinstance(model, EncoderDetector):
        return model
    raise ConfigError(f"{type(model).__name__} gives no features to keep; leave --cache out, or use --runtime torch")
