"""A test that may look after every image: capital that grows when gaps between calibration scores fill unevenly.

n calibration scores cut the line into n + 1 gaps. If later scores come from the same distribution, whatever it is, the
gap of the next one follows Polya's urn:

    P(gap j | earlier ones) = (1 + c_j) / (n + 1 + t),   c_j of the t earlier scores fell into gap j

(the spacings of a uniform sample are Dirichlet(1, ..., 1)). Gaps may be joined into bins of w_j gaps: (w_j + c_j) / ...
A bet that multiplies the capital by b(j) / E[b] after each score is then fair, so capital that starts at 1 ever reaches
1 / a with probability a at most (Ville's inequality), however long the stream is and however often one looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_JUMP = 0.001  # share of the capital moved between bets after each score, so that a late change is noticed, too


class GapMartingale:
    """Bets on which bin the next score falls into.

    gaps: (K,) number of gaps in each bin. bets: (A, K) positive factors per bin, one row per alternative; staying out
    (a row of ones) is added. The capital is spread evenly and moves slowly between the bets.

    Attributes: counts (K,) scores per bin so far. capital: now. best, lowest: the highest and lowest it has been.
    """

    def __init__(self, gaps: Floats, bets: Floats) -> None:
        self._gaps = np.asarray(gaps, dtype=np.float64)
        self._bets = np.vstack([np.ones(len(self._gaps)), bets])
        self._stakes = np.full(len(self._bets), 1 / len(self._bets))
        self.counts = np.zeros(len(self._gaps))
        self.best = self.lowest = 1.0

    @property
    def capital(self) -> float:
        return float(self._stakes.sum())

    @property
    def expected(self) -> Floats:
        """Shares of the bins in calibration, (K,)."""
        return np.asarray(self._gaps / self._gaps.sum())

    def state(self) -> dict[str, Any]:
        """All that scores so far have changed, as JSON values."""
        reached = {"best": self.best, "lowest": self.lowest}
        return {"stakes": self._stakes.tolist(), "counts": self.counts.tolist(), **reached}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from :meth:`state` of one with the same gaps and bets."""
        self._stakes, self.counts = np.array(state["stakes"]), np.array(state["counts"])
        self.best, self.lowest = float(state["best"]), float(state["lowest"])

    def add(self, index: int) -> None:
        """The next score fell into this bin."""
        urn = self._gaps + self.counts
        self._stakes *= self._bets[:, index] / (self._bets @ (urn / urn.sum()))
        capital = self.capital
        self._stakes += _JUMP * (capital / len(self._stakes) - self._stakes)
        self.counts[index] += 1
        self.best, self.lowest = max(self.best, capital), min(self.lowest, capital)
