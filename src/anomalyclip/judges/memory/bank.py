"""The bank: unit vectors of the patches of good pictures, and whose patch each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.errors import ConfigError
from anomalyclip.judges.memory.coreset import greedy_coreset
from anomalyclip.judges.memory.search import nearest, unit

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Bank:
    """M patches of P pictures.

    Attributes:
        rows: (M, D) float32 unit vectors, picture by picture.
        pictures: (M,) int32, the picture 0..P-1 of each.
        places: (M,) int32, where in its picture: patch number, row by row, view by view.
    """

    rows: NDArray[np.float32]
    pictures: NDArray[np.int32]
    places: NDArray[np.int32]

    @property
    def count(self) -> int:
        """P, pictures."""
        return int(self.pictures.max()) + 1 if len(self.pictures) else 0

    def distances(self, patches: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """1 - cos in [0, 2] of unit vectors (N, D) to the nearest patch of the bank, and its row: both (N,)."""
        found = nearest(patches, self.rows, equal_norms=True)
        return found.squared[:, 0] * np.float32(0.5), found.rows[:, 0]

    def by_picture(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """1 - cos (P, N) to the nearest patch of each picture: the minimum over any of them is their memory's distance.

        One search a picture: what leaving pictures out takes, without a search for every choice.
        """
        starts = np.searchsorted(self.pictures, np.arange(self.count + 1))
        found = [
            nearest(patches, self.rows[first:last], equal_norms=True).squared[:, 0] / 2
            for first, last in pairwise(starts)
        ]
        return np.stack(found)


def make_bank(pictures: Sequence[NDArray[np.float32]], most: int | None = None) -> Bank:
    """A bank of pictures' unit vectors (N_i, D) each.

    most: rows at most; pictures are then thinned one by one, each to a coreset of its own. Whatever a picture keeps
    depends on itself alone, so that leaving it out leaves the memory that would have been made without it.

    Raises ConfigError without pictures, or where `most` leaves less than one row a picture.
    """
    if not pictures:
        raise ConfigError("a memory needs at least one good picture")
    share = max(len(one) for one in pictures) if most is None else most // len(pictures)
    if share < 1:
        raise ConfigError(f"{most} rows are less than one for each of {len(pictures)} pictures")
    kept = [_thinned(one, share) for one in pictures]
    rows = np.concatenate([one[places] for one, places in zip(pictures, kept, strict=True)])
    owners = np.repeat(np.arange(len(kept), dtype=np.int32), [len(places) for places in kept])
    return Bank(restored(halved(rows)), owners, np.concatenate(kept).astype(np.int32))


def halved(rows: NDArray[np.float32]) -> NDArray[np.float16]:
    """Rows as they are stored."""
    return rows.astype(np.float16)


def restored(rows: NDArray[np.float16]) -> NDArray[np.float32]:
    """Unit vectors of stored rows. A bank is made of these from the start: it judges alike before and after a file."""
    return unit(rows.astype(np.float32))


def _thinned(rows: NDArray[np.float32], most: int) -> NDArray[np.intp]:
    if len(rows) <= most:
        return np.arange(len(rows))
    return np.sort(greedy_coreset(rows, most))
