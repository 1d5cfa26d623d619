"""A line's judge that goes on learning: what it was calibrated with stays, prototypes of later pictures join it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.encoders.base import as_numpy
from anomalyclip.judges.memory.bank import Bank
from anomalyclip.judges.memory.line import Line, LineJudge
from anomalyclip.judges.memory.prototypes import Prototypes
from anomalyclip.judges.memory.seeing import seen_by
from anomalyclip.judges.memory.seen import Seen
from anomalyclip.judges.verdicts import Nearest, Verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from anomalyclip.encoders.base import Features
    from anomalyclip.judges.base import Judge, Size

    Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Picture:
    """Where prototypes came from. name: of the file. boxes: (N, 4) of its patches, see `Line`. size: width, height."""

    name: str
    boxes: NDArray[np.int32]
    size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Learned:
    """What was learned so far; replaced as a whole.

    Attributes:
        calibrated: the line as it was calibrated. prototypes: see :class:`Prototypes`.
        pictures: that they came from, in their order. version: number of the last admitted picture, 0 before.
    """

    calibrated: Line
    prototypes: Prototypes
    pictures: Sequence[Picture] = ()
    version: int = 0

    @cached_property
    def line(self) -> Line:
        """The line with the prototypes in its bank, so that a region can name what it was compared with."""
        line, prototypes = self.calibrated, self.prototypes
        if not len(prototypes):
            return line
        _, owners = np.unique(prototypes.pictures, return_inverse=True)
        bank = Bank(
            np.concatenate([line.bank.rows, prototypes.rows]),
            np.concatenate([line.bank.pictures, (line.bank.count + owners).astype(np.int32)]),
            np.concatenate([line.bank.places, prototypes.places.astype(np.int32)]),
            line.bank.source,
        )
        named = zip(owners.tolist(), prototypes.places.tolist(), strict=True)
        boxes = [self.pictures[owner].boxes[place] for owner, place in named]
        return replace(
            line,
            bank=bank,
            names=(*line.names, *(one.name for one in self.pictures)),
            boxes=np.concatenate([line.boxes, np.array(boxes, np.int32)]) if len(line.boxes) else line.boxes,
            sizes=np.concatenate([line.sizes, np.array([one.size for one in self.pictures], np.int32)]),
        )


@dataclass(frozen=True, eq=False)
class Candidate(Nearest):
    """A view as a learning judge saw it.

    Attributes:
        described: (N, D) unit vectors of its patches. fixed: (N,) distances to the calibrated memory alone.
        fixed_score: what the line scores without anything learned. learned: what it was judged by; `found`, distances
            (N,) to its prototypes and which of them.
    """

    described: Floats
    fixed: Floats
    fixed_score: float
    learned: Learned
    found: tuple[Floats, NDArray[np.intp]]

    @property
    def against(self) -> Line:
        """With the prototypes in its bank."""
        return self.learned.line


class LearningJudge(LineJudge):
    """A :class:`LineJudge` whose `learned` may be replaced between two batches.

    The scale stays that of the calibration: more to compare with never raises a distance, so that good pictures are
    called anomalous no more often than the line allowed.
    """

    def __init__(self, words: Judge, line: Line) -> None:
        super().__init__(words, line)
        self.learned = Learned(line, Prototypes.none(line.bank.rows.shape[1]))

    def judge(self, features: Features, size: Size) -> Verdicts:
        """As the line judges; of each view a :class:`Candidate`."""
        scores, maps = (as_numpy(part) for part in self.words.judge(features, size))
        learned, seen = self.learned, seen_by(self.line.source, features, scores, maps, self.words.peak)
        judged = [self._one(view, learned) for view in seen]
        found = [candidate for _, _, candidate in judged]
        return Verdicts(
            np.array([score for score, _, _ in judged], np.float32), np.stack([one for _, one, _ in judged]), found
        )

    def _one(self, view: Seen, learned: Learned) -> tuple[float, Floats, Candidate]:
        line = self.line
        fixed, fixed_rows = line.bank.distances(view.described, view.grid)
        near, own = found = learned.prototypes.distances(view.described)
        closer = near < fixed
        distances = np.where(closer, near, fixed)
        rows = np.where(closer, len(line.bank.rows) + own, fixed_rows)
        score, anomaly_map = line.at(view, distances, fixed_rows)
        fixed_score = line.score_at(view, fixed, fixed_rows)
        candidate = Candidate(view.grid, distances, rows, line, view.described, fixed, fixed_score, learned, found)
        return score, anomaly_map, candidate
