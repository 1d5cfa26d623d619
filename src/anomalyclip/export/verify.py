"""Does an export compute what torch computes? Differences on images, and how large they may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from anomalyclip.encoders.formats import Precision
from anomalyclip.encoders.graph_io import VERDICT
from anomalyclip.encoders.sidecar import Differences
from anomalyclip.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.detector import Detector
    from anomalyclip.encoders.base import Features
    from anomalyclip.encoders.sessions import Session


class Scored(NamedTuple):
    """Scores (n,) and maps (n, S, S) of n images."""

    scores: NDArray[np.float32]
    maps: NDArray[np.float32]


class Tolerance(NamedTuple):
    """Largest differences of a score and a pixel, and the least correlation of maps."""

    score: float
    map: float
    correlation: float


#: What is expected of a precision; beyond it the export warns.
EXPECTED: dict[Precision, Tolerance] = {
    "fp32": Tolerance(1e-4, 1e-4, 0.9999),
    "fp16": Tolerance(0.02, 0.05, 0.999),
    "int8": Tolerance(0.05, 0.2, 0.99),
}
#: Beyond this the export is wrong, not rounded, and is refused.
REFUSED: dict[Precision, Tolerance] = {
    "fp32": Tolerance(1e-3, 1e-3, 0.999),
    "fp16": Tolerance(0.1, 0.3, 0.98),
    "int8": Tolerance(0.3, 0.8, 0.8),
}


def score_with_torch(model: Detector, images: Sequence[NDArray[np.uint8]]) -> Scored:
    """The reference: one image at a time, as memory is."""
    from anomalyclip.data.transforms import normalise

    how = model.encoder.facts.preprocessing
    found = [model.predict(normalise(image, how)[None]) for image in images]
    return Scored(*(np.concatenate([pair[i] for pair in found]) for i in (0, 1)))


def score_with_session(run: Session, images: Sequence[NDArray[Any]]) -> Scored:
    """The same by an export, from what its graph takes."""
    found = [run(image[None]) for image in images]
    return Scored(*(np.concatenate([one[name] for one in found]) for name in VERDICT))


def feature_distance(expected: Features, found: Features) -> float:
    """The largest relative distance |f - f0| / |f0| of a feature vector; of stages, of a picture's whole stage."""
    worst = 0.0
    pairs = [] if expected.image is None else [(expected.image, found.image)]
    for kind in ("patches", "tokens", "windows", "summaries"):
        pairs += [(values, getattr(found, kind)[number]) for number, values in getattr(expected, kind).items()]
    pairs += [(v.reshape(len(v), -1), found.stages[n].reshape(len(v), -1)) for n, v in expected.stages.items()]
    for one, other in pairs:
        norm = np.maximum(np.linalg.norm(one, axis=-1), np.finfo(np.float32).tiny)
        worst = max(worst, float((np.linalg.norm(one - other, axis=-1) / norm).max()))
    return worst


def compare(reference: Scored, found: Scored) -> Differences:
    """Differences of two results on the same images; ConfigError where shapes differ or a number is not finite."""
    for name, expected, given in zip(Scored._fields, reference, found, strict=True):
        if given.shape != expected.shape or not np.isfinite(given).all():
            raise ConfigError(f"the export gives {name} of shape {given.shape}, expected {expected.shape}, all finite")
    gap = np.abs(reference.maps.astype(np.float64) - found.maps)
    return Differences(
        images=len(reference.scores),
        score=float(np.abs(reference.scores - found.scores).max()),
        map=float(gap.max()),
        map_mean=float(gap.mean()),
        correlation=_correlation(reference.maps, found.maps),
    )


def beyond(differences: Differences, allowed: Tolerance) -> list[str]:
    """What exceeds a tolerance, in words; empty if nothing does."""
    problems = []
    if differences.score > allowed.score:
        problems.append(f"a score differs by {differences.score:.2g} (expected at most {allowed.score:g})")
    if differences.map > allowed.map:
        problems.append(f"a pixel differs by {differences.map:.2g} (expected at most {allowed.map:g})")
    if differences.correlation < allowed.correlation:
        problems.append(f"maps correlate by {differences.correlation:.5f} (expected at least {allowed.correlation:g})")
    return problems


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Pearson's over all pixels; 1 where both are constant."""
    a, b = (values.astype(np.float64).ravel() - values.mean(dtype=np.float64) for values in (first, second))
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0 else float(np.array_equal(a, b))
