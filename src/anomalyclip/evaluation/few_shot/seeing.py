"""Seeing pictures once: by the words as `evaluate` judges them, and as references of a line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.calibration.gathering import Gatherer
from anomalyclip.evaluation.few_shot.store import SeenStore, picture_digest
from anomalyclip.evaluation.predictor import Loaded, Predictor
from anomalyclip.geometry import Areas, Assembly, Geometry, plan_views, view_pixels
from anomalyclip.geometry.views import batches_of
from anomalyclip.judges.memory.seeing import see
from anomalyclip.judges.memory.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL.Image import Image

    from anomalyclip.detector import Detector
    from anomalyclip.geometry import Area, View
    from anomalyclip.judges.memory.source import Source

    Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Sight:
    """Sees pictures with one model and keeps what it saw.

    source: which features a memory compares. store: where it is kept. geometry, areas: how pictures are laid out.
    """

    model: Detector
    source: Source
    store: SeenStore
    geometry: Geometry
    areas: Areas

    def views(self, size: tuple[int, int], area: Area | None) -> list[View]:
        """How a picture of (width, height) is cut."""
        return list(plan_views(size, self.geometry, self.model.sizes, area))

    def seen(self, image: Image, views: Sequence[View], digest: str | None = None) -> list[Seen]:
        """Each view of a picture: from the store, else by the encoder, and then kept. Raises OutputError.

        What is kept is also what is given, so that the first run and later ones have the same numbers.
        """
        name = digest or picture_digest(image)
        if not self.store.has(name):
            found: list[Seen] = []
            for batch in batches_of(list(views), 1):
                pixels = np.stack([view_pixels(self.model.preprocess, image, view) for view in batch])
                found += see(self.model.encoder, self.model.judge, self.source, pixels)
            self.store.put(name, found)
        return self.store.get(name)


class SightPredictor(Predictor):
    """What the words say of pictures, through a :class:`Sight`: they are then ready for a line."""

    def __init__(self, sight: Sight) -> None:
        super().__init__(sight.model, None, sight.geometry, sight.areas)
        self.sight = sight

    def load(self, path: Path, image: Image, frame: int | None = None) -> Loaded:
        """See :meth:`Predictor.load`."""
        area, _ = self.areas.of(image.size, path.name)
        return Loaded(None, picture_digest(image), image=image, area=area)

    def predict(self, batch: Sequence[Loaded]) -> tuple[Floats, Floats | list[Floats]]:
        """See :meth:`Predictor.predict`."""
        judged = [self._judged(one.image, one.area, one.sha256) for one in batch if one.image is not None]
        scores = np.array([score for score, _ in judged], np.float32)
        return scores, [anomaly_map for _, anomaly_map in judged]

    def _judged(self, image: Image, area: Area | None, digest: str | None) -> tuple[float, Floats]:
        views = self.sight.views(image.size, area)
        seen = self.sight.seen(image, views, digest)
        outcomes = [(view.score, view.anomaly_map) for view in seen]
        return assembled(image.size, views, outcomes, area, plain=self.plain, peak=self.model.peak)


def assembled(
    size: tuple[int, int],
    views: Sequence[View],
    outcomes: Sequence[tuple[float, Floats]],
    area: Area | None,
    *,
    plain: bool,
    peak: tuple[float, float] = (0.0, 0.0),
) -> tuple[float, Floats]:
    """Score and map of a picture of (width, height): of a plain one the model's own map (S, S), else its full map."""
    if plain:
        return outcomes[0]
    assembly = Assembly(size, views, area=area, peak=(0.0, 0.0) if area is None else peak)
    for view, (score, anomaly_map) in zip(views, outcomes, strict=True):
        assembly.add(view, score, anomaly_map.copy())
    return assembly.score, assembly.anomaly_map


@dataclass(frozen=True)
class SightGatherer(Gatherer):
    """Gathers good pictures as `calibrate` does, but what is seen of them comes through a :class:`Sight`."""

    sight: Sight = field(kw_only=True)

    def seen(self, image: Image, views: list[View]) -> list[Seen]:
        """Each view of a picture."""
        return self.sight.seen(image, views)
