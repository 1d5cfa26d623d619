"""`detector.detect("part.png")`: what Python users call, whatever runs the model; and one image in any geometry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from anomalyclip.errors import InputError
from anomalyclip.geometry import Area, Areas, Assembly, Geometry, batches_of, parse_layout, plan_views, view_pixels
from anomalyclip.geometry.resize import resize_map
from anomalyclip.geometry.settings import Layout
from anomalyclip.geometry.views import geometry_record
from anomalyclip.io.frames import frame_path, parse_frames, wanted
from anomalyclip.io.full_scale import parse_full_scale
from anomalyclip.io.names import printable
from anomalyclip.io.reading import Reading
from anomalyclip.io.sources import as_image, count_pictures
from anomalyclip.prediction import Prediction, decide
from anomalyclip.settings import settings_of
from anomalyclip.settings.faces import PYTHON
from anomalyclip.settings.keywords import check_keywords

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray
    from PIL.Image import Image
    from typing_extensions import Unpack

    from anomalyclip.detector import Detector
    from anomalyclip.io.full_scale import FullScale

    Source: TypeAlias = str | Path | bytes | Image | NDArray[Any]

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


class Picture(NamedTuple):
    """One picture of what was given. frame: which one of a file of several."""

    source: Any
    frame: int | None = None

    @property
    def path(self) -> str | None:
        """As results name it; None for what has no path."""
        if not isinstance(self.source, str | Path):
            return None
        return str(self.source) if self.frame is None else frame_path(str(self.source), self.frame)

    def read(self, reading: Reading) -> Image:
        return as_image(self.source, frame=self.frame, **reading.keywords())


def pictures_of(sources: Sequence[Any], frames: int | str | None, reading: Reading) -> list[Picture]:
    """Every picture of every source, in order; without `frames` a source is one picture, which the reader refuses where
    it holds several. Raises ConfigError, ImageReadError."""
    if frames is None:
        return [Picture(source) for source in sources]
    most = parse_frames(frames)
    found: list[Picture] = []
    for source in sources:
        number = count_pictures(source, axis=reading.axis, max_pixels=reading.limit)
        taken, told = wanted(number, most)
        if told is not None:
            name = printable(Picture(source).path or "image")
            raise InputError(f"{name}: it holds {number:,} pictures; name how many to take: frames={number}")
        found += [Picture(source, frame) for frame in range(taken)] if number > 1 else [Picture(source)]
    return found


def detect_all(
    model: Detector,
    sources: Sequence[Any],
    *,
    batch_size: int = 1,
    threshold: float | None = None,
    frames: int | str | None = None,
    axis: str = "z",
    max_pixels: int | None = None,
    full_scale: FullScale | None = None,
    **layout: Unpack[Layout],
) -> list[Prediction]:
    """A prediction per picture, in order; see :meth:`anomalyclip.detector.Detector.detect`."""
    given: dict[str, Any] = {"batch_size": batch_size, "threshold": threshold, "frames": frames, "axis": axis}
    given |= {"max_pixels": max_pixels, "full_scale": full_scale}
    check_keywords({**given, **layout}, settings_of(PYTHON))
    reading = Reading(max_pixels, axis, parse_full_scale(full_scale))
    pictures = pictures_of(sources, frames, reading)
    if any(value is not None for value in layout.values()):
        geometry, areas = parse_layout(layout)
        return [_laid_out(model, one, reading, geometry, areas, batch_size, threshold) for one in pictures]
    starts = range(0, len(pictures), batch_size)
    return [one for start in starts for one in _batch(model, pictures[start : start + batch_size], reading, threshold)]


def detect_by(profile: Any, model: Detector, inputs: Any, **options: Any) -> Prediction | list[Prediction]:
    """:meth:`~anomalyclip.detector.Detector.detect` with a profile of :mod:`anomalyclip.calibration`.

    Raises ConfigError where it was made with another model or layout, InputError where its memory is not there.
    """
    layout = {name: options[name] for name in Layout.__annotations__ if options.get(name) is not None}
    judged = profile.judging(model, *(parse_layout(layout) if layout else ()))  # type: ignore[arg-type]
    asked = Reading(options.pop("max_pixels"), options.pop("axis"), parse_full_scale(options.pop("full_scale")))
    how = profile.reading(asked).keywords()
    found = judged.detect(inputs, threshold=profile.image_threshold, **how, **options)
    if isinstance(found, list):
        return [replace(one, p_value=profile.p_value(one.score)) for one in found]
    one: Prediction = replace(found, p_value=profile.p_value(found.score))
    return one


def _laid_out(
    model: Detector,
    picture: Picture,
    reading: Reading,
    geometry: Geometry,
    areas: Areas,
    batch_size: int,
    threshold: float | None,
) -> Prediction:
    image = picture.read(reading)
    area, _ = areas.of(image.size, "" if picture.path is None else Path(picture.source).name)
    found = survey(model, image, geometry, area=area, batch_size=batch_size)
    return Prediction(
        score=found.score,
        anomaly_map=found.anomaly_map,
        width=image.width,
        height=image.height,
        path=picture.path,
        decision=decide(found.score, threshold),
        image=image,
        geometry=found.record,
        valid=None if area is None else area.mask(),
    )


def _batch(model: Detector, pictures: Sequence[Picture], reading: Reading, threshold: float | None) -> list[Prediction]:
    images = [picture.read(reading) for picture in pictures]
    scores, maps = model.predict(np.stack([model.preprocess(image) for image in images]))
    return [
        Prediction(
            score=score,
            anomaly_map=resize_map(values, image.size),
            width=image.width,
            height=image.height,
            path=picture.path,
            decision=decide(score, threshold),
            image=image,
        )
        for picture, image, score, values in zip(pictures, images, scores.tolist(), maps, strict=True)
    ]
