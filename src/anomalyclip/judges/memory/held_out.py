"""Good pictures seen once, from which the verdict of any memory without some of them follows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from anomalyclip.judges.memory.fusion import level, parts_of, statistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.judges.memory.bank import Bank
    from anomalyclip.judges.memory.fusion import Mixture
    from anomalyclip.judges.memory.seen import Seen

    Floats = NDArray[np.float32]


class Against(NamedTuple):
    """Patches of a view held against a memory: distances (N,), and pictures (N,), whose patch the nearest one is."""

    distances: Floats
    pictures: NDArray[np.integer]

    def expected(self, levels: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
        """(2,) mean of the pictures' levels (P, 2) over the patches; None without levels."""
        if levels is None:
            return None
        return np.asarray(np.bincount(self.pictures, minlength=len(levels)) @ levels / len(self.pictures))


class HeldOut:
    """Views of one picture against a bank of P pictures, any of which can be left out afterwards.

    Args:
        views: of the picture. bank: of the good pictures.
        own: the picture's number in the bank, or that of the picture it was painted on; None is a stranger.
        twins: numbers of other pictures in the bank that show the same; they are left out with it.

    Attributes:
        near: (views, P, parts, N) distance of each patch to the nearest patch of each picture of the bank.
        levels: (P, 2) what the good pictures have themselves without this one, see :func:`levels_of`; None where kinds
            do not count.
        mixture: statistics that do not count in it need not be made; None makes all.
    """

    def __init__(self, views: Sequence[Seen], bank: Bank, own: int | None, twins: Iterable[int] = ()) -> None:
        self.views, self.bank, self.own, self.twins = views, bank, own, frozenset(twins)
        self.near = [bank.by_picture(view.described, view.grid) for view in views]
        self.levels: NDArray[np.float64] | None = None
        self.mixture: Mixture | None = None

    def leave_out_too(self, twins: Iterable[int]) -> None:
        """From now on."""
        self.twins = frozenset(twins) - {self.own}
        for kept in ("_left_out", "_two_nearest"):
            vars(self).pop(kept, None)

    def repainted(self, views: Sequence[Seen]) -> HeldOut:
        """Other views of the same picture, left out of the same bank."""
        other = HeldOut(views, self.bank, self.own, self.twins)
        other.levels, other.mixture = self.levels, self.mixture
        return other

    def against(self, *without: int) -> list[Against]:
        """Each view against a memory without its own picture and its twins, and without those named."""
        return self._against(*without) if without else self._left_out

    @cached_property
    def _left_out(self) -> list[Against]:
        """Asked for several times: of the statistics, of the kinds of pictures, of the maps."""
        return self._against()

    def _against(self, *without: int) -> list[Against]:
        absent = self.twins.union(without, () if self.own is None else (self.own,))
        present = np.array([number for number in range(len(self.near[0])) if number not in absent], np.intp)
        found = []
        for near, view in zip(self.near, self.views, strict=True):
            there = near[present]
            distances = self.bank.combined(there.min(axis=0), view.grid)
            found.append(Against(distances, present[there[:, 0].argmin(axis=0)]))
        return found

    def distances(self, *without: int) -> list[Floats]:
        """(N,) of each view, as :meth:`against`."""
        return [one.distances for one in self.against(*without)]

    def by_picture(self) -> list[Floats]:
        """(P, N) of each view: distances to each picture of the bank alone."""
        return [
            np.stack([self.bank.combined(one, view.grid) for one in near])
            for near, view in zip(self.near, self.views, strict=True)
        ]

    def parts(self, *without: int) -> NDArray[np.float64]:
        """Statistics (views, 8), see :data:`anomalyclip.judges.memory.fusion.STATISTICS`."""
        rows = [
            parts_of(self.bank.source, view, one.distances, one.expected(self.levels), self.mixture)
            for view, one in zip(self.views, self.against(*without), strict=True)
        ]
        return np.stack(rows)

    def level(self, *without: int) -> NDArray[np.float64]:
        """(2,) ln memory and ln product, mean over the views."""
        found = [
            level(statistics(distances[None], view.words[None], np.array([view.whole]))[0])
            for view, distances in zip(self.views, self._distances_but(*without), strict=True)
        ]
        return np.asarray(np.mean(found, axis=0))

    def _distances_but(self, *without: int) -> list[Floats]:
        """:meth:`distances`; where one picture alone is left out, of the two nearest pictures of each patch."""
        if len(without) != 1 or self.near[0].shape[1] > 1 or without[0] in {*self.twins, self.own}:
            return self.distances(*without)
        return [np.where(first == without[0], second, nearest) for first, nearest, second in self._two_nearest]

    @cached_property
    def _two_nearest(self) -> list[tuple[NDArray[np.intp], Floats, Floats]]:
        """Of each view: the nearest picture (N,), its distance and that of the next."""
        there = np.array(
            [number for number in range(len(self.near[0])) if number not in {*self.twins, self.own}], np.intp
        )
        found = []
        for near in self.near:
            order = np.argpartition(near[there, 0], 1, axis=0)[:2]
            two = np.take_along_axis(near[there, 0], order, axis=0)
            found.append((there[order[0]], two[0], two[1]))
        return found


def levels_of(held: Sequence[HeldOut], *without: int) -> NDArray[np.float64]:
    """(P, 2) :meth:`HeldOut.level` of each picture of a bank, left out of it; `without` others, too."""
    return np.stack([one.level(*(number for number in without if number != one.own)) for one in held])
