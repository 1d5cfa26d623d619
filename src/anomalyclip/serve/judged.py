"""A served model with the memory of one profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anomalyclip.calibration import Profile
from anomalyclip.judges.memory.line import LineJudge
from anomalyclip.judges.verdicts import Nearest, nearest_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Map = npt.NDArray[np.float32]


class Judged:
    """A model with the memory of one profile; the encoder is the same one."""

    def __init__(self, profile: Profile, model: Any) -> None:
        self.profile = profile
        opened = profile.opened()
        self.thumbnails = opened.thumbnails
        self.model = model.with_judge(LineJudge(model.judge, opened.line))

    def look(self, pixels: npt.NDArray[Any]) -> list[tuple[float, Map, Nearest | None]]:
        """(score, map, what its patches were compared with) of each image; on the model's thread."""
        found = self.model.predict(pixels)
        scores, maps = found
        return list(zip(scores.tolist(), maps, nearest_of(found, len(maps)), strict=True))
