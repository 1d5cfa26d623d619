"""Anomaly map -> the connected regions at or above a threshold, strongest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.geometry.outlines import Polygon, outline

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class _Optional(TypedDict, total=False):
    polygons: list[Polygon]
    nearest: Mapping[str, object]


class Region(_Optional):
    """One connected region in pixels of the image's own size.

    box: [x, y, width, height]; area: pixels; peak, mean: anomaly values in [0, 1]; peak_xy: [x, y] of the peak;
    centroid: mean [x, y] of its pixels, as positions of pixel centres counted from 0, like peak_xy. polygons, where
    asked for: its exact outline, see :func:`anomalyclip.geometry.outlines.outline`. nearest, where a memory judged:
    what the patch at its peak was compared with, see :class:`anomalyclip.judges.memory.comparing.Compared`.
    """

    box: list[int]
    area: int
    peak: float
    peak_xy: list[int]
    mean: float
    centroid: list[float]


def find_regions(
    anomaly_map: npt.NDArray[np.float32], threshold: float | None, *, min_area: int = 1, outlines: bool = False
) -> list[Region]:
    """Regions where `anomaly_map >= threshold`, 8-connected, sorted by falling peak (then by position).

    anomaly_map: (H, W) float32 in [0, 1]. threshold: None gives no regions. min_area: smaller regions (in pixels)
    are dropped. outlines: give every region its polygons.
    Raises InputError for a map that is not two-dimensional, ConfigError for min_area below 1.
    """
    import cv2
    import numpy as np

    if anomaly_map.ndim != 2:
        raise InputError(f"anomaly_map has shape {anomaly_map.shape}; expected two dimensions (H, W).")
    if min_area < 1:
        raise ConfigError(f"min_area={min_area}: an area in pixels, at least 1.")
    if threshold is None:
        return []
    # The threshold is rounded to the map's precision, or a pixel equal to it in float32 could fall below it.
    above = (anomaly_map >= np.float32(threshold)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
    kept = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] >= min_area]
    regions = [_describe(anomaly_map, labels, i, [int(v) for v in stats[i]], outlines) for i in kept]
    regions.sort(key=lambda region: (-region["peak"], region["box"][1], region["box"][0]))
    return regions


def _describe(
    anomaly_map: npt.NDArray[np.float32], labels: npt.NDArray[np.int32], index: int, stat: list[int], outlines: bool
) -> Region:
    """Look at the region's own box only, so that many small regions cost their area and not the image's."""
    import numpy as np

    x, y, width, height, area = stat
    inside = labels[y : y + height, x : x + width] == index
    values = np.where(inside, anomaly_map[y : y + height, x : x + width], -np.inf)
    row, column = divmod(int(values.argmax()), width)
    rows, columns = inside.nonzero()
    region = Region(
        box=[x, y, width, height],
        area=area,
        peak=float(values[row, column]),
        peak_xy=[x + column, y + row],
        mean=float(values[inside].mean(dtype=np.float64)),
        centroid=[round(x + float(columns.mean()), 2), round(y + float(rows.mean()), 2)],
    )
    if outlines:
        region["polygons"] = outline(inside, (x, y))
    return region
