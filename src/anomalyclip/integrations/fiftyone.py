"""FiftyOne of Voxel51: an output folder of `detect` as a data set to look at, filter and label."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.detect.scored import Scored, read_results
from anomalyclip.extras import require
from anomalyclip.notebook import progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 512
"""Pixels of a heat map's longer side: the database holds it, people look at it, measurements read the map's file."""


def to_fiftyone(results: str | Path, name: str | None = None, *, persistent: bool = False) -> Any:
    """A `fiftyone.Dataset` of an output folder of `detect` or `watch`, one sample per picture with a score.

    Fields: `anomaly_score` float in [0, 1]; `p_value` where a profile judged; `decision` a Classification ("anomalous"
    or "normal", its confidence is the score); `heat_map` a Heatmap of uint8 with range 0 to 255 for 0 to 1, at most
    SIDE pixels long; `regions` Detections labelled "anomaly", their confidence is the peak, with masks, `mean`,
    `area`; `map_path` the float32 map where it was kept; `frame` where the file holds several pictures.

    Args:
        results: the folder.
        name: of the data set; None lets FiftyOne choose one.
        persistent: whether it outlives the session in FiftyOne's database.

    Raises:
        ConfigError: the package is missing. InputError: no results there.
    """
    require("fiftyone", what="to_fiftyone")
    import fiftyone as fo

    pictures = list(read_results(results))
    dataset = fo.Dataset(name, persistent=persistent)
    with progress("fiftyone", len(pictures)) as advance:
        for one in pictures:
            dataset.add_sample(_sample(fo, one))
            advance()
    return dataset


def _sample(fo: Any, one: Scored) -> Any:
    row = one.row
    sample = fo.Sample(filepath=str(one.file))
    sample["anomaly_score"] = float(row["score"])
    if row.get("p_value") is not None:
        sample["p_value"] = float(row["p_value"])
    if row.get("decision") is not None:
        sample["decision"] = fo.Classification(label=row["decision"], confidence=float(row["score"]))
    if (values := one.anomaly_map()) is not None:
        sample["heat_map"] = fo.Heatmap(map=small_map(values), range=[0, 255])
        sample["map_path"] = str(one.map_file)
    sample["regions"] = fo.Detections(
        detections=[_detection(fo, region, mask, row) for region, mask in zip(row["regions"], one.masks(), strict=True)]
    )
    if one.frame is not None:
        sample["frame"] = one.frame
    return sample


def _detection(fo: Any, region: Any, mask: NDArray[np.bool_] | None, row: Any) -> Any:
    x, y, width, height = region["box"]
    box = [x / row["width"], y / row["height"], width / row["width"], height / row["height"]]
    facts = {"confidence": float(region["peak"]), "mean": float(region["mean"]), "area": int(region["area"])}
    drawn = {} if mask is None else {"mask": mask}
    return fo.Detection(label="anomaly", bounding_box=box, **facts, **drawn)


def small_map(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(H, W) in [0, 1] -> uint8 of at most SIDE pixels a side, each the mean of those that it stands for."""
    import cv2

    height, width = values.shape
    shrink = max(height, width) / SIDE
    if shrink > 1:
        size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
        values = np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)
    return np.asarray(np.rint(np.clip(values, 0, 1) * 255), np.uint8)
