"""Do new images still score like those of the calibration? A warning with a false-alarm rate of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.calibration.martingale import GapMartingale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.calibration.profile import Profile

FALSE_ALARM = 0.01
_BINS = 16
_MOST = 1e300  # capital beyond is as good as infinite, and would overflow
# Bets on scores below the threshold: exp(slope * x + bend * (3 x^2 - 1) / 2), x from -1 to 1 the rank in calibration.
_SLOPES, _BENDS = (-3.0, -1.0, 0.0, 1.0, 3.0), (-1.5, 0.0, 1.5)
_RECENT = 20  # images that the share above the threshold is taken of
_ODDS = (3.0, 10.0, 50.0)  # bets on more scores above the threshold
_DIRECTIONS = {1: "higher", -1: "lower", 0: "spread differently"}


class DriftMonitor:
    """Takes scores one by one, in the order of the images; a few kilobytes beside the profile, whatever their number.

    Two bets (:class:`GapMartingale`): on scores below the threshold taking other ranks among the calibration scores
    than before (a change of light, camera or product moves those, real defects do not), and on more scores above the
    threshold than the calibrated rate explains. The chance that a stream of images like the calibration ever makes
    `drifted` or `excessive` true is `false_alarm` at most, however long it is. Ties are broken at random, with `seed`.

    Attributes: count, above: images so far, and those above the threshold.
    """

    def __init__(self, profile: Profile, *, false_alarm: float = FALSE_ALARM, seed: int = 0) -> None:
        self._scores = profile.calibration_scores
        self._random = np.random.default_rng(seed)
        self._ticks = self._sorted_ticks()
        self._needed = 2 / false_alarm  # two bets share the false alarms
        n = self._scores.size
        self._inside = int(np.searchsorted(self._scores.astype(np.float64), profile.image_threshold, side="left"))
        self._edges = np.unique(np.linspace(0, self._inside, min(_BINS, self._inside) + 1).astype(int))
        widths = np.diff(self._edges)
        centres = (self._edges[1:] + self._edges[:-1]) / max(1, self._inside) - 1  # in (-1, 1)
        tilts = [(slope, bend) for slope in _SLOPES for bend in _BENDS if slope or bend]
        bets = [np.exp(slope * centres + bend * (3 * centres**2 - 1) / 2) for slope, bend in tilts]
        self._bulk = GapMartingale(widths, np.array(bets)) if len(widths) > 1 else None
        odds = np.array([[1.0, more] for more in _ODDS])
        self._alarms = GapMartingale(np.array([self._inside, n + 1 - self._inside]), odds) if self._inside else None
        self.count = 0
        self.above = 0
        self._recent: deque[bool] = deque(maxlen=_RECENT)

    def add(self, score: float) -> None:
        """Take the next image's score; images that failed have none and are left out."""
        gap = self._gap(np.float32(score))
        self.count += 1
        self.above += gap >= self._inside
        self._recent.append(gap >= self._inside)
        if self._alarms is not None and self._alarms.best < _MOST:
            self._alarms.add(int(gap >= self._inside))
        if self._bulk is not None and gap < self._inside and self._bulk.best < _MOST:
            self._bulk.add(int(np.searchsorted(self._edges, gap, side="right")) - 1)

    @property
    def drifted(self) -> bool:
        """Whether scores below the threshold no longer look like the calibration."""
        return self._bulk is not None and self._bulk.best >= self._needed

    @property
    def excessive(self) -> bool:
        """Whether more scores lie above the threshold than normal images explain: defects, or a change."""
        return self._alarms is not None and self._alarms.best >= self._needed

    @property
    def lowest(self) -> tuple[bool, bool]:
        """Of the bets behind `drifted` and `excessive`, whether each stands as low as ever: what it may come to doubt
        begins after this."""
        bulk, alarms = (bet is None or bet.capital <= bet.lowest for bet in (self._bulk, self._alarms))
        return bulk, alarms

    @property
    def lower(self) -> bool:
        """Whether scores below the threshold moved down: nothing that looks like a fault."""
        return self._bulk is not None and self._place(self._bulk) < 0

    def state(self) -> dict[str, Any]:
        """All that scores so far have changed, as JSON values."""
        return {
            "count": self.count,
            "above": self.above,
            "recent": list(self._recent),
            "random": self._random.bit_generator.state,
            "bets": [bet.state() for bet in self._bets],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from :meth:`state` of a monitor of the same profile and seed."""
        self.count, self.above = int(state["count"]), int(state["above"])
        self._recent.extend(state["recent"])
        self._random.bit_generator.state = state["random"]
        for bet, one in zip(self._bets, state["bets"], strict=True):
            bet.restore(one)

    @property
    def _bets(self) -> list[GapMartingale]:
        return [bet for bet in (self._bulk, self._alarms) if bet is not None]

    def warning(self) -> str | None:
        """One line for people on drift, or where most of the last images lie above the threshold; else None."""
        remedy = "check camera, light and product, and calibrate again on new normal images if they changed"
        if self.drifted and self._bulk is not None:
            return (
                f"drift: even the images below the threshold score {self._direction(self._bulk)} than the "
                f"{self._scores.size:,} of the calibration; {remedy}"
            )
        if self.excessive and 2 * sum(self._recent) > len(self._recent):
            return (
                f"drift or many defects: {sum(self._recent)} of the last {len(self._recent)} images score above the "
                f"threshold, as {self._usual_share():.1%} of normal images would; {remedy}"
            )
        return None

    def _usual_share(self) -> float:
        return (self._scores.size + 1 - self._inside) / (self._scores.size + 1)

    @classmethod
    def _direction(cls, bulk: GapMartingale) -> str:
        return _DIRECTIONS[cls._place(bulk)]

    @staticmethod
    def _place(bulk: GapMartingale) -> int:
        """Sign of the mean rank's move, where it is more than a tenth of the range; else 0."""
        if not bulk.counts.any():
            return 0
        places = np.cumsum(bulk.expected) - bulk.expected / 2
        moved = float(places @ (bulk.counts / bulk.counts.sum() - bulk.expected))
        return int(np.sign(moved)) if abs(moved) > 0.1 else 0

    def _gap(self, score: np.float32) -> int:
        """How many calibration scores lie below; among equals, a random tick decides as it did for them."""
        first, last = (int(np.searchsorted(self._scores, score, side=side)) for side in ("left", "right"))
        return first + int(np.searchsorted(self._ticks[first:last], self._random.random()))

    def _sorted_ticks(self) -> NDArray[np.float64]:
        """A uniform number per calibration score, ascending among equal scores."""
        ticks = self._random.random(self._scores.size)
        return np.asarray(ticks[np.lexsort((ticks, self._scores))])
