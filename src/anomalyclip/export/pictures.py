"""Images to quantise and to verify with: a folder's, or rendered ones where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from anomalyclip.errors import AnomalyClipError, InputError
from anomalyclip.io.headers import what_it_is
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FIRST_SEED = 700_000  # far from the seeds that pocket was trained and validated with
_RENDERED_SIDE, _SMALLEST = 320, 32  # renders are drawn within these and then resized as any photo is


def folder_images(folder: Path, side: int, count: int) -> list[NDArray[np.uint8]]:
    """Up to `count` images (S, S, 3) spread evenly over the files of a folder; unreadable files are skipped.

    Raises:
        InputError: no file of the folder can be read as an image.
    """
    from anomalyclip.data.transforms import resize
    from anomalyclip.io import read_image

    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found: list[NDArray[np.uint8]] = []
    for path in files[:: max(1, len(files) // max(1, count))]:
        if len(found) == count:
            break
        try:
            found.append(resize(read_image(path), side))
        except AnomalyClipError:
            continue
    if not found:
        told = what_it_is(folder)
        reason = "holds no image that can be read" if told is None else f"is no folder: {told}"
        raise InputError(f"{printable(folder)} {reason}; give a folder of typical images")
    return found


def rendered_images(side: int, count: int, *, skip: int = 0) -> Iterator[NDArray[np.uint8]]:
    """`count` rendered images (S, S, 3), normal and anomalous in turn; `skip` leaves out as many first ones."""
    from PIL import Image

    from anomalyclip.data.synthetic import render
    from anomalyclip.data.transforms import resize

    for number in range(skip, skip + count):
        sample = render(_FIRST_SEED + number, max(_SMALLEST, min(side, _RENDERED_SIDE)), anomalous=bool(number % 2))
        yield resize(Image.fromarray(sample.image), side)
