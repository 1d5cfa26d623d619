"""Good pictures -> what the encoder and the words saw of each, kept in memory, so that any of them can be left out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.detect.stages import Rules, Stages, reason
from anomalyclip.errors import InputError
from anomalyclip.geometry import Areas, Assembly, Geometry, plan_views, view_pixels
from anomalyclip.geometry.views import batches_of
from anomalyclip.io.names import printable
from anomalyclip.io.pictures import thumbnail_jpeg
from anomalyclip.judges.memory.comparing import boxes_of
from anomalyclip.judges.memory.copies import poses, unposed
from anomalyclip.judges.memory.seeing import see
from anomalyclip.judges.memory.seen import Seen

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from anomalyclip.detect.inputs import InputItem
    from anomalyclip.detector import Detector
    from anomalyclip.geometry import Area, View
    from anomalyclip.judges.memory.source import Source

KEPT_BYTES = 64 * 2**20
THUMBNAIL = 320
"""Longest side in pixels of the pictures that a memory shows: what pocket sees of a picture. About 20 KB each."""


@dataclass(frozen=True, eq=False)
class Turned:
    """A copy of a picture in another pose: its number among :func:`poses`, its views and what was seen of each."""

    pose: int
    views: list[View]
    seen: list[Seen]


@dataclass(frozen=True, eq=False)
class Good:
    """One good picture.

    Attributes:
        path: of its file. size: (width, height). digest: of its pixels.
        views, seen: its views and what was seen of each. area: which pixels count, None is all.
        original: the RGB picture, read again where it is large; for the self-test.
        thumbnail: a small JPEG of it. copies: what was seen of its turned copies, which a memory holds beside it.
    """

    path: str
    size: tuple[int, int]
    digest: bytes
    views: list[View]
    seen: list[Seen]
    area: Area | None
    original: Callable[[], Image]
    thumbnail: bytes
    copies: list[Turned] = field(default_factory=list)

    @property
    def remembered(self) -> list[Seen]:
        """Views, and those of turned copies."""
        return [*self.seen, *(view for copy in self.copies for view in copy.seen)]

    def patch_boxes(self) -> NDArray[np.int32]:
        """Where each patch of :attr:`remembered` lies in the picture: (M, 4), x, y, width, height in pixels."""
        found = []
        for copy in (Turned(0, self.views, self.seen), *self.copies):
            for view, seen in zip(copy.views, copy.seen, strict=True):
                found.append(unposed(boxes_of(view.box, seen.grid), copy.pose, self.size))
        return np.concatenate(found)

    def assembly(self, *, keep_map: bool = True) -> Assembly:
        """Takes the verdict of each view, as `detect` does."""
        return Assembly(self.size, self.views, area=self.area, keep_map=keep_map)


@dataclass
class Gathered:
    """Good pictures, each once, and why others were left out: (path, reason).

    refusal: why this model makes no memory at all, "" where it does.
    """

    pictures: list[Good] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    refusal: str = ""


@dataclass(frozen=True)
class Gatherer:
    """Reads pictures as `detect` does and keeps what is seen of them.

    model: with its words judge. read: gives an item's RGB image. look: runs the model on views (B, 3, H, W) where that
    is another thread's; None runs it here. augment: also see turned and mirrored copies of each picture.
    """

    model: Detector
    source: Source
    geometry: Geometry
    areas: Areas
    read: Callable[[InputItem], Image]
    batch_size: int = 1
    look: Callable[[NDArray[Any]], list[Seen]] | None = None
    augment: bool = False

    def gather(self, items: Iterable[InputItem], advance: Callable[[], object] = lambda: None) -> Gathered:
        """What cannot be read or seen, or shows the same pixels as an earlier picture, is left out."""
        found = Gathered()
        names: dict[bytes, str] = {}
        for item, outcome in self._each(items):
            if isinstance(outcome, str):
                found.skipped.append((item.path, outcome))
            elif (twin := names.get(outcome.digest)) is not None:
                found.skipped.append((item.path, f"the same picture as {printable(twin)}"))
            else:
                names[outcome.digest] = item.path
                found.pictures.append(outcome)
            advance()
        return found

    def _each(self, items: Iterable[InputItem]) -> Iterator[tuple[InputItem, Good | str]]:
        stages = Stages(
            self.model,
            Rules(),
            lambda finished: None,
            self.read,
            KEPT_BYTES // 64,
            self.geometry,
            self.areas,
            (0.0, 0.0),
        )
        return ((item, self._good_or_reason(stages, item)) for item in items)

    def _good_or_reason(self, stages: Stages, item: InputItem) -> Good | str:
        try:
            return self._good(stages, item)
        except Exception as error:  # one bad picture never stops the others
            return reason(error, item)

    def _good(self, stages: Stages, item: InputItem) -> Good:
        ready = stages.read(item)
        image = stages.original(ready)
        digest = hashlib.blake2b(f"{image.size}".encode() + image.tobytes(), digest_size=16).digest()
        views = list(ready.views)
        return Good(
            item.path,
            ready.size,
            digest,
            views,
            self.seen(image, views),
            ready.area,
            lambda: stages.original(ready),
            thumbnail_jpeg(image, THUMBNAIL),
            self._copies(image) if self.augment else [],
        )

    def _copies(self, image: Image) -> list[Turned]:
        """Seven other poses, each laid out as pictures of its proportions are."""
        from PIL import Image as Pillow

        found = []
        for number, pixels in enumerate(poses(np.asarray(image))):
            if number:
                copy = Pillow.fromarray(pixels)
                views = list(plan_views(copy.size, self.geometry, self.model.sizes, None))
                found.append(Turned(number, views, self.seen(copy, views)))
        return found

    def seen(self, image: Image, views: list[View]) -> list[Seen]:
        """Each view of a picture."""
        found: list[Seen] = []
        for batch in batches_of(views, self.batch_size):
            pixels = np.stack([view_pixels(self.model.preprocess, image, view) for view in batch])
            found += self.see(pixels) if self.look is None else self.look(pixels)
        if not all(np.isfinite(part).all() for one in found for part in (one.described, one.words, one.whole)):
            raise InputError("the model gave values that are no number")  # one such picture would spoil all others
        return found

    def see(self, pixels: NDArray[Any]) -> list[Seen]:
        """Views (B, 3, H, W) in one pass of the model."""
        return see(self.model.encoder, self.model.judge, self.source, pixels)
