"""A linear read-out of the whole picture: what a convolutional stem's channels amount to, to the odds of a defect.

A class token says what the transformer made of the picture; how bright, how rough and how peaked every channel of the
frozen stem is says more of global faults, and errs on other pictures than the token does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.errors import PromptError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

SPREAD = 6.0
"""Standardised statistics are cut at so many deviations: no outlier decides alone."""
_NAMES = ("center", "scale", "weights")
ARRAYS = tuple(f"readout.{name}" for name in _NAMES)
"""What its arrays are called in a file."""


@dataclass(frozen=True, eq=False)
class Readout:
    """p = sigmoid(weights . clip((statistics - center) / scale) + bias), and its share in the picture's score.

    Attributes:
        stages: of the stem, numbered from 1, whose channels' means, deviations and maxima are read.
        center, scale, weights: (F,) float32; ``scale`` above 0.
        bias: of the logit. share: of p in the picture's score, in [0, 1]; the class token has the rest.

    Raises:
        PromptError: shapes or values that cannot be.
    """

    stages: tuple[int, ...]
    center: Floats
    scale: Floats
    weights: Floats
    bias: float
    share: float

    def __post_init__(self) -> None:
        arrays = [getattr(self, name) for name in _NAMES]
        alike = {one.shape for one in arrays} == {(self.center.size,)} and self.center.size > 0
        finite = all(np.isfinite(one).all() for one in (*arrays, self.bias))
        if not (self.stages and alike and finite and self.scale.min() > 0 and 0 <= self.share <= 1):
            raise PromptError(
                "the read-out of these heads cannot be used (stages, three finite arrays of one length, scales above 0 "
                "and a share in 0..1 are expected); the file is damaged or was written by other software"
            )

    @classmethod
    def of(cls, header: Mapping[str, Any], arrays: Mapping[str, Floats]) -> Readout:
        """From what a file says. Raises PromptError; KeyError, TypeError or ValueError for a header that is none."""
        stages = tuple(header["stages"])
        if not all(type(one) is int and 0 < one < 1000 for one in stages):
            raise ValueError(f"the read-out's stages are {header['stages']!r}")
        center, scale, weights = (arrays[name] for name in ARRAYS)
        return cls(stages, center, scale, weights, float(header["bias"]), float(header["share"]))

    def header(self) -> dict[str, Any]:
        """What stands beside its arrays, JSON-ready."""
        return {"stages": list(self.stages), "bias": self.bias, "share": self.share}

    def arrays(self) -> dict[str, Floats]:
        """Its arrays by their names in a file."""
        return {f"readout.{name}": getattr(self, name) for name in _NAMES}

    def check(self, summaries: Mapping[int, Any]) -> None:
        """Raises PromptError where the channels are not the learned ones."""
        count = sum(summaries[number].shape[1] for number in self.stages)
        if count != self.center.size:
            raise PromptError(
                f"the read-out was learned on {self.center.size} statistics of a stem, this one has {count}: "
                "use the model it was learned on"
            )

    def probability(self, summaries: Mapping[int, Floats]) -> Floats:
        """p (B,) of summaries {number: (B, 3 C)}, see :class:`anomalyclip.encoders.base.Features`.

        Raises PromptError, see :meth:`check`.
        """
        self.check(summaries)
        spread = np.clip((joined(summaries, self.stages) - self.center) / self.scale, -SPREAD, SPREAD)
        return np.asarray(1 / (1 + np.exp(-(spread @ self.weights + np.float32(self.bias)))), np.float32)

    def mixed(self, scores: Floats, summaries: Mapping[int, Floats]) -> Floats:
        """The picture's scores (B,): those of the class token, and p with its share."""
        return np.asarray((1 - self.share) * scores + self.share * self.probability(summaries), np.float32)


def joined(summaries: Mapping[int, Floats], stages: tuple[int, ...]) -> Floats:
    """(B, F) the summaries side by side, stage by stage; F is 3 x channels."""
    return np.concatenate([summaries[number] for number in stages], axis=1)
