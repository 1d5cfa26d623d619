"""Words and memory joined where good pictures are too few to tell how they differ from each other: one to three."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.judges.memory.bank import make_bank
from anomalyclip.judges.memory.fusion import ALONE, parts_of, raw_map
from anomalyclip.judges.memory.recipes import AUTO

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.judges.memory.bank import Bank
    from anomalyclip.judges.memory.fusion import Mixture
    from anomalyclip.judges.memory.seen import Seen
    from anomalyclip.judges.memory.source import Source

SPREADS = (0.2, 0.9, 1.0)
"""Deviations of good pictures in ln(memory), ln(product) and words, about their medians over eight real sets
(docs/memory-log.md); only their ratios count."""

_TINY = 1e-9
_STEEP = 0.25


@dataclass(frozen=True, eq=False)
class FewLine:
    """A line without a threshold: its scores order pictures, and no value of them stands for a rate.

    With the first statistics m, p and c of :data:`anomalyclip.judges.memory.fusion.STATISTICS` the raw score is
    w_1 ln(m) / s_1 + w_2 ln(p) / s_2 + w_3 c / s_3: logarithms, because the scale of distances is not known. A named
    recipe's is its own score.

    Attributes:
        bank: of the good pictures. mixture: w. sigma: pixels at the model's input, smooths distances.
    """

    bank: Bank
    mixture: Mixture
    sigma: float

    def judge(self, view: Seen) -> tuple[float, NDArray[np.float32]]:
        """Score and map (H, W) of one view, both in [0, 1]."""
        source = self.bank.source
        distances, _ = self.bank.distances(view.described, view.grid)
        memory, product, words = parts_of(source, view, distances)[:ALONE]
        whole = raw_map(source, view, distances, self.sigma, self.mixture)
        if source.recipe != AUTO:
            return memory / (1 + memory), whole / (1 + whole)
        parts = np.array([np.log(memory + _TINY), np.log(product + _TINY), words])
        raw = float(parts / SPREADS @ self.mixture.weights_alone)
        # distances are at most 2, and so a map at most 2 ** map_memory
        return 1 / (1 + float(np.exp(-_STEEP * raw))), whole / np.float32(2**self.mixture.map_memory)


def few_line(pictures: Sequence[Sequence[Seen]], source: Source, mixture: Mixture, sigma: float) -> FewLine:
    """From what was seen of at least one picture. Raises ConfigError without pictures."""
    described = [np.concatenate([view.described for view in views]) for views in pictures]
    bank = make_bank(described, source=source)
    return FewLine(bank, mixture, sigma)
