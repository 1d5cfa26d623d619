"""Words and memory joined where good pictures are too few to tell how they differ from each other: one to three."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.judges.memory.bank import make_bank
from anomalyclip.judges.memory.foreign import FEWEST_TO_COMPARE, as_trusted, distrusting, farther, foreignness, trust
from anomalyclip.judges.memory.fusion import LOGITS, STATISTICS, WITHIN, parts_of, raw_map
from anomalyclip.judges.memory.held_out import HeldOut
from anomalyclip.judges.memory.recipes import AUTO

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.judges.memory.bank import Bank
    from anomalyclip.judges.memory.fusion import Mixture
    from anomalyclip.judges.memory.seen import Seen
    from anomalyclip.judges.memory.source import Source

SPREADS = (0.2, 0.9, 1.0, 0.2, 0.9, 0.8)
"""Deviations of good pictures in ln(memory), ln(product), words, ln(novelty), ln(novelty_product) and zero_shot, about
their medians over eight real sets (docs/memory-log.md); only their ratios count."""

_KNOWN_TO_ONE, _FOREIGN_TO_ONE = 1.3, 2.0
"""How foreign a picture may be to a single good one, before what the words suspect of its distances counts less, and
from where nothing: another weave has 2 and more, two of one kind seldom 1.3. Bare distances to one never count."""
_LOGITS = [place for place, number in enumerate(WITHIN) if STATISTICS[number] in LOGITS]
_TINY = 1e-9
_STEEP = 0.25


@dataclass(frozen=True, eq=False)
class FewLine:
    """A line without a threshold: its scores order pictures, and no value of them stands for a rate.

    With the statistics s_k of :data:`anomalyclip.judges.memory.fusion.WITHIN` and the mixture's weights w_k the raw
    score is sum_k w_k ln(s_k) / :data:`SPREADS`_k (of the words s_k itself, a logit): logarithms, because
    the scale of distances is not known. A named recipe's is its own score.

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
        mixture = self._of(view, distances)
        parts = parts_of(source, view, distances, mixture=mixture)[WITHIN]
        whole = raw_map(source, view, distances, self.sigma, mixture)
        if source.recipe != AUTO:
            return parts[0] / (1 + parts[0]), whole / (1 + whole)
        logarithms = np.log(np.maximum(parts, 0) + _TINY)
        logarithms[_LOGITS] = parts[_LOGITS]
        raw = float(logarithms / SPREADS @ mixture.weights_within)
        # distances are at most 2, and so a map at most 2 ** map_memory
        return 1 / (1 + float(np.exp(-_STEEP * raw))), whole / np.float32(2**mixture.map_memory)

    def _of(self, view: Seen, distances: NDArray[np.float32]) -> Mixture:
        """The mixture; against one picture, that of a view as foreign to it as this one."""
        if self.bank.source.recipe != AUTO or self.bank.pictures[-1] > 0:
            return self.mixture
        foreign = farther(distances, view.to_itself(np.arange(len(distances))))
        trusted = trust(foreign, _KNOWN_TO_ONE, _FOREIGN_TO_ONE)
        return distrusting(self.mixture, trusted, trusted)


def few_line(pictures: Sequence[Sequence[Seen]], source: Source, mixture: Mixture, sigma: float) -> FewLine:
    """From what was seen of at least one picture. Raises ConfigError without pictures.

    mixture: a named recipe's is kept; in another one distances count as
    :func:`anomalyclip.judges.memory.foreign.as_trusted` lets them, and bare ones of one picture, which nothing is known
    of, in maps alone.
    """
    described = [np.concatenate([view.described for view in views]) for views in pictures]
    bank = make_bank(described, source=source)
    if source.recipe == AUTO:
        foreign = foreignness([HeldOut(views, bank, number) for number, views in enumerate(pictures)])
        alone = replace(distrusting(mixture, 0), map_memory=mixture.map_memory)
        mixture = alone if len(pictures) < FEWEST_TO_COMPARE else as_trusted(mixture, foreign)
    return FewLine(bank, mixture, sigma)
