"""`detector.detect("part.png")`: what Python users call, whatever runs the model; and one image in any geometry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.geometry import Area, Areas, Assembly, Geometry, batches_of, parse_layout, plan_views, view_pixels
from anomalyclip.geometry.regions import Region, find_regions
from anomalyclip.geometry.resize import resize_map
from anomalyclip.geometry.settings import Layout
from anomalyclip.geometry.views import View, geometry_record
from anomalyclip.io.frames import frame_path, parse_frames, wanted
from anomalyclip.io.full_scale import parse_full_scale
from anomalyclip.io.names import printable
from anomalyclip.io.reading import Reading
from anomalyclip.io.sources import as_image, count_pictures, held
from anomalyclip.judges.memory.comparing import Looked, explain
from anomalyclip.judges.verdicts import nearest_of
from anomalyclip.notebook import progress
from anomalyclip.prediction import Prediction, decide
from anomalyclip.settings import settings_of
from anomalyclip.settings.faces import PYTHON
from anomalyclip.settings.keywords import check_keywords, none_is_not_given

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
    record: what results say of the geometry, see `geometry_record`. looked: what each view was compared with, where a
    memory judged."""

    score: float
    anomaly_map: NDArray[np.float32]
    record: dict[str, Any] | None
    looked: Sequence[Looked] = ()


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
    looked: list[Looked] = []
    for batch in batches_of(views, batch_size):
        found = model.predict(np.stack([view_pixels(model.preprocess, image, view) for view in batch]))
        scores, maps = found
        looked += _looked(batch, found)
        for view, score, small in zip(batch, scores.tolist(), maps, strict=True):
            assembly.add(view, score, small)
        done += len(batch)
        if progress is not None:
            progress(done, len(views))
    return Survey(assembly.score, assembly.anomaly_map, geometry_record(views, area), looked)


def _looked(views: Sequence[View], verdicts: object) -> list[Looked]:
    found = zip(views, nearest_of(verdicts, len(views)), strict=True)
    return [Looked(view, nearest) for view, nearest in found if nearest is not None]


class Marks(NamedTuple):
    """From which score on an image is anomalous, from which map value on a region, and of how many pixels at least."""

    threshold: float | None = None
    pixel_threshold: float | None = None
    min_area: int = 1


def regions_of(
    anomaly_map: NDArray[np.float32], marks: Marks, looked: Sequence[Looked], area: Area | None = None
) -> tuple[Region, ...]:
    """The regions of a map at its own size, inside the area, and what the peak of each was compared with."""
    counted = anomaly_map if area is None else np.where(area.mask(), anomaly_map, np.float32(-1))
    regions = find_regions(counted, marks.pixel_threshold, min_area=marks.min_area)
    explain(regions, looked)
    return tuple(regions)


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
        image = as_image(self.source, frame=self.frame, **reading.keywords())
        return reading.agreed(image, self.path or "image")


def pictures_of(sources: Sequence[Any], frames: int | str | None, reading: Reading) -> list[Picture]:
    """Every picture of every source, in order; without `frames` a source is one picture, which the reader refuses where
    it holds several. Raises ConfigError, ImageReadError."""
    if frames is None:
        return [Picture(source) for source in sources]
    most = parse_frames(frames)
    found: list[Picture] = []
    for source in map(held, sources):
        number = count_pictures(source, axis=reading.axis, max_pixels=reading.limit)
        taken, told = wanted(number, most)
        if told is not None:
            name = printable(Picture(source).path or "image")
            raise InputError(f"{name}: it holds {number:,} pictures; name how many to take: frames={number}")
        found += [Picture(source, frame) for frame in range(taken)] if number > 1 else [Picture(source)]
    return found


