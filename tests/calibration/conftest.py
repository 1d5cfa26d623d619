"""A profile of ready-made scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from anomalyclip.calibration import Profile, conformal_threshold
from anomalyclip.calibration.profile_parts import ImageLevel, PixelLevel

PROVENANCE = {
    "model": "pocket",
    "method": "anomalyclip",
    "weights_sha256": "a" * 64,
    "prompts": "pocket",
    "prompts_sha256": "b" * 64,
    "settings": {"image_size": 70, "layers": [2, 4]},
    "version": "0.1.0",
}


@pytest.fixture
def profile_of() -> Callable[..., Profile]:
    """profile_of(scores, rate=0.1) calibrates on these scores; peaks are the same numbers."""

    def make(scores: Any, rate: float = 0.1, name: str = "default", **more: Any) -> Profile:
        ascending = np.sort(np.asarray(scores, dtype=np.float32))
        values = tuple(float(value) for value in ascending)
        threshold = conformal_threshold(ascending, rate)
        return Profile(
            name=name,
            made="2026-11-24T18:00:00+00:00",
            provenance=PROVENANCE,
            image=ImageLevel(rate=rate, threshold=threshold, scores=values),
            pixel=PixelLevel(rule="image", rate=rate, threshold=threshold, peaks=values),
            **more,
        )

    return make
