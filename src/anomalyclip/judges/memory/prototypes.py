"""An online bank: patches of admitted pictures that no prototype stands for yet, bounded, with forgetting.

A patch farther than `radius` from every prototype becomes one itself; a nearer one keeps its prototype alive. What no
admitted picture has needed for `patience` of them is forgotten, and of a full bank what was needed longest ago.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.judges.memory.search import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.judges.memory.bank import Bank

    Floats = NDArray[np.float32]

PATIENCE = 1_000
"""Admitted pictures that a prototype outlives without being needed."""

_SHARE = 8
"""A picture gives an eighth of its patches at most: one picture alone never fills the bank."""


@dataclass(frozen=True, eq=False)
class Prototypes:
    """P prototypes, in the order of their numbers.

    Attributes:
        rows: (P, D) unit vectors, rounded as they are stored.
        numbers: (P,) ascending; never given twice. pictures: (P,) number of the picture that each came from, ascending.
        places: (P,) patch of that picture. used: (P,) number of the picture that needed it last.
    """

    rows: Floats
    numbers: NDArray[np.int64]
    pictures: NDArray[np.int64]
    places: NDArray[np.int64]
    used: NDArray[np.int64]

    @classmethod
    def none(cls, width: int) -> Prototypes:
        """Of vectors of a width."""
        return cls(np.empty((0, width), np.float32), *(np.empty(0, np.int64) for _ in range(4)))

    def __len__(self) -> int:
        return len(self.rows)

    def distances(self, patches: Floats) -> tuple[Floats, NDArray[np.intp]]:
        """1 - cos (N,) of patches (N, D) to their nearest prototype, and which; infinite where there is none."""
        if not len(self):
            return np.full(len(patches), np.inf, np.float32), np.zeros(len(patches), np.intp)
        found = nearest(patches, self.rows, equal_norms=True)
        return found.squared[:, 0] * np.float32(0.5), found.rows[:, 0]

    def kept(self, which: NDArray[np.bool_]) -> Prototypes:
        """Those of a mask (P,)."""
        numbers, pictures, places = self.numbers[which], self.pictures[which], self.places[which]
        return Prototypes(self.rows[which], numbers, pictures, places, self.used[which])

    def before(self, picture: int) -> Prototypes:
        """Those that came of pictures up to this one."""
        return self.kept(self.pictures <= picture)


@dataclass(frozen=True, eq=False)
class Admission:
    """A picture that was admitted.

    Attributes:
        prototypes: the bank with it. new: how many of them are its own, the last ones. needed: (n,) numbers of older
            ones that it needed. gone: (m,) numbers of those that were forgotten.
    """

    prototypes: Prototypes
    new: int
    needed: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    gone: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))


def admit(
    bank: Prototypes,
    picture: int,
    patches: Floats,
    fixed: Floats,
    found: tuple[Floats, NDArray[np.intp]],
    *,
    radius: float,
    most: int,
    patience: int = PATIENCE,
) -> Admission:
    """The bank after a picture; the one given stays as it is.

    picture: its number, greater than all before. patches: (N, D) unit vectors, as they are to be stored. fixed: (N,)
    distances to what is never forgotten, which a prototype need not repeat. found: what
    `bank.distances` says of them. most: prototypes at most.
    """
    near, rows = found
    served = (near < fixed) & (near <= radius)
    needed = np.unique(rows[served]) if len(bank) else np.empty(0, np.intp)
    used = bank.used.copy()
    used[needed] = picture
    chosen = _farthest(patches, np.minimum(near, fixed), radius, min(most, max(1, len(patches) // _SHARE)))
    first = int(bank.numbers[-1]) + 1 if len(bank) else 0
    count = len(chosen)
    grown = Prototypes(
        np.concatenate([bank.rows, patches[chosen]]),
        np.concatenate([bank.numbers, np.arange(first, first + count)]),
        np.concatenate([bank.pictures, np.full(count, picture)]),
        np.concatenate([bank.places, chosen.astype(np.int64)]),
        np.concatenate([used, np.full(count, picture)]),
    )
    staying = _staying(grown, picture - patience, most)
    return Admission(grown.kept(staying), count, bank.numbers[needed], grown.numbers[~staying])


def _staying(bank: Prototypes, since: int, most: int) -> NDArray[np.bool_]:
    """(P,) those needed after picture `since`; of these the `most` that were needed last, the older of equals first."""
    staying = bank.used > since
    if (over := int(staying.sum()) - most) > 0:
        order = np.argsort(bank.used, kind="stable")
        staying[[index for index in order if staying[index]][:over]] = False
    return np.asarray(staying)


def _farthest(patches: Floats, near: Floats, radius: float, most: int) -> NDArray[np.intp]:
    """Patches, farthest first, until all others lie within `radius` of one of them or of what was there."""
    near, chosen = near.copy(), list[int]()
    while len(chosen) < most and near[index := int(near.argmax())] > radius:
        chosen.append(index)
        near = np.minimum(near, np.float32(1) - patches @ patches[index])
        near[index] = -1
    return np.array(chosen, np.intp)


def radius_of(bank: Bank) -> float:
    """How far from all other pictures' patches a patch of a good picture usually lies: the median over the bank.

    The distance of a row to the nearest of another picture; 0 with one picture.
    """
    if bank.count < 2:
        return 0.0
    own = bank.pictures
    found = np.empty(len(bank.rows), np.float32)
    for number in range(bank.count):
        mine = own == number
        others = np.ascontiguousarray(bank.rows[~mine])
        found[mine] = nearest(bank.rows[mine], others, equal_norms=True).squared[:, 0] * np.float32(0.5)
    return float(np.median(found))
