"""Scores and maps of views -> the score and the map of the image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anomalyclip.geometry.area import Area
from anomalyclip.geometry.resize import resize_map
from anomalyclip.geometry.views import View
from anomalyclip.scoring_arrays import map_peak


class Assembly:
    """Takes the outcome of each view once, in the order of the plan (so that sums are the same in every run).

    Map: at every pixel the weighted mean over the tiles, then the mean over scales; 0 outside the area.
    Score: the highest score of a view, then the mean over scales: an image is anomalous if a part of it is, and a
    single view gives the model's own score. Where pixels of a view do not count, its score falls by
    ``weight * (peak of the view's map - peak over the pixels that count)``, which takes the map's part of the score
    from inside; the class token has seen the whole view.

    Args:
        size: (width, height) of the image.
        views: all that will be added.
        area: which pixels count; None is all.
        peak: (weight, share) of the map's peak in the image score, see `anomalyclip.scoring_arrays.with_map_peak`.
        keep_map: False saves the map's memory where only the score is wanted.

    Attributes:
        left: views that have not been added yet.

    Memory: 4 bytes per pixel of the image for the map, besides one view.
    """

    def __init__(
        self,
        size: tuple[int, int],
        views: Sequence[View],
        *,
        area: Area | None = None,
        peak: tuple[float, float] = (0.0, 0.0),
        keep_map: bool = True,
    ) -> None:
        self._size, self._area, self._peak = size, area, peak
        self.left = len(views)
        self._best = dict.fromkeys(sorted({view.scale for view in views}), -math.inf)
        self._map: NDArray[np.float32] | None = None
        self._keep_map = keep_map

    def add(self, view: View, score: float, small_map: NDArray[np.float32]) -> None:
        """score: of this view. small_map: (H, W) float32 at the model's size."""
        inside = None if self._area is None else self._area.inside(view.box)
        if self._keep_map or inside is not None:
            native = resize_map(small_map, (view.box.width, view.box.height))
            if inside is not None:
                weight, share = self._peak
                if weight:
                    score -= weight * float(map_peak(native.ravel(), share) - map_peak(native[inside], share))
                native[~inside] = 0
            if self._keep_map:
                self._lay(view, native)
        # A score that is no number must come through: max() would drop it.
        best = self._best[view.scale]
        self._best[view.scale] = score if math.isnan(score) or score > best else best
        self.left -= 1
        if self._map is not None and not self.left:
            np.clip(self._map, 0, 1, out=self._map)  # weights sum to 1 within float32's rounding

    def _lay(self, view: View, native: NDArray[np.float32]) -> None:
        x, y, width, height = view.box
        if self._map is None:
            if self.left == 1 and (width, height) == self._size:
                self._map = native  # the only view
                return
            self._map = np.zeros((self._size[1], self._size[0]), np.float32)
        native *= view.rows[:, None]
        native *= view.columns / np.float32(len(self._best))
        self._map[y : y + height, x : x + width] += native

    @property
    def score(self) -> float:
        """In [0, 1] if the views' scores are."""
        return sum(self._best.values()) / len(self._best)

    @property
    def anomaly_map(self) -> NDArray[np.float32]:
        """(height, width) float32 at the image's own size, in [0, 1]."""
        if self._map is None:
            return np.zeros((self._size[1], self._size[0]), np.float32)
        return self._map
