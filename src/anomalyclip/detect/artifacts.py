"""The files of one image: overlay, raw map, and the report's thumbnails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from anomalyclip.detect.beside import pairs_of
from anomalyclip.detect.folder import MAPS, OVERLAYS
from anomalyclip.detect.pipeline import THUMBNAIL_SIDE, Finished
from anomalyclip.detect.result import Result, Thumbnails
from anomalyclip.errors import InputError
from anomalyclip.io.atomic import output_error

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL.Image import Image

MapsChoice = Literal["tiff", "npz", "none"]


@dataclass(frozen=True)
class ImageFiles:
    """A `Sink` that writes below `folder` under the image's own name; safe to call from several threads.

    overlay: write `overlays/NAME.png`. maps: write `maps/NAME.tiff` or `.npz`. thumbnails: give them back.
    threshold: what scores were compared with; pixel_threshold: outlined in the overlay. good: JPEGs of the good
    pictures that a memory compares with. Raises OutputError for the one image whose file cannot be written.
    """

    folder: Path
    overlay: bool = True
    maps: MapsChoice = "tiff"
    thumbnails: bool = True
    pixel_threshold: float | None = None
    threshold: float | None = None
    good: Sequence[bytes] = ()

    def __call__(self, finished: Finished) -> Thumbnails | None:
        from anomalyclip.io import write_image, write_map

        name = finished.result.item.name
        if self.maps != "none":
            write_map(_target(self.folder / MAPS, f"{name}.{self.maps}"), finished.anomaly_map, self.maps)
        if self.overlay:
            overlay = draw_finished(finished, self.threshold, self.pixel_threshold)
            write_image(_target(self.folder / OVERLAYS, f"{name}.png"), overlay)
        return _thumbnails(finished, self.pixel_threshold, self.good) if self.thumbnails else None


def draw_finished(finished: Finished, threshold: float | None, pixel_threshold: float | None) -> Image:
    """The image under its heat map, with score and decision, outlined at the pixel threshold. May raise ImageReadError.

    threshold: what the image score was compared with, for the caption.
    """
    from anomalyclip.io import draw_overlay

    result: Result = finished.result
    return draw_overlay(
        finished.original(),
        finished.anomaly_map,
        threshold=pixel_threshold,
        valid=None if finished.area is None else finished.area.mask(),
        score=result.score,
        score_threshold=threshold,
        decision=result.decision,
    )


def _target(root: Path, name: str) -> Path:
    """The path to write, its folder made. Refuses names that would leave `root`: they come from file names."""
    path = root / name
    if ".." in path.relative_to(root).parts or Path(name).is_absolute():
        raise InputError(f"the output name {name!r} leaves its folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(path.parent, error) from error
    return path


def _thumbnails(finished: Finished, pixel_threshold: float | None, good: Sequence[bytes]) -> Thumbnails:
    import cv2

    from anomalyclip.io import draw_overlay, thumbnail_data_uri

    image = finished.thumbnail
    small = cv2.resize(finished.anomaly_map, image.size, interpolation=cv2.INTER_AREA)
    heat = draw_overlay(image, small, threshold=pixel_threshold, valid=_small_mask(finished), colour_bar=False)
    pairs = pairs_of(finished, good) if good else ()
    return Thumbnails(thumbnail_data_uri(image, THUMBNAIL_SIDE), thumbnail_data_uri(heat, THUMBNAIL_SIDE), pairs)


def _small_mask(finished: Finished) -> npt.NDArray[np.bool_] | None:
    import cv2
    import numpy as np

    if finished.area is None:
        return None
    mask = finished.area.mask().view(np.uint8)
    return np.asarray(cv2.resize(mask, finished.thumbnail.size, interpolation=cv2.INTER_NEAREST)) > 0
