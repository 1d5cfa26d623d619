"""Scores and maps of image files by one model; what its encoder gives is kept on disk where that is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.detecting import survey
from anomalyclip.errors import ConfigError
from anomalyclip.features.key import CacheDtype
from anomalyclip.io.reading import Reading

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from anomalyclip.detector import Detector
    from anomalyclip.geometry import Area, Areas, Geometry

    Floats = NDArray[np.float32]


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


def laid_out(geometry: Geometry | None, areas: Areas | None, reading: Reading | None = None) -> dict[str, Any]:
    """What results say about the layout and the reading of images: nothing for whole ones, read as files say."""
    layout = ({} if geometry is None else geometry.settings()) | ({} if areas is None else areas.settings())
    return layout | ({} if reading is None else reading.recorded())


@dataclass(frozen=True)
class Loaded:
    """One image on its way to the model: its features where they lie in the cache, else its pixels (3, S, S).

    image: in full, where it is laid out view by view. area: which of its pixels count; None is all.
    """

    pixels: NDArray[Any] | None
    sha256: str | None = None
    record: NDArray[Any] | None = None
    image: Image | None = None
    area: Area | None = None


class Predictor:
    """One model with its cache, if any. `load` may be called from several threads, `predict` from one.

    geometry, areas: how images are laid out before the model, and which of their pixels count. reading: how they were
    read, which decides what is kept of them.

    Raises:
        OutputError: the cache's folder cannot be made. ConfigError: a cache for a model that gives no features, or for
            laid-out images; a geometry that the model does not take.
    """

    def __init__(
        self,
        model: Detector,
        cache: CacheSettings | None = None,
        geometry: Geometry | None = None,
        areas: Areas | None = None,
        reading: Reading | None = None,
    ) -> None:
        from anomalyclip.features import FeatureCache
        from anomalyclip.geometry import Areas, Geometry

        self.model, self._reading = model, reading or Reading()
        self.geometry, self.areas = geometry or Geometry(), areas or Areas()
        self.plain = self.geometry.plain and self.areas.everything
        self.cache = None
        if not self.plain:
            model.check(self.geometry)
            if cache is not None:
                raise ConfigError("features are kept of whole images alone; leave --cache out with tiles or regions")
        if cache is not None:
            self.cache = FeatureCache.open(cache.folder, model.feature_key(cache.dtype))
            self.cache.sweep()

    def load(self, path: Path, image: Image, frame: int | None = None) -> Loaded:
        """The features of `image`, which was read from `path`, where they are known by the file's content.

        frame: which picture of the file, where it holds several.
        """
        from anomalyclip.hub.digests import sha256

        if not self.plain:
            area, _ = self.areas.of(image.size, path.name)
            return Loaded(None, image=image, area=area)
        if self.cache is None:
            return Loaded(self.model.preprocess(image))
        digest = self._reading.digest(sha256(path), frame)
        if self.cache.has(digest):
            return Loaded(None, digest, self.cache.get(digest))
        return Loaded(self.model.preprocess(image), digest)

    def predict(self, batch: Sequence[Loaded]) -> tuple[Floats, Floats | list[Floats]]:
        """Scores (B,) and maps (B, S, S); of laid-out images, a map per image at its own size.

        The encoder runs on images whose features are not in the cache.

        Raises:
            OutputError: the disk is full. ConfigError: features beyond fp16, or not finite.
        """
        if not self.plain:
            return self._survey(batch)
        if self.cache is None:
            return self.model.predict(np.stack([one.pixels for one in batch if one.pixels is not None]))
        from anomalyclip.features.kept import from_rows

        self._encode([one for one in batch if one.record is None])
        rows = [self.cache.get(str(one.sha256)) if one.record is None else one.record for one in batch]
        return self.model.verdict(from_rows(np.stack(rows), self.cache.key))

    def _survey(self, batch: Sequence[Loaded]) -> tuple[Floats, Floats | list[Floats]]:
        found = [
            survey(self.model, one.image, self.geometry, area=one.area, batch_size=len(batch))
            for one in batch
            if one.image is not None
        ]
        return np.array([one.score for one in found], np.float32), [one.anomaly_map for one in found]

    def _encode(self, batch: Sequence[Loaded]) -> None:
        """What is kept is also what is scored, so that the first run and all later ones give the same numbers.

        On a CPU image by image: features then do not depend on an image's neighbours in the batch.
        """
        from anomalyclip.features.kept import local_rows, summary_rows

        if not batch or self.cache is None:
            return
        together = 1 if self.model.device == "cpu" else len(batch)
        for start in range(0, len(batch), together):
            part = batch[start : start + together]
            pixels = np.stack([one.pixels for one in part if one.pixels is not None])
            found = self.model.features(pixels, self.cache.key.request)
            kept = found.image, local_rows(found, self.cache.key), summary_rows(found, self.cache.key)
            for one, *features in zip(part, *kept, strict=True):
                self.cache.put(str(one.sha256), *features)
