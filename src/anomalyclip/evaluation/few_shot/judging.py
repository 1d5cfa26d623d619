"""One line on all pictures of its class but its own references: the numbers of one draw."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.data.dataset import ANOMALOUS, NORMAL
from anomalyclip.evaluation.few_shot.result import DETECTION, METRICS
from anomalyclip.evaluation.few_shot.seeing import assembled
from anomalyclip.evaluation.truth import counted_pixels
from anomalyclip.metrics import auroc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.evaluation.few_shot.seeing import Sight
    from anomalyclip.evaluation.settings import EvaluationSettings
    from anomalyclip.geometry import Area, View
    from anomalyclip.judges.memory.seen import Seen

    Floats = NDArray[np.float32]
    Bools = NDArray[np.bool_]

Verdict = Callable[["Seen"], "tuple[float, Floats]"]
"""Score and map (H, W) of one view."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A labelled picture that was seen.

    key: of its record in the store. area: which pixels count, None is all. truth: shape and packed bits of the mask,
    None where nobody marked it.
    """

    name: str
    label: int
    key: str
    size: tuple[int, int]
    views: list[View]
    area: Area | None
    truth: tuple[tuple[int, ...], NDArray[np.uint8]] | None


@dataclass(frozen=True)
class Verdicts:
    """Scores and labels of pictures, and the metrics of their pixels; why those are undefined."""

    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    pixels: dict[str, float]
    no_pixels: str | None

    def measured(self, threshold: float | None, refusal: str | None) -> tuple[dict[str, float | None], dict[str, str]]:
        """(:data:`METRICS`, metric -> why it is None).

        threshold: scores from here on are anomalous; None with the `refusal` that says why there is none.
        """
        values: dict[str, float | None] = dict.fromkeys(METRICS)
        undefined: dict[str, str] = {}
        kinds = set(self.labels.tolist())
        if kinds == {NORMAL, ANOMALOUS}:
            values["image_auroc"] = auroc(self.scores, self.labels)
        else:
            undefined["image_auroc"] = f"there are no {'anomalous' if ANOMALOUS not in kinds else 'normal'} pictures"
        for name in DETECTION[1:]:
            if self.no_pixels is None:
                values[name] = self.pixels[name]
            else:
                undefined[name] = self.no_pixels
        for name, label in (("recall_at_fpr", ANOMALOUS), ("false_alarm_rate", NORMAL)):
            if threshold is None:
                undefined[name] = refusal or "there is no threshold"
            elif label not in kinds:
                undefined[name] = f"there are no {'anomalous' if label == ANOMALOUS else 'normal'} pictures"
            else:
                values[name] = float((self.scores[self.labels == label] >= threshold).mean())
        return values, undefined


def packed(mask: Bools) -> tuple[tuple[int, ...], NDArray[np.uint8]]:
    """A mask as bits, for many to be held at once."""
    return mask.shape, np.packbits(mask)


def unpacked(kept: tuple[tuple[int, ...], NDArray[np.uint8]]) -> Bools:
    """The mask of :func:`packed`."""
    shape, bits = kept
    return np.unpackbits(bits, count=math.prod(shape)).reshape(shape).astype(np.bool_)


def judge_pictures(
    verdict: Verdict,
    pictures: Sequence[Picture],
    sight: Sight,
    settings: EvaluationSettings,
    peak: tuple[float, float] = (0.0, 0.0),
) -> Verdicts:
    """Every picture by one judge; the memory holds one picture at a time."""
    from anomalyclip.geometry.resize import resize_map

    plain = sight.geometry.plain and sight.areas.everything
    pixels, compared, scores = settings.pixel_metrics(), 0, []
    for one in pictures:
        outcomes = [verdict(view) for view in sight.store.get(one.key)]
        score, anomaly_map = assembled(one.size, one.views, outcomes, one.area, plain=plain, peak=peak)
        scores.append(score)
        if one.truth is None:
            continue
        truth = unpacked(one.truth)
        if anomaly_map.shape != truth.shape:
            anomaly_map = resize_map(anomaly_map, (truth.shape[1], truth.shape[0]))
        pixels.update(anomaly_map, truth, counted_pixels(one.area, truth))
        compared += 1
    why = "no picture has a mask that can be used" if not compared else pixels.undefined_reason()
    return Verdicts(
        np.array(scores, np.float32),
        np.array([one.label for one in pictures], np.int64),
        {} if why else pixels.compute(),
        why,
    )
