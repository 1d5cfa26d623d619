"""What the model gave for the views of one batch, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from anomalyclip.judges.verdicts import Nearest, digests_of, nearest_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Outcome(NamedTuple):
    """What the model gave for one view. nearest, digest: see `anomalyclip.judges.verdicts.Verdicts`."""

    score: float
    anomaly_map: NDArray[np.float32]
    nearest: Nearest | None
    digest: str | None


def outcomes_of(found: tuple[Any, Any]) -> list[Outcome]:
    """One per view of what a detector's `predict` gave for (B, 3, H, W)."""
    scores, maps = found
    count = len(maps)
    parts = zip(scores.tolist(), maps, nearest_of(found, count), digests_of(found, count), strict=True)
    return [Outcome(*part) for part in parts]
