"""A line that learns from good pictures which come a few at a time, as a server is sent them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.calibration.lining import FEWEST, MOST, Learned, learn, raw_peak
from anomalyclip.calibration.measured import Measured
from anomalyclip.calibration.remembering import Remembered, drawn_again
from anomalyclip.errors import InputError
from anomalyclip.io.names import printable
from anomalyclip.judges.memory.held_out import HeldOut

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from anomalyclip.calibration.gathering import Good
    from anomalyclip.judges.memory.source import Source

MOST_BYTES = 128 * 2**20
"""What the features of one line's pictures may take; further pictures set the line without being remembered."""


@dataclass(frozen=True)
class _Stranger:
    """What counts of a picture that is not remembered: statistics of its views (views, 3), and its map's raw peak."""

    path: str
    parts: NDArray[np.float64]
    peak: float


@dataclass
class Growing:
    """Good pictures so far. Pictures are remembered until there are :data:`MOST` or :data:`MOST_BYTES` of them.

    source: which features. sigma: see :func:`learn`.
    """

    source: Source
    sigma: float
    pictures: list[Good] = field(default_factory=list)
    _strangers: list[_Stranger] = field(default_factory=list)
    _names: dict[bytes, str] = field(default_factory=dict)
    _bytes: int = 0
    _learned: dict[tuple[int, float, float], Learned] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Of the features that are held."""
        return self._bytes

    @property
    def count(self) -> int:
        """Pictures that set the line."""
        return len(self.pictures) + len(self._strangers)

    def add(self, goods: Sequence[Good]) -> list[tuple[str, str]]:
        """Take pictures in; (path, reason) of those whose pixels came before."""
        skipped = []
        for good in goods:
            if (twin := self._names.get(good.digest)) is not None:
                skipped.append((good.path, f"the same picture as {printable(twin)}"))
                continue
            self._names[good.digest] = good.path
            size = sum(view.described.nbytes + view.anomaly_map.nbytes for view in good.seen)
            full = len(self.pictures) >= MOST or self._bytes + size > MOST_BYTES
            if self._strangers or (full and len(self.pictures) >= FEWEST):
                self._strangers.append(self._stranger(good))
            else:
                self.pictures.append(replace(good, original=_gone))  # its bytes are not kept
                self._bytes += size
        return skipped

    def remembered(self, rate: float, pixel_rate: float) -> Remembered | None:
        """The line of all pictures so far, None of fewer than FEWEST."""
        if len(self.pictures) < FEWEST:
            return None
        learned = self._learn(rate, pixel_rate)
        own = learned.measured
        measured = Measured(list(own.scores), list(own.peaks), list(own.paths), list(own.skipped))
        measured.shares.extend(own.shares)
        found = Remembered(learned.line, measured, self.pictures, learned, "each")
        if not self._strangers:
            return found
        line = learned.line
        for one in self._strangers:
            measured.scores.append(float(line.score_scale(line.raw_scores(one.parts)).max()))
            measured.peaks.append(float(line.map_scale(one.peak)))
            measured.paths.append(one.path)
        return drawn_again(found, rate)

    def _learn(self, rate: float, pixel_rate: float) -> Learned:
        key = len(self.pictures), rate, pixel_rate
        if key not in self._learned:
            learned = learn(self.pictures, self.source, rate=rate, pixel_rate=pixel_rate, sigma=self.sigma)
            self._learned = {key: learned}
        return self._learned[key]

    def _stranger(self, good: Good) -> _Stranger:
        learned = next(iter(self._learned.values()), None)
        if learned is None or len(learned.held) != len(self.pictures):
            learned = self._learn(0.5, 0.5)  # the bank is the same at any rate
        held = HeldOut(good.seen, learned.line.bank, None)
        held.levels = learned.line.levels
        return _Stranger(good.path, held.parts(), raw_peak(held, self.sigma, learned.line.mixture))


def _gone() -> Image:
    raise InputError("the picture was not kept")
