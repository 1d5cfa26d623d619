"""An export against the model it came from, on any images: how scores, maps and decisions drift."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.errors import AnomalyClipError, InputError
from anomalyclip.export.verify import EXPECTED
from anomalyclip.prediction import decide

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from anomalyclip.detect.inputs import InputItem
    from anomalyclip.detector import Detector
    from anomalyclip.encoders.formats import Precision


@dataclass(frozen=True)
class ImageDrift:
    """One image. score, reference: by the export and by the model. map: largest difference of a pixel; map_mean: mean
    absolute one; correlation: Pearson's, of the two maps; flipped: whether decisions differ."""

    path: str
    score: float
    reference: float
    map: float
    map_mean: float
    correlation: float
    flipped: bool


@dataclass
class Drift:
    """Of all images. threshold: where decisions were compared. failed: (path, reason)."""

    precision: Precision
    threshold: float
    images: list[ImageDrift] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def flipped(self) -> list[ImageDrift]:
        """Images that are decided otherwise."""
        return [one for one in self.images if one.flipped]

    def worst(self) -> dict[str, float]:
        """The largest differences, the mean ones, and the least correlation."""
        gaps = np.array([abs(one.score - one.reference) for one in self.images])
        return {
            "score": float(gaps.max()),
            "score_mean": float(gaps.mean()),
            "map": max(one.map for one in self.images),
            "map_mean": float(np.mean([one.map_mean for one in self.images])),
            "correlation": min(one.correlation for one in self.images),
        }

    def problems(self, most_flipped: int) -> list[str]:
        """What is beyond what its precision is expected to cost, a sentence each; empty where nothing is."""
        worst, allowed = self.worst(), EXPECTED[self.precision]
        found = []
        if worst["score"] > allowed.score:
            found.append(f"a score differs by {worst['score']:.2g}, expected at most {allowed.score:g}")
        if worst["map"] > allowed.map:
            found.append(f"a pixel differs by {worst['map']:.2g}, expected at most {allowed.map:g}")
        if worst["correlation"] < allowed.correlation:
            found.append(f"maps correlate by {worst['correlation']:.5f}, expected at least {allowed.correlation:g}")
        if len(self.flipped) > most_flipped:
            found.append(f"{len(self.flipped)} of {len(self.images)} decisions differ at {self.threshold:.4g}")
        return found

    def to_dict(self, most_flipped: int) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "precision": self.precision,
            "threshold": self.threshold,
            "images": [asdict(one) for one in self.images],
            "failed": [{"path": path, "reason": reason} for path, reason in self.failed],
            "worst": self.worst(),
            "flipped": len(self.flipped),
            "problems": self.problems(most_flipped),
        }


def drift(
    export: Detector,
    model: Detector,
    items: Iterable[InputItem],
    *,
    precision: Precision,
    threshold: float,
    read: Callable[[InputItem], Image],
    advance: Callable[[], object] = lambda: None,
) -> Drift:
    """Both detectors on every image, one at a time; an image that cannot be read is told and left out.

    Raises InputError where none could be compared, or the export takes another input size than the model.
    """
    if export.image_size != model.image_size:
        raise InputError(f"the export takes {export.image_size} px, the model {model.image_size} px: export it again")
    found = Drift(precision, threshold)
    for item in items:
        try:
            if item.problem is not None:
                raise InputError(item.problem)
            image = read(item)
            found.images.append(_compared(item.path, export, model, image, threshold))
        except (AnomalyClipError, OSError) as error:
            found.failed.append((item.path, " ".join(str(error).split())))
        advance()
    if not found.images:
        first = f" ({found.failed[0][0]}: {found.failed[0][1]})" if found.failed else ""
        raise InputError(f"no image could be compared{first}; give images that can be read")
    return found


def _compared(path: str, export: Detector, model: Detector, image: Image, threshold: float) -> ImageDrift:
    scores, maps = zip(
        *(detector.predict(detector.preprocess(image)[None]) for detector in (export, model)), strict=True
    )
    given, expected = (one[0].astype(np.float64) for one in maps)
    score, reference = (float(one[0]) for one in scores)
    if not (np.isfinite(given).all() and np.isfinite(score)):
        raise InputError("the export gives numbers that are not finite")
    gap = np.abs(given - expected)
    flipped = decide(score, threshold) != decide(reference, threshold)
    return ImageDrift(
        path, score, reference, float(gap.max()), float(gap.mean()), _correlation(given, expected), flipped
    )


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Pearson's; 1 where both are constant."""
    a, b = first.ravel() - first.mean(), second.ravel() - second.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0 else float(np.allclose(first, second))
