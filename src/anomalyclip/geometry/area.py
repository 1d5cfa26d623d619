"""Which pixels of an image count: inside the region of interest and not ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from anomalyclip.errors import InputError
from anomalyclip.geometry.settings import Box

if TYPE_CHECKING:
    from typing_extensions import Self

Mask = NDArray[np.bool_]


class Area:
    """The pixels that count in an image of one size, one bit each.

    size: (width, height). box: smallest rectangle around the region of interest (not narrowed by what is ignored); the
    model sees nothing else. count: how many pixels count.
    """

    def __init__(self, size: tuple[int, int], box: Box, valid: Mask) -> None:
        """valid: (height, width), False outside `box`. Raises InputError where no pixel counts."""
        self.size, self.box = size, box
        self.count = int(np.count_nonzero(valid))
        if not self.count:
            raise InputError("the region of interest and the ignore mask leave no pixel of the image; check both")
        self._bits = np.packbits(valid, axis=1)

    @classmethod
    def of(cls, size: tuple[int, int], roi: Box | Mask | None, ignore: Mask | None) -> Self | None:
        """From a region of interest (a box, or a mask that is True inside) and a mask that is True where to ignore.

        None where every pixel counts. Raises InputError for a box that leaves the image, a mask of another size, and
        where nothing is left.
        """
        box = Box(0, 0, *size)
        valid = np.ones(size[::-1], bool)
        if isinstance(roi, tuple):
            box = Box(*roi)
            _check_box(box, size)
            valid[:] = False
            valid[box.y : box.y + box.height, box.x : box.x + box.width] = True
        elif roi is not None:
            _check_mask(roi, size, "region of interest")
            box = bounding_box(roi)
            valid &= roi
        if ignore is not None:
            _check_mask(ignore, size, "ignore mask")
            valid &= ~ignore
        return None if valid.all() else cls(size, box, valid)

    def inside(self, box: Box) -> Mask | None:
        """(box.height, box.width) True where a pixel counts; None where all of the box does."""
        rows = self._bits[box.y : box.y + box.height, box.x // 8 : (box.x + box.width + 7) // 8]
        offset = box.x % 8
        valid = np.unpackbits(rows, axis=1)[:, offset : offset + box.width].view(bool)
        return None if valid.all() else valid

    def counts(self, box: Box) -> bool:
        """Whether any pixel of the box counts."""
        inside = self.inside(box)
        return inside is None or bool(inside.any())

    def mask(self) -> Mask:
        """(height, width) True where a pixel counts."""
        width, height = self.size
        whole = self.inside(Box(0, 0, width, height))
        return np.ones((height, width), bool) if whole is None else whole

    def record(self) -> dict[str, Any]:
        """What a result says of it: the box the model saw and the share of the image's pixels that count."""
        return {"box": list(self.box), "inside": round(self.count / (self.size[0] * self.size[1]), 6)}


def bounding_box(mask: Mask) -> Box:
    """The smallest box around the True pixels. Raises InputError where there are none."""
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(ys):
        raise InputError("the region of interest is empty: its mask is black everywhere; paint white what counts")
    return Box(int(xs[0]), int(ys[0]), int(xs[-1] - xs[0]) + 1, int(ys[-1] - ys[0]) + 1)


def _check_box(box: Box, size: tuple[int, int]) -> None:
    if min(box.width, box.height) < 1 or min(box.x, box.y) < 0:
        raise InputError(f"region of interest {','.join(map(str, box))}: expected x,y from 0 and width,height from 1")
    if box.x + box.width > size[0] or box.y + box.height > size[1]:
        raise InputError(
            f"the region of interest {','.join(map(str, box))} (x,y,width,height) reaches beyond the image of "
            f"{size[0]} x {size[1]} pixels; give one inside it"
        )


def _check_mask(mask: Mask, size: tuple[int, int], what: str) -> None:
    if mask.shape != size[::-1]:
        shape = " x ".join(map(str, mask.shape[::-1]))
        raise InputError(
            f"the {what} has {shape} pixels, the image {size[0]} x {size[1]}: give a mask of the image's own size"
        )
