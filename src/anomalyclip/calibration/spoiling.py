"""What spoils a line: pictures that set it, groups unlike the rest, names that speak of defects."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from anomalyclip.calibration.conformal import allowed_or_smallest, interpolated_threshold
from anomalyclip.calibration.profile_parts import SettingPicture
from anomalyclip.io.names import printable
from anomalyclip.judges.memory.peaks import top_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.calibration.measured import Measured
    from anomalyclip.judges.memory.held_out import HeldOut

SHOWN = 3
STRANGE = 2.0
"""A group is strange where all others are farther than so many times its own widest gap, and than the usual one."""

SMALL = 0.25
"""Share of the pictures that a strange group has at most: a larger one is another kind of good picture."""

_BAD = frozenset(
    (
        *("anomalies", "anomalous", "anomaly", "bad", "broken", "crack", "damaged", "defect", "defective", "defects"),
        *("fail", "failed", "faulty", "nok", "notok", "ng", "reject", "rejected", "rejects", "scrap", "scratch"),
    )
)


class Spoiler(NamedTuple):
    """A picture that sets the threshold: its place among all, its path and score, and the threshold without it."""

    place: int
    path: str
    score: float
    without: float


def spoilers(measured: Measured, rate: float) -> list[Spoiler]:
    """The three highest scores; none of fewer than four pictures. rate: false-positive rate of the line."""
    scores = measured.scores
    if len(scores) < SHOWN + 1:
        return []
    found = []
    for index in sorted(range(len(scores)), key=lambda one: -scores[one])[:SHOWN]:
        others = [score for other, score in enumerate(scores) if other != index]
        without = interpolated_threshold(others, allowed_or_smallest(len(others), rate))
        found.append(Spoiler(index, measured.paths[index], scores[index], without))
    return found


def setting_pictures(
    measured: Measured, rate: float, name_of: Callable[[int], tuple[str, int | None] | None]
) -> tuple[SettingPicture, ...]:
    """What a profile keeps of its :func:`spoilers`.

    name_of: the name of a picture by its place in `measured`, and its number in the memory; None if nobody knows it any
    more, and then nothing is told of it.
    """
    return tuple(
        SettingPicture(name=printable(known[0]), score=_short(one.score), without=_short(one.without), picture=known[1])
        for one in spoilers(measured, rate)
        if (known := name_of(one.place)) is not None
    )


def _short(value: float) -> float:
    """As a profile writes scores."""
    return float(str(np.float32(value)))


def spoiler_lines(found: Sequence[Spoiler]) -> list[str]:
    """For people."""
    if not found:
        return []
    lines = ["the most unusual good pictures, which set the threshold (are they really good?):"]
    for one in found:
        name = printable(Path(one.path).name)
        drop = f"--drop {shlex.quote(name)}"  # to be copied
        lines.append(f"  {name}: {one.score:.3f}; without it ({drop}) the threshold would be {one.without:.3f}")
    return lines


def strange_groups(held: Sequence[HeldOut]) -> list[list[int]]:
    """Groups of two or more pictures near each other and far from all others: two alike faults hide each other.

    The distance of two pictures is the larger of each one's hottest 1% of patches against the other alone. Groups are
    those of single linkage, the nearest joined first; one of a quarter of the pictures or less is strange where the gap
    to the others is more than STRANGE times both the widest gap within it and the median gap at which any two joined.
    """
    count = len(held)
    if count < 2 * SHOWN:
        return []
    away = np.zeros((count, count))
    for index, one in enumerate(held):
        away[index] = np.max([top_mean(near) for near in one.by_picture()], axis=0)
    joins = _joins(np.maximum(away, away.T))
    usual = float(np.median([gap for gap, _, _ in joins]))
    strange = []
    for gap, *parts in joins:
        for group, widest in parts:
            if 2 <= len(group) <= SMALL * count and gap > STRANGE * max(widest, usual):
                strange.append(sorted(group))
    return sorted(strange)


_Part = tuple[frozenset[int], float]


def _joins(away: NDArray[np.float64]) -> list[tuple[float, _Part, _Part]]:
    """Single linkage of (n, n) distances: each joining of two groups, its gap, and the widest gap within either."""
    rows, columns = np.triu_indices(len(away), 1)
    home: dict[int, _Part] = {one: (frozenset([one]), 0.0) for one in range(len(away))}
    joins = []
    for edge in np.argsort(away[rows, columns], kind="stable"):
        first, second = home[int(rows[edge])], home[int(columns[edge])]
        if first[0] == second[0]:
            continue
        gap = float(away[rows[edge], columns[edge]])
        joins.append((gap, first, second))
        both = first[0] | second[0], gap
        home |= dict.fromkeys(both[0], both)
    return joins


def group_lines(groups: Sequence[Sequence[int]], paths: Sequence[str]) -> list[str]:
    """For people."""
    lines = []
    for group in groups:
        names = ", ".join(printable(Path(paths[index]).name) for index in group[:SHOWN])
        more = f" and {len(group) - SHOWN} more" if len(group) > SHOWN else ""
        lines.append(f"{names}{more} are like each other and unlike the rest: are these really good? (--drop NAME)")
    return lines


def suspicious_names(paths: Sequence[str]) -> list[str]:
    """A line where names of files or of their folders say that they show defects, or belong to a test."""
    bad = [path for path in paths if _BAD & set(_words(path))]
    if not bad:
        return []
    shown = printable(Path(bad[0]).parent.name + "/" + Path(bad[0]).name)
    return [
        f"the names of {len(bad)} of the pictures speak of defects (as {shown}): a memory of bad parts finds no such "
        "fault again; leave them out (--drop NAME), or give them as --anomalies"
    ]


def _words(path: str) -> list[str]:
    """Of the file's name and its folder's."""
    place = Path(path)
    return re.split(r"[^a-z]+", f"{place.parent.name} {place.stem}".lower())
