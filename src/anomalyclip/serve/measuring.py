"""Normal images that clients send -> what a calibration needs of them; the model's turns are shared with all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from anomalyclip.calibration.gathering import Gatherer
from anomalyclip.calibration.growing import Growing
from anomalyclip.calibration.measured import collect
from anomalyclip.detect.inputs import InputItem
from anomalyclip.geometry import Areas, Geometry
from anomalyclip.judges.memory.source import source_for
from anomalyclip.serve.made import Taken
from anomalyclip.serve.refusals import Refused

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from anomalyclip.detector import Detector
    from anomalyclip.io.reading import Reading
    from anomalyclip.judges.memory.seen import Seen
    from anomalyclip.serve.batching import Batcher
    from anomalyclip.serve.uploads import Upload

MOST_IMAGES = 20_000


@dataclass(frozen=True)
class Measuring:
    """Takes images into a profile's :class:`Taken`. Blocks; the images are not kept, only what is learned of them.

    decode: gives the picture of an upload; may raise ImageReadError.
    """

    model: Detector
    batcher: Batcher
    batch_size: int
    reading: Reading
    decode: Callable[[Upload], Image]

    def refusal(self) -> str | None:
        """Why this model makes no memory; None where it does."""
        source = source_for(self.model.encoder.facts)
        if self.model.judge.whole_batch:
            return "the judge looks at whole batches"
        return self.model.encoder.offers(self.model.request | source.request)

    def begin(self, memory: bool) -> Taken:
        """No images yet."""
        if not memory:
            return Taken(self.reading)
        return Taken(self.reading, Growing(source_for(self.model.encoder.facts), self.model.settings.sigma))

    def take(self, taken: Taken, uploads: Sequence[Upload]) -> list[tuple[str, str]]:
        """Measure images and take them in; (path, reason) of those that do not count.

        Raises Refused where the profile would have more than :data:`MOST_IMAGES`.
        """
        if taken.count + len(uploads) > MOST_IMAGES:
            raise Refused("invalid", f"a profile made here takes {MOST_IMAGES:,} images; use `anomalyclip calibrate`")
        items = [InputItem(upload.name, upload.name, i.to_bytes(16, "big")) for i, upload in enumerate(uploads)]
        contents = {item.key: one for item, one in zip(items, uploads, strict=True)}

        def read(item: InputItem) -> Image:
            return self.decode(contents[item.key])

        if taken.growing is None:
            turns = cast("Detector", Turns(self.model, self.batcher))
            normals = collect(turns, items, batch_size=self.batch_size, workers=1, known=taken.measured, read=read)
            skipped, normals.skipped = normals.skipped, []
            taken.measured.extend(normals)
            return skipped
        gatherer = Gatherer(self.model, taken.growing.source, Geometry(), Areas(), read, look=self._look)
        gathered = gatherer.gather(items)
        return gathered.skipped + taken.growing.add(gathered.pictures)

    def _look(self, pixels: NDArray[Any]) -> list[Seen]:
        return [future.result() for future in [self.batcher.submit(one, self._see) for one in pixels]]

    def _see(self, pixels: NDArray[Any]) -> list[Seen]:
        """On the model's thread."""
        source = source_for(self.model.encoder.facts)
        return Gatherer(self.model, source, Geometry(), Areas(), _unread).see(pixels)


def _unread(item: InputItem) -> Image:
    raise NotImplementedError(item.path)


class Turns:
    """A detector whose passes wait in the server's queue like any other image."""

    def __init__(self, model: Detector, batcher: Batcher) -> None:
        self._model, self._batcher = model, batcher

    def __getattr__(self, name: str) -> Any:
        """Everything but `predict` is the detector's."""
        return getattr(self._model, name)

    def predict(self, pixels: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Every image waits for its own turn."""
        outcomes = [future.result() for future in [self._batcher.submit(each) for each in pixels]]
        scores, maps = zip(*outcomes, strict=True)
        return np.array(scores, np.float32), np.stack(maps)
