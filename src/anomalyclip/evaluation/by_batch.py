"""Each class as a batch that judges itself: `evaluate --mutual`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.by_class import ByClass, model_for, provenance_of
from anomalyclip.data.pictures import pictures_of
from anomalyclip.errors import AnomalyClipError, OutputError
from anomalyclip.geometry.views import plan_views, view_pixels
from anomalyclip.io.reading import Reading
from anomalyclip.io.scratch import scratch
from anomalyclip.mutual.passes import FirstPass, SecondPass, compared

if TYPE_CHECKING:
    from anomalyclip.by_class import Models
    from anomalyclip.data.dataset import Dataset, Item
    from anomalyclip.detector import Detector
    from anomalyclip.geometry import Areas, Geometry


class ByBatch(ByClass):
    """Detectors whose classes' pictures are seen and compared before they are judged.

    Pictures that cannot be read do not count; evaluation tells them in their rows. What is seen of all classes lies in
    ``folder`` until the caller removes it.

    Args:
        models: of single pictures. dataset: whose classes are batches. layout: geometry and areas of `evaluate`.
        partners, budget, aligned: see :func:`anomalyclip.mutual.scoring.score_batch`. frames, reading: as `evaluate`
            reads.
        told: called with what a user should know of a class's batch.
    """

    def __init__(
        self,
        models: Models,
        dataset: Dataset,
        folder: Path,
        layout: tuple[Geometry, Areas],
        *,
        partners: int,
        budget: int,
        aligned: int | None = None,
        frames: int | None = None,
        reading: Reading | None = None,
        told: Callable[[str], object] = lambda line: None,
    ) -> None:
        self._models, self._dataset, self._folder, self._layout = models, dataset, folder, layout
        self._partners, self._budget, self._aligned = partners, budget, aligned
        self._frames, self._reading = frames, reading or Reading()
        self._told, self._made = told, dict[str, SecondPass]()

    def for_class(self, name: str) -> Detector:
        """Raises InputError for a class of fewer than 5 different pictures."""
        if name not in self._made:
            first = FirstPass(model_for(self._models, name), self._folder)
            first.check(self._layout[0])
            self._see(first, name)
            judged = compared(first, partners=self._partners, budget=self._budget, aligned=self._aligned)
            for doubt in judged.verdicts.doubts:
                self._told(f"{name}: {doubt}")
            self._made[name] = judged
        return self._made[name]

    def provenance(self) -> dict[str, Any]:
        """The models' own; a class's batch are its pictures, of which results keep a fingerprint."""
        told = provenance_of(self._models)
        aligned = {} if self._aligned is None else {"aligned": self._aligned}
        return told | {"method": f"{told.get('method', '')}+mutual", "partners": self._partners} | aligned

    def _see(self, first: FirstPass, name: str) -> None:
        for item in pictures_of(self._dataset.of_class(name), self._frames, self._reading):
            self._see_one(first, item)

    def _see_one(self, first: FirstPass, item: Item) -> None:
        geometry, areas = self._layout
        try:
            image = self._reading.image(item.image, item.frame)
            area, _ = areas.of(image.size, item.image.name)
            for view in plan_views(image.size, geometry, first.sizes, area):
                first.predict(view_pixels(first.preprocess, image, view)[None])
        except OutputError:  # no room for what was seen: no picture is at fault
            raise
        except AnomalyClipError:
            return  # told in the picture's row, when it is measured


@contextmanager
def by_batch(models: Models, dataset: Dataset, layout: tuple[Geometry, Areas], **options: Any) -> Iterator[ByBatch]:
    """:class:`ByBatch` with a folder of its own for as long as the context lasts."""
    with scratch("batch") as folder:
        yield ByBatch(models, dataset, folder, layout, **options)
