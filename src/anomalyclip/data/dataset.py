"""What every reader of `data` yields: labelled images with their masks, whatever the layout on disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from anomalyclip.data.masks import Mask

NORMAL, ANOMALOUS = 0, 1
GOOD = "good"


@dataclass(frozen=True)
class Item:
    """One labelled image.

    Attributes:
        image: the image file.
        mask: what marks its pixels: a file, several, or an export's shapes; None for anomalous images whose pixels
            nobody has marked, and for normal ones, unless something marks them, which is then told.
        label: 0 normal, 1 anomalous.
        class_name: the object or material shown ("bottle", "colon").
        kind: "good", or the defect's name (`specie_name` in the authors' meta.json).
        has_mask: whether the truth about every pixel is known: by the mask, or as all zero for a normal image of a
            set with masks. False: leave the image out of every pixel metric and pixel loss.
        frame: which picture of a file of several, from 0; None for a file of one.
        published: it belongs to one of the paper's data sets, whose masks are read as their authors do.
    """

    image: Path
    mask: Mask | None
    label: int
    class_name: str
    kind: str
    has_mask: bool
    published: bool = False
    frame: int | None = None


@dataclass(frozen=True)
class Dataset:
    """Labelled images of one split.

    Attributes:
        name: a known data set's name, or the folder's.
        root: the folder that was opened (or that holds the file that was).
        split: "test" or "train".
        items: in order of class, then as the layout lists them.
        problems: findings that do not keep the data from being used, one line each for people to read.
        notes: what the data is read from, where that is no matter of course.
    """

    name: str
    root: Path
    split: str
    items: tuple[Item, ...]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Class names, in order of first appearance."""
        return tuple(dict.fromkeys(item.class_name for item in self.items))

    @cached_property
    def levels(self) -> frozenset[str]:
        """What can be measured: "image" if both labels occur, "pixel" if any anomalous image has a mask."""
        return levels_of(self.items)

    def of_class(self, name: str) -> tuple[Item, ...]:
        """The items of one class; empty for a name that does not occur."""
        return tuple(item for item in self.items if item.class_name == name)


def levels_of(items: Iterable[Item]) -> frozenset[str]:
    """The measurable levels of any items (one class, a subset): see `Dataset.levels`."""
    labels: set[int] = set()
    masks = False
    for item in items:
        labels.add(item.label)
        masks |= item.mask is not None and item.label == ANOMALOUS
    both = {"image"} if labels == {NORMAL, ANOMALOUS} else set()
    return frozenset(both | ({"pixel"} if masks else set()))
