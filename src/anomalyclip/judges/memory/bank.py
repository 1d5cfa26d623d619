"""The bank: vectors of the patches of good pictures, and whose patch each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.errors import ConfigError
from anomalyclip.judges.memory.coreset import greedy_coreset
from anomalyclip.judges.memory.index import Index
from anomalyclip.judges.memory.places import near_places
from anomalyclip.judges.memory.recipes import METHODS, form_of
from anomalyclip.judges.memory.search import nearest
from anomalyclip.judges.memory.source import WINDOWS, Source
from anomalyclip.judges.memory.windows import association, harmonic_over_windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_PLAIN = Source("tokens", (1,))


@dataclass(frozen=True, eq=False)
class Bank:
    """M patches of P pictures.

    Attributes:
        rows: (M, D) float32, picture by picture; unit vectors, but PatchCore's.
        pictures: (M,) int32, the picture 0..P-1 of each.
        places: (M,) int32, where in its picture: patch number, row by row, view by view.
        source: how they are compared.
    """

    rows: Floats
    pictures: NDArray[np.int32]
    places: NDArray[np.int32]
    source: Source = _PLAIN

    @property
    def count(self) -> int:
        """P, pictures."""
        return int(self.pictures.max()) + 1 if len(self.pictures) else 0

    @cached_property
    def _columns(self) -> list[slice]:
        return self.source.parts(self.rows.shape[1])

    @cached_property
    def _present(self) -> list[NDArray[np.intp] | None]:
        """Of each part, the rows that have it; None is all. Patches at the border are no corner of a window."""
        if len(self._columns) == 1:
            return [None]
        return [np.flatnonzero(self.rows[:, columns].any(axis=1)) for columns in self._columns]

    @cached_property
    def _index(self) -> Index | None:
        """Of all rows; None where parts are compared apart."""
        if len(self._columns) > 1:
            return None
        return Index(self.rows, equal_norms=form_of(self.source.recipe) != "pooled")

    def distances(self, patches: Floats, grid: tuple[int, int] | None = None) -> tuple[Floats, NDArray[np.intp]]:
        """Distances (N,) of patches (N, D) on a grid (h, w), and the row that each was compared with.

        1 - cos in [0, 2] to the nearest patch; of several layers their sum; of windows (1 - cos) / 2 in [0, 1],
        averaged as WinCLIP does; of PatchCore the squared distance. grid: None is one row of patches.
        """
        shape = grid or (1, len(patches))
        if self.source.aligned is not None:
            each = [self._beside(number, patches, shape) for number in range(self.count)]
            near = np.stack([one for one, _ in each])
            best = near[:, 0].argmin(axis=0)
            rows = np.stack([found for _, found in each])[best, np.arange(len(patches))]
            return self.combined(near.min(axis=0), shape), rows
        near, rows = self._anywhere(patches, 0, len(self.rows))
        return self.combined(near, shape), rows

    def by_picture(self, patches: Floats, grid: tuple[int, int] | None = None) -> Floats:
        """Distances (P, parts, N) to the nearest patch of each picture, part by part.

        The minimum over any of the pictures is the distance to their memory: what leaving pictures out takes, without a
        search for every choice; :meth:`combined` makes one number of the parts.
        """
        shape = grid or (1, len(patches))
        if self.source.aligned is not None:
            return np.stack([self._beside(number, patches, shape)[0] for number in range(self.count)])
        starts = np.searchsorted(self.pictures, np.arange(self.count + 1)).tolist()
        return np.stack([self._anywhere(patches, first, last)[0] for first, last in pairwise(starts)])

    def combined(self, near: Floats, grid: tuple[int, int]) -> Floats:
        """Distances (N,) of those of the parts (parts, N)."""
        if form_of(self.source.recipe) != "windows":
            return near[0] if len(near) == 1 else np.asarray(near.sum(axis=0), np.float32)
        found = [association(2 * near[0]).astype(np.float64)]
        for values, side in zip(near[1:], WINDOWS, strict=True):
            inside = values.reshape(grid)[: grid[0] - side + 1, : grid[1] - side + 1]
            found.append(harmonic_over_windows(association(2 * inside.reshape(1, -1)), grid, side).ravel())
        return np.asarray(np.mean(found, axis=0), np.float32)

    def _anywhere(self, patches: Floats, first: int, last: int) -> tuple[Floats, NDArray[np.intp]]:
        """(parts, N), and rows (N,) of the first part, of the bank's rows first .. last."""
        squared = form_of(self.source.recipe) == "pooled"
        found, rows = [], None
        index = self._index if (first, last) == (0, len(self.rows)) else None
        for columns, present in zip(self._columns, self._present, strict=True):
            chosen = np.arange(first, last) if present is None else present[(present >= first) & (present < last)]
            block = self.rows[first:last, columns] if present is None else self.rows[chosen][:, columns]
            wanted = np.ascontiguousarray(patches[:, columns])
            one = index.nearest(wanted) if index is not None else nearest(wanted, block, equal_norms=not squared)
            found.append(one.squared[:, 0] if squared else one.squared[:, 0] * np.float32(0.5))
            rows = chosen[one.rows[:, 0]] if rows is None else rows
        assert rows is not None
        return np.stack(found), rows

    def _beside(self, number: int, patches: Floats, grid: tuple[int, int]) -> tuple[Floats, NDArray[np.intp]]:
        """The same of one picture, at most `aligned` patches away."""
        first, last = np.searchsorted(self.pictures, [number, number + 1]).tolist()
        if last - first != len(patches) or not np.array_equal(self.places[first:last], np.arange(len(patches))):
            raise ConfigError(
                "an aligned memory compares pictures of one size and layout, patch by patch; this one has another grid"
            )
        assert self.source.aligned is not None
        scale = np.float32(1 if form_of(self.source.recipe) == "pooled" else 0.5)
        found, rows = [], None
        for columns in self._columns:
            squared, places = near_places(
                patches[:, columns], self.rows[first:last, columns], grid, self.source.aligned
            )
            found.append(squared * scale)
            rows = first + places if rows is None else rows
        assert rows is not None
        return np.stack(found), rows


