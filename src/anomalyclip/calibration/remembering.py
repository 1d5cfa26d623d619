"""Which good pictures a line remembers, which ones set it, and the line that follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from anomalyclip.calibration.conformal import (
    allowed_or_smallest,
    conformal_threshold,
    images_needed,
    interpolated_threshold,
    just_above,
)
from anomalyclip.calibration.gathering import Gathered, Gatherer, Good
from anomalyclip.calibration.lining import FEWEST, MOST, Learned, learn
from anomalyclip.calibration.mixing import AUTO, OF_MANY_KINDS
from anomalyclip.judges.memory.fusion import Scale
from anomalyclip.judges.memory.line import LineJudge

if TYPE_CHECKING:
    from anomalyclip.calibration.measured import Measured
    from anomalyclip.detect.inputs import InputItem
    from anomalyclip.detector import Detector
    from anomalyclip.judges.memory.fusion import Mixture
    from anomalyclip.judges.memory.line import Line

SEED = 0
HeldOutBy = Literal["each", "half"]


@dataclass(frozen=True)
class Remembered:
    """A line, and what all good pictures score on it.

    Attributes:
        line: its 0.5 lies at the rate that was asked for.
        measured: scores and peaks of the pictures that set it, none judged by a memory that holds it.
        pictures: those in the memory, in its order. learned: their line before others set it.
        held_out: "each", or "half": the memory's pictures set no threshold.
        told: what a user should know, a sentence each.
    """

    line: Line
    measured: Measured
    pictures: list[Good]
    learned: Learned
    held_out: HeldOutBy
    told: list[str] = field(default_factory=list)

    def judged(self, model: Detector) -> Detector:
        """The model with this line's memory."""
        return model.with_judge(LineJudge(model.judge, self.line))

    @property
    def image_threshold(self) -> float:
        """Scores from here on are anomalous: what lies above 0.5."""
        return just_above(0.5)

    def at_tenth(self) -> float | None:
        """Where the line would lie at 10%, None where the pictures do not support it."""
        if self.held_out == "half" or len(self.measured.scores) < images_needed(0.1):
            return None
        return interpolated_threshold(self.measured.scores, 0.1)

    def pixel_threshold(self, rate: float) -> float:
        """Of peaks at a rate: where the scale of maps has its 0.5, unless others than the memory's pictures set it."""
        if self.held_out == "half":
            return conformal_threshold(self.measured.peaks, rate)
        if len(self.measured.peaks) == len(self.pictures):
            return just_above(0.5)
        return just_above(interpolated_threshold(self.measured.peaks, rate))


def remember(
    gatherer: Gatherer,
    items: Sequence[InputItem],
    *,
    rate: float,
    pixel_rate: float,
    split: bool,
    measure_rest: Callable[[Detector, Sequence[InputItem], Measured], Measured],
    advance: Callable[[], object] = lambda: None,
) -> Remembered | Gathered:
    """A line from good pictures; or what was gathered, where fewer than :data:`FEWEST` can be seen.

    Up to :data:`MOST` pictures are remembered, drawn by a fixed seed where there are more; the others are measured by
    the memory, which does not hold them. split: half of the pictures are remembered and the other half sets the line.

    rate, pixel_rate: false-positive rates; the smallest that the pictures support where they support none as small.
    measure_rest: scores of further pictures by a detector, leaving out those that are known.
    """
    order = np.random.default_rng(SEED).permutation(len(items))
    size = len(items) // 2 if split else min(len(items), MOST)
    chosen = set(order[:size].tolist())
    gathered = gatherer.gather([item for index, item in enumerate(items) if index in chosen], advance)
    if len(gathered.pictures) < FEWEST:
        return gathered
    pictures = gathered.pictures
    sigma = gatherer.model.settings.sigma
    learned = learn(pictures, gatherer.source, rate=rate, pixel_rate=pixel_rate, sigma=sigma)
    measured = learned.measured
    measured.skipped += gathered.skipped
    rest = [item for index, item in enumerate(items) if index not in chosen]
    found = Remembered(
        learned.line, measured, pictures, learned, "half" if split else "each", _told(len(items), size, split)
    )
    found.told.extend(_about(learned.line.mixture))
    if not rest:
        return found
    others = measure_rest(found.judged(gatherer.model), rest, measured)
    if split:
        others.skipped += measured.skipped
        measured = others
    else:
        measured.extend(others)
    if not measured.scores:
        return found
    return drawn_again(replace(found, measured=measured), rate)


def _about(mixture: Mixture) -> list[str]:
    """What the good pictures are to each other, where that is worth telling."""
    if mixture.name == OF_MANY_KINDS.name:
        return [
            "these good pictures fall into groups that share nothing: what is unusual for a picture's own kind counts "
            "most. A line for each kind finds more"
        ]
    if mixture.name == AUTO.name and mixture.memory < AUTO.memory / 2:
        return [
            "these good pictures are foreign to each other, as are those to come: distances to them count less than "
            "what the words suspect. More good pictures, or a line for each kind, find more"
        ]
    return []


def drawn_again(found: Remembered, rate: float) -> Remembered:
    """The scale of scores moved so that 0.5 lies where all pictures together put it."""
    old, measured = found.line.score_scale, found.measured
    raw = old.inverse(np.asarray(measured.scores))
    rate = allowed_or_smallest(len(raw), rate)
    line = (
        float(np.sort(raw)[len(raw) - _rank(len(raw), rate)])
        if found.held_out == "half"
        else interpolated_threshold(raw, rate)
    )
    new = Scale(float(np.median(raw)), line)
    measured.scores[:] = [float(score) for score in new(raw)]
    return replace(found, line=replace(found.line, score_scale=new))


def _rank(count: int, rate: float) -> int:
    from anomalyclip.calibration.conformal import allowed

    return allowed(count, rate)


def _told(count: int, size: int, split: bool) -> list[str]:
    if split:
        return [f"--split: {size:,} pictures are remembered and set no line, the other {count - size:,} set it"]
    if count > size:
        return [f"{size:,} of {count:,} pictures are remembered, drawn at random with a fixed seed; all set the line"]
    return []
