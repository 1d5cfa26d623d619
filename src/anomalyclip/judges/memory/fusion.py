"""Words and memory joined: statistics of a picture, one map, and a scale that means the same for every line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from anomalyclip.judges.memory.peaks import top_mean
from anomalyclip.judges.memory.recipes import METHODS
from anomalyclip.judges.memory.upsampling import upsampled

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from anomalyclip.judges.memory.seen import Seen
    from anomalyclip.judges.memory.source import Source

    Floats = NDArray[np.float32]

STATISTICS = ("memory", "product", "words", "novelty", "novelty_product", "kind", "kind_product", "zero_shot")
"""Of one view. memory: the hottest 1% of its patches' distances d to the memory. product: of d z, z what the words say
of the patch. words: the logit of what the words say of the whole. novelty, novelty_product: as memory and product with
min(d, s), s the distance to the view's own other patches: what repeats in a picture is seldom its fault. kind,
kind_product: ln memory and ln product less what those good pictures have themselves that its patches are nearest to,
each weighed by its share of the patches: how odd a picture is for its kind. zero_shot: the logit of the words' own
score, which has their map's peak, too."""

ALONE = 3
"""Of :data:`STATISTICS`, so many first ones take a view's words and its distances."""
WITHIN = [0, 1, 2, 3, 4, 7]
"""Those that take a view and its distances alone, nothing of other pictures' scores."""
LOGITS = ("words", "zero_shot")
"""Those that no distance changes."""

TYPICAL = 0.1
"""The score of a typical good picture, the median of a line's; 0.5 is its threshold."""

_TINY = 1e-6


@dataclass(frozen=True)
class Mixture:
    """How much each of :data:`STATISTICS` counts, in deviations of good pictures; and how maps are joined.

    The raw score of a view is sum_k w_k (s_k - centre_k) / spread_k / sum_k w_k; its raw map is Z^a D^b at every pixel,
    Z the words' map and D the distances, upsampled and smoothed as Z is.

    Attributes:
        name: what tables call it.
        memory, product, words, novelty, novelty_product, kind, kind_product, zero_shot: w_k, 0 or more.
        map_words, map_memory: a and b, 0 or more.
    """

    name: str
    memory: float
    product: float
    words: float
    map_words: float = 1.0
    map_memory: float = 0.5
    novelty: float = 0.0
    novelty_product: float = 0.0
    kind: float = 0.0
    kind_product: float = 0.0
    zero_shot: float = 0.0

    @property
    def weights(self) -> NDArray[np.float64]:
        """(8,), adding up to 1."""
        weights = np.array([getattr(self, name) for name in STATISTICS], dtype=np.float64)
        return np.asarray(weights / weights.sum())

    @property
    def weights_within(self) -> NDArray[np.float64]:
        """(6,), adding up to 1: of the statistics :data:`WITHIN`."""
        return np.asarray(self.weights[WITHIN] / self.weights[WITHIN].sum())


