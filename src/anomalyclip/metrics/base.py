"""The state shared by every streaming class: a store of scores, filled by `update`, read by `compute`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.errors import ConfigError
from anomalyclip.metrics.arrays import FloatArray, checked_pairs
from anomalyclip.metrics.ranking import Ranking
from anomalyclip.metrics.stores import DEFAULT_BINS, ExactScores, Mode, ScoreStore, make_store

if TYPE_CHECKING:
    from typing_extensions import Self

    from anomalyclip.metrics.arrays import Values


class RankMetric(ABC):
    """A metric that depends only on the order of the scores.

    Args:
        mode: "exact" keeps every score (4 bytes per float32 item). "streaming" keeps a histogram: about 3 MB at 65,536
            bins whatever the number of items, with an error of at most `error_bound()`.
        bins: number of equal bins, 2 to 2**24, of which the lowest is cut again (streaming only).
        score_range: (low, high) that holds every score (streaming only). Scores outside raise InputError.

    Raises:
        ConfigError: a setting outside its range, or a merge of metrics with different settings.
    """

    def __init__(
        self, *, mode: Mode = "exact", bins: int = DEFAULT_BINS, score_range: tuple[float, float] = (0.0, 1.0)
    ) -> None:
        self._settings = (mode, bins, score_range)
        self._store: ScoreStore = make_store(mode, bins, score_range)

    def update(self, preds: Values, target: Values) -> None:
        """Add scores and their labels (0 normal, 1 anomalous) of equal shape: one image, a batch, or a list of either.

        Raises InputError before anything is added, so one bad image leaves the metric as it was.
        """
        pairs = [(scores.ravel(), labels.ravel()) for scores, labels in checked_pairs(preds, target)]
        for scores, _ in pairs:
            self._store.check(scores)
        for scores, labels in pairs:
            self._store.add(scores, labels)

    def merge(self, other: Self) -> None:
        """Take over what `other` saw (another process, another machine), as if it had been seen here."""
        if type(other) is not type(self):
            raise ConfigError(f"{type(self).__name__} cannot merge a {type(other).__name__}.")
        self._store.merge(other._store)

    def reset(self) -> None:
        """Forget everything seen so far."""
        self._store = make_store(*self._settings)

    def compute(self) -> float:
        """The metric over everything seen so far, in [0, 1]; NaN where undefined (see `undefined_reason`)."""
        return float(self._value(self._ranking()))

    def error_bound(self) -> float:
        """How far `compute()` may lie from the exact value, at most: 0 in exact mode; NaN where undefined."""
        if self.is_exact:
            return 0.0 if self.undefined_reason() is None else float("nan")
        return float(self._bound(self._ranking()))

    @property
    def is_exact(self) -> bool:
        """Whether every score is kept."""
        return isinstance(self._store, ExactScores)

    def undefined_reason(self) -> str | None:
        """Why `compute()` gives NaN ("there are no normal samples"), or None when it gives a number."""
        return self._ranking().undefined_reason()

    def _ranking(self) -> Ranking:
        return self._store.ranking()

    @abstractmethod
    def _value(self, ranking: Ranking) -> FloatArray: ...

    @abstractmethod
    def _bound(self, ranking: Ranking) -> FloatArray: ...


def widest(estimate: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Greatest distance from an estimate to the ends of the interval that holds the exact value."""
    return np.maximum(high - estimate, estimate - low)
