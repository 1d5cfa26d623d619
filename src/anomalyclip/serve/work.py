"""One image through the server: bytes -> pixels -> (the model's turn) -> row, map and preview. Runs in threads."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from anomalyclip.calibration import Profile
from anomalyclip.detect.inputs import InputItem
from anomalyclip.detect.pipeline import Rules
from anomalyclip.detect.result import Provenance, Result, one_line, to_row
from anomalyclip.errors import AnomalyClipError
from anomalyclip.geometry import Areas, Geometry
from anomalyclip.geometry.regions import find_regions
from anomalyclip.geometry.resize import resize_map
from anomalyclip.io import encode_map, half_tiff, heat_png, notes_of, thumbnail_data_uri
from anomalyclip.io.reading import Reading
from anomalyclip.judges.memory.comparing import Looked, explain
from anomalyclip.prediction import decide
from anomalyclip.serve.config import MAP_VALUE
from anomalyclip.serve.schemas import MapFormat
from anomalyclip.serve.uploads import Upload

if TYPE_CHECKING:
    from PIL.Image import Image

    from anomalyclip.detector import Detector

    Map = npt.NDArray[np.float32]

_ENCODERS: dict[MapFormat, Callable[[Map], bytes]] = {
    "png": heat_png,
    "tiff16": half_tiff,
    "npz": lambda values: encode_map(values, "npz"),
}


@dataclass(frozen=True)
class Wishes:
    """What a request wants besides scores. map_side: longest side; map_values: at most, per image."""

    maps: MapFormat | None = None
    map_side: int | None = None
    map_values: int = 2**24
    preview: int | None = None


@dataclass(frozen=True)
class Deciding:
    """How images are read and laid out, and what turns scores into decisions.

    profile: gives p-values; its thresholds are in `rules` already, and its reading in `reading`.
    """

    rules: Rules
    profile: Profile | None = None
    reading: Reading = field(default_factory=Reading)
    geometry: Geometry = field(default_factory=Geometry)
    areas: Areas = field(default_factory=Areas)

    @classmethod
    def plainly(cls, reading: Reading) -> Deciding:
        """Without thresholds, for what decides nothing."""
        return cls(Rules(), reading=reading.anew())

    @property
    def plain(self) -> bool:
        """Whether images are judged in one view of all their pixels."""
        return self.geometry.plain and self.areas.everything


@dataclass(frozen=True)
class Decoded:
    """An image that is ready for the model: its own size in pixels, (3, S, S) float32, a JPEG data URI, its notes.

    pixels: None where it is laid out view by view; geometry is what its row says of that.
    """

    width: int
    height: int
    pixels: npt.NDArray[Any] | None
    preview: str | None
    notes: tuple[str, ...] = ()
    geometry: Mapping[str, Any] | None = None


def answer_bytes(uploads: Sequence[Upload], wishes: Wishes) -> int:
    """Most bytes that the maps and previews of an answer take while it is made: encoded, as base64, as JSON."""
    each = 3 * (wishes.preview or 0) ** 2
    values = min(wishes.map_values, (wishes.map_side or wishes.map_values) ** 2) if wishes.maps is not None else 0
    return sum(each + MAP_VALUE * min(values, upload.pixels) for upload in uploads)


def decode(upload: Upload, model: Detector, read: Callable[[Upload], Image], *, preview: int | None) -> Decoded:
    """Raises ImageReadError; the message does not repeat the name. read: gives the picture of an upload."""
    image = read(upload)
    shown = thumbnail_data_uri(image, preview, quality=88) if preview else None
    return Decoded(image.width, image.height, model.preprocess(image), shown, notes_of(image))


def finish(
    upload: Upload,
    image: Decoded,
    score: float,
    small_map: Map,
    deciding: Deciding,
    wishes: Wishes,
    provenance: Provenance,
    looked: Sequence[Looked] = (),
) -> dict[str, Any]:
    """The row of a scored image, JSON-ready. looked: what its patches were compared with, view by view."""
    if not math.isfinite(score):
        return failed_row(upload, ValueError(f"the model gave the score {score}, which is not a number"), provenance)
    rules, profile = deciding.rules, deciding.profile
    p_value = profile.p_value(score) if profile is not None else None
    decision = decide(score, rules.threshold)
    result = Result(_item(upload), image.width, image.height, score, decision, p_value=p_value, notes=image.notes)
    result = replace(result, geometry=image.geometry)
    if rules.pixel_threshold is not None:
        native = resize_map(small_map, (image.width, image.height))
        regions = find_regions(native, rules.pixel_threshold, min_area=rules.min_area)
        if looked:
            explain(regions, looked)
        result = replace(result, regions=regions)
    row = to_row(result, provenance)
    if wishes.maps is not None:
        row["map"] = _encoded(small_map, _map_size(image.width, image.height, wishes), wishes.maps)
    if image.preview is not None:
        row["preview"] = image.preview
        row["digest"] = upload.digest().hex()
    return row


def failed_row(upload: Upload, error: BaseException, provenance: Provenance) -> dict[str, Any]:
    """The row of an image that could not be scored: our own messages stand alone, others say their kind."""
    ours = isinstance(error, AnomalyClipError)
    reason = one_line(error).removeprefix("image: ") if ours else one_line(f"{type(error).__name__}: {error}")
    return to_row(Result(_item(upload), error=reason), provenance)


def _item(upload: Upload) -> InputItem:
    return InputItem(upload.name, upload.name, b"", frame=upload.frame)


def _map_size(width: int, height: int, wishes: Wishes) -> tuple[int, int]:
    """The image's size, scaled down (never up) to the wanted side and to what one answer may hold."""
    scale = min(
        1.0, (wishes.map_side or math.inf) / max(width, height), math.sqrt(wishes.map_values / (width * height))
    )
    return max(1, math.floor(width * scale + 1e-9)), max(1, math.floor(height * scale + 1e-9))


def _encoded(small_map: Map, size: tuple[int, int], fmt: MapFormat) -> Mapping[str, Any]:
    data = _ENCODERS[fmt](resize_map(small_map, size))
    return {"format": fmt, "width": size[0], "height": size[1], "data": base64.b64encode(data).decode("ascii")}
