"""Labelled files of several pictures: an item per picture, each with the picture of the mask that belongs to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from anomalyclip.data.dataset import Item
from anomalyclip.errors import AnomalyClipError, InputError
from anomalyclip.io.frames import count_frames, frame_path, wanted
from anomalyclip.io.names import printable
from anomalyclip.io.reading import Reading


def pictures_of(items: Iterable[Item], frames: int | None, reading: Reading) -> Iterator[Item]:
    """Every picture of every item's file, `frames` of a file at most (None: all, up to the limit of `io.frames`)."""
    for item in items:
        try:
            number = reading.count(item.image)
        except AnomalyClipError:  # reading it will say why, in its row
            number = 1
        if number == 1:
            yield item
        else:
            taken, told = wanted(number, frames)
            yield from (replace(item, frame=frame) for frame in range(taken))
            if told is not None:
                yield item  # which the reader refuses, with the number


def with_own_mask(item: Item) -> Item:
    """The item of one picture, with the picture of its mask that belongs to it; its files are `FILE#frame=n` then.

    Raises InputError where their numbers differ.
    """
    if item.frame is None or item.mask is None or not item.has_mask:
        return item
    name = printable(str(item.mask))
    if not isinstance(item.mask, Path):
        raise InputError(f"the image holds several pictures, its truth ({name}) one; left out of the pixel metrics")
    masks, pictures = count_frames(item.mask), count_frames(item.image)
    if masks != pictures:
        raise InputError(
            f"the mask {name} holds {masks:,} pictures, its image {pictures:,}; left out of the pixel metrics"
        )
    mask, image = (Path(frame_path(str(path), item.frame)) for path in (item.mask, item.image))
    return replace(item, mask=mask, image=image)


def relative_name(path: Path, root: Path) -> str:
    """The path below the root with forward slashes, else as it is."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
