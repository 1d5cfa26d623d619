"""`supervision` of Roboflow: the regions of a prediction as its `Detections`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.detect.findings.parts import LABEL
from anomalyclip.extras import require

if TYPE_CHECKING:
    from anomalyclip.prediction import Prediction


def to_supervision(prediction: Prediction) -> Any:
    """A `supervision.Detections` with one detection per region, strongest first; empty without a threshold.

    xyxy: float32 (n, 4), the box as left, top, right, bottom in pixels, right and bottom outside. mask: bool (n, H, W).
    confidence: float32 (n,), the region's peak. class_id: 0. data: `class_name`, `mean`, `area` per region; metadata:
    the image's `score`, `decision` and `path`.

    Raises ConfigError without the package.
    """
    require("supervision", what="to_supervision")
    import supervision as sv

    regions = prediction.regions
    boxes = np.array([one["box"] for one in regions], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    told = {"score": float(prediction.score), "decision": prediction.decision, "path": prediction.path}
    if not regions:
        return sv.Detections(**{**vars(sv.Detections.empty()), "metadata": told})
    return sv.Detections(
        xyxy=boxes,
        mask=prediction.masks(),
        confidence=np.array([one["peak"] for one in regions], np.float32),
        class_id=np.zeros(len(regions), np.int64),
        data={
            "class_name": np.array([LABEL] * len(regions)),
            "mean": np.array([one["mean"] for one in regions]),
            "area": np.array([one["area"] for one in regions]),
        },
        metadata=told,
    )