@none_is_not_given()
def detect_all(
    model: Detector,
    sources: Sequence[Any],
    *,
    batch_size: int = 1,
    threshold: float | None = None,
    pixel_threshold: float | None = None,
    min_area: int = 1,
    frames: int | str | None = None,
    axis: str = "z",
    max_pixels: int | None = None,
    full_scale: FullScale | None = None,
    **layout: Unpack[Layout],
) -> list[Prediction]:
    """A prediction per picture, in order; see :meth:`anomalyclip.detector.Detector.detect`."""
    marks = Marks(threshold, threshold if pixel_threshold is None else pixel_threshold, min_area)
    given: dict[str, Any] = {"batch_size": batch_size, "threshold": threshold, "frames": frames, "axis": axis}
    given |= {"max_pixels": max_pixels, "full_scale": full_scale, "pixel_threshold": pixel_threshold}
    check_keywords({**given, "min_area": min_area, **layout}, settings_of(PYTHON))
    reading = Reading(max_pixels, axis, parse_full_scale(full_scale))
    pictures = pictures_of(sources, frames, reading)
    if any(value is not None for value in layout.values()):
        geometry, areas = parse_layout(layout)

        def judged(part: Sequence[Picture]) -> list[Prediction]:
            return [_laid_out(model, one, reading, geometry, areas, batch_size, marks) for one in part]
    else:

        def judged(part: Sequence[Picture]) -> list[Prediction]:
            return _batch(model, part, reading, marks)

    found: list[Prediction] = []
    with progress("detect", len(pictures)) as advance:
        for start in range(0, len(pictures), batch_size):
            found += (part := judged(pictures[start : start + batch_size]))
            advance(len(part))
    return found


def detect_by(profile: Any, model: Detector, sources: Sequence[Any], **options: Any) -> list[Prediction]:
    """:meth:`~anomalyclip.detector.Detector.detect` with a profile of :mod:`anomalyclip.calibration`.

    Raises ConfigError where it is no profile, or was made with another model or layout, InputError where its memory is
    not there.
    """
    if not hasattr(profile, "judging"):
        what = type(profile).__name__
        raise ConfigError(f"profile is of the type {what}, expected a profile or the path of its file")
    layout = {name: options[name] for name in Layout.__annotations__ if options.get(name) is not None}
    geometry, areas = parse_layout(layout) if layout else (None, None)  # type: ignore[arg-type]
    judged = profile.judging(model, geometry, areas, PYTHON)
    asked = Reading(options.pop("max_pixels"), options.pop("axis") or "z", parse_full_scale(options.pop("full_scale")))
    how = profile.reading(asked).keywords()
    thresholds = {"threshold": profile.image_threshold, "pixel_threshold": profile.pixel_threshold}
    found = detect_all(judged, sources, **thresholds, **how, **options)
    return [replace(one, p_value=profile.p_value(one.score)) for one in found]


def _laid_out(
    model: Detector,
    picture: Picture,
    reading: Reading,
    geometry: Geometry,
    areas: Areas,
    batch_size: int,
    marks: Marks,
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
        decision=decide(found.score, marks.threshold),
        image=image,
        geometry=found.record,
        regions=regions_of(found.anomaly_map, marks, found.looked, area),
        pixel_threshold=marks.pixel_threshold,
        valid=None if area is None else area.mask(),
    )


def _batch(model: Detector, pictures: Sequence[Picture], reading: Reading, marks: Marks) -> list[Prediction]:
    images = [picture.read(reading) for picture in pictures]
    found = model.predict(np.stack([model.preprocess(image) for image in images]))
    scores, maps = found
    predictions = []
    for picture, image, score, values, nearest in zip(
        pictures, images, scores.tolist(), maps, nearest_of(found, len(images)), strict=True
    ):
        native = resize_map(values, image.size)
        looked = [] if nearest is None else [Looked(plan_views(image.size, Geometry())[0], nearest)]
        prediction = Prediction(
            score=score,
            anomaly_map=native,
            width=image.width,
            height=image.height,
            path=picture.path,
            decision=decide(score, marks.threshold),
            image=image,
            regions=regions_of(native, marks, looked),
            pixel_threshold=marks.pixel_threshold,
        )
        predictions.append(prediction)
    return predictions
