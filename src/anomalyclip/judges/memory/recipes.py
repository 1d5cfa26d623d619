"""The published memories, each a row of one table: how features are kept, compared, and made into score and map.

What is written here is the method's arithmetic; the features are those that the encoder at hand gives. AnomalyDINO on a
CLIP is therefore its scoring, not its model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from anomalyclip.errors import ConfigError
from anomalyclip.judges.memory.peaks import top_mean
from anomalyclip.judges.memory.upsampling import upsampled, upsampled_by_corners

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.judges.memory.seen import Seen

    Floats = NDArray[np.float32]

Form = Literal["joined", "levels", "windows", "pooled"]
"""How layers become a patch's vector: one unit vector; a unit vector per layer, compared apart; the patch and the
windows at its corner, compared apart; or PatchCore's pooled features, not normalised."""


@dataclass(frozen=True)
class Method:
    """One published method, as far as it differs from `auto`.

    Attributes:
        form: see :data:`Form`.
        score: the score of a view of which distances (h, w) to the memory are known, the sum of so many layers.
        draw: its map (H, W), likewise.
        share: share of each picture's patches that a coreset keeps; None keeps what fits `auto`'s bound.
        reference: where it stands.
    """

    form: Form
    score: Callable[[Seen, Floats, int], float]
    draw: Callable[[Seen, Floats, int], Floats]
    share: float | None
    reference: str


SIGMA = 4.0
"""Pixels by which AnomalyDINO and PatchCore smooth their maps."""


def _april_map(view: Seen, near: Floats, layers: int) -> Floats:
    """(L T + V) / 3L: their sum of L text maps in [0, 1] and L distances in [0, 2], brought to [0, 1]."""
    words = view.anomaly_map
    return np.asarray((layers * words + upsampled_by_corners(near, words.shape)) / (3 * layers), np.float32)


def _april_score(view: Seen, near: Floats, layers: int) -> float:
    """The map's peak on its own scale in the place of theirs, which takes its extremes over the whole test set."""
    return float((view.whole + _april_map(view, near, layers).max()) / 2)


def _winclip_map(view: Seen, near: Floats, layers: int) -> Floats:
    return np.asarray((view.anomaly_map + upsampled(near, view.anomaly_map.shape, 0)) / 2, np.float32)


def _winclip_score(view: Seen, near: Floats, layers: int) -> float:
    """Equation 5."""
    return float((view.whole + near.max()) / 2)


def _distances_alone(view: Seen, near: Floats, layers: int) -> Floats:
    return upsampled(near, view.anomaly_map.shape, SIGMA)


def _hottest(view: Seen, near: Floats, layers: int) -> float:
    return float(top_mean(near.ravel()))


def _peak(view: Seen, near: Floats, layers: int) -> float:
    return float(near.max())


METHODS: dict[str, Method] = {
    "april-gan": Method("levels", _april_score, _april_map, None, "APRIL-GAN, arXiv 2305.17382"),
    "winclip+": Method("windows", _winclip_score, _winclip_map, None, "WinCLIP, arXiv 2303.14814"),
    "anomalydino": Method("joined", _hottest, _distances_alone, None, "AnomalyDINO, arXiv 2405.14529"),
    "patchcore": Method("pooled", _peak, _distances_alone, 0.1, "PatchCore, arXiv 2106.08265"),
}
AUTO = "auto"
NAMES = (AUTO, *METHODS)


def check_recipe(name: str) -> str:
    """Raises ConfigError for a recipe that there is not."""
    if name not in NAMES:
        raise ConfigError(f"memory {name!r}: expected one of {', '.join(NAMES)}")
    return name


def form_of(recipe: str) -> Form:
    """How a recipe makes vectors of layers."""
    return METHODS[recipe].form if recipe in METHODS else "joined"
