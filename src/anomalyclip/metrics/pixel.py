"""The pixel-level half of an evaluation row in one pass: every map is binned (or kept) once for all four metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.metrics.f1 import _f1_max_bound, _f1_max_compute
from anomalyclip.metrics.precision import _average_precision_bound, _average_precision_compute
from anomalyclip.metrics.pro import AUPRO, Variant
from anomalyclip.metrics.ranking import Ranking
from anomalyclip.metrics.regions import Connectivity
from anomalyclip.metrics.roc import _auroc_bound, _auroc_compute
from anomalyclip.metrics.stores import DEFAULT_BINS, Mode

if TYPE_CHECKING:
    from typing_extensions import Self

    from anomalyclip.metrics.arrays import BoolArray, Values

BY_PIXEL = {
    "pixel_auroc": (_auroc_compute, _auroc_bound),
    "pixel_ap": (_average_precision_compute, _average_precision_bound),
    "pixel_f1_max": (_f1_max_compute, _f1_max_bound),
}


class PixelMetrics:
    """pixel_auroc, pixel_ap, pixel_f1_max and aupro of the maps passed to `update`; settings as for `AUPRO`.

    Streaming by default, since pixels are many: a few megabytes whatever the number of images.

    >>> metrics = PixelMetrics()
    >>> metrics.update([[0.1, 0.2, 0.9], [0.1, 0.8, 0.3], [0.1, 0.1, 0.7]], [[0, 0, 1], [0, 0, 0], [0, 0, 1]])
    >>> {name: round(value, 3) for name, value in metrics.compute().items()}
    {'pixel_auroc': 0.929, 'pixel_ap': 0.833, 'pixel_f1_max': 0.8, 'aupro': 0.762}
    """

    def __init__(
        self,
        *,
        fpr_limit: float = 0.3,
        variant: Variant = "exact",
        connectivity: Connectivity = 8,
        mode: Mode = "streaming",
        bins: int = DEFAULT_BINS,
        score_range: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        self._aupro = AUPRO(
            fpr_limit=fpr_limit,
            variant=variant,
            connectivity=connectivity,
            mode=mode,
            bins=bins,
            score_range=score_range,
        )

    def update(self, preds: Values, target: Values, counted: BoolArray | None = None) -> None:
        """Add maps and masks of equal shape: one image, a batch, or a list; raises before anything is added.

        ``counted``: (H, W) of one image, True where its pixels count; None is everywhere.
        """
        self._aupro.update(preds, target, counted)

    def merge(self, other: Self) -> None:
        """Take over what `other` saw, as if it had been seen here."""
        self._aupro.merge(other._aupro)

    def reset(self) -> None:
        """Forget everything seen so far."""
        self._aupro.reset()

    def compute(self) -> dict[str, float]:
        """Each metric in [0, 1]; all NaN where a class of pixels is missing (see `undefined_reason`)."""
        ranking = self.ranking()
        return {name: float(value(ranking)) for name, (value, _) in BY_PIXEL.items()} | {"aupro": self._aupro.compute()}

    def error_bounds(self) -> dict[str, float]:
        """How far each value of `compute` may lie from the exact one, at most: 0 where every score is kept.

        Large where most scores share a few bins: maps that differ by less than 1/65,536 around some value far from 0.
        The "reference" variant of AUPRO has an error of its own besides.
        """
        bounds = dict.fromkeys((*BY_PIXEL, "aupro"), 0.0)
        if not self._aupro.is_exact:
            ranking = self.ranking()
            bounds = {name: float(bound(ranking)) for name, (_, bound) in BY_PIXEL.items()}
            bounds["aupro"] = self._aupro.error_bound()
        return bounds

    def ranking(self) -> Ranking:
        """How the pixels rank, for curves over all thresholds; every anomalous pixel counts once."""
        return self._aupro._store.ranking()

    def undefined_reason(self) -> str | None:
        """Why the metrics are NaN, or None where they are numbers."""
        return self._aupro.undefined_reason()