def statistics(distances: Floats, words: Floats, whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """The first three of :data:`STATISTICS` (B, 3).

    distances: (B, N). words: their map on patches (B, N). whole: (B,), see
    :func:`anomalyclip.judges.memory.seen.class_scores`.
    """
    parts = top_mean(distances), top_mean(distances * words), logit(whole)
    return np.stack([np.asarray(part, np.float64) for part in parts], axis=1)


def logit(scores: ArrayLike) -> NDArray[np.float64]:
    """ln(p / (1 - p)) of scores in [0, 1], any shape; bounded where they are 0 or 1."""
    inside = np.clip(np.asarray(scores, np.float64), _TINY, 1 - _TINY)
    return np.asarray(np.log(inside / (1 - inside)))


def raw_maps(maps: Floats, distances: Floats, grid: tuple[int, int], sigma: float, mixture: Mixture) -> Floats:
    """Z^a D^b (B, H, W) of the words' maps (B, H, W) and distances (B, N)."""
    out = np.empty(maps.shape, np.float32)
    for index, (words, near) in enumerate(zip(maps, distances, strict=True)):
        out[index] = _power(words, mixture.map_words)
        if mixture.map_memory:
            out[index] *= _power(upsampled(near.reshape(grid), words.shape, sigma), mixture.map_memory)
    return out


def _power(values: Floats, exponent: float) -> Floats:
    """values >= 0, but for rounding."""
    kept = np.maximum(values, 0)
    if exponent == 1:
        return kept
    return np.asarray(np.sqrt(kept) if exponent == 0.5 else np.power(kept, np.float32(exponent)), np.float32)


def mixture_of(source: Source) -> Mixture | None:
    """How a named recipe is joined: by itself. None for `auto`, whose mixture its line chooses."""
    if source.recipe not in METHODS:
        return None
    return Mixture(source.recipe, memory=1, product=0, words=0)


def parts_of(
    source: Source,
    view: Seen,
    distances: Floats,
    expected: NDArray[np.float64] | None = None,
    mixture: Mixture | None = None,
) -> NDArray[np.float64]:
    """:data:`STATISTICS` (8,) of a view at these distances (N,); of a named recipe its score, and nothing beside.

    expected: (2,) ln memory and ln product of a good picture of its kind; None leaves `kind` and `kind_product` at 0.
    mixture: leaves novelty and zero_shot at 0 where they do not count; None takes every statistic.
    """
    parts = np.zeros(len(STATISTICS))
    if (method := METHODS.get(source.recipe)) is not None:
        parts[0] = method.score(view, distances.reshape(view.grid), len(source.layers))
        return parts
    parts[:ALONE] = statistics(distances[None], view.words[None], np.array([view.whole]))[0]
    if mixture is None or mixture.novelty or mixture.novelty_product:
        parts[3:5] = view.novelty(distances)
    if expected is not None:
        parts[5:7] = level(parts) - expected
    if mixture is None or mixture.zero_shot:
        parts[7] = logit(view.score)
    return parts


def level(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2,) ln memory and ln product of statistics (8,)."""
    return np.asarray(np.log(parts[:2] + _TINY))


def raw_map(source: Source, view: Seen, distances: Floats, sigma: float, mixture: Mixture | None) -> Floats:
    """The raw map (H, W) of a view at these distances (N,): `auto`'s by a mixture, a named recipe's its own."""
    if (method := METHODS.get(source.recipe)) is not None:
        return method.draw(view, distances.reshape(view.grid), len(source.layers))
    assert mixture is not None
    return np.asarray(raw_maps(view.anomaly_map[None], distances[None], view.grid, sigma, mixture)[0])


@dataclass(frozen=True)
class Scale:
    """Raw values on [0, 1): `typical` becomes 0.1, `line` 0.5, and equal steps above the line count ever less.

    With x = (v - typical) / (line - typical) and r = ln 9: u = exp(r (x - 1)) below the line, 1 + r (x - 1) above, and
    the value is u / (1 + u). Strictly increasing, smooth at the line, never saturated.

    >>> [round(float(value), 4) for value in Scale(1.0, 2.0)([1.0, 2.0, 11.0, 1001.0])]
    [0.1, 0.5, 0.9541, 0.9995]
    """

    typical: float
    line: float

    def __call__(self, values: ArrayLike) -> NDArray[np.float32]:
        """Any shape, float32."""
        given = np.asarray(values)
        of_map = given.ndim == 2 and given.dtype == np.float32  # in float32, as it came: a fifth of the time
        steps = (given if of_map else given.astype(np.float64)) - self.typical
        steps *= math.log((1 - TYPICAL) / TYPICAL) / self.width
        steps -= math.log((1 - TYPICAL) / TYPICAL)
        below = np.minimum(steps, 0)
        grown = cv2.exp(below) if of_map else np.exp(below)
        grown += np.maximum(steps, 0)  # either of the two is 0, or exp(0) = 1
        return np.asarray(grown / (1 + grown), np.float32)

    def inverse(self, values: ArrayLike) -> NDArray[np.float64]:
        """The raw values of scores in (0, 1)."""
        given = np.asarray(values, np.float64)
        grown = given / (1 - given)
        steps = np.where(grown < 1, np.log(np.minimum(grown, 1)), grown - 1)
        return np.asarray(self.typical + self.width * (steps / math.log((1 - TYPICAL) / TYPICAL) + 1))

    @property
    def width(self) -> float:
        """line - typical, or a little where good pictures do not differ at all."""
        return max(self.line - self.typical, _TINY * max(1.0, abs(self.line)))
