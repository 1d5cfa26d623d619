"""AUPRO: the share of each anomalous region that is found, averaged over the regions, against false alarms.

PRO(threshold) = mean over all connected regions of the share of the region's pixels that score above it;
FPR(threshold) = share of all normal pixels of the whole set that do. AUPRO is the area under PRO over FPR from 0 to a
limit (0.3), divided by the limit (METHOD.md section 7). Give each anomalous pixel the weight 1 / area of its region,
and PRO becomes a weighted recall: the whole metric follows from the ranking of the pixels, no loop over thresholds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from anomalyclip.errors import ConfigError
from anomalyclip.metrics.arrays import BoolArray, FloatArray, checked_maps
from anomalyclip.metrics.base import RankMetric, widest
from anomalyclip.metrics.ranking import Ranking, where_defined
from anomalyclip.metrics.regions import Connectivity, region_weights
from anomalyclip.metrics.stores import DEFAULT_BINS, Mode, ScoreStore

if TYPE_CHECKING:
    from anomalyclip.metrics.arrays import Values

Variant: TypeAlias = Literal["exact", "reference"]
REFERENCE_STEPS = 200


def _aupro_update(
    store: ScoreStore, preds: Values, target: Values, connectivity: Connectivity, counted: BoolArray | None = None
) -> None:
    """Check every map before the first is stored. ``counted`` (H, W): other pixels are no part of any region."""
    pairs = list(checked_maps(preds, target))
    for scores, _ in pairs:
        store.check(scores)
    for scores, mask in pairs:
        if counted is None:
            store.add(scores.ravel(), mask.ravel(), region_weights(mask, connectivity))
        else:
            inside = mask & counted
            weights = region_weights(inside, connectivity)  # of the anomalous pixels, in their order
            store.add(scores[counted], inside[counted], weights)


def _aupro_compute(ranking: Ranking, fpr_limit: float) -> FloatArray:
    """Each pixel lifts PRO from the FPR of its own threshold on, so its share of the area is what is left up to the
    limit. Among ties the curve is a straight line from `a` to `b`: half the way, or the part of it before the limit.
    """
    a, b = _fpr_span(ranking)
    with np.errstate(invalid="ignore", divide="ignore"):
        beyond = np.maximum(fpr_limit - b, 0.0) + (np.minimum(b, fpr_limit) - a) ** 2 / (2 * (b - a))
        share = np.where(b > a, beyond, fpr_limit - a) / fpr_limit
        value = (ranking.mass * np.where(a < fpr_limit, share, 0.0)).sum(axis=-1) / ranking.total
    return where_defined(value, ranking)


def _aupro_bound(ranking: Ranking, fpr_limit: float) -> FloatArray:
    """The pixels of a bin could all come before its normal pixels (from `a` on), or all after them (from `b` on)."""
    a, b = _fpr_span(ranking)
    with np.errstate(invalid="ignore", divide="ignore"):
        high, low = (
            (ranking.mass * np.maximum(1 - edge / fpr_limit, 0.0)).sum(axis=-1) / ranking.total for edge in (a, b)
        )
    return where_defined(widest(_aupro_compute(ranking, fpr_limit), low, high), ranking)


def _fpr_span(ranking: Ranking) -> tuple[FloatArray, FloatArray]:
    """FPR just above each group's threshold, and at it."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return ranking.above / ranking.normals[..., None], ranking.reach / ranking.normals[..., None]


def _aupro_reference(store: ScoreStore, fpr_limit: float) -> float:
    """The authors' approximation: 200 equal steps between the lowest and the highest score of all maps; the points with
    FPR < limit; their FPR stretched to [0, 1]; trapezoids. NaN where fewer than two distinct points remain.
    """
    extent, ranking = store.extent(), store.ranking(weighted=True)
    if ranking.undefined_reason() is not None or extent is None or extent[0] == extent[1]:
        return float("nan")
    low, high = extent
    thresholds = np.arange(
        low, high, (high - low) / REFERENCE_STEPS
    )  # the step in the maps' own precision, as published
    normals, weight = store.above(thresholds)
    fpr, pro = normals / ranking.normals, weight / ranking.total
    fpr, pro = fpr[fpr < fpr_limit], pro[fpr < fpr_limit]
    if fpr.size < 2 or fpr.min() == fpr.max():
        return float("nan")
    fpr = (fpr - fpr.min()) / (fpr.max() - fpr.min())
    return float(np.sum((fpr[:-1] - fpr[1:]) * (pro[:-1] + pro[1:]) / 2))


