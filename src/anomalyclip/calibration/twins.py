"""Near-duplicates among good pictures: one part photographed twice, a burst, an exposure series.

Leaving one of them out leaves its twin in the memory: it then scores as no new part would, the line comes to lie too
low, and good parts are called anomalous. Twins are therefore left out together.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.calibration.kinds import kinds_among, votes_among
from anomalyclip.calibration.overlaid import overlaid
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.judges.memory.held_out import HeldOut

NEARER = 0.25
"""Twins are nearer to each other than this share of what two pictures of their kind are usually apart, patch by patch
anywhere."""

IN_PLACE = 0.95
"""And so many of their patches have the nearest one of the other picture in the same place, or one patch beside it.

Measured (docs/memory-log.md): files of one brain slice and exposures of one tile .97 to 1, tiles of one weave .60
to .82. Parts that always lie alike have their patches in place, too, and are told apart by :data:`NEARER`."""

_FEWEST_OF_A_KIND = 5
"""Pictures that share nothing with others are a kind, and not one part photographed several times."""

_SHOWN = 3


def twins_among(held: Sequence[HeldOut], thumbnails: Sequence[bytes] = ()) -> list[list[int]]:
    """Groups of two or more pictures that are near-duplicates, each in ascending order; none that holds half of all.

    Groups join where any two are twins: by their patches, or laid over each other. Where half of the pictures are
    alike, that is what the line looks like. thumbnails: small pictures of them, see :func:`overlaid`; () asks patches
    alone.
    """
    count = len(held)
    away = np.array([np.mean([near.mean(axis=1) for near in one.by_picture()], axis=0) for one in held])
    away = np.maximum(away, away.T)
    pairs = []
    for members in kinds_among(votes_among(held), _FEWEST_OF_A_KIND):
        pairs += [(one, other) for one, other in _near_pairs(away, members) if _in_place(held[one], held[other])]
        if len(thumbnails) == count:
            laid = overlaid([thumbnails[number] for number in members], away[np.ix_(members, members)])
            pairs += [(int(members[one]), int(members[other])) for one, other in laid]
    home = {number: {number} for number in range(count)}
    for first, second in pairs:
        both = home[first] | home[second]
        home |= dict.fromkeys(both, both)
    groups = {tuple(sorted(group)) for group in home.values() if 2 <= len(group) <= count // 2}
    return [list(group) for group in sorted(groups)]


def _near_pairs(away: NDArray[np.float64], members: NDArray[np.intp]) -> list[tuple[int, int]]:
    """Of the pictures of one kind those nearer than :data:`NEARER` allows."""
    one, other = np.triu_indices(len(members), 1)
    first, second = members[one], members[other]
    near = away[first, second] < NEARER * np.median(away[first, second])
    return list(zip(first[near].tolist(), second[near].tolist(), strict=True))


def _in_place(one: HeldOut, other: HeldOut) -> bool:
    """Whether patches are nearest to those in their own places; pictures cut in other ways are not."""
    if [view.grid for view in one.views] != [view.grid for view in other.views]:
        return False
    shares = []
    for mine, theirs in zip(one.views, other.views, strict=True):
        places, width = np.arange(len(mine.described)), mine.grid[1]
        nearest = (mine.described @ theirs.described.T).argmax(axis=1)
        rows, columns = (
            there - here for there, here in zip(np.divmod(nearest, width), np.divmod(places, width), strict=True)
        )
        shares.append(float(np.mean(np.maximum(abs(rows), abs(columns)) <= 1)))
    return float(np.mean(shares)) >= IN_PLACE


def twin_lines(groups: Sequence[Sequence[int]], paths: Sequence[str]) -> list[str]:
    """For people."""
    if not groups:
        return []
    shown = [
        " and ".join(printable(Path(paths[number]).name) for number in group[:_SHOWN]) for group in groups[:_SHOWN]
    ]
    more = f" and {len(groups) - _SHOWN} more" if len(groups) > _SHOWN else ""
    told = (
        f"nearly the same picture: {'; '.join(shown)}{more}. Such are left out together, as a new part has no twin in "
    )
    return [told + "the memory; pictures of different parts draw a better line"]
