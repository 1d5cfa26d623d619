"""Files of one run of `evaluate` that tell different things: somebody edited one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from anomalyclip.evaluation.result import IMAGE_METRICS
from anomalyclip.io.names import printable
from anomalyclip.metrics import auroc, average_precision, f1_max
from anomalyclip.metrics.resampling import MOST_DRAWS

if TYPE_CHECKING:
    from anomalyclip.comparison.figures import Draws, Metrics, OfClass
    from anomalyclip.comparison.records import EvaluateRun
    from anomalyclip.comparison.statistics import Scores

BY_IMAGE = dict(zip(IMAGE_METRICS, (auroc, average_precision, f1_max), strict=True))
SAME = 1e-9  # of two ways to one number


def unlike(told: Metrics, began: EvaluateRun) -> str | None:
    """What the end of a run tells otherwise than its beginning."""
    if told.model.model_dump(exclude_unset=True) != began.model.model_dump(exclude_unset=True):
        return "models"
    ended, asked = (one.settings.model_dump(exclude_unset=True) for one in (told, began))
    differing = [name for name, value in asked.items() if ended.get(name) != value]
    return f"{printable(differing[0])} (settings)" if differing else None


def contradiction(values: OfClass, scores: Scores) -> str | None:
    """What the scores of a class's images say otherwise than its figures in metrics.json."""
    counts, labels = values.counts, scores.labels
    if len(labels) != counts.scored:
        return f"{len(labels)} images with a score, metrics.json {counts.scored}"
    for metric, compute in BY_IMAGE.items():
        told = getattr(values, metric)
        found = float(compute(scores.scores, labels)) if labels.any() and not labels.all() else None
        if (told is None) != (found is None) or (found is not None and abs(found - told) > SAME):
            return f"scores of {metric} {found}, metrics.json {told}"
    return None


def undrawn(told: Metrics, drawn: Mapping[str, Draws]) -> str | None:
    """What the resamples of a run's pixels cannot be, for what the run was asked."""
    asked = min(told.settings.resamples, MOST_DRAWS)
    if "resamples" not in told.settings.model_fields_set:
        return None
    for name, one in drawn.items():
        found = len(next(iter(one.values.values())))
        if name not in told.classes:
            return f"{printable(name)}, metrics.json not"
        if (one.seed, found) != (told.settings.seed, asked):
            return f"{found} draws of seed {one.seed}, metrics.json {asked} of seed {told.settings.seed}"
    return None
