"""Which maps are worth looking at, and their pictures: made afresh at the end, so that nothing is kept meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.by_class import model_for
from anomalyclip.data.dataset import ANOMALOUS, NORMAL, Dataset, Item
from anomalyclip.data.pictures import relative_name, with_own_mask
from anomalyclip.errors import AnomalyClipError, InputError
from anomalyclip.evaluation.predictor import CacheSettings, Predictor
from anomalyclip.evaluation.result import Evaluation, ImageRow
from anomalyclip.evaluation.truth import read_truth
from anomalyclip.io.reading import Reading

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from anomalyclip.by_class import Models
    from anomalyclip.geometry import Areas, Geometry

SIDE = 320  # pixels, longest side of a picture
_OUTLINE = (0, 255, 170)
Picks = Mapping[str, list[ImageRow]]


def pick(result: Evaluation, count: int = 4) -> Picks:
    """The images to show, under the heads of the gallery's rows.

    Anomalous images by the average precision of their own pixels where they have masks, else by score; and the normal
    images of the highest score.
    """
    scored = [row for row in result.rows if row.score is not None]
    anomalous = [row for row in scored if row.label == ANOMALOUS]
    by_pixels = [row for row in anomalous if row.pixel_ap is not None]
    key: Callable[[ImageRow], float] = _pixel_ap if by_pixels else _score
    ordered = sorted(by_pixels or anomalous, key=key, reverse=True)
    best = ordered[: min(count, (len(ordered) + 1) // 2)]  # none in both rows
    worst = ordered[len(best) :][-count:][::-1]
    alarms = sorted((row for row in scored if row.label == NORMAL), key=_score, reverse=True)[:count]
    said = "pixel AP" if by_pixels else "score"
    rows = {f"best ({said})": best, f"worst ({said})": worst, "normal, highest score": alarms}
    return {head: found for head, found in rows.items() if found}


def draw(
    models: Models,
    dataset: Dataset,
    result: Evaluation,
    row: ImageRow,
    cache: CacheSettings | None = None,
    geometry: Geometry | None = None,
    areas: Areas | None = None,
    reading: Reading | None = None,
) -> Image | None:
    """The image with the outline of its mask beside its heat map; None where it cannot be read any more."""
    from anomalyclip.io import draw_overlay

    item, reading = _item_of(dataset, row), reading or Reading()
    try:
        image = reading.image(item.image, item.frame)
    except AnomalyClipError:
        return None
    try:
        truth, _ = read_truth(with_own_mask(item), image.size, None, max_pixels=reading.max_pixels)
    except AnomalyClipError:  # told in the image's row
        truth = None
    predictor = Predictor(model_for(models, row.class_name), cache, geometry, areas, reading)
    _, maps = predictor.predict([predictor.load(item.image, image, item.frame)])
    small = image.copy()
    small.thumbnail((SIDE, SIDE))
    heat = draw_overlay(small, maps[0], colour_bar=False)
    return _beside(small if truth is None else _outlined(small, truth), heat)


def _item_of(dataset: Dataset, row: ImageRow) -> Item:
    for item in dataset.of_class(row.class_name):
        name = relative_name(item.image, dataset.root)
        if row.image == name:
            return item
        frame = row.image.removeprefix(f"{name}#frame=")
        if frame != row.image:
            return replace(item, frame=int(frame))
    raise InputError(f"{row.image}: the data set holds it no more")


def _outlined(image: Image, truth: NDArray[np.bool_]) -> Image:
    import cv2
    from PIL import Image as Pillow

    mask = cv2.resize(truth.astype(np.uint8), image.size, interpolation=cv2.INTER_NEAREST)
    edge = cv2.dilate(mask, np.ones((3, 3), np.uint8)) > mask
    pixels = np.array(image)
    pixels[edge] = _OUTLINE
    return Pillow.fromarray(pixels)


def _beside(left: Image, right: Image) -> Image:
    from PIL import Image as Pillow

    both = Pillow.new("RGB", (left.width + right.width + 4, left.height), "white")
    both.paste(left, (0, 0))
    both.paste(right, (left.width + 4, 0))
    return both


def _pixel_ap(row: ImageRow) -> float:
    return row.pixel_ap or 0.0


def _score(row: ImageRow) -> float:
    return row.score or 0.0
