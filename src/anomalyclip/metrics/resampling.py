"""Pixel metrics of all images together, on images drawn anew: what the 95% intervals of pooled pixels come from.

Every image counts w ~ Poisson(1) times in a resample (the Poisson bootstrap, which needs no list of images), and w
hangs on the image's name alone: runs on the same images see the same draws, in any order. Pixels are kept in about a
thousand groups, so memory and cost do not depend on the number of images or pixels: 400 resamples take 10 MB and ten
milliseconds per image.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.metrics.histogram import ScoreHistogram
from anomalyclip.metrics.pixel import BY_PIXEL
from anomalyclip.metrics.pro import _aupro_compute
from anomalyclip.metrics.ranking import Ranking
from anomalyclip.metrics.stores import ExactScores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.metrics.pixel import PixelMetrics

    Floats = NDArray[np.float64]

MOST_DRAWS = 400
_FIRST = 16  # images from which the groups' edges are taken
_EVEN, _NORMAL, _ANOMALOUS = 512, 384, 128  # edges: even in log odds, by quantiles of normal and of anomalous pixels
_REACH, _RAREST = 11.5, 1e-6  # log odds; share of normal pixels above the highest edge


@dataclass
class PixelDraws:
    """pixel_auroc, pixel_ap, pixel_f1_max and aupro of the images passed to `add`, in every resample.

    draws: how many resamples. seed: of them. fpr_limit: of AUPRO.
    """

    draws: int
    seed: int
    fpr_limit: float
    names: list[str] = field(default_factory=list)
    _waiting: list[tuple[str, ScoreHistogram]] = field(default_factory=list)
    _edges: NDArray[np.intp] | None = None
    _sums: Floats = field(default_factory=lambda: np.empty(0))

    def add(self, name: str, pixels: PixelMetrics) -> None:
        """Count the pixels of one image."""
        if not self.draws:
            return
        self.names.append(name)
        counted = _histogram(pixels)
        if self._edges is not None:
            self._count(name, counted)
            return
        self._waiting.append((name, counted))
        if len(self._waiting) == _FIRST:
            self._begin()

    def compute(self) -> dict[str, Floats]:
        """Metric -> (draws,); NaN in a resample without anomalous or without normal pixels."""
        if self._edges is None:
            self._begin()
        normal, anomalous, weight = self._sums
        ranked, by_region = _ranking(normal, anomalous), _ranking(normal, weight)
        found = {name: np.asarray(value(ranked), np.float64) for name, (value, _) in BY_PIXEL.items()}
        return found | {"aupro": np.asarray(_aupro_compute(by_region, self.fpr_limit), np.float64)}

    def digest(self) -> str:
        """Of the images' names, in any order."""
        return hashlib.sha256("\n".join(sorted(self.names)).encode("utf-8", "surrogateescape")).hexdigest()

    def _begin(self) -> None:
        """Choose the groups, and count the images that waited for them."""
        whole = ScoreHistogram()
        for _, one in self._waiting:
            whole.merge(one)
        self._edges = _group_edges(whole)
        self._sums = np.zeros((3, self.draws, len(self._edges)))
        for name, one in self._waiting:
            self._count(name, one)
        self._waiting = []

    def _count(self, name: str, one: ScoreHistogram) -> None:
        assert self._edges is not None
        digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
        weights = np.random.default_rng([self.seed, int.from_bytes(digest, "big")]).poisson(1.0, self.draws)
        for sums, counts in zip(self._sums, (one._normal, one._anomalous, one._weight), strict=True):
            sums += weights[:, None] * np.add.reduceat(counts, self._edges)


def _histogram(pixels: PixelMetrics) -> ScoreHistogram:
    store = pixels._aupro._store
    if isinstance(store, ScoreHistogram):
        return store
    assert isinstance(store, ExactScores)
    found = ScoreHistogram()
    normal, anomalous = (np.concatenate([*part, np.empty(0, np.float32)]) for part in (store._normal, store._anomalous))
    labels = np.repeat([True, False], [anomalous.size, normal.size])
    found.add(np.concatenate([anomalous, normal]), labels, np.concatenate([*store._weights, np.empty(0)]))
    return found


def _group_edges(whole: ScoreHistogram) -> NDArray[np.intp]:
    """First bins of the groups, ascending from 0."""
    even = 1 / (1 + np.exp(-np.linspace(-_REACH, _REACH, _EVEN)))
    found = [np.zeros(1, np.intp), np.searchsorted(whole._edges(), even)]
    for counts, shares in (
        (whole._normal, np.geomspace(_RAREST, 1, _NORMAL)),  # of pixels at or above; AUPRO looks at the rarest
        (whole._anomalous, np.linspace(0, 1, _ANOMALOUS)),
    ):
        reach = np.cumsum(counts[::-1])[::-1]
        if reach[0]:
            found.append(reach.size - np.searchsorted(reach[::-1], shares * reach[0]) - 1)
    return np.unique(np.clip(np.concatenate(found), 0, whole._normal.size - 1)).astype(np.intp)


def _ranking(normal: Floats, mass: Floats) -> Ranking:
    """(draws, groups) counts, ascending in score, as rankings of every resample."""
    reach = np.cumsum(normal[:, ::-1], axis=1)
    return Ranking(
        thresholds=np.arange(normal.shape[1], dtype=np.float64)[::-1],
        mass=mass[:, ::-1],
        above=reach - normal[:, ::-1],
        reach=reach,
        normals=normal.sum(axis=1),
    )
