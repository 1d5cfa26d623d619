"""What judging a batch gives: scores and maps, and where a memory judged, what each patch was compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from anomalyclip.encoders.base import as_numpy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.encoders.base import Array, Features
    from anomalyclip.judges.base import Judge, Size
    from anomalyclip.judges.memory.bank import Bank

    Floats = NDArray[np.float32]


class Remembered(Protocol):
    """What a verdict asks of a line: its bank, and whose patches that holds. See `judges.memory.line.Line`."""

    @property
    def bank(self) -> Bank:
        """Patches of good pictures."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the good pictures' files, in the bank's order."""

    @property
    def boxes(self) -> NDArray[np.int32]:
        """(M, 4) where in its picture each patch lies; empty where that is not known."""

    @property
    def sizes(self) -> NDArray[np.int32]:
        """(P, 2) width and height of each picture."""


@dataclass(frozen=True, eq=False)
class Nearest:
    """The nearest good patch of every patch of one view.

    Attributes:
        grid: (h, w) patches of the view, N = h w of them, row by row.
        distances: (N,) float32, 1 - cos in [0, 2]. rows: (N,) rows of the line's bank.
        line: whose bank it is.
    """

    grid: tuple[int, int]
    distances: Floats
    rows: NDArray[np.intp]
    line: Remembered

    @property
    def against(self) -> Remembered:
        """The line whose bank `rows` counts."""
        return self.line


class Verdicts(tuple["Floats", "Floats"]):
    """Scores (B,) and maps (B, H, W), which it unpacks as.

    nearest: of each picture of the batch; empty where no memory judged. digests: what each picture is known by, where
    pictures judge each other; else empty.
    """

    nearest: Sequence[Nearest]
    digests: Sequence[str]

    def __new__(
        cls, scores: Array, maps: Array, nearest: Sequence[Nearest] = (), digests: Sequence[str] = ()
    ) -> Verdicts:
        made = super().__new__(cls, (as_numpy(scores), as_numpy(maps)))
        made.nearest, made.digests = nearest, digests
        return made


def verdicts_of(judge: Judge, features: Features, size: Size, *, singly: bool) -> Verdicts:
    """What a judge says of features, for ``size`` (H, W).

    singly: one picture after the other, so that none's verdict depends, by the order of sums, on how many share its
    batch; judges of a whole batch are given it whole.
    """
    parts = features.singly() if singly and not judge.whole_batch else []
    found = [judge.judge(part, size) for part in parts or [features]]
    made = [one if isinstance(one, Verdicts) else Verdicts(*one) for one in found]
    if len(made) == 1:
        return made[0]
    scores, maps = (np.concatenate(parts) for parts in zip(*made, strict=True))
    nearest, digests = ([item for one in made for item in getattr(one, name)] for name in ("nearest", "digests"))
    return Verdicts(scores, maps, nearest, digests)


def nearest_of(verdicts: object, count: int) -> list[Nearest | None]:
    """What each of `count` pictures was compared with, None where no memory judged."""
    found: Sequence[Nearest] = getattr(verdicts, "nearest", ())
    return [*found] if found else [None] * count


def digests_of(verdicts: object, count: int) -> list[str | None]:
    """What each of `count` pictures is known by, None where pictures do not judge each other."""
    found: Sequence[str] = getattr(verdicts, "digests", ())
    return [*found] if found else [None] * count
