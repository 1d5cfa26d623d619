"""Measured normal images, and perhaps a few anomalies -> a profile."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

import numpy as np

from anomalyclip.calibration.conformal import conformal_threshold
from anomalyclip.calibration.measured import Measured
from anomalyclip.calibration.operating import Wish, choose
from anomalyclip.calibration.profile import Profile
from anomalyclip.calibration.profile_parts import ImageLevel, PixelLevel, PixelRule
from anomalyclip.errors import ConfigError

DEFAULT_RATE = 0.01


def calibrate(
    normals: Measured,
    provenance: Mapping[str, Any],
    *,
    name: str = "default",
    rate: float = DEFAULT_RATE,
    pixel_rate: float | None = None,
    pixel_rule: PixelRule = "image",
    anomalies: Measured | None = None,
    wish: Wish | None = None,
    thresholds: tuple[float, float] | None = None,
) -> Profile:
    """A profile of the model with this `provenance`, see
    :func:`anomalyclip.calibration.provenance.provenance_of`.

    rate: false-positive rate of image decisions. pixel_rate: of regions (None: `rate`), see
    :mod:`anomalyclip.calibration.pixels` for the two rules. anomalies, wish: choose the operating point, see
    :func:`anomalyclip.calibration.operating.choose`; both or none. thresholds: of images and of regions, where a
    line was drawn with a memory; None draws them from the scores and peaks.

    Raises ConfigError where the images are too few for a rate, or only one of `anomalies` and `wish` is given.
    """
    if (anomalies is None) != (wish is None):
        raise ConfigError(
            "labelled anomalies and a wish for the operating point (a recall, or costs) go together: give both"
        )
    pixel_rate = rate if pixel_rate is None else pixel_rate
    if thresholds is not None:
        image, pixel = thresholds
    else:
        image, pixel = conformal_threshold(normals.scores, rate), conformal_threshold(normals.peaks, pixel_rate)
    if pixel_rule == "pixel":
        pixel = normals.shares.threshold(pixel_rate)
    point = choose(normals.scores, anomalies.scores, wish) if anomalies is not None and wish is not None else None
    return Profile(
        name=name,
        made=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        provenance=json.loads(json.dumps(provenance, default=str)),
        image=ImageLevel(rate=rate, threshold=image, scores=_kept(normals.scores)),
        pixel=PixelLevel(rule=pixel_rule, rate=pixel_rate, threshold=pixel, peaks=_kept(normals.peaks)),
        operating=point,
    )


def _kept(values: Iterable[float]) -> tuple[float, ...]:
    """Ascending, each as the shortest decimal of its float32."""
    return tuple(float(str(value)) for value in np.sort(np.array([*values], dtype=np.float32)))
