"""How far each way of running a model departs from torch in fp32: scores, maps, and what AUROC makes of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.bench.labelled import Labelled, LabelledSet
from anomalyclip.metrics import AUROC

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.bench.variants import Runner

BASE = "torch"


@dataclass(frozen=True)
class Drift:
    """One variant on one labelled set, against torch in fp32.

    Attributes:
        variant, dataset, images: what was compared.
        score_change: largest absolute difference of an image score.
        map_change: largest absolute difference of a pixel of any map.
        map_correlation: the smallest Pearson correlation of an image's two maps; NaN where every map is constant.
        image_auroc, pixel_auroc: of the variant; NaN where undefined.
        image_auroc_change, pixel_auroc_change: against torch in fp32.
    """

    variant: str
    dataset: str
    images: int
    score_change: float
    map_change: float
    map_correlation: float
    image_auroc: float
    pixel_auroc: float
    image_auroc_change: float
    pixel_auroc_change: float


def measure_drift(
    detectors: Mapping[str, Runner], data: LabelledSet, image_size: int, done: Callable[[], object] = int
) -> list[Drift]:
    """Run every detector on every image of ``data``; ``detectors`` must hold :data:`BASE`."""
    found = {name: _Running() for name in detectors}
    for labelled in data.read(image_size):
        outcomes = {name: _predict(detector, labelled) for name, detector in detectors.items()}
        for name, outcome in outcomes.items():
            found[name].add(outcome, outcomes[BASE], labelled.label, labelled.truth)
        done()
    base = found[BASE]
    return [one.against(base, name, data.name) for name, one in found.items()]


def _predict(detector: Runner, labelled: Labelled) -> tuple[float, NDArray[np.float32]]:
    scores, maps = detector.predict(detector.preprocess(labelled.image)[None])
    return float(scores[0]), maps[0]


@dataclass
class _Running:
    scores: list[float] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    pixels: AUROC = field(default_factory=lambda: AUROC(mode="streaming"))
    score_change: float = 0.0
    map_change: float = 0.0
    correlations: list[float] = field(default_factory=list)

    def add(
        self,
        outcome: tuple[float, NDArray[np.float32]],
        base: tuple[float, NDArray[np.float32]],
        label: int,
        truth: NDArray[np.float32] | None,
    ) -> None:
        (score, values), (base_score, base_values) = outcome, base
        self.scores.append(score)
        self.labels.append(label)
        self.score_change = max(self.score_change, abs(score - base_score))
        self.map_change = max(self.map_change, float(np.abs(values - base_values).max()))
        if values.std() > 0 and base_values.std() > 0:
            self.correlations.append(float(np.corrcoef(values.ravel(), base_values.ravel())[0, 1]))
        if truth is not None:
            self.pixels.update(values.ravel(), truth.ravel().astype(np.uint8))

    def against(self, base: _Running, variant: str, dataset: str) -> Drift:
        image, pixel = self._image_auroc(), self._pixel_auroc()
        return Drift(
            variant,
            dataset,
            len(self.scores),
            self.score_change,
            self.map_change,
            min(self.correlations, default=math.nan),
            image,
            pixel,
            image - base._image_auroc(),
            pixel - base._pixel_auroc(),
        )

    def _image_auroc(self) -> float:
        both = len(set(self.labels)) == 2
        metric = AUROC(mode="exact")
        if both:
            metric.update(self.scores, self.labels)
        return float(metric.compute()) if both else math.nan

    def _pixel_auroc(self) -> float:
        return math.nan if self.pixels.undefined_reason() else float(self.pixels.compute())
