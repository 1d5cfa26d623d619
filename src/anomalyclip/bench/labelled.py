"""Labelled images to measure accuracy on: rendered ones, and those of data sets on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from anomalyclip.data import Item, load_mask, open_dataset
from anomalyclip.data.opening import META
from anomalyclip.data.transforms import preprocess_mask
from anomalyclip.io import read_image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

_SEED = 900_000  # far from the seeds that pocket learned from, was validated on, and that calibrate int8
_SIDE = 320


@dataclass(frozen=True)
class Labelled:
    """One image, its label (1 anomalous), and the truth about its pixels (S, S) 0 or 1, None where it is not known."""

    image: Image
    label: int
    truth: NDArray[np.float32] | None


@dataclass(frozen=True)
class LabelledSet:
    """A name, a number of images, and ``read(S)``, which goes through them with their truth at S x S."""

    name: str
    count: int
    read: Callable[[int], Iterator[Labelled]]


def rendered_set(count: int) -> LabelledSet:
    """``count`` rendered images, normal and anomalous in turn."""
    return LabelledSet("rendered", count, partial(_renders, count))


def sets_on_disk(folder: Path, limit: int) -> list[LabelledSet]:
    """The data set in ``folder``, or every one in its subfolders; of each at most ``limit`` images, evenly spread.

    Raises:
        InputError: no data set there.
    """
    inner = sorted(path.parent for path in folder.glob(f"*/{META}"))
    homes = inner if inner and not (folder / META).exists() else [folder]
    return [_on_disk(home, limit) for home in homes]


def _on_disk(folder: Path, limit: int) -> LabelledSet:
    dataset = open_dataset(folder)
    items = dataset.items
    chosen = [items[index * len(items) // limit] for index in range(limit)] if len(items) > limit else list(items)
    return LabelledSet(dataset.name, len(chosen), partial(_files, chosen))


def _files(items: Sequence[Item], side: int) -> Iterator[Labelled]:
    for item in items:
        truth = load_mask(item, side)
        yield Labelled(read_image(item.image), item.label, truth)


def _renders(count: int, side: int) -> Iterator[Labelled]:
    from PIL import Image

    from anomalyclip.data.synthetic import render

    for index in range(count):
        sample = render(_SEED + index, _SIDE, anomalous=bool(index % 2))
        truth = preprocess_mask(sample.labels > 0, side)
        yield Labelled(Image.fromarray(sample.image), int(sample.anomalous), truth)
