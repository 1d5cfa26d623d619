"""What happens to one image of a stream, stage by stage: read, cut into views, judged, finished. See `pipeline`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.detect.identity import Identity, identify
from anomalyclip.detect.inputs import InputItem
from anomalyclip.detect.outcomes import Outcome, outcomes_of
from anomalyclip.detect.result import Result, Thumbnails, one_line
from anomalyclip.errors import AnomalyClipError, ImageReadError
from anomalyclip.geometry import Area, Areas, Assembly, Geometry, View, plan_views, view_pixels
from anomalyclip.geometry.regions import find_regions
from anomalyclip.geometry.views import geometry_record
from anomalyclip.io import attempts, room
from anomalyclip.io.names import printable
from anomalyclip.judges.memory.comparing import Looked, explain
from anomalyclip.prediction import decide

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL.Image import Image

    from anomalyclip.detector import Detector

    Map = npt.NDArray[np.float32]
    Pixels = npt.NDArray[Any]

THUMBNAIL_SIDE = 320  # pixels, longest side
_BYTES_TO_FINISH = 20  # a pixel: the map, what lies above the line, the picture and the map over it
_BYTES_PER_PIXEL = 7  # of an image in several views: RGB and its float32 map


@dataclass(frozen=True)
class Finished:
    """One scored image as handed to the sink.

    result: everything but the thumbnails. thumbnail: RGB, longest side at most THUMBNAIL_SIDE.
    anomaly_map: (H, W) float32 in [0, 1] at the image's size, 0 outside the area.
    original: gives the full RGB image (kept, or read again when it is large); may raise ImageReadError.
    area: which pixels count; None is all. looked: what its views were compared with; empty where no memory judged.
    """

    result: Result
    thumbnail: Image
    anomaly_map: Map
    original: Callable[[], Image]
    area: Area | None = None
    looked: Sequence[Looked] = ()


#: Writes the files of one image; called from several threads at once. May return thumbnails for the report.
Sink = Callable[[Finished], "Thumbnails | None"]


@dataclass(frozen=True)
class Rules:
    """How scores and maps become decisions and regions (see `decide` and `find_regions`)."""

    threshold: float | None = None
    pixel_threshold: float | None = None
    min_area: int = 1
    outlines: bool = False


@dataclass(frozen=True)
class Ready:
    """A read image.

    pixels: of its only view; None where it has several, which are cut when their turn comes. thumbnail, kept: None
    where no sink will ask for them.
    """

    item: InputItem
    size: tuple[int, int]
    views: Sequence[View]
    area: Area | None
    record: dict[str, Any] | None
    pixels: Pixels | None
    thumbnail: Image | None
    kept: Image | None
    identity: Identity | None = None
    notes: tuple[str, ...] = ()


@dataclass(eq=False)
class Job:
    """One image on its way from reading to its result.

    ready: None where reading failed. digest: see `Result`. outcomes: (view, score, map) that wait to be assembled.
    looked: what its views were compared with. image: of an image in several views, for cutting them.
    over: whether it is on its way to its result; other views of an image that failed come to nothing.
    """

    item: InputItem
    ready: Ready | None = None
    assembly: Assembly | None = None
    failure: Result | None = None
    image: Future[Image] | None = None
    digest: str | None = None
    over: bool = False
    outcomes: list[tuple[View, float, Map]] = field(default_factory=list)
    looked: list[Looked] = field(default_factory=list)

    @property
    def several(self) -> bool:
        """Whether the image goes through the model in more than one view."""
        return self.ready is not None and len(self.ready.views) > 1

    @property
    def bytes(self) -> int:
        """What the image holds in memory from its first view to its result."""
        return 0 if self.ready is None or not self.several else _BYTES_PER_PIXEL * math.prod(self.ready.size)

    def absorb(self) -> bool:
        """Assemble what waits; whether the last view is in."""
        assert self.assembly is not None
        for outcome in self.outcomes:
            self.assembly.add(*outcome)
        self.outcomes = []
        return self.assembly.left == 0

    @property
    def progress(self) -> tuple[int, int]:
        """Views assembled, and all of them."""
        assert self.ready is not None
        assert self.assembly is not None
        count = len(self.ready.views)
        return count - self.assembly.left, count

    def fail(self, reason: str) -> None:
        """The first reason stands."""
        if self.ready is not None and self.failure is None:
            self.failure = Result(self.ready.item, *self.ready.size, error=one_line(reason))


@dataclass(frozen=True)
class Stages:
    """Stateless, so threads share it. peak: see `Assembly`. keep_bytes: largest original kept after reading.

    identify: results carry the identity of their files.
    """

    model: Detector
    rules: Rules
    sink: Sink | None
    open: Callable[[InputItem], Image]
    keep_bytes: int
    geometry: Geometry
    areas: Areas
    peak: tuple[float, float]
    identify: bool = False

    def read(self, item: InputItem) -> Ready:
        if item.problem is not None:
            raise ImageReadError(item.problem)
        with attempts.reading(item.file):
            return self._read(item)

    def _read(self, item: InputItem) -> Ready:
        from anomalyclip.io import notes_of

        # Before and after the picture is read: a file that changes in between has none.
        before = identify(item.file) if self.identify else None
        image = self.open(item)
        identity = before if before is not None and before.still_of(item.file) else None
        area, own = self.areas.of(image.size, _mask_name(item))
        views = plan_views(image.size, self.geometry, self.model.sizes, area)
        pixels = view_pixels(self.model.preprocess, image, views[0]) if len(views) == 1 else None
        record = geometry_record(views, area)
        if self.areas.folder is not None:
            record = {**(record or {}), "ignore_mask": None if own is None else str(own)}
        small = image.width * image.height * 3 <= self.keep_bytes
        kept = image if small and (self.sink is not None or len(views) > 1) else None
        thumbnail = None if self.sink is None else _thumbnail(image)
        return Ready(item, image.size, views, area, record, pixels, thumbnail, kept, identity, notes_of(image))

    def job(self, ready: Ready) -> Job:
        """An image that is about to go through the model."""
        keep_map = self.sink is not None or self.rules.pixel_threshold is not None
        return Job(
            ready.item,
            ready,
            Assembly(ready.size, ready.views, area=ready.area, peak=self.peak, keep_map=keep_map),
        )

    def original(self, ready: Ready) -> Image:
        """The full image: kept, or read again."""
        image = ready.kept or self.open(ready.item)
        if image.size != ready.size:
            raise ImageReadError(f"{ready.item.path}: changed while it was being read; run again on it.")
        return image

    def cut(self, job: Job, view: View) -> Pixels:
        """The pixels of one of several views."""
        assert job.image is not None
        return view_pixels(self.model.preprocess, job.image.result(), view)

    def predict(self, pixels: Sequence[Pixels]) -> list[Outcome]:
        import numpy as np

        return outcomes_of(self.model.predict(np.stack(pixels)))

    def begin(self, pixels: Sequence[Pixels]) -> Callable[[], list[Outcome]]:
        """`predict` in two halves; the call of what this gives waits, judges, and raises what went wrong."""
        import numpy as np

        wait = self.model.begin(np.stack(pixels))
        return lambda: outcomes_of(wait())

    def finish(self, job: Job) -> Result:
        """The result of a job whose views are all judged; its files are written by the sink."""
        assert job.ready is not None
        with room.finishing.held(_BYTES_TO_FINISH * math.prod(job.ready.size)):
            return self._finished(job, job.ready)

    def _finished(self, job: Job, ready: Ready) -> Result:
        assembly = job.assembly
        assert assembly is not None
        try:
            job.absorb()
        except Exception as error:
            job.fail(reason(error, ready.item))
        if job.failure is None and not math.isfinite(assembly.score):
            job.fail(f"the model gave the score {assembly.score}, which is not a number")
        if job.failure is not None:
            return job.failure
        score = assembly.score
        decision = decide(score, self.rules.threshold)
        result = Result(
            ready.item,
            *ready.size,
            score,
            decision,
            geometry=ready.record,
            identity=ready.identity,
            notes=ready.notes,
            digest=job.digest,
        )
        if self.sink is None and self.rules.pixel_threshold is None:
            return result
        try:
            return self._with_map(job, ready, result, assembly.anomaly_map)
        except Exception as error:  # the score is kept: only its files are missing
            return replace(result, error=reason(error, ready.item))

    def _with_map(self, job: Job, ready: Ready, result: Result, native: Map) -> Result:
        rules, counted = self.rules, _counted(native, ready.area)
        regions = find_regions(counted, rules.pixel_threshold, min_area=rules.min_area, outlines=rules.outlines)
        explain(regions, job.looked)
        result = replace(result, regions=regions)
        if self.sink is None:
            return result
        assert ready.thumbnail is not None

        def original() -> Image:
            return self.original(ready) if job.image is None else job.image.result()

        finished = Finished(result, ready.thumbnail, native, original, ready.area, job.looked)
        return replace(result, thumbnails=self.sink(finished))


def reason(error: Exception, item: InputItem) -> str:
    """Our own messages stand alone, less the path that the row gives already; others say what kind of error it is."""
    if isinstance(error, AnomalyClipError):
        return one_line(error).removeprefix(f"{printable(item.path)}: ").removeprefix(f"{printable(item.file)}: ")
    return one_line(f"{type(error).__name__}: {error}")


def _counted(native: Map, area: Area | None) -> Map:
    """Regions lie inside the area whatever the threshold: outside is below every one, 0 included."""
    import numpy as np

    return native if area is None else np.where(area.mask(), native, np.float32(-1))


def _thumbnail(image: Image) -> Image:
    import cv2
    import numpy as np
    from PIL import Image

    scale = min(1.0, THUMBNAIL_SIDE / max(image.size))
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    # Each pixel the mean of what it covers: a tenth of the time of Pillow's cubic, and as good to look at.
    return Image.fromarray(cv2.resize(np.asarray(image), size, interpolation=cv2.INTER_AREA))


def _mask_name(item: InputItem) -> str:
    """The image's file name in the subfolder it came from; output names may have lost the suffix."""
    return str(Path(item.name).parent / Path(item.file).name)