def make_bank(pictures: Sequence[Floats], most: int | None = None, source: Source = _PLAIN) -> Bank:
    """A bank of pictures' vectors (N_i, D) each.

    most: rows at most; pictures are then thinned one by one, each to a coreset of its own. Whatever a picture keeps
    depends on itself alone, so that leaving it out leaves the memory that would have been made without it. An aligned
    memory keeps every patch.

    Raises ConfigError without pictures, or where `most` leaves less than one row a picture.
    """
    if not pictures:
        raise ConfigError("a memory needs at least one good picture")
    largest = max(len(one) for one in pictures)
    share = largest if most is None or source.aligned is not None else most // len(pictures)
    if share < 1:
        raise ConfigError(f"{most} rows are less than one for each of {len(pictures)} pictures")
    kept = [_thinned(one, min(share, _own_share(len(one), source))) for one in pictures]
    rows = np.concatenate([one[places] for one, places in zip(pictures, kept, strict=True)])
    owners = np.repeat(np.arange(len(kept), dtype=np.int32), [len(places) for places in kept])
    return Bank(source.restored(halved(rows)), owners, np.concatenate(kept).astype(np.int32), source)


def halved(rows: Floats) -> NDArray[np.float16]:
    """Rows as they are stored. A bank is made of these from the start: it judges alike before and after a file."""
    return rows.astype(np.float16)


def _own_share(count: int, source: Source) -> int:
    """Rows of a picture that the recipe itself keeps."""
    method = METHODS.get(source.recipe)
    if method is None or method.share is None or source.aligned is not None:
        return count
    return max(1, int(method.share * count))


def _thinned(rows: Floats, most: int) -> NDArray[np.intp]:
    if len(rows) <= most:
        return np.arange(len(rows))
    return np.sort(greedy_coreset(rows, most))