def aupro(
    preds: Values,
    target: Values,
    *,
    fpr_limit: float = 0.3,
    variant: Variant = "exact",
    connectivity: Connectivity = 8,
) -> float:
    """Area under the per-region-overlap curve up to `fpr_limit`, normalised by it (METHOD.md section 7).

    Args:
        preds: finite anomaly maps, higher = more anomalous: (H, W), (B, H, W), (B, 1, H, W), or a list of maps that may
            differ in size. All maps are judged by common thresholds.
        target: masks of the same shapes, 0/1 or booleans.
        fpr_limit: 0 < limit <= 1; the curve is interpolated exactly at the limit.
        variant: "exact" sorts all pixels; "reference" repeats the authors' 200 thresholds for parity with the published
            tables (it lies some thousandths off the exact value, in either direction).
        connectivity: 8 (default, as the authors) or 4 neighbours make a region.

    Returns:
        A float in [0, 1]; NaN without any anomalous region or any normal pixel ("reference" also gives NaN when all
        scores are equal or fewer than two of its points lie below the limit).

    Raises:
        InputError: shapes differ, a score is not finite, a mask is not binary.
        ConfigError: a setting outside its range.

    >>> maps = [[[0.1, 0.2, 0.9], [0.1, 0.8, 0.3], [0.1, 0.1, 0.7]]]
    >>> mask = [[[0, 0, 1], [0, 0, 0], [0, 0, 1]]]
    >>> round(aupro(maps, mask), 6)
    0.761905
    """
    metric = AUPRO(fpr_limit=fpr_limit, variant=variant, connectivity=connectivity)
    metric.update(preds, target)
    return metric.compute()


class AUPRO(RankMetric):
    """AUPRO of everything passed to `update`; arguments as for `aupro`, modes as for `RankMetric`.

    Streaming: one histogram of the normal pixels and one of the anomalous pixels weighted by 1 / area of their region,
    so memory does not grow with the number of images. Exact at every bin edge; inside a bin the curve is monotone, so
    the error is at most the area of the boxes that the bins span (`error_bound()`; below 1e-4 at 65,536 bins for maps
    that use the range). `error_bound` speaks of the exact variant only: the reference's own error is larger.

    >>> metric = AUPRO(mode="streaming")
    >>> metric.update([[0.1, 0.2, 0.9], [0.1, 0.8, 0.3], [0.1, 0.1, 0.7]], [[0, 0, 1], [0, 0, 0], [0, 0, 1]])
    >>> round(metric.compute(), 6)
    0.761905
    """

    def __init__(
        self,
        *,
        fpr_limit: float = 0.3,
        variant: Variant = "exact",
        connectivity: Connectivity = 8,
        mode: Mode = "exact",
        bins: int = DEFAULT_BINS,
        score_range: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        if not 0.0 < fpr_limit <= 1.0:
            raise ConfigError(f"`fpr_limit` must lie in (0, 1], got {fpr_limit}.")
        if variant not in ("exact", "reference"):
            raise ConfigError(f'`variant` must be "exact" or "reference", got {variant!r}.')
        if connectivity not in (4, 8):
            raise ConfigError(f"`connectivity` must be 4 or 8, got {connectivity}.")
        super().__init__(mode=mode, bins=bins, score_range=score_range)
        self.fpr_limit, self.variant, self.connectivity = float(fpr_limit), variant, connectivity

    def update(self, preds: Values, target: Values, counted: BoolArray | None = None) -> None:
        """Add maps and masks of equal shape: one image, a batch, or a list; raises before anything is added.

        ``counted``: (H, W) of one image, True where its pixels count; None is everywhere.
        """
        _aupro_update(self._store, preds, target, self.connectivity, counted)

    def compute(self) -> float:
        """The area over everything seen so far, in [0, 1]; NaN where undefined (see `undefined_reason`)."""
        if self.variant == "reference":
            return _aupro_reference(self._store, self.fpr_limit)
        return super().compute()

    def _ranking(self) -> Ranking:
        return self._store.ranking(weighted=True)

    def _value(self, ranking: Ranking) -> FloatArray:
        return _aupro_compute(ranking, self.fpr_limit)

    def _bound(self, ranking: Ranking) -> FloatArray:
        return _aupro_bound(ranking, self.fpr_limit)
