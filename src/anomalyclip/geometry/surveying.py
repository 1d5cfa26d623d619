"""One image through one detector in any geometry: the plain form of what `anomalyclip.detect` does in a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomalyclip.geometry.area import Area
from anomalyclip.geometry.assembly import Assembly
from anomalyclip.geometry.detector import Detector, check_detector, peak_share
from anomalyclip.geometry.settings import Geometry
from anomalyclip.geometry.views import View, plan_views, view_pixels

if TYPE_CHECKING:
    from PIL.Image import Image

Progress = Callable[[int, int], object]


class Survey(NamedTuple):
    """score: in [0, 1]. anomaly_map: (height, width) float32 in [0, 1] at the image's own size, 0 outside the area.
    record: what results say of the geometry, see `geometry_record`."""

    score: float
    anomaly_map: NDArray[np.float32]
    record: dict[str, Any] | None


def survey(
    model: Detector,
    image: Image,
    geometry: Geometry,
    *,
    area: Area | None = None,
    batch_size: int = 1,
    progress: Progress | None = None,
) -> Survey:
    """Judge one RGB image view by view.

    batch_size: views per forward pass. progress: called with (views done, all views) after each pass.
    Raises ConfigError where the model does not take the sizes that the geometry asks for.
    """
    import torch

    check_detector(model, geometry)
    views = plan_views(image.size, geometry, model, area)
    assembly = Assembly(image.size, views, area=area, peak_share=0.0 if area is None else peak_share(model))
    done = 0
    for batch in _batches(views, batch_size):
        scores, maps = model.predict(torch.stack([view_pixels(model, image, view) for view in batch]))
        for view, score, small in zip(batch, scores.tolist(), maps.float().cpu().numpy(), strict=True):
            assembly.add(view, score, small)
        done += len(batch)
        if progress is not None:
            progress(done, len(views))
    return Survey(assembly.score, assembly.anomaly_map, geometry_record(views, area))


def geometry_record(views: Sequence[View], area: Area | None) -> dict[str, Any] | None:
    """What a result row says of its image's layout: None for one plain view of all pixels.

    views: how many. box, inside: see `Area.record`.
    """
    if len(views) == 1 and views[0].size is None and area is None:
        return None
    return {"views": len(views)} | ({} if area is None else area.record())


def _batches(views: Sequence[View], batch_size: int) -> Iterator[list[View]]:
    """Runs of views with one input size, cut to `batch_size`."""
    for _, run in groupby(views, key=lambda view: view.size):
        same = list(run)
        for start in range(0, len(same), batch_size):
            yield same[start : start + batch_size]
