"""The judge of one line: what the words say, held against the line's good pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.encoders.base import as_numpy
from anomalyclip.judges.base import Judge, Size
from anomalyclip.judges.memory.fusion import Mixture, Scale, parts_of, raw_map
from anomalyclip.judges.memory.held_out import Against
from anomalyclip.judges.memory.seeing import seen_by
from anomalyclip.judges.memory.seen import Seen
from anomalyclip.judges.verdicts import Nearest, Verdicts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.encoders.base import Encoder, Features
    from anomalyclip.encoders.request import FeatureRequest
    from anomalyclip.judges.memory.bank import Bank
    from anomalyclip.judges.memory.source import Source


@dataclass(frozen=True, eq=False)
class Line:
    """What a line learned from its good pictures.

    Attributes:
        source, bank: which features are kept, and those of the good pictures.
        mixture: how words and memory are joined.
        centre, spread: (8,) mean and deviation of the statistics over good pictures, each left out in turn.
        score_scale, map_scale: raw scores and maps on [0, 1].
        sigma: pixels at the model's input; smooths distances as the words' maps are.
        sha256: of the file it was read from, "" before it is written.
        names: of the good pictures' files, in the bank's order. boxes: (M, 4) int32, where in its picture each patch of
            the bank lies: x, y, width, height in pixels; empty where that is not known. sizes: (P, 2) int32, width and
            height of each picture. augmented: the bank holds turned copies, too.
        levels: (P, 2) what each good picture has itself, left out of the others, see
            :func:`anomalyclip.judges.memory.held_out.levels_of`; None where kinds do not count.
    """

    source: Source
    bank: Bank
    mixture: Mixture
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]
    score_scale: Scale
    map_scale: Scale
    sigma: float
    sha256: str = ""
    names: tuple[str, ...] = ()
    boxes: NDArray[np.int32] = field(default_factory=lambda: np.empty((0, 4), np.int32))
    sizes: NDArray[np.int32] = field(default_factory=lambda: np.empty((0, 2), np.int32))
    augmented: bool = False
    levels: NDArray[np.float64] | None = None

    def raw_scores(self, parts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Raw scores (...,) of statistics (..., 8)."""
        return np.asarray(((parts - self.centre) / self.spread) @ self.mixture.weights)

    def judge(self, view: Seen) -> tuple[float, NDArray[np.float32]]:
        """Score and map (H, W) of one view, on the line's scale."""
        score, anomaly_map, _ = self.compare(view)
        return score, anomaly_map

    def compare(self, view: Seen) -> tuple[float, NDArray[np.float32], Nearest]:
        """:meth:`judge`, and what each patch of the view was compared with."""
        distances, rows = self.bank.distances(view.described, view.grid)
        return *self.at(view, distances, rows), Nearest(view.grid, distances, rows, self)

    def at(
        self, view: Seen, distances: NDArray[np.float32], rows: NDArray[np.intp]
    ) -> tuple[float, NDArray[np.float32]]:
        """Score and map (H, W) of a view whose patches lie at these distances (N,) from what is good.

        rows: (N,) the nearest of the bank, which tell the picture's kind.
        """
        raw = raw_map(self.source, view, distances, self.sigma, self.mixture)
        return self.score_at(view, distances, rows), self.map_scale(raw)

    def score_at(self, view: Seen, distances: NDArray[np.float32], rows: NDArray[np.intp]) -> float:
        """The score of :meth:`at`."""
        expected = Against(distances, self.bank.pictures[rows]).expected(self.levels)
        parts = parts_of(self.source, view, distances, expected, self.mixture)
        return float(self.score_scale(self.raw_scores(parts)))


class LineJudge(Judge):
    """A words judge joined with a memory. Scores and maps are on the line's own scale: 0.5 is where it was drawn.

    Args:
        words: any judge of single pictures.
        line: see :class:`Line`.
    """

    def __init__(self, words: Judge, line: Line) -> None:
        self.words, self.line = words, line
        self.method = f"{words.method}+memory"
        self.takes_tensors = words.takes_tensors

    def needs(self, encoder: Encoder) -> FeatureRequest:
        """The words' features, and those that the memory holds."""
        return self.words.needs(encoder) | self.line.source.request

    def judge(self, features: Features, size: Size) -> Verdicts:
        """Scores (B,) and maps (B, H, W), and what each patch was compared with."""
        scores, maps = (as_numpy(part) for part in self.words.judge(features, size))
        seen = seen_by(self.line.source, features, scores, maps, self.words.peak)
        judged = [self.line.compare(view) for view in seen]
        nearest = [one for _, _, one in judged]
        scores = np.array([score for score, _, _ in judged], np.float32)
        return Verdicts(scores, np.stack([one for _, one, _ in judged]), nearest)

    def provenance(self) -> dict[str, Any]:
        """The words' own, and the memory's hash."""
        return self.words.provenance() | {"method": self.method, "memory_sha256": self.line.sha256}
