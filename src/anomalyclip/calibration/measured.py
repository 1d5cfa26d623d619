"""Images of one kind -> what the model gives for them: scores, peaks, shares of pixels; each picture counts once."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from anomalyclip.calibration.pixels import PixelShares
from anomalyclip.detect.inputs import InputItem
from anomalyclip.detect.pipeline import Finished, detect_stream
from anomalyclip.errors import InputError
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from anomalyclip.detect.result import Result
    from anomalyclip.detector import Detector


@dataclass
class Measured:
    """What calibration needs of a set of images.

    scores, peaks: one of each per image, in the order of the inputs; float32 values in [0, 1].
    paths: of those images. skipped: (path, reason) of the others. pictures: digest of the pixels -> path.
    """

    scores: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    pictures: dict[bytes, str] = field(default_factory=dict)
    shares: PixelShares = field(default_factory=PixelShares)

    def extend(self, later: Measured) -> None:
        """Take over what was measured with `known=self`: images that came later."""
        self.scores += later.scores
        self.peaks += later.peaks
        self.paths += later.paths
        self.skipped += later.skipped
        self.pictures |= later.pictures
        self.shares.extend(later.shares)


def measure(
    model: Detector,
    items: Iterable[InputItem],
    *,
    known: Measured | None = None,
    advance: Callable[[], object] = lambda: None,
    **stream: Any,
) -> Measured:
    """Run the model over images in the same stream as `anomalyclip detect` does.

    An image that cannot be read or scored is skipped with the reason, and so is one with the same pixels as an earlier
    one (a repeated picture is no further evidence), or as one of `known`. advance: called once per image. stream:
    further arguments of `detect_stream`, such as batch_size and geometry. Raises InputError where no image is left.
    """
    measured = collect(model, items, known=known, advance=advance, **stream)
    if not measured.scores:
        reasons = "; ".join(f"{printable(path)}: {reason}" for path, reason in measured.skipped[:3])
        raise InputError(f"no image could be measured ({reasons}); give images that can be read")
    return measured


def collect(
    model: Detector,
    items: Iterable[InputItem],
    *,
    known: Measured | None = None,
    advance: Callable[[], object] = lambda: None,
    **stream: Any,
) -> Measured:
    """`measure`, for images that come in parts: it may find none to measure."""
    gauge = _Gauge(set(known.pictures) if known is not None else set())
    measured = Measured(shares=gauge.shares)
    with closing(detect_stream(model, items, sink=gauge, **stream)) as results:
        for result in results:
            _take(result, gauge, measured, known)
            advance()
    return measured


def _take(result: Result, gauge: _Gauge, measured: Measured, known: Measured | None) -> None:
    path = result.item.path
    seen = gauge.seen.pop(result.item.key, None)
    if result.error is not None or seen is None or result.score is None:
        measured.skipped.append((path, result.error or "no score"))
        return
    peak, digest = seen
    elsewhere = known.pictures if known is not None else {}
    for others, word in ((measured.pictures, "the same picture as"), (elsewhere, "also given as")):
        if digest in others:
            measured.skipped.append((path, f"{word} {printable(others[digest])}"))
            return
    measured.pictures[digest] = path
    measured.scores.append(result.score)
    measured.peaks.append(peak)
    measured.paths.append(path)


class _Gauge:
    """A `Sink` that looks at one finished image: its peak, its pixels' digest, its share of the histogram."""

    def __init__(self, known: set[bytes]) -> None:
        self.shares = PixelShares()
        self.seen: dict[bytes, tuple[float, bytes]] = {}
        self._counted, self._lock = known, Lock()

    def __call__(self, finished: Finished) -> None:
        image = finished.original()
        digest = hashlib.blake2b(f"{image.size}".encode() + image.tobytes(), digest_size=16).digest()
        peak = float(finished.anomaly_map.max())
        if not math.isfinite(peak):
            raise InputError("the model gave an anomaly map with values that are no number")
        with self._lock:
            if digest not in self._counted:
                counted = finished.anomaly_map if finished.area is None else finished.anomaly_map[finished.area.mask()]
                self.shares.add(counted)
                self._counted.add(digest)
            self.seen[finished.result.item.key] = (peak, digest)
