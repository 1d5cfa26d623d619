"""A line from good pictures: a memory of them, and their own scores with each left out of it in turn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.calibration.conformal import allowed_or_smallest, interpolated_threshold
from anomalyclip.calibration.measured import Measured
from anomalyclip.calibration.mixing import mixture_for
from anomalyclip.calibration.twins import twins_among
from anomalyclip.judges.memory.bank import Bank, make_bank
from anomalyclip.judges.memory.fusion import Mixture, Scale, mixture_of, raw_map
from anomalyclip.judges.memory.held_out import HeldOut, levels_of
from anomalyclip.judges.memory.line import Line

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.calibration.gathering import Good
    from anomalyclip.judges.memory.source import Source

FEWEST = 4
"""Good pictures from which a memory is made: with fewer, each is compared with two others or less."""

MOST = 100
"""Pictures that a memory holds; more set the line without being remembered."""

FULL_PICTURES = 12
"""Views' worth of patches that a memory holds; pictures are thinned to it, so that a search costs the same
whatever their number."""


@dataclass(frozen=True)
class Learned:
    """A line, and what its own pictures score.

    Attributes:
        line: see :class:`Line`.
        measured: scores and peaks of each picture, left out of the memory, on the line's scale.
        held: the pictures against the whole bank, for what is asked of them afterwards.
        twins: groups of near-duplicates among them, each left out as one.
    """

    line: Line
    measured: Measured
    held: list[HeldOut]
    twins: list[list[int]] = field(default_factory=list)


def learn(
    pictures: Sequence[Good],
    source: Source,
    *,
    rate: float,
    pixel_rate: float,
    sigma: float,
    mixture: Mixture | None = None,
) -> Learned:
    """A line from at least :data:`FEWEST` pictures.

    rate, pixel_rate: the false-positive rates at which 0.5 lies on the scales of scores and maps; where so few pictures
    support none as small, the smallest they do. sigma: pixels, smooths distances as the words' maps are. mixture: None
    is the recipe's own; of `auto` :func:`anomalyclip.calibration.mixing.mixture_for`.
    """
    mixture = mixture or mixture_of(source)
    full = FULL_PICTURES * max(len(view.described) for picture in pictures for view in picture.seen)
    described = [np.concatenate([view.described for view in picture.remembered]) for picture in pictures]
    bank = make_bank(described, full, source)
    held = [HeldOut(picture.seen, bank, number) for number, picture in enumerate(pictures)]
    twins = twins_among(held, [picture.thumbnail for picture in pictures])
    for group in twins:
        for number in group:
            held[number].leave_out_too(group)
    mixture = mixture or mixture_for(held)
    levels = None
    if mixture.kind or mixture.kind_product:
        levels = levels_of(held)
        for one in held:
            one.levels = levels_of(held, *((one.own,) if one.own is not None else ()))
    for one in held:
        one.mixture = mixture
    parts = [one.parts() for one in held]
    every = np.concatenate(parts)
    centre, spread = every.mean(axis=0), _spread(every)
    raw = [np.asarray((one - centre) / spread @ mixture.weights) for one in parts]
    maps = [_raw_maps(one, sigma, mixture) for one in held]
    whole = np.array([scores.max() for scores in raw])
    peaks = np.array([max(float(view.max()) for view in views) for views in maps])
    line = Line(
        source,
        bank,
        mixture,
        centre,
        spread,
        Scale(float(np.median(whole)), _line(whole, rate)),
        Scale(float(np.median([np.median(view) for views in maps for view in views])), _line(peaks, pixel_rate)),
        sigma,
        names=tuple(Path(picture.path).name for picture in pictures),
        boxes=_boxes(pictures, bank),
        sizes=np.array([picture.size for picture in pictures], np.int32),
        augmented=any(picture.copies for picture in pictures),
        levels=levels,
    )
    return Learned(line, _measured(pictures, raw, maps, line), held, twins)


def _boxes(pictures: Sequence[Good], bank: Bank) -> NDArray[np.int32]:
    """Where each patch of the bank lies in its picture, (M, 4)."""
    found = [picture.patch_boxes()[bank.places[bank.pictures == number]] for number, picture in enumerate(pictures)]
    return np.concatenate(found).astype(np.int32)


def _line(values: NDArray[np.float64], rate: float) -> float:
    return interpolated_threshold(values, allowed_or_smallest(len(values), rate))


def _spread(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Deviations (8,); a statistic in which good pictures do not differ counts by its size instead."""
    spread = parts.std(axis=0, ddof=1) if len(parts) > 1 else np.zeros(parts.shape[1])
    return np.asarray(np.maximum(spread, 1e-3 * np.abs(parts).mean(axis=0) + 1e-6))


def _raw_maps(held: HeldOut, sigma: float, mixture: Mixture) -> list[NDArray[np.float32]]:
    return [
        raw_map(held.bank.source, view, distances, sigma, mixture)
        for view, distances in zip(held.views, held.distances(), strict=True)
    ]


def raw_peak(held: HeldOut, sigma: float, mixture: Mixture) -> float:
    """The highest value of a picture's raw maps."""
    return max(float(view.max()) for view in _raw_maps(held, sigma, mixture))


def _measured(
    pictures: Sequence[Good],
    raw: Sequence[NDArray[np.float64]],
    maps: Sequence[Sequence[NDArray[np.float32]]],
    line: Line,
) -> Measured:
    measured = Measured()
    for picture, scores, views in zip(pictures, raw, maps, strict=True):
        assembly = picture.assembly()
        for view, score, small in zip(picture.views, line.score_scale(scores), views, strict=True):
            assembly.add(view, float(score), line.map_scale(small))
        native = assembly.anomaly_map
        if not math.isfinite(assembly.score):
            measured.skipped.append((picture.path, f"the model gave the score {assembly.score}, which is not a number"))
            continue
        measured.scores.append(assembly.score)
        measured.peaks.append(float(native.max()))
        measured.paths.append(picture.path)
        measured.pictures[picture.digest] = picture.path
        measured.shares.add(native if picture.area is None else native[picture.area.mask()])
    return measured
