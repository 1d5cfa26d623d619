"""`detector.detect("part.png")`: what Python users call, whatever runs the model; and one image in any geometry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.geometry import Area, Areas, Assembly, Geometry, batches_of, parse_layout, plan_views, view_pixels
from anomalyclip.geometry.resize import resize_map
from anomalyclip.geometry.views import geometry_record
from anomalyclip.prediction import Prediction, decide

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray
    from PIL.Image import Image
    from typing_extensions import Unpack

    from anomalyclip.detector import Detector
    from anomalyclip.geometry import Layout

    Source: TypeAlias = str | Path | Image | NDArray[np.uint8]

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
    """Judge one RGB image view by view: the plain form of what `anomalyclip.detect` does in a stream.

    batch_size: views per forward pass. progress: called with (views done, all views) after each pass.
    Raises ConfigError where the model does not take the sizes that the geometry asks for.
    """
    model.check(geometry)
    views = plan_views(image.size, geometry, model.sizes, area)
    assembly = Assembly(image.size, views, area=area, peak=(0.0, 0.0) if area is None else model.peak)
    done = 0
    for batch in batches_of(views, batch_size):
        scores, maps = model.predict(np.stack([view_pixels(model.preprocess, image, view) for view in batch]))
        for view, score, small in zip(batch, scores.tolist(), maps, strict=True):
            assembly.add(view, score, small)
        done += len(batch)
        if progress is not None:
            progress(done, len(views))
    return Survey(assembly.score, assembly.anomaly_map, geometry_record(views, area))


def detect_all(
    model: Detector,
    sources: Sequence[Any],
    *,
    batch_size: int = 1,
    threshold: float | None = None,
    **layout: Unpack[Layout],
) -> list[Prediction]:
    """A prediction per source, in order; see :meth:`anomalyclip.detector.Detector.detect`."""
    if batch_size < 1:
        raise ConfigError(f"batch_size must be 1 or more, got {batch_size}")
    if any(value is not None for value in layout.values()):
        geometry, areas = parse_layout(layout)
        return [_laid_out(model, one, geometry, areas, batch_size, threshold) for one in sources]
    starts = range(0, len(sources), batch_size)
    return [one for start in starts for one in _batch(model, sources[start : start + batch_size], threshold)]


def _laid_out(
    model: Detector, source: Any, geometry: Geometry, areas: Areas, batch_size: int, threshold: float | None
) -> Prediction:
    image = as_image(source)
    path = str(source) if isinstance(source, str | Path) else None
    area, _ = areas.of(image.size, "" if path is None else Path(path).name)
    found = survey(model, image, geometry, area=area, batch_size=batch_size)
    return Prediction(
        score=found.score,
        anomaly_map=found.anomaly_map,
        width=image.width,
        height=image.height,
        path=path,
        decision=decide(found.score, threshold),
        image=image,
        geometry=found.record,
        valid=None if area is None else area.mask(),
    )


def _batch(model: Detector, sources: Sequence[Any], threshold: float | None) -> list[Prediction]:
    images = [as_image(source) for source in sources]
    scores, maps = model.predict(np.stack([model.preprocess(image) for image in images]))
    return [
        Prediction(
            score=score,
            anomaly_map=resize_map(values, image.size),
            width=image.width,
            height=image.height,
            path=str(source) if isinstance(source, str | Path) else None,
            decision=decide(score, threshold),
            image=image,
        )
        for source, image, score, values in zip(sources, images, scores.tolist(), maps, strict=True)
    ]


def as_image(source: Any) -> Image:
    """A path, PIL image or uint8 array (H, W) or (H, W, 3) as an RGB PIL image."""
    from PIL import Image

    from anomalyclip.io import read_image

    if isinstance(source, str | Path):
        return read_image(source)
    if isinstance(source, Image.Image):
        return source.convert("RGB")
    if isinstance(source, np.ndarray):
        if source.dtype == np.uint8 and (source.ndim == 2 or (source.ndim == 3 and source.shape[2] == 3)):
            return Image.fromarray(source).convert("RGB")
        raise InputError(f"an image array must be uint8 (H, W) or (H, W, 3) RGB, got {source.dtype} {source.shape}")
    raise InputError(f"cannot read an image from {type(source).__name__}; give a path, a PIL image or a uint8 array")
